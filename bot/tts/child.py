"""The process of our own TTS gateway: started, listened to, ended."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import secrets
import struct
import subprocess
import sys
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Self

from yarl import URL

from bot.errors import TTSUnreachableError
from bot.settings import child_environment
from bot.tts.plain_text import printable

log = logging.getLogger(__name__)

_ANSWERS: Final = re.compile(r"TTS gateway: (http://127\.0\.0\.1:\d{1,5}/\S*)")
_TAKEN: Final = re.compile(r"taken: (\S+)")
_HEAD: Final = struct.Struct("!HI")  # the lengths of an address and of its WAV, which follow
_TAKEN_SECONDS: Final = 10.0
_QUIET_LEVELS: Final = ("DEBUG ", "INFO ")
_PATIENCE: Final = (3.0, 1.0, 1.0)  # seconds after closing stdin, after terminate, after kill
_LAST_WORDS_SECONDS: Final = 1.0
_ROOT: Final = Path(__file__).parents[2]  # where the package tts_gateway lies, whatever our folder is


class Child:
    """One running process. ``base_url`` is known once `answers` has returned."""

    base_url: URL

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._last_words: deque[str] = deque(maxlen=3)
        self._offered: dict[str, asyncio.Future[None]] = {}
        self._ready: asyncio.Future[URL | None] = asyncio.get_running_loop().create_future()
        self._readers = asyncio.gather(self._read_output(), self._read_complaints())

    @classmethod
    async def start(cls, arguments: Sequence[str], *, temporary: Path | None) -> Self:
        """Start it with ``arguments`` and without any secret of ours in its environment.

        Raises `TTSUnreachableError` if the system does not start processes.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tts_gateway", "--take-recordings", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(temporary),
                # Ctrl-C in a terminal is for us; we end the child in our own order.
                start_new_session=sys.platform != "win32",
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
        except OSError as error:
            raise TTSUnreachableError(f"our own TTS gateway cannot be started: {error.strerror}") from None
        return cls(process)

    @property
    def process_id(self) -> int:
        """The process id."""
        return self._process.pid

    async def answers(self, timeout: float) -> None:
        """Return once it answers. Raises `TTSUnreachableError` if it ends or stays silent instead."""
        ready, _ = await asyncio.wait([self._ready], timeout=timeout)
        base_url = self._ready.result() if ready else None
        if base_url is None:
            if ready:
                await asyncio.wait([self._readers], timeout=_LAST_WORDS_SECONDS)
            reason = " / ".join(self._last_words) or f"no answer within {timeout:.0f} s"
            raise TTSUnreachableError(f"our own TTS gateway did not start: {reason}")
        self.base_url = base_url

    async def hand_over(self, wav: bytes) -> str:
        """Return an address that is good for one call which names this recording, in the next minute.

        It goes over the child's stdin, which nobody else can read or write; nothing is served at the
        address. Raises `TTSUnreachableError` if the child does not take it.
        """
        address = str(self.base_url.origin() / "recordings" / secrets.token_urlsafe(24))
        stdin = self._process.stdin
        if stdin is None or stdin.is_closing() or self._process.returncode is not None:
            raise TTSUnreachableError("our own TTS gateway has ended")
        taken = self._offered[address] = asyncio.get_running_loop().create_future()
        try:
            stdin.write(_HEAD.pack(len(address), len(wav)) + address.encode() + wav)
            await asyncio.wait_for(taken, _TAKEN_SECONDS)
        except TimeoutError:
            raise TTSUnreachableError("our own TTS gateway does not take a recording") from None
        finally:
            del self._offered[address]
        return address

    async def ended(self) -> int:
        """Wait until it has ended and what it said was read; return its status."""
        status = await self._process.wait()
        # Not without end: a process of its own that outlives it would hold the pipes open.
        await asyncio.wait([self._readers], timeout=_LAST_WORDS_SECONDS)
        return status

    async def end(self) -> None:
        """End it: politely, then firmly, then by force."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        for seconds, stop in zip(_PATIENCE, (self._process.terminate, self._process.kill, None), strict=True):
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.ended(), seconds)
                return
            if stop is not None:
                with contextlib.suppress(ProcessLookupError):
                    stop()
        log.error("our own TTS gateway, process %d, does not end", self.process_id)

    async def _read_output(self) -> None:
        async for line in _lines(self._process.stdout):
            announced = _ANSWERS.fullmatch(line)
            if announced is not None and not self._ready.done():
                self._ready.set_result(URL(announced[1]))
            taken = _TAKEN.fullmatch(line)
            offered = self._offered.get(taken[1]) if taken is not None else None
            if offered is not None and not offered.done():
                offered.set_result(None)
        for offered in self._offered.values():
            if not offered.done():
                offered.set_exception(TTSUnreachableError("our own TTS gateway has ended"))
        if not self._ready.done():
            await self._process.wait()
            self._ready.set_result(None)

    async def _read_complaints(self) -> None:
        async for line in _lines(self._process.stderr):
            quiet = line.startswith(_QUIET_LEVELS)
            log.log(logging.DEBUG if quiet else logging.WARNING, "own TTS gateway: %s", line)
            self._last_words.append(line)


async def _lines(stream: asyncio.StreamReader | None) -> AsyncIterator[str]:
    while stream is not None:
        try:
            line = await stream.readline()
        except ValueError:  # longer than the reader's buffer, which it has thrown away
            continue
        if not line:
            return
        text = printable(line.decode("utf-8", "replace"))
        if text:
            yield text


def _environment(temporary: Path | None) -> dict[str, str]:
    environment = child_environment()
    paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    if temporary is not None:
        environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    return environment
