"""The nouns that travel between the parts: frozen values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum


@dataclass(frozen=True, slots=True)
class ReferenceAudio:
    """The recording a voice is cloned from: a public address, and what is said in it if known."""

    url: str = field(repr=False)  # a signed CDN address opens the recording for anyone who reads it
    transcript: str | None = None


@dataclass(frozen=True, slots=True)
class SpeechRequest:
    """What to say, and how.

    ``guidance`` is `cfg_value`, ``steps`` is `dit_steps`; both only count without a reference. ``fresh`` asks
    for a new take although there may be one that was made before.
    """

    text: str
    style: str | None = None
    guidance: float | None = None
    steps: int | None = None
    reference: ReferenceAudio | None = None
    fresh: bool = False


class Stage(Enum):
    """How far the making of speech has come."""

    WAITING = "waiting"  # for a free place at the TTS gateway, or between two tries
    MAKING = "making"
    FETCHING = "fetching"
    PREPARING = "preparing"


@dataclass(frozen=True, slots=True)
class Parts:
    """How many parts of a long text are made, and about how many there will be."""

    made: int
    of: int


@dataclass(frozen=True, slots=True)
class Progress:
    """One step in the making of speech. ``fraction`` (0..1) is known only while fetching.

    ``parts`` is known for texts of more than one; ``seconds_left`` is an estimate, where there can be one.
    """

    stage: Stage
    fraction: float | None = None
    parts: Parts | None = None
    seconds_left: float | None = None


ProgressListener = Callable[[Progress], None]
"""Called in the event loop; it must not block and must not raise."""


@dataclass(frozen=True, slots=True)
class Speech:
    """Finished speech: validated, levelled 48 kHz 16-bit mono PCM, little-endian.

    ``rest_is_missing``: it breaks off between two parts of its text, because the next could not be made.
    """

    pcm: bytes = field(repr=False)
    rest_is_missing: bool = False

    @property
    def seconds(self) -> float:
        """Return the length in seconds."""
        return len(self.pcm) / (2 * 48_000)


class Destination(Enum):
    """Where an answer goes: a file in the conversation, the voice channel, or both."""

    HERE = "here"
    VOICE_CHANNEL = "voice channel"
    BOTH = "both"
