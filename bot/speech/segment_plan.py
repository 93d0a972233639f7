"""Segment plan: what is said in one utterance, by whom, in which order, and how much of it at once.

The first segment is heard at once, and playing never runs dry. For that the speed of the TTS gateway is
learned from finished calls: a fixed overhead, a time for each second of sound, what a voice costs that it
has not cloned before, and whether it works on two calls at once or on one after the other.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Final

from bot.limits import MAX_CALLS_PER_UTTERANCE
from bot.text.segments import MAX_SECONDS, MIN_SECONDS, Segment, Segmenter
from bot.text.speaking_time import speaking_seconds

OVERHEAD_SECONDS: Final = 0.3
SECONDS_PER_SECOND: Final = 0.3
"""What is believed before the first call: VoxCPM2 in PyTorch on an RTX 4090, by its own documentation."""

AHEAD: Final = 2
"""Calls under way at once, where the TTS gateway works on them at once."""

FIRST_SOUND_SECONDS: Final = 1.65
"""What the first segment aims at; a sentence end nearby may take it to 2.2."""

COMFORTABLE_SECONDS: Final = 14.0
"""No segment is planned longer: the model is at its best between 8 and 15 s."""

MAX_GROWTH: Final = 2.5
"""A segment against all that is ahead of it; estimates are wrong by a third at times."""

_SHORTEST_FIRST: Final = 2.5
_LONGEST_FIRST: Final = 5.0
_LONGEST_BEFORE_NEW_VOICE: Final = 8.0
_SAFETY: Final = 0.75  # of the time ahead is counted on
_MARGIN_SECONDS: Final = 0.3  # download, decoding, encoding
_FORGETTING: Final = 0.9  # what a call counts for after the next
_PRIOR: Final = ((2.0, 0.5), (12.0, 0.5))  # (seconds of sound, weight): the belief as two half calls
_ONE_AT_A_TIME: Final = 0.6  # of the evidence of overlapping calls
_OUR_OWN: Final = (0.05, 0.06, 4.0)  # a fit takes 1 to 1.5 s on a quick core, and 4 s on half a slow one
_NEW_VOICES: Final = 4  # calls that are remembered: two utterances, with two calls under way in each


@dataclass(frozen=True, slots=True)
class Call:
    """A finished call: when it was begun and ended on one monotonic clock, and the seconds of its sound.

    ``is_new_voice``: when it was begun, no call that clones from the same recording had ended.
    """

    started: float
    ended: float
    seconds: float
    is_new_voice: bool = False


class Speed:
    """How fast a TTS gateway makes speech, learned call by call; newer calls count more.

    The arguments are what is believed before the first call, all in seconds; see `Speed.new_voice` for that.
    """

    def __init__(
        self,
        overhead: float = OVERHEAD_SECONDS,
        per_second: float = SECONDS_PER_SECOND,
        new_voice: float = 0.0,
    ) -> None:
        self.overhead = overhead
        self.per_second = per_second
        self._points = [(seconds, overhead + per_second * seconds, weight) for seconds, weight in _PRIOR]
        self._new_voice = new_voice
        self._new_voices: deque[Call] = deque(maxlen=_NEW_VOICES)
        self._last_ended = float("-inf")
        self._together = self._in_turn = 0.0

    @classmethod
    def of_our_own(cls) -> Speed:
        """Return what is believed of our own TTS gateway and its offline voice, on a slow machine."""
        return cls(*_OUR_OWN)

    @property
    def new_voice(self) -> float:
        """How much longer a call takes that clones a new voice: the most of the last few.

        The offline engine fits its voice to the recording then, and others write down what is said in it.
        """
        if not self._new_voices:
            return self._new_voice
        took = ((call.ended - call.started, call.seconds) for call in self._new_voices)
        return max(0.0, *(whole - self.expected(seconds) for whole, seconds in took))

    @property
    def one_at_a_time(self) -> bool:
        """Whether calls that overlap wait for each other, so that a second one ahead gains nothing."""
        evidence = self._together + self._in_turn
        return evidence >= 1.0 and self._in_turn > _ONE_AT_A_TIME * evidence

    @property
    def ahead(self) -> int:
        """How many calls are worth having under way at once."""
        return 1 if self.one_at_a_time else AHEAD

    def expected(self, seconds: float) -> float:
        """Return how long a call for this much sound takes, when it waits for no other."""
        return self.overhead + self.per_second * seconds

    def learn(self, call: Call) -> None:
        """Take a finished call into account. Calls are given in the order in which they ended."""
        if call.is_new_voice:
            self._new_voices.append(call)
            self._last_ended = max(self._last_ended, call.ended)
            return
        took = max(call.ended - call.started, 0.0)
        alone = call.ended - max(call.started, min(self._last_ended, call.ended))
        overlapped = call.started < self._last_ended - 0.05
        if overlapped and took > 0:
            self._judge(self.expected(call.seconds), took, alone)
        own = alone if overlapped and self.one_at_a_time else took
        self._last_ended = max(self._last_ended, call.ended)
        self._points = [(x, y, weight * _FORGETTING) for x, y, weight in self._points[-32:]]
        self._points.append((call.seconds, own, 1.0))
        self._fit()

    def _judge(self, expected: float, took: float, alone: float) -> None:
        """Weigh what explains a call better: that it was worked on at once, or waited for the one before."""
        self._together *= _FORGETTING
        self._in_turn *= _FORGETTING
        if abs(took - alone) < 0.15 * took:  # both would look the same
            return
        if abs(took - expected) <= abs(alone - expected):
            self._together += 1
        else:
            self._in_turn += 1

    def _fit(self) -> None:
        """Fit a line through what is remembered, weighted; never a falling one."""
        total = sum(weight for _, _, weight in self._points)
        mean_x = sum(x * weight for x, _, weight in self._points) / total
        mean_y = sum(y * weight for _, y, weight in self._points) / total
        spread = sum(weight * (x - mean_x) ** 2 for x, _, weight in self._points)
        slope = sum(weight * (x - mean_x) * (y - mean_y) for x, y, weight in self._points)
        highest = mean_y / mean_x if mean_x > 0 else self.per_second
        self.per_second = min(max(slope / spread if spread > 0 else highest, 0.0), highest)
        self.overhead = max(mean_y - self.per_second * mean_x, 0.0)


def next_target(speed: Speed, *, buffered: float, in_flight: Sequence[float] = ()) -> float:
    """Return how many seconds of sound the next segment should have.

    ``buffered`` is the sound that is made and not yet played, in seconds, with everything that is heard
    before this utterance; ``in_flight`` the estimated seconds of the segments that are being made.
    """
    ahead = buffered + sum(in_flight)
    first = _within(_SHORTEST_FIRST, (FIRST_SOUND_SECONDS - speed.overhead) / _rate(speed), _LONGEST_FIRST)
    if ahead <= 0:  # what is cloned from it must be there before it ends
        enough = (speed.expected(MIN_SECONDS) + speed.new_voice + _MARGIN_SECONDS) / _SAFETY
        return max(first, min(enough, _LONGEST_BEFORE_NEW_VOICE)) if speed.new_voice else first
    waiting = sum(map(speed.expected, in_flight)) if speed.one_at_a_time else 0.0
    overhead = speed.overhead + speed.new_voice
    ready = (_SAFETY * ahead - _MARGIN_SECONDS - overhead - waiting) / _rate(speed)
    return _within(MIN_SECONDS, min(ready, MAX_GROWTH * ahead), min(COMFORTABLE_SECONDS, MAX_SECONDS))


def _rate(speed: Speed) -> float:
    return max(speed.per_second, 0.01)


def _within(low: float, value: float, high: float) -> float:
    return min(max(value, low), high)


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
