"""Sound of speech: its samples, which nothing outside this package looks into."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class SpeechSound:
    """Samples of speech: validated, levelled 48 kHz 16-bit mono PCM, little-endian."""

    pcm: bytes = field(repr=False)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / (2 * 48_000)
