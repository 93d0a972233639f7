"""What is said in one utterance, by whom and in which order: the segments of all its lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bot.takes.plan import Plan
from bot.text.pacing import Speed
from bot.text.segments import Segment


@dataclass(frozen=True, slots=True)
class Turn:
    """The next thing to be said: ``segment``, of ``line``, by the voice with this number."""

    segment: Segment
    line: Plan
    speaker: int


class Script:
    """Gives the segments of ``lines``, one line after the other. Each line is a plan and its speaker."""

    def __init__(self, lines: Sequence[tuple[int, Plan]], speed: Speed) -> None:
        self._lines = lines
        self._speed = speed

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

    def next(self, *, buffered: float, in_flight: Sequence[float] = ()) -> Turn | None:
        """Return the next segment, None after the last. For the arguments see `next_target`."""
        for speaker, plan in self._lines:
            segment = plan.next(buffered=buffered, in_flight=in_flight)
            if segment is not None:
                return Turn(segment, plan, speaker)
        return None

    def next_line(self) -> Turn | None:
        """Return all of the next line in one piece; None after the last."""
        for speaker, plan in self._lines:
            if plan.has_more:
                return Turn(plan.whole(), plan, speaker)
        return None

    def parts_left(self, *, buffered: float, in_flight: Sequence[float] = ()) -> int:
        """Return about how many segments are still to come."""
        making = list(in_flight)
        for _, plan in self._lines:
            making += plan.targets(buffered=buffered, in_flight=making)
        return len(making) - len(in_flight)

    def making_seconds(self, calls_left: Sequence[float], parts_left: int) -> float:
        """Return about how long it takes to make all that is left.

        ``calls_left`` are the seconds that each call under way still needs.
        """
        speed = self._speed
        seconds_left = sum(plan.seconds_left for _, plan in self._lines)
        later = parts_left * speed.overhead + speed.per_second * seconds_left
        if parts_left > 1:
            later /= speed.ahead
        return later + (sum(calls_left) if speed.one_at_a_time else max(calls_left, default=0.0))
