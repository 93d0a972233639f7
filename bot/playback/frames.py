"""The sound of one utterance, as the audio thread takes it: 20 ms Opus frames from memory."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import discord

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
        self._next = 0
        self._tail = TAIL_FRAMES
        self._taken = 0
        self._short_of = 0
        self._gaps = self._gap_frames = 0
        self._finished = False

    @property
    def sent(self) -> int:
        """How many frames of speech were taken, without the silence around them."""
        return self._next

    @property
    def taken(self) -> int:
        """How many frames were taken, silence included: it stands still when the player does."""
        return self._taken

    @property
    def gaps(self) -> int:
        """How often the sound ran out before its end."""
        return self._gaps

    @property
    def gap_seconds(self) -> float:
        """How long that lasted in all."""
        return self._gap_frames * FRAME_SECONDS

    @property
    def finished(self) -> bool:
        """Whether everything was taken and its end was seen; false when it was broken off."""
        return self._finished

    def is_opus(self) -> bool:
        """Return True: nothing has to be encoded while it is played."""
        return True

    def read(self) -> bytes:
        """Return the next 20 ms, or nothing at the end."""
        frame = self._take()
        if frame:
            self._taken += 1
        else:
            self._finished = True
        return frame

    def resume(self) -> None:
        """Continue on another connection: its listeners get the leading silence again."""
        self._lead = LEAD_FRAMES

    def _take(self) -> bytes:
        if self._lead:
            self._lead -= 1
            return SILENCE
        complete = self._frames.is_complete
        at_hand = len(self._frames) - self._next
        if at_hand > 0 and (complete or at_hand >= self._short_of):
            self._short_of = 0
            self._next += 1
            return self._frames[self._next - 1]
        if not complete:
            return self._gap()
        if self._tail:
            self._tail -= 1
            return SILENCE
        return b""

    def _gap(self) -> bytes:
        if not self._short_of:
            self._gaps += 1
            self._short_of = ENOUGH_FRAMES
        self._gap_frames += 1
        return SILENCE
