"""One thing to say in one guild, from its place in the queue to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

FRAME_SECONDS: Final = 0.02
"""What one Opus frame lasts on Discord."""


class Outcome(Enum):
    """How an utterance ended."""

    PLAYED = "played"
    SKIPPED = "skipped"
    STOPPED = "stopped"  # or its making failed
    LOST = "lost"  # the voice connection was lost, or the bot left or was kicked


class UtteranceState(Enum):
    """How far an utterance has come."""

    MAKING = "making"
    READY = "ready"
    PLAYING = "playing"
    DONE = "done"


class Utterance:
    """A place in a guild's queue. Its maker supplies the sound; the player plays it.

    Made by `GuildPlayer.reserve`; used only in the event loop.
    """

    def __init__(
        self, utterance_id: int, *, member_id: int, title: str, changed: Callable[[Utterance], None]
    ) -> None:
        self.id = utterance_id
        self.member_id = member_id
        self.title = title
        self.state = UtteranceState.MAKING
        self.frames: Sequence[bytes] = ()
        self._changed = changed
        self._outcome: Outcome | None = None
        self._done = asyncio.Event()
        self._on_dropped: list[Callable[[], None]] = []
        self._was_dropped = False

    @property
    def seconds(self) -> float | None:
        """How long its sound lasts; None while it is being made."""
        return None if self.state is UtteranceState.MAKING else len(self.frames) * FRAME_SECONDS

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None before that."""
        return self._outcome

    def supply(self, frames: Sequence[bytes]) -> None:
        """Hand over its sound, 20 ms Opus frames; it may now be played. Too late is no error."""
        if self.state is UtteranceState.MAKING:
            self.frames = frames
            self.state = UtteranceState.READY
            self._changed(self)

    def cancel(self) -> None:
        """Give the place back: the making failed. It ends as STOPPED; nobody is told it was dropped."""
        self._on_dropped.clear()
        self._finish(Outcome.STOPPED)

    async def finished(self) -> Outcome:
        """Wait for the end and return how it came."""
        await self._done.wait()
        assert self._outcome is not None  # noqa: S101 - set together with the event
        return self._outcome

    def on_dropped(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` if this ends while it is still being made, so that the making stops too.

        It is called in the event loop, at once if that has already happened, and must not raise.
        """
        if self._was_dropped:
            callback()
        elif self.state is UtteranceState.MAKING:
            self._on_dropped.append(callback)

    def begin(self) -> None:
        """Note that it is being played (the player's part)."""
        self.state = UtteranceState.PLAYING

    def end(self, outcome: Outcome) -> None:
        """Note how it ended (the player's part); only the first end counts."""
        if self.state is UtteranceState.DONE:
            return
        self._was_dropped = self.state is UtteranceState.MAKING
        self._finish(outcome)
        if self._was_dropped:
            for callback in self._on_dropped:
                callback()

    def _finish(self, outcome: Outcome) -> None:
        if self.state is UtteranceState.DONE:
            return
        self.state = UtteranceState.DONE
        self._outcome = outcome
        self._done.set()
        self._changed(self)
