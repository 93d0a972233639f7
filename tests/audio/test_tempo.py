"""Speech that is heard faster or slower than it was made, at the same pitch."""

from __future__ import annotations

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray

from bot.audio import sound
from bot.audio.maker import Maker, Part
from bot.audio.opus import opus_frames, speech_from_frames
from bot.audio.sound import RATE, SpeechSound, Stretcher
from bot.audio.stream import SpeechStream
from bot.audio.wav import parse_wav
from bot.audio.workers import run_batch_pieces
from rehearsal.likeness import pitch_of, semitones
from tests.audio.handmade import wav
from tests.audio.streaming import TEXT, arriving, cut, hand_out
from tests.audio.voices import CHILD, MAN, WOMAN, speech
from tests.speech.sounds import WavInPieces

TEMPI = [0.5, 0.73, 1.37, 2.0]
Samples = NDArray[np.int16]


def stretched(samples: Samples, tempo: float, *, size: int = 4_800) -> Samples:
    """Return ``samples`` at another tempo, which were put in so many at once."""
    stretcher = Stretcher(tempo)
    parts = [stretcher.feed(samples[start : start + size]) for start in range(0, len(samples), size)]
    return np.concatenate([*parts, stretcher.finish()])


def hum(hertz: float, seconds: float = 6.0) -> Samples:
    """Return a steady voice: ten overtones, the highest at ten times ``hertz``."""
    moments = np.arange(round(seconds * RATE)) / RATE
    numbers = np.arange(1, 11)[:, None]
    wave = (np.sin(2 * np.pi * hertz * numbers * moments) / numbers).sum(axis=0)
    samples: Samples = np.rint(6_000 * wave).astype(np.int16)
    return samples


def spectrum_of(samples: Samples) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the frequencies and powers of a sound, without its ends."""
    middle = samples[RATE // 4 : -RATE // 4].astype(np.float64)
    powers = np.square(np.abs(np.fft.rfft(middle * np.hanning(len(middle)))))
    return np.fft.rfftfreq(len(middle), 1 / RATE).astype(np.float64), powers.astype(np.float64)


@pytest.mark.parametrize("tempo", TEMPI)
@pytest.mark.parametrize("hertz", [85.0, 150.0, 220.0, 330.0])
def test_a_hum_at_another_tempo_keeps_its_pitch_within_one_per_cent(hertz: float, tempo: float):
    frequencies, powers = spectrum_of(stretched(hum(hertz), tempo))

    near = (frequencies > hertz / 1.5) & (frequencies < hertz * 1.5)
    found = float((frequencies[near] * powers[near]).sum() / powers[near].sum())
    assert found == pytest.approx(hertz, rel=0.01)


@pytest.mark.parametrize("tempo", TEMPI)
@pytest.mark.parametrize("voice", [MAN, CHILD, WOMAN], ids=["man", "child", "woman"])
async def test_a_voice_at_another_tempo_is_as_long_as_that_says_and_as_high(voice, tempo: float):
    before = speech(voice)

    after = await run_batch_pieces(sound.stretched, before, tempo)

    assert after.seconds == pytest.approx(before.seconds / tempo, rel=0.02)
    assert semitones(pitch_of(before.pcm), pitch_of(after.pcm)) < 0.5


@pytest.mark.parametrize("tempo", TEMPI)
def test_a_hum_at_another_tempo_has_no_clicks(tempo: float):
    before, after = hum(150.0), stretched(hum(150.0), tempo)

    shares = []
    for samples in (before, after):
        frequencies, powers = spectrum_of(samples)
        shares.append(float(powers[frequencies > 3_000].sum() / powers.sum()))
    assert shares[1] < 1e-5  # a click is as strong there as below
    assert np.abs(np.diff(after.astype(int))).max() <= 1.2 * np.abs(np.diff(before.astype(int))).max()


@pytest.mark.parametrize("tempo", TEMPI)
def test_how_the_samples_were_cut_makes_no_difference_that_is_heard(tempo: float):
    samples = np.frombuffer(speech(WOMAN).pcm, "<i2")

    whole = stretched(samples, tempo, size=len(samples))

    for size in (331, 4_801):
        parts = stretched(samples, tempo, size=size)
        assert len(parts) == len(whole)
        assert (parts != whole).mean() < 0.001


@pytest.mark.parametrize("tempo", TEMPI)
def test_the_first_sound_comes_out_before_a_tenth_of_a_second_went_in(tempo: float):
    stretcher, samples = Stretcher(tempo), hum(150.0)

    ready = [len(stretcher.feed(samples[start : start + 480])) for start in range(0, 4_800, 480)]

    assert sum(ready) > 0


def test_a_stretcher_starts_no_thread():
    before = psutil.Process().num_threads()

    stretchers = [Stretcher(tempo) for tempo in TEMPI]
    for stretcher in stretchers:
        stretcher.feed(hum(150.0))

    assert psutil.Process().num_threads() == before


@pytest.mark.parametrize("tempo", TEMPI)
async def test_a_stream_hands_out_what_is_kept_and_is_judged_as_it_was_made(tempo: float):
    samples = np.frombuffer(speech(WOMAN).pcm, "<i2") / 32_768
    stream, frames = SpeechStream(text=TEXT, tempo=tempo), list[bytes]()

    await hand_out(arriving(cut(wav(samples), 9_001)), stream, frames)
    result = stream.result()

    assert tuple(frames) == await opus_frames(result.speech)
    assert result.natural.seconds == pytest.approx(len(samples) / RATE, abs=0.01)
    assert result.speech.seconds == pytest.approx(result.natural.seconds / tempo, rel=0.02)


async def made(tempo: float, *, is_live: bool) -> Part:
    """Return the part that a voice becomes, of which 5 to 8 s are made."""
    samples = np.frombuffer(speech(WOMAN).pcm, "<i2") / 32_768
    maker = Maker()
    source = WavInPieces(wav(samples))
    incoming = maker.start(source, text=TEXT, is_live=is_live, tempo=tempo)
    async for _frames in incoming:
        pass
    assert incoming.checked.defect is None
    return await maker.part(incoming)


@pytest.mark.parametrize("is_live", [True, False])
@pytest.mark.parametrize("tempo", TEMPI)
async def test_frames_file_and_voice_message_have_the_tempo_live_or_not(tempo: float, is_live: bool):
    plain, part = await made(1.0, is_live=is_live), await made(tempo, is_live=is_live)
    maker = Maker()
    whole = await maker.joined([part])

    assert part.seconds == pytest.approx(plain.seconds / tempo, rel=0.03)
    file = parse_wav(await maker.wav(whole), max_seconds=60)
    message = await maker.voice_message(whole)
    for seconds in (file.seconds, message.seconds, (await speech_from_frames(part.frames)).seconds):
        assert seconds == pytest.approx(part.seconds, abs=0.05)


async def test_nothing_is_changed_at_the_tempo_it_was_made_with():
    samples = np.frombuffer(speech(MAN).pcm, "<i2") / 32_768
    stream = SpeechStream(text=TEXT)

    await hand_out(arriving(cut(wav(samples), 9_001)), stream, [])
    result = stream.result()

    assert result.natural is result.speech
    assert isinstance(result.speech, SpeechSound)
