"""Where in a sound somebody speaks, and where they pause, told by levels alone."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
Levels = NDArray[np.float64]
Flags = NDArray[np.bool_]

FRAME_SAMPLES: Final = 480
FRAME_SECONDS: Final = 0.01
"""What is judged at once: 10 ms at 48 kHz."""

SILENCE_DBFS: Final = -60.0
"""Below this there is nothing to be heard, whatever surrounds it."""

_FLOOR_DBFS: Final = -96.0  # of 16 bits
_LOUD_FRAMES: Final = 30  # the loudest 0.3 s: a click is shorter, a word is not
_SPREAD_DB: Final = 25.0  # from the loudest syllables down to the weak ones
_NOISE_PERCENTILE: Final = 5
_BETWEEN: Final = 0.3  # of the way from the noise up to the speech, in decibels
_SHORTEST_PAUSE: Final = 15  # frames: the closure of a "t" or "k" is shorter
_SHORTEST_SOUND: Final = 4  # frames: a click, a tap on the microphone
_FRAMES_AT_ONCE: Final = 2_000  # bounds the memory, whatever the length


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """One value for each 10 ms: its level in dBFS, and whether somebody speaks.

    ``speech`` and ``noise`` are the levels of the words and of what is behind them, in dBFS.
    """

    levels: Levels
    speaking: Flags
    speech: float
    noise: float

    @property
    def speech_seconds(self) -> float:
        """How long somebody speaks, short pauses included."""
        return float(self.speaking.sum()) * FRAME_SECONDS

    @property
    def snr(self) -> float:
        """How far the words alone are above the noise, in decibels, roughly."""
        ratio = 10 ** ((self.speech - self.noise) / 10) - 1  # what was measured as speech has noise in it
        return 10 * math.log10(max(ratio, 0.01))


def activity(samples: Samples) -> Activity:
    """Return who speaks when in ``samples`` (48 kHz mono)."""
    levels = frame_levels(samples)
    if not len(levels):
        return Activity(levels, np.zeros(0, np.bool_), _FLOOR_DBFS, _FLOOR_DBFS)
    loudest = float(np.sort(levels)[-min(_LOUD_FRAMES, len(levels))])
    speech = 10 * math.log10(np.mean(10 ** (levels[levels >= loudest - _SPREAD_DB] / 10)))
    noise = float(np.percentile(levels, _NOISE_PERCENTILE))
    threshold = max(SILENCE_DBFS, loudest - 2 * _SPREAD_DB, noise + _BETWEEN * (speech - noise))
    speaking = levels > threshold
    for start, end in runs(~speaking):
        if start > 0 and end < len(levels) and end - start < _SHORTEST_PAUSE:
            speaking[start:end] = True
    for start, end in runs(speaking):
        if end - start < _SHORTEST_SOUND:
            speaking[start:end] = False
    return Activity(levels, speaking, speech, noise)


def frame_levels(samples: Samples) -> Levels:
    """Return the level of each 10 ms in dBFS, −96 at the lowest; a constant offset does not count."""
    offset = np.float32(samples.mean(dtype=np.float64)) if len(samples) else np.float32(0)
    step = _FRAMES_AT_ONCE * FRAME_SAMPLES
    powers = [_powers(samples[start : start + step], offset) for start in range(0, len(samples), step)]
    power = np.concatenate([np.zeros(0), *powers]) / 32_768**2
    levels: Levels = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DBFS / 10)))
    return levels


def _powers(samples: Samples, offset: np.float32) -> Levels:
    whole = len(samples) - len(samples) % FRAME_SAMPLES
    centred = samples.astype(np.float32) - offset
    powers: list[Levels] = [np.square(centred[:whole]).reshape(-1, FRAME_SAMPLES).mean(axis=1)]
    if whole < len(samples):
        powers.append(np.square(centred[whole:]).mean(keepdims=True))
    return np.concatenate(powers).astype(np.float64)


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Return where each run of true values begins and ends."""
    change = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))
