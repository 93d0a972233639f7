"""`python -m bot` as a process of its own, whose Discord is a rehearsal behind a proxy."""

from __future__ import annotations

import asyncio
import ctypes
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from bot.settings import child_environment
from rehearsal.server import Rehearsal
from tests.fakes.connect_proxy import connect_proxy

ROOT = Path(__file__).parent.parent
DEADLINE = 60.0
_PR_CAPBSET_DROP = 24
_CAPABILITIES_OVER_FILES = (1, 2)  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
LOGGED_IN = "logged in as"


class BotProcess:
    """The running process; ``said`` is what it wrote so far."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.said = ""

    async def until(self, words: str) -> str:
        """Wait until it has said ``words``; return all that it said. Fails if it ends before."""
        async with asyncio.timeout(DEADLINE):
            while words not in self.said:
                assert await self._read_line(), f"it ended without {words!r}:\n{self.said}"
        return self.said

    async def until_more(self) -> None:
        """Wait until it has said another line. Fails if it ends before."""
        async with asyncio.timeout(DEADLINE):
            assert await self._read_line(), f"it ended:\n{self.said}"

    async def ended(self) -> tuple[int, str]:
        """Wait for its end; return the exit status and all that it said."""
        async with asyncio.timeout(DEADLINE):
            while await self._read_line():
                pass
            return await self._process.wait(), self.said

    async def stopped(self) -> tuple[int, str]:
        """Ask it to end, and wait for that as `ended` does."""
        self._process.send_signal(signal.SIGTERM)
        return await self.ended()

    @property
    def pid(self) -> int:
        """Return its process id."""
        return self._process.pid

    async def killed(self) -> None:
        """Kill it, so that it can put nothing in order."""
        self._process.kill()
        await self._process.wait()

    async def _read_line(self) -> bool:
        assert self._process.stdout is not None
        line = await self._process.stdout.readline()
        self.said += line.decode()
        return bool(line)


def _obey_modes() -> None:
    libc = ctypes.CDLL(None)
    for capability in _CAPABILITIES_OVER_FILES:
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)


@asynccontextmanager
async def bot_process(folder: Path, *arguments: str, **variables: str) -> AsyncIterator[BotProcess]:
    """Yield `python -m bot` at work in ``folder`` with these settings; on leaving, it is gone."""
    async with _running(folder, arguments, variables, None) as process:
        yield process


@asynccontextmanager
async def obedient_bot_process(folder: Path, **variables: str) -> AsyncIterator[BotProcess]:
    """Yield one as `bot_process` does that may do no more with files than their modes say, even as root."""
    async with _running(folder, (), variables, _obey_modes) as process:
        yield process


_QUICK: Final = {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", "SOUND_PROCESS": "off"}
"""Starting the process that makes sound takes a second, which a test has to ask for."""


@asynccontextmanager
async def _running(
    folder: Path, arguments: Sequence[str], variables: Mapping[str, str], before: Callable[[], None] | None
) -> AsyncIterator[BotProcess]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", *arguments),
        cwd=folder,
        env={**child_environment(), **_QUICK, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        preexec_fn=before,
    )
    try:
        yield BotProcess(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@asynccontextmanager
async def discord_for(rehearsal: Rehearsal) -> AsyncIterator[Mapping[str, str]]:
    """Yield the settings with which a bot process takes ``rehearsal`` for Discord, and needs nothing else."""
    async with connect_proxy(rehearsal.port) as proxy:
        yield {
            "DISCORD_TOKEN": rehearsal.token,
            "HTTPS_PROXY": proxy.address,
            "SSL_CERT_FILE": str(rehearsal.ca_file),
            "TTS_BASE_URL": "http://127.0.0.1:9/v1",
        }
