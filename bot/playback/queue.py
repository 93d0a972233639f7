"""Queue of one guild: utterances, their frames, and whose turn it is."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from enum import Enum
from typing import Final

import discord

from bot.errors import MemberError
from bot.limits import MAX_QUEUED_SECONDS, MAX_UTTERANCES_PER_GUILD, MAX_UTTERANCES_PER_MEMBER

SILENCE: Final = b"\xf8\xff\xfe"
"""The Opus frame that every Discord client takes for silence (discord.opus, voice documentation)."""

FRAME_SECONDS: Final = 0.02
"""What one Opus frame lasts on Discord."""

LEAD_FRAMES: Final = 10
"""200 ms: a listener's jitter buffer and speaker open during silence, not during the first word."""

TAIL_FRAMES: Final = 5
"""100 ms: the last syllable is played out before the connection says that we stopped speaking."""


ENOUGH_FRAMES: Final = 5
"""100 ms: with so much at hand playing begins, and goes on after the sound ran out."""


class FrameBuffer:
    """The frames of one utterance, as they come: filled in the event loop, read in the audio thread."""

    def __init__(self) -> None:
        self._frames: list[bytes] = []
        self._complete = False

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> bytes:
        return self._frames[index]

    @classmethod
    def of(cls, frames: Iterable[bytes]) -> FrameBuffer:
        """Return a buffer with these frames, to which nothing comes."""
        buffer = cls()
        buffer.append(frames)
        buffer.complete()
        return buffer

    @property
    def is_complete(self) -> bool:
        """Whether nothing more comes. Who asks for this first may then trust the length."""
        return self._complete

    @property
    def is_playable(self) -> bool:
        """Whether playing may begin."""
        return self._complete or len(self._frames) >= ENOUGH_FRAMES

    def append(self, frames: Iterable[bytes]) -> None:
        """Add the next frames."""
        self._frames.extend(frames)

    def complete(self) -> None:
        """Note that nothing more comes."""
        self._complete = True


class OpusFrames(discord.AudioSource):
    """Hands out silence, the frames, silence; `read` runs in the audio thread and never waits.

    Where the next frame has not come yet it hands out silence, until enough of them are at hand again.
    """

    def __init__(self, frames: FrameBuffer) -> None:
        self._frames = frames
        self._lead = LEAD_FRAMES
        self._tail = TAIL_FRAMES
        self._short_of = 0
        self._gap_frames = 0
        self.sent = 0
        """How many frames of speech were taken, without the silence around them."""
        self.taken = 0
        """How many frames were taken, silence included: it stands still when the player does."""
        self.gaps = 0
        """How often the sound ran out before its end."""
        self.finished = False
        """Whether everything was taken and its end was seen; false when it was broken off."""

    @property
    def gap_seconds(self) -> float:
        """How long that lasted in all."""
        return self._gap_frames * FRAME_SECONDS

    def is_opus(self) -> bool:
        """Return True: nothing has to be encoded while it is played."""
        return True

    def read(self) -> bytes:
        """Return the next 20 ms, or nothing at the end."""
        frame = self._take()
        if frame:
            self.taken += 1
        else:
            self.finished = True
        return frame

    def resume(self) -> None:
        """Continue on another connection: its listeners get the leading silence again."""
        self._lead = LEAD_FRAMES

    def _take(self) -> bytes:
        if self._lead:
            self._lead -= 1
            return SILENCE
        complete = self._frames.is_complete
        at_hand = len(self._frames) - self.sent
        if at_hand > 0 and (complete or at_hand >= self._short_of):
            self._short_of = 0
            self.sent += 1
            return self._frames[self.sent - 1]
        if not complete:
            return self._gap()
        if self._tail:
            self._tail -= 1
            return SILENCE
        return b""

    def _gap(self) -> bytes:
        if not self._short_of:
            self.gaps += 1
            self._short_of = ENOUGH_FRAMES
        self._gap_frames += 1
        return SILENCE


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
        self.outcome: Outcome | None = None
        """How it ended; None before that."""
        self._done = asyncio.Event()
        self._begun = asyncio.Event()
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

    def append(self, frames: Sequence[bytes]) -> None:
        """Hand over the next 20 ms Opus frames; with enough of them it is played. Too late is no error."""
        if self.state is not UtteranceState.DONE and not self.is_complete:
            self.frames.append(frames)
            self._take_stock()

    def complete(self) -> None:
        """Note that its sound is whole. Too late is no error."""
        if self.state is not UtteranceState.DONE and not self.is_complete:
            self.frames.complete()
            self._take_stock()

    def supply(self, frames: Sequence[bytes]) -> None:
        """Hand over all of its sound at once: `append`, then `complete`."""
        self.append(frames)
        self.complete()

    def fail(self) -> None:
        """Note that the making failed: what is being played ends as BROKEN_OFF after what there is of it.

        One that nobody has heard yet gives its place back at once. After `complete` it does nothing.
        """
        if self.is_complete or self.state is UtteranceState.DONE:
            return
        if self.state is UtteranceState.PLAYING:
            self._failed = True
            self.frames.complete()
        else:
            self.end(Outcome.BROKEN_OFF)

    def cancel(self) -> None:
        """Give the place back at once. It ends as STOPPED."""
        self.end(Outcome.STOPPED)

    async def finished(self) -> Outcome:
        """Wait for the end and return how it came."""
        await self._done.wait()
        assert self.outcome is not None  # noqa: S101 - set together with the event
        return self.outcome

    async def begun(self) -> None:
        """Wait until it is being played, or is over."""
        await self._begun.wait()

    def begin(self) -> None:
        """Note that it is being played (the player's part)."""
        self.state = UtteranceState.PLAYING
        self._begun.set()
        self._began = asyncio.get_running_loop().time()

    def end(self, outcome: Outcome) -> None:
        """Note how it ended (the player's part); only the first end counts."""
        if self.state is UtteranceState.DONE:
            return
        self.state = UtteranceState.DONE
        self.outcome = outcome
        self._begun.set()
        self._done.set()
        self._changed(self)

    def _take_stock(self) -> None:
        if self.state is UtteranceState.MAKING and self.frames.is_playable:
            self.state = UtteranceState.READY
            self._changed(self)


