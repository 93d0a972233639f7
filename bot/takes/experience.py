"""What earlier calls have taught about the TTS gateway that we speak to."""

from __future__ import annotations

from collections import deque
from typing import Final

from bot.audio.stream import NOTHING_KNOWN
from bot.models import ReferenceAudio
from bot.text.pacing import Call, Speed

_VOICES: Final = 64  # whose recordings are remembered, as many as our own TTS gateway keeps


class Experience:
    """What is known of one TTS gateway; all utterances learn and use it together.

    ``speed`` is how fast it makes speech. ``keeps_a_voice`` is whether it gives its takes an address that it
    can clone a voice from; where it does not, a text without a reference is made in one call. ``has_learnt``
    is whether there was a call at all; ``gains`` are the levels of its takes.
    """

    def __init__(self, speed: Speed | None = None) -> None:
        self.speed = speed or Speed()
        self.keeps_a_voice = True
        self.has_learnt = False
        self.gains = NOTHING_KNOWN
        self._cloned: deque[str] = deque(maxlen=_VOICES)

    def is_new(self, reference: ReferenceAudio | None) -> bool:
        """Return if no voice was cloned from this recording before, as far as is known."""
        return reference is not None and reference.url not in self._cloned

    def learn(self, call: Call, reference: ReferenceAudio | None) -> None:
        """Take a finished call into account. Calls are given in the order in which they ended."""
        self.speed.learn(call)
        self.has_learnt = True
        if reference is not None and self.is_new(reference):
            self._cloned.append(reference.url)
