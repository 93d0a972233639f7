"""Speech that is handed out while it comes in: what was heard, and what was kept, are one."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from bot.audio.opus import FRAME_SAMPLES, opus_frames
from bot.audio.stream import SpeechStream
from bot.errors import AudioError
from tests.audio.handmade import chunk, encoded, fmt, pcm16, riff, sine, speechlike, wav
from tests.audio.streaming import TEXT, arriving, cut, frames_after, hand_out, streamed

WAVE = speechlike(1.5)
DATA = wav(WAVE)
FIVE_FRAMES_BYTES = 12_000


@pytest.mark.parametrize("size", [977, 4_096, 65_536, len(DATA)])
async def test_what_was_handed_out_is_the_speech_that_is_kept(size: int):
    result, frames = await streamed(DATA, size=size)

    assert frames == await opus_frames(result.speech)
    assert result.speech.seconds == 1.5


async def test_however_it_was_cut_it_is_the_same_sound():
    whole, _ = await streamed(DATA, size=len(DATA))

    for size in (997, 30_001):
        result, _ = await streamed(DATA, size=size)
        difference = np.frombuffer(result.speech.pcm, "<i2") - np.frombuffer(whole.speech.pcm, "<i2")
        assert np.abs(difference).max() <= 1


def test_playing_can_begin_with_the_first_eighth_of_a_second():
    assert len(frames_after(DATA[:FIVE_FRAMES_BYTES])) >= 5


def test_the_frames_lag_behind_by_less_than_two_of_them():
    work = SpeechStream(text=TEXT)
    handed_out = bytes_in = 0

    for part in cut(DATA, 2_000):
        bytes_in += len(part)
        handed_out += len(work.feed(part))
        seconds_in = (bytes_in - 44) / 96_000
        assert handed_out == 0 or seconds_in - handed_out * 0.02 < 0.05


@pytest.mark.parametrize("rate", [8_000, 22_050, 24_000, 44_100, 96_000])
async def test_any_rate_becomes_48_khz_without_a_seam(rate: int):
    data = wav(sine(1_000, level=0.2, seconds=1.0, rate=rate), rate=rate)

    whole, _ = await streamed(data, size=len(data))
    result, frames = await streamed(data, size=1_001)

    assert result.speech.seconds == pytest.approx(1.0, abs=0.001)
    assert len(frames) == pytest.approx(50, abs=1)
    heard, expected = (np.frombuffer(one.speech.pcm, "<i2").astype(int) for one in (result, whole))
    assert np.abs(heard - expected).max() <= 1


@pytest.mark.parametrize(("bits", "is_float"), [(8, False), (24, False), (32, True)])
async def test_two_channels_of_any_form_cut_anywhere_are_mixed(bits: int, is_float: bool):
    body = encoded(np.repeat(WAVE, 2), bits=bits, is_float=is_float)
    data = riff(fmt(tag=3 if is_float else 1, channels=2, bits=bits), chunk(b"data", body))

    result, _ = await streamed(data, size=1_009)
    plain, _ = await streamed(DATA, size=1_009)

    assert len(result.speech.pcm) == len(plain.speech.pcm)
    heard, expected = (np.frombuffer(one.speech.pcm, "<i2").astype(float) for one in (result, plain))
    assert np.corrcoef(heard, expected)[0, 1] > 0.999


async def test_a_silent_generation_is_refused_and_nothing_of_it_is_handed_out():
    frames: list[bytes] = []

    with pytest.raises(AudioError, match="silent"):
        await hand_out(arriving(cut(wav(np.zeros(96_000)), 9_999)), SpeechStream(text=TEXT), frames)

    assert frames == []


async def test_silence_in_front_of_words_is_held_until_they_come():
    data = wav(np.concatenate([np.zeros(24_000), WAVE]))

    assert frames_after(data[:40_000]) == []
    assert len(frames_after(data[:60_000])) >= 25
    assert (await streamed(data))[0].speech.seconds == 2.0


def test_a_generation_that_says_it_is_too_long_is_refused_at_its_header():
    data = riff(fmt(), chunk(b"data", b"", size=96_000 * 60))

    with pytest.raises(AudioError, match="at most"):
        SpeechStream(text="a short text").feed(data)


@pytest.mark.parametrize("size", [0, 0xFFFFFFFF, 0x7FFFFFFF], ids=["zero", "all ones", "the largest"])
def test_a_wav_without_a_length_is_stopped_as_soon_as_it_is_too_long(size: int):
    work = SpeechStream(text="12345")  # 7.5 s at most
    data = riff(fmt(), chunk(b"data", pcm16(np.tile(sine(440, seconds=1.0), 8)), size=size))
    seconds = 0.0

    with pytest.raises(AudioError, match="at most"):
        for part in cut(data, 9_600):
            work.feed(part)
            seconds += 0.1

    assert 7.4 < seconds < 7.7


@pytest.mark.parametrize("seconds", [0, 1 / 48_000, 0.049])
async def test_what_is_too_short_for_a_word_is_refused_and_not_handed_out(seconds: float):
    frames: list[bytes] = []
    data = wav(sine(440, seconds=seconds))

    with pytest.raises(AudioError, match="only"):
        await hand_out(arriving([data]), SpeechStream(text=TEXT), frames)

    assert frames == []


async def test_the_shortest_word_is_handed_out():
    result, frames = await streamed(wav(sine(440, seconds=0.05)))

    assert result.speech.seconds == pytest.approx(0.05)
    assert len(frames) * FRAME_SAMPLES >= 2_400


@pytest.mark.parametrize("data", [b"", b"RIFF", b"<html>not a sound at all</html>", DATA[:40]])
async def test_bytes_that_are_no_wav_are_refused(data: bytes):
    with pytest.raises(AudioError):
        await streamed(data, size=7)


async def test_what_the_download_raises_goes_through_after_the_first_frames():
    frames: list[bytes] = []

    async def breaking_off():
        yield DATA[:50_000]
        raise LookupError("broken off")

    with pytest.raises(LookupError):
        await hand_out(breaking_off(), SpeechStream(text=TEXT), frames)

    assert len(frames) > 20


async def test_the_work_itself_is_not_done_in_the_event_loop():
    task = asyncio.create_task(streamed(DATA, size=len(DATA)))

    for _ in range(3):  # turns of the loop: enough for the whole work, were it done there
        await asyncio.sleep(0)

    assert not task.done()
    assert await task
