"""Events and frames on their way, and changes that others wait for without polling."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from rehearsal.wire import Json


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

    async def next(self, timeout: float | None = None) -> bool:
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


@dataclass(frozen=True)
class Event:
    """One event. ``build`` makes its data for a session's intents.

    A session hears of it when it has one of ``intents`` (0: always); the shard is the guild's.
    """

    name: str
    build: Callable[[int], Json]
    guild_id: int | None
    intents: int


class Events:
    """Takes events from the world and hands them to the main socket."""

    def __init__(self) -> None:
        self.deliver: Callable[[Event], None] = lambda event: None

    def send(self, name: str, data: Json, *, guild_id: int | None = None, intents: int = 0) -> None:
        """Send an event whose data is the same for everyone."""
        self.deliver(Event(name, lambda _: data, guild_id, intents))

    def send_built(
        self, name: str, build: Callable[[int], Json], *, guild_id: int | None = None, intents: int = 0
    ) -> None:
        """Send an event whose data depends on what the listener may know."""
        self.deliver(Event(name, build, guild_id, intents))


class Outbox:
    """Sends frames in order, so that nobody who has something to say must wait for the network."""

    def __init__(self, socket: web.WebSocketResponse) -> None:
        self._socket = socket
        self._queue: asyncio.Queue[str | bytes | int] = asyncio.Queue()
        self._closing = False
        self._task = asyncio.create_task(self._run(), name="websocket outbox")

    def __len__(self) -> int:
        return self._queue.qsize()

    def put(self, frame: str | bytes) -> None:
        """Send ``frame`` after everything that was put before."""
        self._queue.put_nowait(frame)

    def put_close(self, code: int) -> None:
        """Close the websocket with ``code`` after everything that was put before."""
        self._closing = True
        self._queue.put_nowait(code)

    async def aclose(self) -> None:
        """Send nothing more; a close that was put is still carried out, or its code would be lost."""
        if not self._closing:
            self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            frame = await self._queue.get()
            try:
                if isinstance(frame, str):
                    await self._socket.send_str(frame)
                elif isinstance(frame, bytes):
                    await self._socket.send_bytes(frame)
                else:
                    await self._socket.close(code=frame)
                    return
            except ConnectionError:
                return  # the reading side sees the end too, and cleans up
