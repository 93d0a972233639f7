"""Which part of a recording shows a voice best: without idle time, cut only where nobody speaks."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.activity import FRAME_SECONDS, Activity, Flags, Levels, runs

Shares = NDArray[np.float64]
Places = NDArray[np.intp]

SHORTEST_SECONDS: Final = 5.0
LONGEST_SECONDS: Final = 15.0
"""What VoxCPM's documentation and practice ask of a reference."""

_BEST_SECONDS: Final = 10.0  # the reference and what is said after it share about 30 s in the model
_EDGE: Final = 10  # frames of silence that stay at the ends
_LONG_PAUSE: Final = 100  # frames; a full stop makes up to a second
_PAUSE_SIDE: Final = 30  # frames that stay on each side of a long pause
_MOST_PAIRS: Final = 1_500  # of places to cut; bounds the work
_WHOLE_SPREAD_DB: Final = 40.0  # more distance from the noise than this is not heard
_CLIPPED_WEIGHT: Final = 10.0
_LENGTH_WEIGHT: Final = 0.02  # for each second away from the best length


@dataclass(frozen=True, slots=True)
class BestPart:
    """The part: ``ranges`` of 10-ms frames in order. The seconds say what was left out, and why.

    ``chosen`` is where the part lies in the recording, in seconds, if there was a choice.
    """

    ranges: tuple[tuple[int, int], ...]
    silence_before: float
    silence_after: float
    pauses_shortened: int
    pause_seconds: float
    chosen: tuple[float, float] | None


def best_part(heard: Activity, clipped: Shares) -> BestPart:
    """Return the best part of a recording in which somebody speaks.

    ``clipped`` is the share of samples at full scale in each frame.
    """
    spoken = np.flatnonzero(heard.speaking)
    first, last = int(spoken[0]), int(spoken[-1]) + 1
    start, end = max(0, first - _EDGE), min(len(heard.levels), last + _EDGE)
    kept = np.zeros(len(heard.levels), np.bool_)
    kept[start:end] = True
    pauses = [pause for pause in _pauses(heard, first, last) if pause[1] - pause[0] > _LONG_PAUSE]
    for pause_start, pause_end in pauses:
        kept[pause_start + _PAUSE_SIDE : pause_end - _PAUSE_SIDE] = False
    places = np.flatnonzero(kept)
    removed = end - start - len(places)
    chosen = None
    if len(places) * FRAME_SECONDS > LONGEST_SECONDS:
        low, high = _best_window(heard.levels[places], heard.speaking[places], clipped[places])
        places = places[low:high]
        chosen = (float(places[0]) * FRAME_SECONDS, float(places[-1] + 1) * FRAME_SECONDS)
    return BestPart(
        _ranges(places),
        silence_before=start * FRAME_SECONDS,
        silence_after=(len(heard.levels) - end) * FRAME_SECONDS,
        pauses_shortened=len(pauses),
        pause_seconds=removed * FRAME_SECONDS,
        chosen=chosen,
    )


def _pauses(heard: Activity, first: int, last: int) -> list[tuple[int, int]]:
    return [(first + start, first + end) for start, end in runs(~heard.speaking[first:last])]


def _ranges(places: Places) -> tuple[tuple[int, int], ...]:
    breaks = np.flatnonzero(np.diff(places) != 1) + 1
    return tuple((int(part[0]), int(part[-1]) + 1) for part in np.split(places, breaks))


def _best_window(levels: Levels, speaking: Flags, clipped: Shares) -> tuple[int, int]:
    """Return the first frame of the window that shows the voice best, and the frame after its last."""
    pairs = _pairs(_cuts_in_pauses(speaking)) or _pairs(_cuts_at_quiet_moments(levels))
    step = -(-len(pairs) // _MOST_PAIRS)
    return max(pairs[::step], key=lambda pair: _worth(levels, speaking, clipped, slice(*pair)))


def _cuts_in_pauses(speaking: Flags) -> list[int]:
    middles = [(start + end) // 2 for start, end in runs(~speaking)]
    return sorted({0, *middles, len(speaking)})


def _cuts_at_quiet_moments(levels: Levels) -> list[int]:
    """Return the quietest frame of each second, for somebody who never pauses."""
    seconds = list(pairwise([*range(0, len(levels), 100), len(levels)]))
    return sorted({0, *(start + int(levels[start:end].argmin()) for start, end in seconds), len(levels)})


def _pairs(cuts: list[int]) -> list[tuple[int, int]]:
    shortest, longest = SHORTEST_SECONDS / FRAME_SECONDS, LONGEST_SECONDS / FRAME_SECONDS
    return [(start, end) for start in cuts for end in cuts if shortest <= end - start <= longest]


def _worth(levels: Levels, speaking: Flags, clipped: Shares, window: slice) -> float:
    quiet, loud = np.percentile(levels[window], (10, 90))
    clearness = min(loud - quiet, _WHOLE_SPREAD_DB) / _WHOLE_SPREAD_DB
    away = abs((window.stop - window.start) * FRAME_SECONDS - _BEST_SECONDS)
    faults = _CLIPPED_WEIGHT * clipped[window].mean() + _LENGTH_WEIGHT * away
    return float(speaking[window].mean() + clearness - faults)
