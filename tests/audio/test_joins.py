"""The ends of a part: no silence to speak of, and nothing that clicks at a join."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.edit import EDGE_SECONDS, sounding_range, trimmed
from bot.audio.sound import SpeechSound
from tests.audio.handmade import Wave, pcm16, sine, speechlike


def speech(*waves: Wave) -> SpeechSound:
    return SpeechSound(pcm16(np.concatenate(waves)))


def samples_of(speech: SpeechSound) -> Wave:
    return np.frombuffer(speech.pcm, "<i2") / 32_768


def quiet(seconds: float) -> Wave:
    return np.random.default_rng(5).normal(0, 0.00005, round(seconds * 48_000))


async def test_long_silence_at_both_ends_is_cut_to_60_ms():
    cut = await trimmed(speech(quiet(0.7), sine(440, seconds=1.0), quiet(1.4)))

    assert cut.seconds == pytest.approx(1.0 + 2 * EDGE_SECONDS, abs=0.011)
    start, end = sounding_range(np.frombuffer(cut.pcm, "<i2"))
    assert start / 48_000 == pytest.approx(EDGE_SECONDS, abs=0.006)
    assert cut.seconds - end / 48_000 == pytest.approx(EDGE_SECONDS, abs=0.006)


async def test_a_trim_adds_no_silence_where_there_is_less():
    tight = speech(quiet(0.02), sine(440, seconds=1.0))

    assert (await trimmed(tight)).seconds == tight.seconds


async def test_silence_inside_stays():
    cut = await trimmed(speech(sine(440, seconds=0.5), quiet(1.0), sine(440, seconds=0.5)))

    assert cut.seconds == 2.0


async def test_a_soft_ending_is_not_taken_for_silence():
    soft = sine(6_000, level=0.01, seconds=0.3)  # 34 dB below the words

    cut = await trimmed(speech(sine(440, seconds=1.0), soft, quiet(1.0)))

    assert cut.seconds == pytest.approx(1.3 + EDGE_SECONDS, abs=0.011)


@pytest.mark.parametrize("seconds", [0.0, 0.01, 2.0])
async def test_a_trim_leaves_nothing_of_silence(seconds: float):
    assert (await trimmed(speech(np.zeros(round(48_000 * seconds))))).pcm == b""


@pytest.mark.parametrize("pause", [0.0, 0.1, 0.2])
@pytest.mark.parametrize(
    "wave",
    [
        sine(130, level=0.6, seconds=1.003),
        np.roll(speechlike(1.5, rms=0.15), 311),
        sine(440, seconds=0.7501) + 0.2,
    ],
    ids=["cut in the middle of a wave", "speech cut anywhere", "an offset"],
)
async def test_no_step_at_a_join_is_larger_than_those_inside(wave: Wave, pause: float):
    part = await trimmed(speech(wave))

    row = np.concatenate([samples_of(part), np.zeros(round(pause * 48_000))] * 3 + [samples_of(part)])

    steps = np.abs(np.diff(np.concatenate([[0.0], row, [0.0]])))
    length = part.seconds + pause
    near = np.zeros(len(steps), bool)
    for number in range(5):
        place = min(round(number * length * 48_000), len(steps) - 1)
        near[max(0, place - round((pause + 0.012) * 48_000)) : place + 600] = True
    assert steps[near].max() <= steps[~near].max()