class UtteranceQueue:
    """What waits, and whose turn it is: of the members with something ready, the one served longest ago.

    Of one member's utterances the earliest comes first, but one that is still being made lets a later one
    pass. A moderator may bring one to the front of all.
    """

    def __init__(self) -> None:
        self._entries: list[Utterance] = []  # in the order of their reservation
        self._brought_forward: list[Utterance] = []
        self._served: dict[int, int] = {}  # when each member had their last turn; the longest ago is lowest
        self._turn = 0
        self.playing: Utterance | None = None
        """What is being said now."""

    def __len__(self) -> int:
        return len(self._entries)

    def refuse_if_full(self, member_id: int) -> None:
        """Raise `MemberError` when the member, the guild or the waiting sound is at its limit."""
        mine = sum(entry.member_id == member_id for entry in self._entries)
        if mine >= MAX_UTTERANCES_PER_MEMBER:
            raise MemberError(
                f"You already have {MAX_UTTERANCES_PER_MEMBER} items in the queue. Wait until one "
                "is done, or skip one."
            )
        seconds = sum(entry.seconds or 0.0 for entry in self._entries)
        if len(self._entries) >= MAX_UTTERANCES_PER_GUILD or seconds >= MAX_QUEUED_SECONDS:
            raise MemberError("The queue here is full. Wait a moment, or clear it with /stop.")

    def add(self, utterance: Utterance) -> None:
        """Let ``utterance`` wait for its turn."""
        self._entries.append(utterance)

    def remove(self, utterance: Utterance) -> None:
        """Forget ``utterance``: it is over. With the last one it is forgotten whose turn it is."""
        self._entries.remove(utterance)
        if utterance in self._brought_forward:
            self._brought_forward.remove(utterance)
        if utterance is self.playing:
            self.playing = None
        if not self._entries:
            self._served.clear()

    def begin(self, utterance: Utterance) -> None:
        """Note that ``utterance`` is being said: its member has had their turn."""
        self.playing = utterance
        self._turn += 1
        self._served[utterance.member_id] = self._turn

    def next_ready(self) -> Utterance | None:
        """Return what is to be said next; None when nothing is ready."""
        ready = (entry for entry in self.in_order() if entry.state is UtteranceState.READY)
        return next(ready, None)

    def bring_forward(self, utterance: Utterance) -> None:
        """Let ``utterance`` be the next one, before everybody's turn. What is over or being said stays."""
        if utterance in self._entries and utterance is not self.playing:
            if utterance in self._brought_forward:
                self._brought_forward.remove(utterance)
            self._brought_forward.insert(0, utterance)

    def in_order(self) -> list[Utterance]:
        """Return what is being said, then the rest as it will be said if all of it is ready in time."""
        order = [] if self.playing is None else [self.playing]
        order += [entry for entry in self._brought_forward if entry is not self.playing]
        served = dict(self._served)
        for turn, entry in enumerate(order, start=self._turn + 1):
            served[entry.member_id] = turn
        waiting: dict[int, list[Utterance]] = {}  # by member, in the order of their first reservation
        for entry in sorted(self._entries, key=_is_being_made):
            if entry not in order:
                waiting.setdefault(entry.member_id, []).append(entry)
        first_asked = {entry.member_id: number for number, entry in reversed([*enumerate(self._entries)])}
        turn = self._turn + len(order)
        while waiting:
            member_id = min(waiting, key=lambda member: (served.get(member, 0), first_asked[member]))
            order.append(waiting[member_id].pop(0))
            turn += 1
            served[member_id] = turn
            if not waiting[member_id]:
                del waiting[member_id]
        return order


def _is_being_made(entry: Utterance) -> bool:
    return entry.state is UtteranceState.MAKING
