"""Segment plan: what is said in one utterance, by whom and in which order, and how far it was heard."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

from bot.limits import MAX_CALLS_PER_UTTERANCE
from bot.speech.pacing import COMFORTABLE_SECONDS, Speed, next_target
from bot.text.segments import Segment, Segmenter
from bot.text.speaking_time import speaking_seconds


class PlaybackClock:
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


_MOST_COUNTED: Final = 99  # parts that an estimate looks ahead
_HURRIED: Final = MAX_CALLS_PER_UTTERANCE // 3  # segments may be short because a listener waits

MAX_CALLS_UNHURRIED: Final = MAX_CALLS_PER_UTTERANCE - _HURRIED
"""The segments that a text may have at least."""


class LinePlan:
    """Cuts ``text`` as the making of its earlier segments allows. ``segmenter`` is one of that text.

    ``pause_after`` is the silence after its last segment, in seconds.
    """

    def __init__(self, text: str, segmenter: Segmenter, speed: Speed, *, pause_after: float = 0.0) -> None:
        self._text = text
        self._segmenter = segmenter
        self._speed = speed
        self._pause_after = pause_after
        self.seconds_left = segmenter.seconds_left
        """About how long the segments still to come will sound."""

    @property
    def has_more(self) -> bool:
        """Whether there are segments still to come."""
        return self.seconds_left > 0

    def next(self, *, buffered: float, in_flight: Sequence[float] = ()) -> Segment | None:
        """Return the next segment, None after the last. For the arguments see `next_target`."""
        if not self.has_more:
            return None
        segment = self._segmenter.next(next_target(self._speed, buffered=buffered, in_flight=in_flight))
        self.seconds_left = self._segmenter.seconds_left if segment else 0.0
        if segment is None or self.has_more:
            return segment
        return replace(segment, pause_after=self._pause_after)

    def least_segments(self) -> int:
        """Return how many segments are still to come if nobody hurries."""
        rest = copy(self._segmenter)
        return sum(1 for _ in iter(lambda: rest.next(COMFORTABLE_SECONDS), None))

    def whole(self) -> Segment:
        """Return all of the text as one segment, in one line; nothing is left after it."""
        self.seconds_left = 0.0
        return Segment(" ".join(self._text.split()), speaking_seconds(self._text), self._pause_after)

    def targets(self, *, buffered: float, in_flight: Sequence[float] = ()) -> list[float]:
        """Return about how long each segment still to come will be, in seconds; at most 99 of them."""
        left, making = self.seconds_left, list(in_flight)
        while left > 0.05 and len(making) - len(in_flight) < _MOST_COUNTED:
            target = next_target(self._speed, buffered=buffered, in_flight=making)
            making.append(min(target, left))
            left -= target
        return making[len(in_flight) :]


@dataclass(frozen=True, slots=True)
class NextSegment:
    """The next thing to be said: ``segment``, of ``line``, by the voice with this number."""

    segment: Segment
    line: LinePlan
    speaker: int


class SegmentPlan:
    """Gives the segments of ``lines``, one line after the other. Each line is a plan and its speaker."""

    def __init__(self, lines: Sequence[tuple[int, LinePlan]]) -> None:
        self._lines = lines
        self._given = 0

    @property
    def has_more(self) -> bool:
        """Whether there are segments still to come."""
        return self.speaker is not None

    @property
    def speaker(self) -> int | None:
        """Who says the next segment; None after the last."""
        return next((speaker for speaker, plan in self._lines if plan.has_more), None)

    def has_more_of(self, speaker: int) -> bool:
        """Whether there are segments of this speaker still to come."""
        return any(plan.has_more for other, plan in self._lines if other == speaker)

    def next(
        self, *, buffered: float, in_flight: Sequence[float] = (), whole_line: bool = False
    ) -> NextSegment | None:
        """Return the next segment, or ``whole_line`` as one; None after the last.

        For the other arguments see `next_target`; after many segments nobody hurries any more.
        """
        if self._given >= _HURRIED:
            buffered = math.inf
        self._given += 1
        for speaker, plan in self._lines:
            if whole_line and plan.has_more:
                return NextSegment(plan.whole(), plan, speaker)
            segment = plan.next(buffered=buffered, in_flight=in_flight)
            if segment is not None:
                return NextSegment(segment, plan, speaker)
        return None

    def parts_left(self, *, buffered: float, in_flight: Sequence[float] = ()) -> int:
        """Return about how many segments are still to come."""
        making = list(in_flight)
        for _, plan in self._lines:
            making += plan.targets(buffered=buffered, in_flight=making)
        return len(making) - len(in_flight)
