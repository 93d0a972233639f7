from __future__ import annotations

import numpy as np
import pytest

from rehearsal.likeness import RATE, likeness


def _noise(seconds: float) -> bytes:
    samples = np.random.default_rng(7).normal(0, 3000, round(RATE * seconds))
    return samples.astype("<i2").tobytes()


def test_the_same_sound_later_is_wholly_alike():
    made = _noise(1.0)

    found = likeness(made, bytes(2 * 9_600) + made + bytes(2 * 960))

    assert found.correlation == pytest.approx(1.0, abs=1e-6)
    assert found.delay == pytest.approx(0.2)
    assert found.complete


def test_a_missing_first_word_shows():
    made = _noise(1.0)

    found = likeness(made, made[2 * 12_000 :])

    assert found.delay == pytest.approx(-0.25)
    assert not found.complete


def test_a_hole_in_the_middle_lowers_the_correlation():
    made = _noise(1.0)
    hole = made[: 2 * 16_000] + bytes(2 * 16_000) + made[2 * 32_000 :]

    assert likeness(made, hole).correlation < 0.85


def test_a_quiet_sound_is_found_beside_a_loud_one_of_the_same_pitch():
    times = np.arange(RATE) / RATE
    quiet = (1_000 * np.sin(2 * np.pi * 150 * times) * np.sin(2 * np.pi * 3 * times)).astype("<i2").tobytes()
    loud = (20_000 * np.sin(2 * np.pi * 150 * times)).astype("<i2").tobytes()

    found = likeness(quiet, loud + bytes(RATE) + quiet)

    assert found.correlation == pytest.approx(1.0, abs=1e-3)
    assert found.delay == pytest.approx(1.5)


def test_another_sound_is_not_alike():
    other = np.random.default_rng(8).normal(0, 3000, RATE).astype("<i2").tobytes()

    assert likeness(_noise(1.0), other).correlation < 0.1


def test_silence_is_like_nothing():
    assert likeness(_noise(0.5), bytes(2 * RATE)).correlation == 0.0
