"""A long text in segments: pieces that are made one by one and sound like one utterance."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import accumulate
from types import MappingProxyType
from typing import Final

from bot.text.breaks import Break, Breaks
from bot.text.characters import has_words
from bot.text.speaking_time import speaking_seconds

MIN_SECONDS: Final = 3.0
"""The model speaks single words badly, so short sentences are said together with the next."""

MAX_SECONDS: Final = 20.0
"""The longest segment: VoxCPM2 distorts from about here on (OpenBMB/VoxCPM, issue 372)."""

PAUSE_SECONDS: Final[Mapping[Break, float]] = MappingProxyType(
    {
        Break.PARAGRAPH: 0.4,
        Break.SENTENCE: 0.2,
        Break.CLAUSE: 0.1,
        Break.SPACE: 0.03,
        Break.GRAPHEME: 0.0,
        Break.END: 0.0,
    }
)
"""Silence between this segment and the next, in seconds."""

_LONG_PAUSE_SECONDS: Final = 0.25  # after a question, a call, or words left hanging
_LONG_PAUSE_MARKS: Final = "!?…！？؟"

_COSTS: Final[Mapping[Break, float]] = MappingProxyType(
    # How much worse than a sentence end; a segment of e times its target costs `_OVER`, of 1/e `_UNDER`.
    {Break.END: -0.2, Break.PARAGRAPH: -0.1, Break.SENTENCE: 0.0, Break.CLAUSE: 0.5, Break.SPACE: 1.3}
)
_OVER: Final = 1.6
_UNDER: Final = 0.8
_SHORT_REST: Final = 1.0
_FIRST_SHARE: Final = 0.75  # of its target, or
_FIRST_SECONDS: Final = 4.5  # are enough for a first paragraph to be a segment of its own


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text, how long it will sound, and the silence after it; both in seconds."""

    text: str
    seconds: float
    pause_after: float


class Segmenter:
    """Gives ``text`` piece by piece, each as long as is asked for. All segments hold all its words in order.

    A text without a letter, a number or a sign that can be said has no segments.
    """

    def __init__(self, text: str) -> None:
        self._text = text = text.strip()
        self._breaks = Breaks(text)
        self._places = [index for index, _ in self._breaks.words]
        self._paragraphs = [index for index, kind in self._breaks.words if kind is Break.PARAGRAPH]
        self._sayable = [0, *accumulate(map(has_words, text))]
        self._start = 0 if speaking_seconds(text) else len(text)

    @property
    def seconds_left(self) -> float:
        """About how long all segments still to come will sound."""
        return speaking_seconds(self._text[self._start :])

    def next(self, target_seconds: float) -> Segment | None:
        """Return the next segment, near ``target_seconds`` long; None after the last.

        It ends with a sentence if one ends near the target, else with a clause, else with a word. It is
        at least `MIN_SECONDS` long where the text and the target allow it, and at most `MAX_SECONDS`; and no
        longer than its paragraph, unless that paragraph or all that follows it would be shorter.
        """
        start = self._start
        if start == len(self._text):
            return None
        target = min(max(target_seconds, 0.5), MAX_SECONDS)
        end, kind = self._best(start, target) or self._forced(start, target)
        self._start = end
        text = self._text[start:end]
        return Segment(" ".join(text.split()), speaking_seconds(text), _pause(text, kind))

    def _best(self, start: int, target: float) -> tuple[int, Break] | None:
        shortest = min(MIN_SECONDS, 0.7 * target)
        furthest = self._paragraph_end(start, target)
        found: tuple[float, int, Break] | None = None
        for index, kind in self._window(start):
            if index > furthest:
                break
            seconds = self._seconds(start, index)
            if seconds < shortest and kind is not Break.END:
                continue
            if not self._both_sayable(start, index):
                continue
            cost = _COSTS[kind] + self._misfit(seconds, target, self._seconds(index, furthest))
            if found is None or cost < found[0]:
                found = cost, index, kind
        return found and found[1:]

    def _paragraph_end(self, start: int, target: float) -> int:
        """Return where the paragraph ends that is said from ``start`` on, short ones taken together."""
        times = self._breaks.seconds
        # What comes second is made while the first is heard, so the first is not much shorter than asked for.
        least = MIN_SECONDS if start else max(MIN_SECONDS, min(_FIRST_SHARE * target, _FIRST_SECONDS))
        for index in self._paragraphs[bisect_right(self._paragraphs, start) :]:
            if times[index] - times[start] >= least and times[-1] - times[index] >= MIN_SECONDS:
                return index
        return len(self._text)

    def _window(self, start: int) -> list[tuple[int, Break]]:
        first = bisect_right(self._places, start)
        limit = bisect_right(self._breaks.seconds, self._breaks.seconds[start] + MAX_SECONDS) - 1
        return self._breaks.words[first : bisect_right(self._places, limit)]

    def _forced(self, start: int, target: float) -> tuple[int, Break]:
        """Return an end where none is good: the last word that fits, else between two characters."""
        if window := [found for found in self._window(start) if self._both_sayable(start, found[0])]:
            return window[-1]
        limit = self._breaks.seconds[start] + max(target, min(MIN_SECONDS, MAX_SECONDS))
        index = bisect_right(self._breaks.seconds, limit) - 1
        place = self._breaks.grapheme_before(index, start)
        end = self._breaks.grapheme_after(start) if place is None else place
        return end, Break.END if end == len(self._text) else Break.GRAPHEME

    def _seconds(self, start: int, end: int) -> float:
        return self._breaks.seconds[end] - self._breaks.seconds[start]

    def _both_sayable(self, start: int, index: int) -> bool:
        rest = self._sayable[-1] - self._sayable[index]
        return self._sayable[index] > self._sayable[start] and (rest > 0 or index == len(self._text))

    def _misfit(self, seconds: float, target: float, rest: float) -> float:
        ratio = math.log(max(seconds, 0.01) / target)
        return (_OVER if ratio > 0 else -_UNDER) * ratio + (_SHORT_REST if 0 < rest < MIN_SECONDS else 0)


async def segmenter(text: str) -> Segmenter:
    """Return a `Segmenter` of ``text``, read in a worker thread."""
    return await asyncio.to_thread(Segmenter, text)


def _pause(text: str, kind: Break) -> float:
    if kind is Break.SENTENCE and any(mark in text.rstrip()[-3:] for mark in _LONG_PAUSE_MARKS):
        return _LONG_PAUSE_SECONDS
    return PAUSE_SECONDS[kind]
