"""Guards behind every model: a sound that cannot be its text is made once again, and then it is an error."""

from __future__ import annotations

import logging
import re
import unicodedata
from collections.abc import Awaitable, Callable
from typing import Final

import numpy as np

from tts_gateway.engines.base import EngineError
from tts_gateway.engines.descriptions import without_description
from tts_gateway.engines.espeak import Samples

log = logging.getLogger(__name__)

TRIES: Final = 2
"""How often one text is made: once, and once again with another seed."""

_TOO_LONG: Final = 2.5  # times the estimate; reading aloud varies by less than two
_TOO_SHORT: Final = 0.4
_SPARE_SECONDS: Final = 2.0  # a hesitation at either end
_JUDGED_SECONDS: Final = 1.0  # below, the estimate says little: only what is no sound at all is too short
_SHORTEST_SECONDS: Final = 0.17  # VoxCPM2's empty sounds are one step of 0.16 s
_SILENT: Final = 10 ** (-50 / 20)

_LETTER_SECONDS: Final = {  # a letter by its script; the others are read like Latin ones
    "CJK": 0.22, "HIRAGANA": 0.125, "KATAKANA": 0.125, "HANGUL": 0.16, "THAI": 0.125, "LAO": 0.125,
    "ARABIC": 0.1, "ETHIOPIC": 0.16,
}  # fmt: skip
_REPEATED: Final = re.compile(r"(\D)\1{2,}")  # "looooong" and "wow!!!" are hardly longer than without
_MARKS: Final = re.compile(r"([^\w\s])[^\w\s]+")
_LATIN_SECONDS: Final = 0.073
_DIGIT_SECONDS: Final = 0.3
_SIGN_SECONDS: Final = 0.15
_SPACE_SECONDS: Final = 0.055


def estimated_seconds(text: str) -> float:
    """Return about how long ``text`` takes to be said, without the description in front of it."""
    _, words = without_description(text)
    return sum(map(_seconds_of, words))


def _shortest_seconds(text: str) -> float:
    """Return how short the sound of ``text`` may be, repeated signs and letters counted as few."""
    least = _TOO_SHORT * estimated_seconds(_REPEATED.sub(r"\1\1", _MARKS.sub(r"\1", text)))
    return max(_SHORTEST_SECONDS, least if least >= _TOO_SHORT * _JUDGED_SECONDS else 0.0)


def _seconds_of(character: str) -> float:
    kind = unicodedata.category(character)
    if kind[0] == "L":
        script = unicodedata.name(character, "").partition(" ")[0]
        return _LETTER_SECONDS.get(script, _LATIN_SECONDS)
    if kind[0] == "N":
        return _DIGIT_SECONDS
    if kind[0] == "Z":
        return _SPACE_SECONDS
    return _SIGN_SECONDS if kind[0] in "PS" else 0.0


def longest_seconds(text: str) -> float:
    """Return how long the sound of ``text`` may be; a model that goes on is stopped there."""
    return _TOO_LONG * estimated_seconds(text) + _SPARE_SECONDS


def find_defect(sound: Samples, rate: int, text: str) -> str | None:
    """Return why ``sound`` cannot be ``text``, for the log; None if it can."""
    seconds, expected = len(sound) / rate, estimated_seconds(text)
    if seconds < _shortest_seconds(text):
        return f"{seconds:.2f} s is too short for about {expected:.1f} s of text"
    if seconds > longest_seconds(text):
        return f"{seconds:.1f} s is too long for about {expected:.1f} s of text"
    if not np.isfinite(sound).all():
        return "it holds numbers that are no sound"
    if float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) < _SILENT:
        return "it is silent"
    return None


async def make_guarded(make: Callable[[int], Awaitable[Samples]], *, rate: int, text: str) -> Samples:
    """Return what ``make`` makes of the number of the try, 0 first, as soon as it has no defect.

    Raises EngineError when the last one has one too, and what ``make`` raises.
    """
    defect = None
    for attempt in range(TRIES):
        sound = await make(attempt)
        defect = find_defect(sound, rate, text)
        if defect is None:
            return sound
        log.warning("try %d of %d: %s", attempt + 1, TRIES, defect)
    raise EngineError(f"no usable sound in {TRIES} tries; the last: {defect}")
