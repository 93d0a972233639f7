"""How far the making is ahead of the ears that hear it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable


class Listening:
    """Reckons, by the clock, how much sound was handed on and is not played yet.

    ``seconds_before`` is what will be heard before the first of it, in seconds; None: nobody listens, it
    becomes a file.
    """

    def __init__(self, seconds_before: float | None, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends = math.inf if seconds_before is None else clock() + seconds_before

    @property
    def buffered(self) -> float:
        """The seconds until everything handed on has been heard; infinite when nobody listens."""
        return max(0.0, self._ends - self._clock())

    def add(self, seconds: float) -> None:
        """Note that so much sound was handed on."""
        self._ends = max(self._ends, self._clock()) + seconds
