"""Our own TTS gateway: a child process on this machine, for bots without a key."""

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
import time
from collections import deque
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Final, Self

from yarl import URL

from bot import typed
from bot.errors import TTSUnreachableError
from bot.settings import PREVIEW, child_environment
from bot.tts.wire import printable

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
    async def start(cls, module: str, arguments: Sequence[str]) -> Self:
        """Start ``module`` with ``arguments`` and without any secret of ours in its environment.

        Raises `TTSUnreachableError` if the system does not start processes.
        """
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", module, "--take-recordings", *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=_environment(),
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


def _environment() -> dict[str, str]:
    environment = child_environment()
    paths = [str(_ROOT), environment.get("PYTHONPATH", "")]
    environment |= {"PYTHONPATH": os.pathsep.join(filter(None, paths)), "PYTHONUNBUFFERED": "1"}
    return environment


_PREVIEW_SECONDS: Final = 60.0
_MODEL_SECONDS: Final = 300.0  # gigabytes are read from a disk
_STEADY_SECONDS: Final = 60.0  # after this long a death is a new one, and the back-off starts anew


class OwnTTSGateway:
    """Runs `python -m tts_gateway` on a free loopback port, and again on the same one if it dies.

    ``engine`` is what makes the sound there. ``extra_arguments`` go to its command line, which another
    ``module`` can have too. The child ends when `aclose` is called, and by itself when this process dies,
    because then its stdin closes. ``start_seconds`` is how long it may take to answer (None: as the engine
    needs); ``restart_delay`` and ``max_restart_delay`` bound the wait before it is started again.
    """

    def __init__(
        self,
        *,
        engine: str = PREVIEW,
        extra_arguments: Sequence[str] = (),
        module: str = "tts_gateway",
        start_seconds: float | None = None,
        restart_delay: float = 0.5,
        max_restart_delay: float = 30.0,
    ) -> None:
        is_preview = engine == PREVIEW
        self._arguments = (*(() if is_preview else ("--engine", engine)), *extra_arguments)
        self._module = module
        self._start_seconds = start_seconds or (_PREVIEW_SECONDS if is_preview else _MODEL_SECONDS)
        self._restart_delay = restart_delay
        self._max_restart_delay = max_restart_delay
        self._base_url = URL()
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The child's process id; None while there is no child."""
        return None if self._child is None else self._child.process_id

    async def start(self) -> str:
        """Start it, wait until it answers, and return its base URL.

        Raises `TTSUnreachableError` if it does not answer in time; its text is the child's last words.
        """
        if self._keeper is None:
            self._child = await self._start_child()
            self._base_url = self._child.base_url
            self._keeper = asyncio.create_task(self._keep_running(), name="own-tts-gateway")
        return str(self._base_url)

    async def hand_over(self, wav: bytes) -> str:
        """Return an address with which one call, and only one, can name this recording.

        Raises `TTSUnreachableError` while there is no child.
        """
        if self._child is None:
            raise TTSUnreachableError("our own TTS gateway is being started again")
        return await self._child.hand_over(wav)

    async def aclose(self) -> None:
        """End the child and wait until it is gone."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _start_child(self) -> Child:
        arguments = ("--port", str(self._base_url.port or 0), *self._arguments)
        child = await Child.start(self._module, arguments)
        try:
            await child.answers(self._start_seconds)
        except BaseException:
            await child.end()
            raise
        return child

    async def _keep_running(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            if self._child is not None:
                status = await self._child.ended()
                self._child = None
                log.warning("our own TTS gateway ended with status %d", status)
            if time.monotonic() - started > _STEADY_SECONDS:
                deaths = 0
            await asyncio.sleep(min(self._max_restart_delay, self._restart_delay * 2.0**deaths))
            deaths = min(deaths + 1, 30)
            try:
                self._child = await self._start_child()
            except TTSUnreachableError as error:
                log.error("our own TTS gateway does not start again: %s. Try: %s", error, typed("bot check"))
            else:
                log.info("our own TTS gateway is back")
