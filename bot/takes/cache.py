"""Speech kept for a day: the same order again costs nothing. All its work happens off the event loop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Final, Self, TypeVar
from weakref import WeakSet

from bot.takes.cache_file import KeptSpeech
from bot.takes.cache_folder import CacheFolder

log = logging.getLogger(__name__)

PURGE_SECONDS: Final = 3600.0
"""What is too old is thrown away this often, even while nobody asks for anything."""

T = TypeVar("T")


class Keeping:
    """The leave to keep one speech that is being made. `SpeechCache.forget` takes it away for good.

    Whoever makes the speech has it from `SpeechCache.keeping` and holds it until the speech is put there.
    """

    def __init__(self, labels: Collection[str]) -> None:
        self.labels = set(labels)
        self.is_forgotten = False

    def add(self, labels: Collection[str]) -> None:
        """Let these labels count too: somebody else waits for the same speech."""
        self.labels |= set(labels)


class SpeechCache:
    """A `CacheFolder` in a thread of its own, as an async context manager.

    ``folder`` None: nothing is kept.
    """

    def __init__(self, folder: CacheFolder | None, *, purge_seconds: float = PURGE_SECONDS) -> None:
        self._folder = folder
        self._purge_seconds = purge_seconds
        self._keepings: WeakSet[Keeping] = WeakSet()
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

    def keeping(self, labels: Collection[str]) -> Keeping:
        """Return the leave to keep speech with these ``labels``, as long as none of them is forgotten."""
        keeping = Keeping(labels)
        self._keepings.add(keeping)
        return keeping

    async def get(self, key: str, keeping: Keeping | None = None) -> KeptSpeech | None:
        """Return what is kept under ``key``; from now on it has the labels of ``keeping`` too."""
        folder = self._folder
        if folder is None or (keeping is not None and keeping.is_forgotten):
            return None
        labels = frozenset(keeping.labels) if keeping else frozenset()
        return await self._run(lambda: folder.get(key, labels))

    async def put(self, key: str, kept: KeptSpeech, keeping: Keeping | None = None) -> None:
        """Keep it; what cannot or may not be kept is not, and nobody has to know."""
        folder = self._folder
        if folder is None or (keeping is not None and keeping.is_forgotten):
            return
        labels = frozenset(keeping.labels) if keeping else frozenset()
        await self._run(lambda: folder.put(key, kept, labels))

    async def forget(self, *labels: str) -> None:
        """Throw away what has one of these labels, and do not keep what is being made with one now."""
        for keeping in self._keepings:
            keeping.is_forgotten |= not keeping.labels.isdisjoint(labels)
        folder = self._folder
        if folder is not None:
            await self._run(lambda: folder.forget(*labels))

    async def _purge(self, folder: CacheFolder) -> None:
        while True:
            await asyncio.sleep(self._purge_seconds)
            await self._run(folder.purge)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
