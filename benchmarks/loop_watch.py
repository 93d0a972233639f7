"""How late the event loop comes back to those who wait."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

PROBE_SECONDS: Final = 0.002


@asynccontextmanager
async def lags_of_loop() -> AsyncIterator[list[float]]:
    """Give a list that grows by a lag, in seconds, every 2 ms while the block runs."""
    lags: list[float] = []
    probing = asyncio.create_task(_probe(lags))
    try:
        yield lags
    finally:
        probing.cancel()
        await asyncio.gather(probing, return_exceptions=True)


async def _probe(lags: list[float]) -> None:
    while True:
        before = time.perf_counter()
        await asyncio.sleep(PROBE_SECONDS)
        lags.append(time.perf_counter() - before - PROBE_SECONDS)
