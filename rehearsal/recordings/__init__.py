"""Recordings to try /clone with: all synthetic, none of a person. `README.md` says how they were made."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class SampleRecording:
    """A sound file of ours, and word for word what is said in it."""

    name: str
    path: Path
    transcript: str


RECORDINGS: Final = (
    SampleRecording(
        "harbour-master",
        _FOLDER / "harbour-master.ogg",
        "The ferry leaves at nine. Mind the wet stairs, and keep the little ones away from the rail.",
    ),
    SampleRecording(
        "little-sister",
        _FOLDER / "little-sister.wav",
        "Guess what I found behind the shed! A whole family of hedgehogs, and they are asleep. "
        "The smallest one has a leaf on its nose. Can we keep them, please?",
    ),
    SampleRecording(
        "night-nurse",
        _FOLDER / "night-nurse.ogg",
        "You can go home in the morning. Until then, try to sleep, and ring if you need anything at all.",
    ),
)
"""The first is a deep, slow man, the second a child, the third a calm woman."""
