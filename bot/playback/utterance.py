"""One thing to say in one guild, from its place in the queue to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from enum import Enum

from bot.playback.frames import FRAME_SECONDS, FrameBuffer


class Outcome(Enum):
    """How an utterance ended."""

    PLAYED = "played"
    SKIPPED = "skipped"
    STOPPED = "stopped"  # or its maker gave the place back
    BROKEN_OFF = "broken off"  # its making failed when some of it could be heard already
    SILENCED = "silenced"  # the bot could not be heard for too long: server mute, or permission taken away
    WITHDRAWN = "withdrawn"  # a voice in it may not be heard any more
    LOST = "lost"  # the voice connection was lost, or the bot left or was kicked


class UtteranceState(Enum):
    """How far an utterance has come."""

    MAKING = "making"  # there is not enough yet to be played
    READY = "ready"  # it may be played, even though more may come
    PLAYING = "playing"
    DONE = "done"


class Utterance:
    """A place in a guild's queue. Its maker supplies the sound, at once or as it comes; the player plays it.

    Made by `GuildPlayer.reserve`; used only in the event loop.
    """

    def __init__(
        self,
        utterance_id: int,
        *,
        member_id: int,
        title: str,
        changed: Callable[[Utterance], None],
        voice_ids: frozenset[str] = frozenset(),
    ) -> None:
        self.id = utterance_id
        self.member_id = member_id
        self.title = title
        self.voice_ids = voice_ids
        self.state = UtteranceState.MAKING
        self.frames = FrameBuffer()
        self._changed = changed
        self._outcome: Outcome | None = None
        self._done = asyncio.Event()
        self._on_dropped: list[Callable[[], None]] = []
        self._was_dropped = False
        self._failed = False
        self._began: float | None = None

    @property
    def seconds(self) -> float | None:
        """How long its sound lasts, as far as it is made; None while there is none."""
        return len(self.frames) * FRAME_SECONDS if self.frames or self.is_complete else None

    @property
    def seconds_left(self) -> float:
        """About how much of its sound, as far as it is made, is not played yet."""
        played = 0.0 if self._began is None else asyncio.get_running_loop().time() - self._began
        return max(0.0, (self.seconds or 0.0) - played)

    @property
    def is_complete(self) -> bool:
        """Whether all of its sound is made, or all there will ever be."""
        return self.frames.is_complete

    @property
    def outcome_when_played(self) -> Outcome:
        """How it ends when everything that is there has been played (the player's part)."""
        return Outcome.BROKEN_OFF if self._failed else Outcome.PLAYED

    @property
    def outcome(self) -> Outcome | None:
        """How it ended; None before that."""
        return self._outcome

    def append(self, frames: Sequence[bytes]) -> None:
        """Hand over the next 20 ms Opus frames; with enough of them it is played. Too late is no error."""
        if self.state is not UtteranceState.DONE and not self.is_complete:
            self.frames.append(frames)
            self._take_stock()

    def complete(self) -> None:
        """Note that its sound is whole. Too late is no error."""
        if self.state is not UtteranceState.DONE and not self.is_complete:
            self.frames.complete()
            self._on_dropped.clear()
            self._take_stock()

    def supply(self, frames: Sequence[bytes]) -> None:
        """Hand over all of its sound at once: `append`, then `complete`."""
        self.append(frames)
        self.complete()

    def fail(self) -> None:
        """Note that the making failed: what is being played ends as BROKEN_OFF after what there is of it.

        One that nobody has heard yet gives its place back at once. Nobody is told that it was dropped. After
        `complete` it does nothing.
        """
        if self.is_complete or self.state is UtteranceState.DONE:
            return
        self._on_dropped.clear()
        if self.state is UtteranceState.PLAYING:
            self._failed = True
            self.frames.complete()
        else:
            self._finish(Outcome.BROKEN_OFF)

    def cancel(self) -> None:
        """Give the place back at once. It ends as STOPPED; nobody is told it was dropped."""
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
        elif not self.is_complete and self.state is not UtteranceState.DONE:
            self._on_dropped.append(callback)

    def begin(self) -> None:
        """Note that it is being played (the player's part)."""
        self.state = UtteranceState.PLAYING
        self._began = asyncio.get_running_loop().time()

    def end(self, outcome: Outcome) -> None:
        """Note how it ended (the player's part); only the first end counts."""
        if self.state is UtteranceState.DONE:
            return
        self._was_dropped = not self.is_complete
        self._finish(outcome)
        if self._was_dropped:
            for callback in self._on_dropped:
                callback()

    def _take_stock(self) -> None:
        if self.state is UtteranceState.MAKING and self.frames.is_playable:
            self.state = UtteranceState.READY
            self._changed(self)

    def _finish(self, outcome: Outcome) -> None:
        if self.state is UtteranceState.DONE:
            return
        self.state = UtteranceState.DONE
        self._outcome = outcome
        self._done.set()
        self._changed(self)
