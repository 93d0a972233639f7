"""A limiter that looks ahead: no sample above the ceiling, and no corner in the gain."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

Wave = NDArray[np.float32]
Gains = NDArray[np.float64]

STEP_SAMPLES: Final = 24
"""The grid of the gain, 0.5 ms at 48 kHz."""

LOOKAHEAD_SAMPLES: Final = 192
"""4 ms: what comes out lags behind by this much, and the gain begins to fall so much before a peak."""

_AHEAD: Final = LOOKAHEAD_SAMPLES // STEP_SAMPLES
_FULL: Final = 1 - 1e-9  # full gain, but for what rounding takes away
_RELEASE: Final = 0.0025  # of full gain in a step: from nothing to all in 0.2 s
_BETWEEN: Final = ((np.arange(STEP_SAMPLES) + 0.5) / STEP_SAMPLES).astype(np.float32)


class Limiter:
    """Keeps 48 kHz sound that comes in parts under ``ceiling``; what comes out is as long as what went in."""

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._waiting = np.zeros(LOOKAHEAD_SAMPLES, np.float32)  # silence in front, so that it sees the start
        self._not_ours = LOOKAHEAD_SAMPLES
        self._needed = np.ones(_AHEAD)  # for each step that waits: the gain that brings it to the ceiling
        self._held = np.ones(_AHEAD)  # the lowest gain within reach, at the last boundaries between steps

    def feed(self, samples: Wave) -> Wave:
        """Take ``samples``, a whole number of steps; return what is ready."""
        self._needed = np.concatenate([self._needed, self._gains_needed(samples)])
        self._waiting = np.concatenate([self._waiting, samples])
        count = len(self._needed) - _AHEAD
        if not count:
            return self._waiting[:0]
        limited, self._waiting = np.split(self._waiting, [count * STEP_SAMPLES])
        if min(self._needed.min(), self._held.min()) < _FULL:
            gains = self._gains_at_boundaries(count).astype(np.float32)
            curve = np.diff(gains)[:, None] * _BETWEEN
            curve += gains[:-1, None]
            limited = limited * curve.reshape(-1)
        self._needed = self._needed[count:]
        ours, self._not_ours = limited[self._not_ours :], max(0, self._not_ours - len(limited))
        return ours

    def finish(self) -> Wave:
        """Return what is left."""
        return self.feed(np.zeros(LOOKAHEAD_SAMPLES, np.float32))

    def _gains_needed(self, samples: Wave) -> Gains:
        """Return for each step of ``samples`` the gain that brings its highest to the ceiling, 1 at most."""
        count = len(samples) // STEP_SAMPLES
        if not count or max(samples.max(), -samples.min()) <= self._ceiling:  # as speech mostly is
            return np.ones(count)
        peaks = np.abs(samples.reshape(-1, STEP_SAMPLES)).max(axis=1).astype(np.float64)
        needed: Gains = self._ceiling / np.maximum(peaks, self._ceiling)
        return needed

    def _gains_at_boundaries(self, count: int) -> Gains:
        """Return the gain at the beginning of ``count`` steps and at the end of the last of them.

        At each boundary the lowest gain of the step before and of all within reach is held, rises slowly,
        and is averaged over less than the reach: so it is never more than the steps beside it can bear.
        """
        lowest = np.lib.stride_tricks.sliding_window_view(self._needed, _AHEAD + 1).min(axis=1)
        rise = _RELEASE * np.arange(1, count + 1)
        held = np.minimum.accumulate(np.concatenate([self._held[-1:], lowest - rise]))[1:] + rise
        all_held = np.concatenate([self._held, held])
        self._held = all_held[-_AHEAD:]
        return np.convolve(all_held, np.full(_AHEAD, 1 / _AHEAD), "valid")
