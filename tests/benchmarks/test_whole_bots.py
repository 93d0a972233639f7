"""Benchmarks that order from a whole bot, with as little as they can measure."""

from __future__ import annotations

import statistics

import pytest

from benchmarks import memory, reading
from benchmarks.figures import Benchmark

pytestmark = pytest.mark.slow


def _values(measured: Benchmark) -> dict[str, float]:
    return {figure.name: statistics.median(figure.values) for figure in measured.figures}


def test_what_a_waiting_minute_takes_is_measured_by_minutes_that_wait(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(memory, "BATCH", 1)
    monkeypatch.setattr(memory, "BATCHES", 2)

    found = _values(memory.run())

    frames = found["a minute that waits, its frames alone"]
    assert 400 < frames < 800, "3,000 frames of Opus"
    assert found["a minute that waits, ordered with /speak"] > frames / 2
    assert found["the whole process at last"] > 50


def test_what_somebody_writes_is_found_again_as_it_is_heard_in_order(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(reading, "_PEOPLE", 1)
    monkeypatch.setattr(reading, "_CROWD_MESSAGES", 2)
    monkeypatch.setattr(reading, "_CROWD_SECONDS", 1.0)

    found = _values(reading.run("crowd"))

    (read,) = (value for name, value in found.items() if name.endswith(": read"))
    (unordered,) = (value for name, value in found.items() if "out of an author's order" in name)
    assert read == 2
    assert unordered == 0
