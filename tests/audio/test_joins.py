"""Parts in a row: right lengths, one level, and nothing that clicks."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.joins import EDGE_SECONDS, joined, silence, sounding_range, trimmed
from bot.audio.loudness import loudness, speech_loudness
from bot.models import Speech
from tests.audio.handmade import Wave, pcm16, sine, speechlike


def speech(*waves: Wave) -> Speech:
    return Speech(pcm16(np.concatenate(waves)))


def samples_of(speech: Speech) -> Wave:
    return np.frombuffer(speech.pcm, "<i2") / 32_768


def quiet(seconds: float) -> Wave:
    return np.random.default_rng(5).normal(0, 0.00005, round(seconds * 48_000))


async def test_long_silence_at_both_ends_is_cut_to_60_ms():
    cut = await trimmed(speech(quiet(0.7), sine(440, seconds=1.0), quiet(1.4)))

    assert cut.seconds == pytest.approx(1.0 + 2 * EDGE_SECONDS, abs=0.011)
    start, end = sounding_range(np.frombuffer(cut.pcm, "<i2"))
    assert start / 48_000 == pytest.approx(EDGE_SECONDS, abs=0.006)
    assert cut.seconds - end / 48_000 == pytest.approx(EDGE_SECONDS, abs=0.006)


async def test_nothing_is_added_where_there_is_less_silence():
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
async def test_of_silence_nothing_is_left(seconds: float):
    assert (await trimmed(speech(np.zeros(round(48_000 * seconds))))).pcm == b""


async def test_a_row_is_as_long_as_its_parts_and_pauses():
    parts = [speech(quiet(0.5), speechlike(length), quiet(0.5)) for length in (1.0, 2.0, 0.3)]
    lengths = [(await trimmed(part)).seconds for part in parts]

    row = await joined(parts, [0.2, 0.4])

    assert row.seconds == pytest.approx(sum(lengths) + 0.6, abs=1 / 48_000)


async def test_between_parts_there_is_nothing_but_the_pause():
    row = samples_of(await joined([speech(sine(440, seconds=1.0))] * 2, [0.25]))

    assert not row[48_000 : 48_000 + 12_000].any()
    assert row[:48_000].any() and row[60_000:].any()


async def test_the_pause_after_the_last_part_is_left_out():
    parts = [speech(speechlike(1.0)), speech(speechlike(1.0))]

    assert await joined(parts, [0.2, 9.0]) == await joined(parts, [0.2])


@pytest.mark.parametrize("pauses", [[], [0.1] * 4])
async def test_pauses_that_do_not_fit_are_an_error(pauses: list[float]):
    with pytest.raises(ValueError, match="3 parts"):
        await joined([speech(speechlike(0.5))] * 3, pauses)


async def test_one_part_and_none_at_all_are_rows_too():
    part = speech(speechlike(1.0))

    assert (await joined([part], [])).seconds == (await trimmed(part)).seconds
    assert (await joined([], [])).pcm == b""


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
    parts = [speech(wave)] * 4

    row = samples_of(await joined(parts, [pause] * 3))

    steps = np.abs(np.diff(np.concatenate([[0.0], row, [0.0]])))
    length = (await trimmed(parts[0])).seconds + pause
    near = np.zeros(len(steps), bool)
    for number in range(5):
        place = min(round(number * length * 48_000), len(steps) - 1)
        near[max(0, place - round((pause + 0.012) * 48_000)) : place + 600] = True
    assert steps[near].max() <= steps[~near].max()


async def test_parts_of_different_loudness_become_alike():
    waves = [speechlike(3.0, seed=n, rms=rms) for n, rms in enumerate((0.05, 0.12, 0.02, 0.2))]
    parts = [speech(wave) for wave in waves]
    whole = loudness(np.frombuffer(speech(*waves).pcm, "<i2"))

    row = await joined(parts, [0.2] * 3)

    samples, place = np.frombuffer(row.pcm, "<i2"), 0
    for part in parts:
        length = len((await trimmed(part)).pcm) // 2
        assert loudness(samples[place : place + length]) == pytest.approx(whole, abs=1.0)
        place += length + 9_600
    assert await speech_loudness(row) == pytest.approx(whole, abs=1.0)
    assert np.abs(samples).max() <= 0.8913 * 32_768


async def test_a_part_of_breath_is_not_brought_up_to_speech():
    breath = np.random.default_rng(2).normal(0, 0.0015, 48_000)

    row = samples_of(await joined([speech(speechlike(2.0)), speech(breath)], [0.0]))

    assert np.abs(row[-48_000:]).max() < 0.02


def test_silence_is_as_long_as_asked():
    assert silence(0.2).seconds == pytest.approx(0.2)
    assert not any(silence(0.2).pcm)
