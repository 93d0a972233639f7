"""Voices that must fall silent: told at once to everybody who holds something of them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from bot.library.voice import Voice

log = logging.getLogger(__name__)

ANNOUNCE_SECONDS: Final = 1.0
"""So long the one who withdraws waits for the others; what takes longer goes on behind them."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message of ours in Discord that holds somebody's recording."""

    channel_id: int
    message_id: int


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """These ``voices`` may not be heard any more, nor ``likenesses``, the ids of those that are not saved.

    ``is_final``: they are deleted, and ``posts`` are to be deleted in Discord; otherwise they are frozen or
    rest and may come back. A voice that was thawed is told of too: it is not ``is_frozen`` then.
    ``recordings`` are of questions that are over.
    """

    voices: Sequence[Voice]
    posts: Sequence[Post] = ()
    is_final: bool = True
    likenesses: Sequence[str] = ()
    recordings: Sequence[str] = ()


Listener = Callable[[Withdrawal], Awaitable[None]]
"""Drops what it holds of the voices: places in the queue, kept speech, posts."""


class Withdrawals:
    """Passes each withdrawal on to all who have subscribed, at the same time."""

    def __init__(self, *, seconds: float = ANNOUNCE_SECONDS) -> None:
        self._seconds = seconds
        self._listeners: list[Listener] = []
        self._tasks: set[asyncio.Task[None]] = set()

    def subscribe(self, listener: Listener) -> None:
        """Call ``listener`` with every withdrawal from now on. Its errors hold nobody else up."""
        self._listeners.append(listener)

    async def announce(self, withdrawal: Withdrawal) -> None:
        """Tell everybody, and wait a moment for them."""
        if not (withdrawal.voices or withdrawal.posts or withdrawal.likenesses or withdrawal.recordings):
            return
        tasks = {
            asyncio.create_task(self._tell(listener, withdrawal), name="withdrawal")
            for listener in self._listeners
        }
        self._tasks |= tasks
        for task in tasks:
            task.add_done_callback(self._tasks.discard)
        if tasks:
            await asyncio.wait(tasks, timeout=self._seconds)

    async def aclose(self) -> None:
        """Wait until everybody is done."""
        await asyncio.gather(*self._tasks)

    async def _tell(self, listener: Listener, withdrawal: Withdrawal) -> None:
        try:
            await listener(withdrawal)
        except Exception:
            log.exception("something of a withdrawn voice may be left")
