"""One packet as it reached a listener."""

from __future__ import annotations

from dataclasses import dataclass, field

from rehearsal.voice.person_dave import SILENCE_FRAME, Unheard


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """A packet of the bot at one listener.

    ``arrival`` is `time.monotonic()` in seconds, ``timestamp`` counts samples of 48 kHz. ``opus`` is
    None when the packet could not be heard, and then ``why`` says for which reason. ``in_clear``: it was
    heard, but nobody had encrypted it end to end.
    """

    ssrc: int
    sequence: int
    timestamp: int
    arrival: float
    opus: bytes | None = field(repr=False)
    why: Unheard | None = None
    in_clear: bool = False

    @property
    def is_speech(self) -> bool:
        """Return whether this could be heard and is more than Opus' silence frame."""
        return self.opus is not None and self.opus != SILENCE_FRAME
