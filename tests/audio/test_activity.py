"""Who speaks when, told by levels."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.quality import activity, frame_levels, runs
from tests.audio.voices import CHILD, MAN, RATE, WOMAN, Wave, silence, times, with_noise


def samples(wave: Wave) -> np.ndarray:
    return np.rint(np.clip(wave, -1, 1) * 32_767).astype(np.int16)


@pytest.mark.parametrize("wave", [MAN, CHILD, WOMAN], ids=["man", "child", "woman"])
@pytest.mark.parametrize("decibels", [0, -20])
async def test_speech_between_silence_is_found_where_it_is(wave: Wave, decibels: float):
    heard = activity(samples(np.concatenate([silence(2), times(wave, decibels), silence(1.5)])))

    spoken = np.flatnonzero(heard.speaking) / 100
    assert spoken[0] == pytest.approx(2.0, abs=0.25)
    assert spoken[-1] == pytest.approx(2.0 + len(wave) / RATE, abs=0.4)
    assert heard.speech_seconds > 0.7 * len(wave) / RATE


@pytest.mark.parametrize("snr", [30, 20, 15, 10, 6])
@pytest.mark.parametrize("wave", [MAN, CHILD, WOMAN], ids=["man", "child", "woman"])
def test_the_distance_of_the_noise_is_estimated_to_4_db(wave: Wave, snr: float):
    assert activity(samples(with_noise(wave, snr))).snr == pytest.approx(snr, abs=4)


def test_levels_are_those_of_full_scale_sines_and_of_nothing():
    sine = np.sin(2 * np.pi * 1_000 * np.arange(4_800) / RATE)

    levels = frame_levels(samples(np.concatenate([sine, 0.1 * sine, silence(0.1)])))

    assert levels[5] == pytest.approx(-3.0, abs=0.1)
    assert levels[15] == pytest.approx(-23.0, abs=0.1)
    assert levels[25] == -96.0


def test_a_last_frame_need_not_be_whole():
    levels = frame_levels(samples(0.5 * np.ones(700) * np.tile([1, -1], 350)))

    assert levels == pytest.approx([-6.0, -6.0], abs=0.1)


def test_an_empty_recording_has_no_voice_activity():
    heard = activity(np.zeros(0, np.int16))

    assert (heard.speech_seconds, len(heard.levels)) == (0.0, 0)


def test_runs_are_found_at_the_ends_too():
    assert runs(np.array([True, True, False, True, False, False, True])) == [(0, 2), (3, 4), (6, 7)]
    assert runs(np.zeros(3, np.bool_)) == []
