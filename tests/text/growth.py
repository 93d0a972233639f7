"""How the cost of something grows with the length of a text: in proportion to it, or faster.

Costs are the time of this thread on a processor, so a busy machine does not change them much; what is judged
is only how they grow, and never how fast the machine is.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Callable, Iterable
from time import get_clock_info, thread_time
from typing import Any, Final

SHORT: Final = 1_000
LONG: Final = 4_000
"""What Discord lets a member type, and a quarter of it."""

_CLIMB: Final = (4, 6, 8, 11, 15, 20, 27, 36, 48, 64, 96, 128, 250, 500, SHORT)
"""Lengths on the way up: what doubles with every character is found out long before it takes a second."""

_EXPLODES: Final = 12.0
"""A step of the way costs this many times the one before; the cube of a length makes 8 of it."""

_WORTH_A_LOOK: Final = 5.0  # floors: the growth so far is judged before the next step is dared

_TOO_MUCH: Final = 7.0
"""Four times the text in seven times the time: in proportion would be 4, with the square 16."""

_DOUBLED: Final = 2.8
"""Twice the text: in proportion would be 2, with the square 4."""

_ROUNDS: Final = 6


class Floor:
    """Below these seconds nobody waits for anything, and the clock is no judge."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(seconds, 4 * get_clock_info("thread_time").resolution)


OF_A_PATTERN: Final = Floor(0.001)
OF_A_FUNCTION: Final = Floor(0.01)


def repeated(piece: str, length: int, before: str = "", after: str = "") -> str:
    """Return ``piece`` again and again between ``before`` and ``after``, ``length`` characters in all."""
    room = max(0, length - len(before) - len(after))
    return before + (piece * (room // len(piece) + 1))[:room] + after


def excess(work: Callable[[str], object], text_of: Callable[[int], str], floor: Floor) -> str | None:
    """Return how the cost of ``work`` grows with ``text_of`` a length, if that is too much; else None."""
    before, shorter = floor.seconds / 10, _CLIMB[0]
    for length in _CLIMB:
        spent = cost(work, text_of(length))
        if spent > _EXPLODES * before:
            spent = min(spent, cost(work, text_of(length)))
            if spent > _EXPLODES * before:
                return f"{shorter} characters: {before:.4f} s or less, {length}: {spent:.4f} s"
        if spent > _WORTH_A_LOOK * floor.seconds and (found := _judge(work, text_of, length)):
            return found
        before, shorter = max(spent, floor.seconds / 10), length
    if cost(work, text_of(LONG)) < floor.seconds:
        return None
    return _judge(work, text_of, LONG)


def _judge(work: Callable[[str], object], text_of: Callable[[int], str], length: int) -> str | None:
    """Compare a text with its quarter, twice: a processor that changes its speed midway is no reason."""
    return _compare(work, text_of, length) and _compare(work, text_of, length)


def _compare(work: Callable[[str], object], text_of: Callable[[int], str], length: int) -> str | None:
    """Return how much dearer a text is than its quarter, if that is too much again and again."""
    short = long = float("inf")
    for _ in range(_ROUNDS):
        short = min(short, cost(work, text_of(length // 4)))
        long = min(long, cost(work, text_of(length)))
        if long <= _TOO_MUCH * short:
            return None
    if length == LONG and min(cost(work, text_of(2 * LONG)) for _ in range(_ROUNDS)) <= _DOUBLED * long:
        return None  # a step on the way, such as a second portion of the text; what grows goes on growing
    return (
        f"{length // 4} characters: {short:.4f} s, {length}: {long:.4f} s, {long / short:.1f} times as much"
    )


def uses(pattern: re.Pattern[Any]) -> Callable[[str], object]:
    """Return what tries ``pattern`` on a text in every way that it may be used."""
    is_of_bytes = isinstance(pattern.pattern, bytes)

    def use(text: str) -> None:
        given: Any = text.encode("utf-8", "surrogatepass") if is_of_bytes else text
        pattern.fullmatch(given)
        _go_through(pattern.finditer(given))

    return use


def _go_through(found: Iterable[object]) -> None:
    for _ in found:
        pass


def cost(work: Callable[[str], object], text: str) -> float:
    """Return the seconds that a processor spends on ``work`` with ``text``."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        started = thread_time()
        work(text)
        return thread_time() - started
    finally:
        if was_on:
            gc.enable()
