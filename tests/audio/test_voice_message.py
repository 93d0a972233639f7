"""Voice messages: the file, the length and the waveform that Discord's app shows."""

from __future__ import annotations

import base64

import numpy as np
import pytest

from bot.audio.edit import ANNOUNCEMENT_SECONDS
from bot.audio.formats import MAX_POINTS, VoiceMessage, voice_message
from bot.audio.sound import SpeechSound
from bot.audio.wav import COMMENT, TITLE
from bot.errors import AudioError
from rehearsal.voice.sound_file import voice_message as accepted_by_the_rehearsal
from tests.audio.reading import read
from tests.audio.voices import CHILD, MAN, RATE, WOMAN, Wave, likeness, silence, speech, times


def points(message: VoiceMessage) -> list[int]:
    return list(base64.b64decode(message.waveform, validate=True))


def tone(seconds: float) -> Wave:
    return 0.3 * np.sin(2 * np.pi * 300 * np.arange(round(seconds * RATE)) / RATE)


async def test_the_file_is_ogg_opus_with_the_whole_speech_and_its_tags():
    message = await voice_message(speech(WOMAN), tags={TITLE: "Good night", COMMENT: "AI-generated voice"})

    sound = read(message.ogg)
    assert (sound.container, sound.codec, sound.rate, sound.channels) == ("ogg", "opus", 48_000, 1)
    assert sound.tags == {"title": "Good night", "comment": "AI-generated voice"}
    assert sound.seconds == message.seconds == len(WOMAN) / RATE
    assert likeness(sound.samples, WOMAN) > 0.97
    assert 32_000 < 8 * len(message.ogg) / message.seconds < 120_000


async def test_there_is_one_point_for_each_tenth_of_a_second():
    lengths = [0.04, 0.1, 0.96, 5.0, 25.6]

    messages = [await voice_message(speech(np.resize(WOMAN, round(RATE * length)))) for length in lengths]

    assert [len(points(message)) for message in messages] == [1, 1, 10, 50, 256]


async def test_a_long_one_has_its_points_spread_evenly():
    whole = np.concatenate([silence(30), np.resize(MAN, 30 * RATE)])

    waveform = points(await voice_message(speech(whole)))

    assert len(waveform) == MAX_POINTS
    assert max(waveform[:127]) == 0
    assert np.mean(waveform[129:]) > 60


@pytest.mark.parametrize("wave", [MAN, CHILD, WOMAN], ids=["man", "child", "woman"])
@pytest.mark.parametrize("decibels", [0, -40])
async def test_speech_fills_the_range_however_loud_it_is(wave: Wave, decibels: float):
    waveform = points(await voice_message(speech(times(wave, decibels))))

    assert max(waveform) == 255
    assert min(waveform) < 40
    assert np.median(waveform) > 80
    assert np.std(waveform) > 40


async def test_a_word_is_seen_where_it_is_heard():
    waveform = points(await voice_message(speech(np.concatenate([silence(1), WOMAN[:RATE], silence(1)]))))

    assert max(waveform[:10] + waveform[20:]) == 0
    assert np.mean(waveform[10:20]) > 50


@pytest.mark.parametrize("wave", [silence(3), tone(3)], ids=["silence", "a steady tone"])
async def test_the_waveform_is_never_a_flat_line(wave: Wave):
    waveform = points(await voice_message(speech(wave)))

    assert max(waveform) - min(waveform) > 150


async def test_the_rehearsal_takes_it_as_what_discords_app_sends():
    message = await voice_message(speech(MAN))

    taken = accepted_by_the_rehearsal(message.ogg)

    assert taken.seconds == pytest.approx(message.seconds, abs=0.001)
    assert len(base64.b64decode(taken.waveform)) == len(points(message))


async def test_the_same_speech_gives_the_same_message():
    assert await voice_message(speech(CHILD)) == await voice_message(speech(CHILD))


async def test_two_soft_tones_announce_a_speech_that_stays_as_it_is_behind_them():
    message = await voice_message(speech(WOMAN), is_announced=True)

    samples = read(message.ogg).samples
    behind = round(ANNOUNCEMENT_SECONDS * RATE)
    assert message.seconds == pytest.approx(len(WOMAN) / RATE + ANNOUNCEMENT_SECONDS, abs=0.001)
    assert 0.05 < np.abs(samples[: behind // 2]).max() < 0.2  # heard, and softer than speech
    assert likeness(samples[behind:], WOMAN) > 0.97


@pytest.mark.parametrize("is_announced", [False, True])
async def test_an_empty_speech_becomes_no_voice_message(is_announced: bool):
    with pytest.raises(AudioError, match="no sound"):
        await voice_message(SpeechSound(b""), is_announced=is_announced)
