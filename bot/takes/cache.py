"""Speech kept for a day: the same order again costs nothing. All its work happens off the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar

from bot.takes.cache_file import KeptSpeech
from bot.takes.cache_folder import CacheFolder

log = logging.getLogger(__name__)

PURGE_SECONDS: Final = 3600.0
"""What is too old is thrown away this often, even while nobody asks for anything."""

T = TypeVar("T")


class SpeechCache:
    """A `CacheFolder` in a thread of its own, as an async context manager.

    ``folder`` None: nothing is kept.
    """

    def __init__(self, folder: CacheFolder | None, *, purge_seconds: float = PURGE_SECONDS) -> None:
        self._folder = folder
        self._purge_seconds = purge_seconds
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="speech-cache")
        self._purging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._folder is not None:
            await self._run(self._folder.open)
            self._purging = asyncio.create_task(self._purge(self._folder), name="speech-cache")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._purging is not None:
            self._purging.cancel()
        await asyncio.to_thread(self._worker.shutdown)

    async def get(self, key: str) -> KeptSpeech | None:
        """Return what is kept under ``key``."""
        folder = self._folder
        return None if folder is None else await self._run(lambda: folder.get(key))

    async def put(self, key: str, kept: KeptSpeech) -> None:
        """Keep it; what cannot be kept is not, and nobody has to know."""
        folder = self._folder
        if folder is not None:
            await self._run(lambda: folder.put(key, kept))

    async def _purge(self, folder: CacheFolder) -> None:
        while True:
            await asyncio.sleep(self._purge_seconds)
            await self._run(folder.purge)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
