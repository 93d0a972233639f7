"""The segments of one text: how long the next may be, how many are left, and how long they will take."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from bot.text.pacing import Speed, next_target
from bot.text.segments import Segment, Segmenter
from bot.text.speaking_time import speaking_seconds

_MOST_COUNTED: Final = 99  # parts that an estimate looks ahead


class Plan:
    """Cuts ``text`` as the making of its earlier segments allows. ``segmenter`` is one of that text."""

    def __init__(self, text: str, segmenter: Segmenter, speed: Speed) -> None:
        self._text = text
        self._segmenter = segmenter
        self._speed = speed
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
        return segment

    def whole(self) -> Segment:
        """Return all of the text as one segment; nothing is left after it."""
        self.seconds_left = 0.0
        return Segment(self._text, speaking_seconds(self._text), 0.0)

    def parts_left(self, *, buffered: float, in_flight: Sequence[float] = ()) -> int:
        """Return about how many segments are still to come."""
        left, count, making = self.seconds_left, 0, list(in_flight)
        while left > 0.05 and count < _MOST_COUNTED:
            target = next_target(self._speed, buffered=buffered, in_flight=making)
            making.append(target)
            left -= target
            count += 1
        return count

    def making_seconds(self, calls_left: Sequence[float], parts_left: int) -> float:
        """Return about how long it takes to make all that is left.

        ``calls_left`` are the seconds that each call under way still needs.
        """
        speed = self._speed
        later = parts_left * speed.overhead + speed.per_second * self.seconds_left
        if parts_left > 1:
            later /= speed.ahead
        return later + (sum(calls_left) if speed.one_at_a_time else max(calls_left, default=0.0))
