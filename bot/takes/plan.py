"""The segments of one text: how long the next may be, and how many are left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from bot.text.pacing import Speed, next_target
from bot.text.segments import Segment, Segmenter
from bot.text.speaking_time import speaking_seconds

_MOST_COUNTED: Final = 99  # parts that an estimate looks ahead


class Plan:
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
