"""The pitch of a voice, as the tour tells one from another."""

from __future__ import annotations

import numpy as np
import pytest

from rehearsal.likeness import halves, pitch_of, semitones


def buzz(hertz: float, *, seconds: float = 1.0) -> bytes:
    """Return a tone with overtones, as a voice has them, in words of 0.3 s with pauses between."""
    times = np.arange(round(seconds * 48_000)) / 48_000
    wave = sum(np.sin(2 * np.pi * hertz * number * times) / number for number in range(1, 9))
    words = np.where(times % 0.4 < 0.3, wave, 0.0)
    return (words * 6_000).astype("<i2").tobytes()


@pytest.mark.parametrize("hertz", [72, 110, 190, 322, 450])
def test_the_pitch_of_a_voice_is_found_to_a_semitone_from_a_man_to_a_child(hertz: int):
    assert semitones(pitch_of(buzz(hertz)), hertz) < 1


def test_silence_and_noise_have_no_pitch_and_are_like_nobody():
    noise = np.random.default_rng(7).normal(0, 3_000, 48_000).astype("<i2").tobytes()

    assert pitch_of(b"") == pitch_of(bytes(96_000)) == pitch_of(noise) == 0.0
    assert semitones(0.0, 100.0) == float("inf")


def test_two_voices_after_each_other_are_told_apart_by_halves():
    first, second = halves(buzz(72) + buzz(322))

    assert semitones(pitch_of(first), 72) < 1
    assert semitones(pitch_of(second), 322) < 1
