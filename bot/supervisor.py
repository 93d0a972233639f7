"""Supervisor: several processes of the bot on one machine, started again when they end, and stopped together.

They share the servers by themselves, over PostgreSQL; here they are only kept alive.
"""

from __future__ import annotations

import asyncio
import logging
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final

from bot.data_folder import HEARTBEAT_FILE, LOCK_FILE, PROCESS_FOLDER

log = logging.getLogger(__name__)

_FIRST_PAUSE_SECONDS: Final = 1.0
_LONGEST_PAUSE_SECONDS: Final = 60.0
_STEADY_SECONDS: Final = 60.0
"""Who ran for so long is started again without a pause that has grown."""

_STOP_SECONDS: Final = 90.0
"""Longer than a process takes that hands its servers over and shuts down in order."""

_UP_SECONDS: Final = 120.0
"""So long the next process is not started anew because the one before is not connected yet."""

_LOOK_SECONDS: Final = 0.5

CANNOT_START: Final = 2
"""The exit status of a bot that a person has to help."""


class Supervisor:
    """Supervisor of ``count`` processes, each `python -m bot` with this ``environment`` and ``folder``."""

    def __init__(self, count: int, environment: Mapping[str, str], folder: Path) -> None:
        self._count = count
        self._folder = folder
        self._environment = dict(environment)
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._stop = asyncio.Event()
        self._renewing: asyncio.Task[None] | None = None
        self._ended: asyncio.subprocess.Process | None = None
        self._status = 0

    async def run(self, stop: asyncio.Event) -> int:
        """Keep them running until ``stop`` is set, then stop them; return the exit status.

        One that cannot start for a reason that stays ends all of them. SIGHUP has them started anew, one
        after the other.
        """
        if hasattr(signal, "SIGHUP"):
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._renew)
        keeping = [asyncio.create_task(self._keep(number)) for number in range(1, self._count + 1)]
        asked = asyncio.create_task(stop.wait())
        failed = asyncio.create_task(self._stop.wait())
        await asyncio.wait({asked, failed}, return_when=asyncio.FIRST_COMPLETED)
        self._stop.set()
        for task in (asked, failed, self._renewing):
            if task is not None:
                task.cancel()
        await asyncio.gather(*(self._end(process) for process in self._running.values()))
        await asyncio.gather(*keeping)
        return self._status

    async def _keep(self, number: int) -> None:
        pause = _FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while not self._stop.is_set():
            began = loop.time()
            process = self._running[number] = await self._start()
            log.info("process %d of %d runs (pid %d)", number, self._count, process.pid)
            status = await process.wait()
            if self._stop.is_set():
                return
            if process is self._ended:  # as it was asked to
                pause = _FIRST_PAUSE_SECONDS
                continue
            if status == CANNOT_START:
                self._status = status
                self._stop.set()
                return
            pause = _FIRST_PAUSE_SECONDS if loop.time() - began > _STEADY_SECONDS else pause
            log.warning(
                "Process %d of %d ended (%s). It starts again in %.0f s.",
                *(number, self._count, _how(status), pause),
            )
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stop.wait(), pause)
            pause = min(2 * pause, _LONGEST_PAUSE_SECONDS)

    async def _start(self) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bot"), env=self._environment, stdin=asyncio.subprocess.DEVNULL
        )

    def _renew(self) -> None:
        if self._renewing is None or self._renewing.done():
            self._renewing = asyncio.create_task(self._renew_all(), name="renewing")

    async def _renew_all(self) -> None:
        for number in list(self._running):
            log.info("process %d of %d is started anew", number, self._count)
            began, self._ended = time.time(), self._running[number]
            await self._end(self._ended)
            with suppress(TimeoutError):
                async with asyncio.timeout(_UP_SECONDS):
                    while not await asyncio.to_thread(self._is_up, self._running[number].pid, began):  # noqa: ASYNC110
                        await asyncio.sleep(_LOOK_SECONDS)

    def _is_up(self, pid: int, since: float) -> bool:
        """Return whether a process has been connected ``since`` then, as its folder says."""
        for folder in (self._folder, *self._folder.glob(PROCESS_FOLDER.format("*"))):
            with suppress(OSError):
                is_its_own = (folder / LOCK_FILE).read_text("utf-8", "replace").startswith(f"process {pid} ")
                if is_its_own and (folder / HEARTBEAT_FILE).stat().st_mtime > since:
                    return True
        return False

    async def _end(self, process: asyncio.subprocess.Process) -> None:
        """Have a process end in order, or, if it does not, at once."""
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"exit status {status}"
