"""Frames turned back to speech: what listeners hear, as a file."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.loudness import brought_to, loudness
from bot.audio.opus import FRAME_SAMPLES, opus_frames, speech_from_frames
from bot.audio.sound import SpeechSound
from bot.errors import AudioError
from tests.audio.handmade import pcm16, speechlike

PEAK_LIMIT = 10 ** (-1 / 20)


def samples_of(speech: SpeechSound) -> np.ndarray:
    return np.frombuffer(speech.pcm, "<i2") / 32_768


async def test_it_is_as_long_as_the_frames_and_sounds_like_what_was_said_at_the_same_time():
    wave = speechlike(3.0)
    frames = await opus_frames(SpeechSound(pcm16(wave)))

    heard = samples_of(await speech_from_frames(frames))

    assert len(heard) == len(frames) * FRAME_SAMPLES
    assert np.corrcoef(heard[: len(wave)], wave)[0, 1] >= 0.98


async def test_it_is_as_loud_and_no_peak_is_above_the_ceiling():
    speech = await brought_to(SpeechSound(pcm16(np.clip(speechlike(3.0) * 3, -1, 1))), -9.0)

    heard = await speech_from_frames(await opus_frames(speech))

    loudest = np.abs(samples_of(heard)).max()
    before, after = (loudness(np.frombuffer(one.pcm, "<i2")) for one in (speech, heard))
    assert loudest <= PEAK_LIMIT
    assert after == pytest.approx(before, abs=0.5)


@pytest.mark.parametrize("count", [0, 1])
async def test_even_the_shortest_comes_back(count: int):
    frames = (await opus_frames(SpeechSound(pcm16(speechlike(0.1)))))[:count]

    speech = await speech_from_frames(frames)

    assert len(speech.pcm) == count * 2 * FRAME_SAMPLES


async def test_bytes_that_are_no_frame_are_an_audio_error():
    with pytest.raises(AudioError):
        await speech_from_frames([b"\xff\xff"])
