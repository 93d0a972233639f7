"""The bot at work in a rehearsal, and how it is started again."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol, Self

from rehearsal.errors import RehearsalError
from rehearsal.events import Changes
from rehearsal.server import Rehearsal

log = logging.getLogger(__name__)

READY_SECONDS: Final = 60.0
"""How long a bot may take to log in, its TTS gateway included."""


class Bot(Protocol):
    """A bot as it is run: `bot.speech_bot.SpeechBot`, or one of a test's own."""

    async def __aenter__(self) -> Self:
        """Get ready."""

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
        /,
    ) -> None:
        """Close everything."""

    async def start(self, token: str) -> None:
        """Log in and run until shut down."""

    async def wait_until_ready(self) -> None:
        """Wait until logged in."""

    async def shut_down(self) -> None:
        """Log out in order."""


class BotOnCall:
    """Runs one bot after the other. ``make`` returns a fresh one."""

    def __init__(self, rehearsal: Rehearsal, make: Callable[[], Bot]) -> None:
        self._rehearsal = rehearsal
        self._make = make
        self._stop = asyncio.Event()
        self._running: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._was_ready = False
        self._one_at_a_time = asyncio.Lock()
        self.current: Bot | None = None
        """The bot at work."""
        self.ended = False
        """Whether the last bot ended although nobody had asked it to."""
        self.changes = Changes()

    @property
    def is_ready(self) -> bool:
        """Return whether a bot is logged in."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Start a bot and return once it is logged in. Raises what kept it from that."""
        self._stop, self.ended, self._was_ready = asyncio.Event(), False, False
        self._running = asyncio.create_task(self._run(self._stop), name="bot-on-call")
        self._running.add_done_callback(self._note_end)
        ready = asyncio.create_task(self._ready.wait(), name="bot-ready")
        await asyncio.wait({self._running, ready}, timeout=READY_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if self._running.done():
            self._running.result()
            raise RehearsalError("the bot ended before it was logged in")
        if not self.is_ready:
            raise TimeoutError(f"the bot was not logged in after {READY_SECONDS:g} s")

    async def restart(self) -> None:
        """Shut the bot down in order, and start a fresh one, also where the bot had ended by itself."""
        async with self._one_at_a_time:
            await self.aclose()
            await self.start()

    async def aclose(self) -> None:
        """Shut the bot down in order. A bot that had ended by itself is in the log already."""
        self._stop.set()
        running, self._running = self._running, None
        if running is not None:
            await asyncio.wait([running])

    async def _run(self, stop: asyncio.Event) -> None:
        bot = self.current = self._make()
        async with bot:
            working = asyncio.create_task(bot.start(self._rehearsal.token), name="bot")
            stopping = asyncio.create_task(stop.wait(), name="stop")
            ready = asyncio.create_task(bot.wait_until_ready(), name="ready")
            ready.add_done_callback(self._note_ready)
            try:
                await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                self._ready.clear()
                self.changes.notify()
                ready.cancel()
                stopping.cancel()
                await bot.shut_down()
                await asyncio.wait([working])
        working.result()

    def _note_end(self, running: asyncio.Task[None]) -> None:
        error = None if running.cancelled() else running.exception()
        self.ended = error is not None or not self._stop.is_set()
        if self.ended and self._was_ready:  # before that, `start` tells
            log.error("the bot ended by itself: %s", error or "it gave no reason", exc_info=error)
        self.changes.notify()

    def _note_ready(self, ready: asyncio.Task[None]) -> None:
        if not ready.cancelled() and ready.exception() is None:
            self._ready.set()
            self._was_ready = True
            self.changes.notify()
