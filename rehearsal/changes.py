"""Waiting for something to become true, without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class Changes:
    """A thing that changes now and then; others wait for a change."""

    def __init__(self) -> None:
        self._waiters: set[asyncio.Future[None]] = set()
        self._listeners: list[Callable[[], None]] = []

    def notify(self) -> None:
        """Tell everybody that something has changed."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)
        for listener in list(self._listeners):
            listener()

    def listen(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` at every change."""
        self._listeners.append(listener)

    async def next(self, timeout: float) -> bool:
        """Wait for the next change, at most ``timeout`` seconds; return whether there was one."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiters.add(waiter)
        try:
            async with asyncio.timeout(timeout):
                await waiter
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)
        return True

    async def until(self, predicate: Callable[[], bool], *, timeout: float, story: Callable[[], str]) -> None:
        """Wait until ``predicate`` holds. Raises `TimeoutError` with ``story`` after ``timeout`` seconds."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not predicate():
            if not await self.next(deadline - loop.time()) and not predicate():
                raise TimeoutError(f"after {timeout:g} s: {story()}")
