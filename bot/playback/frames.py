"""The sound of one utterance, as the audio thread takes it: 20 ms Opus frames from memory."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import discord

SILENCE: Final = b"\xf8\xff\xfe"
"""The Opus frame that every Discord client takes for silence (discord.opus, voice documentation)."""

LEAD_FRAMES: Final = 10
"""200 ms: a listener's jitter buffer and speaker open during silence, not during the first word."""

TAIL_FRAMES: Final = 5
"""100 ms: the last syllable is played out before the connection says that we stopped speaking."""


class OpusFrames(discord.AudioSource):
    """Hands out silence, the frames, silence; `read` runs in the audio thread and never waits."""

    def __init__(self, frames: Sequence[bytes]) -> None:
        self._frames = frames
        self._lead = LEAD_FRAMES
        self._next = 0
        self._tail = TAIL_FRAMES
        self._taken = 0
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
        if self._next < len(self._frames):
            self._next += 1
            return self._frames[self._next - 1]
        if self._tail:
            self._tail -= 1
            return SILENCE
        return b""
