"""A take that is heard while it comes in, without the silence at its end that would become a gap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np

from bot.audio.joins import EDGE_SECONDS, sounding_range
from bot.audio.opus import FRAME_SECONDS
from bot.audio.stream import FrameListener
from bot.audio.workers import on_the_whole
from bot.models import Speech

HELD_FRAMES: Final = 25
"""Half a second: as much silence as a take may end with and still be followed by the next without a gap."""

_AT_ONCE_FRAMES: Final = 10  # are never held: playing begins with fewer


class Live:
    """Passes frames on to ``hand_on``; before the first it calls ``begun`` with the take's address.

    ``holds``: the newest half second waits until more comes, so that silence at the end can be left out.
    ``frames`` are those handed on so far; they cannot be taken back.
    """

    def __init__(
        self, begun: Callable[[str | None], None], hand_on: FrameListener, *, holds: bool = False
    ) -> None:
        self._begun = begun
        self._hand_on = hand_on
        self._holds = holds
        self._held: list[bytes] = []
        self.frames: list[bytes] = []

    def feed(self, url: str | None, frames: Sequence[bytes]) -> None:
        """Take the next frames of the take at ``url``."""
        if not self.frames:
            self._begun(url)
        self._held += frames
        held = HELD_FRAMES if self._holds else 0
        self._release(max(len(self._held) - held, _AT_ONCE_FRAMES - len(self.frames)))

    async def finish(self, speech: Speech) -> None:
        """Hand on the rest of the take, which is ``speech`` as a whole."""
        if self._held:
            silent = await on_the_whole(_silent_frames, speech)
            self._release(len(self._held) - silent)
        self._held.clear()

    def _release(self, count: int) -> None:
        released, self._held = self._held[: max(count, 0)], self._held[max(count, 0) :]
        if released:
            self.frames += released
            self._hand_on(released)


def _silent_frames(speech: Speech) -> int:
    """Return how many frames at the end of ``speech`` hold nothing but silence that is not wanted."""
    samples = np.frombuffer(speech.pcm, "<i2")
    silence = (len(samples) - sounding_range(samples)[1]) / 48_000
    return max(0, int((silence - EDGE_SECONDS) / FRAME_SECONDS))
