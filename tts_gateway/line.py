"""Who may use the engine, and who has to wait or come back later."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from tts_gateway.refusal import Refusal

_LONGEST_ADVICE: Final = 60  # s: whoever is told to stay away longer gives up


class Line:
    """``places`` requests have the engine at once, ``waiting`` more stand in line, in order."""

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._most = places + waiting
        self._inside = 0
        self._engine = asyncio.Semaphore(places)
        self._usual_seconds = 1.0

    @asynccontextmanager
    async def admitted(self) -> AsyncIterator[None]:
        """Stand in line while the block runs. Raises `Refusal` (429) at once if the line is full."""
        if self._inside >= self._most:
            seconds = self._advice()
            raise Refusal(
                429,
                f"Rate limit is exceeded. Try again in {seconds} seconds.",
                {"Retry-After": str(seconds)},
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def engine(self) -> AsyncIterator[None]:
        """Wait for a place at the engine, and keep it while the block runs."""
        async with self._engine:
            started = time.monotonic()
            yield
            self._usual_seconds += (time.monotonic() - started - self._usual_seconds) / 4

    def _advice(self) -> int:
        return min(_LONGEST_ADVICE, max(1, math.ceil(self._usual_seconds * self._inside / self._places)))
