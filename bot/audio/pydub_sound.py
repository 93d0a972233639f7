"""PCM of ours as pydub's sound, for cutting, joining and fading."""

from __future__ import annotations

import warnings
from typing import Final

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # pydub misses an ffmpeg that it is never asked to run
    from pydub import AudioSegment

FADE_MS: Final = 10
"""Long enough that a cut wave does not click, too short to be heard."""


def sound_of(pcm: bytes) -> AudioSegment:
    """Return ``pcm`` (48 kHz mono 16-bit) as a sound; it is indexed in milliseconds."""
    return AudioSegment(data=pcm, sample_width=2, frame_rate=48_000, channels=1)
