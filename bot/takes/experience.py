"""What earlier calls have taught about the TTS gateway that we speak to."""

from __future__ import annotations

from bot.audio.stream import NOTHING_KNOWN
from bot.text.pacing import Call, Speed


class Experience:
    """What is known of one TTS gateway; all utterances learn and use it together.

    ``speed`` is how fast it makes speech. ``keeps_a_voice`` is whether it gives its takes an address that it
    can clone a voice from; where it does not, a text without a reference is made in one call. ``has_learnt``
    is whether there was a call at all; ``gains`` are the levels of its takes.
    """

    def __init__(self) -> None:
        self.speed = Speed()
        self.keeps_a_voice = True
        self.has_learnt = False
        self.gains = NOTHING_KNOWN

    def learn(self, call: Call) -> None:
        """Take a finished call into account. Calls are given in the order in which they ended."""
        self.speed.learn(call)
        self.has_learnt = True
