"""Texts that are made to take long."""

from __future__ import annotations

import time

import pytest

from bot.text.segments import Segmenter

_HOSTILE = [
    "a", "(", "1", "1.", "x.y.", "a@", "ก", "!", ",", "a-", "👨‍👩‍👧", "://", "“a”", "+(1)", "[a", "v1", "…",
    "a ", "a. ", "(a) ", "1 ", "។ ", "\n", "e\u0301", "  ", "- ", "link to a dot ", "」 ", "? ", "a\n",
]  # fmt: skip


@pytest.mark.parametrize("piece", _HOSTILE)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str):
    short, long = (_cutting_seconds("b" + piece * (size // len(piece))) for size in (1_000, 8_000))

    # Eight times the text in less than thirty times the time: a square would be sixty-four times.
    assert long < 30 * max(short, 0.005)


def _cutting_seconds(text: str) -> float:
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        segments = Segmenter(text)
        while segments.next(12):
            pass
        best = min(best, time.process_time() - started)
    return best
