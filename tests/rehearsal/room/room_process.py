"""`python -m rehearsal --room-only`, as a process of its own: with the bot's own TTS gateway behind it."""

from __future__ import annotations

import asyncio
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from bot.settings import child_environment

ROOT = Path(__file__).parents[3]
START_SECONDS = 90.0
END_SECONDS = 60.0


class RoomProcess:
    """A room that somebody has started; its page is at ``url``."""

    def __init__(self, process: asyncio.subprocess.Process, url: str) -> None:
        self.url = url
        self.visitor: int | None = None
        self._process = process

    async def end(self) -> int:
        """Ask it to end, as `kill` does, and return its exit status."""
        self._process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(END_SECONDS):
            return await self._process.wait()


@asynccontextmanager
async def room_process(folder: Path) -> AsyncIterator[RoomProcess]:
    """Yield a room started in ``folder``, on a free port, with no browser of its own."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "rehearsal", "--room-only", "--no-browser", "--port", "0"),
        cwd=folder,
        env={**child_environment(), "PYTHONPATH": str(ROOT)},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        async with asyncio.timeout(START_SECONDS):
            line = (await process.stdout.readline()).decode()
        found = re.search(r"http://\S+", line)
        assert found, line
        yield RoomProcess(process, found[0])
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
