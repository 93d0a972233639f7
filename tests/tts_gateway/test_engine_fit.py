"""The offline preview voice of a recording: near it in pitch, tone and pace, and in nothing else."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest
import pytest_asyncio

from tests.tts_gateway.listening import heard, semitones, spectrum_distance
from tests.untrusted.encoding import wav_of
from tts_gateway.engines.base import ReferenceRefused, TextRefused
from tts_gateway.engines.espeak import Passage, VoiceSettings, say
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.engines.sound import joined, levelled, resampled, wav_bytes

TEXT = "Would you like some more tea before the guests arrive? There is fresh cake in the kitchen."
WORDS = "Jeden Morgen fährt das kleine Schiff um sieben Uhr ab, mit Brot, Briefen und ein paar Leuten."


def _recorded(settings: VoiceSettings, words: str = WORDS) -> bytes:
    sound = joined(say([Passage("gmw/de", words)], settings, max_seconds=30))
    return wav_bytes(levelled(resampled(sound)))


LOW = _recorded(VoiceSettings(62, 88, 0.92, 0.9, "m3"))
HIGH = _recorded(VoiceSettings(260, 360, 1.15, 1.1, "f2"))


pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.slow]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def offline() -> AsyncIterator[OfflineEngine]:
    engine = OfflineEngine()
    yield engine
    await engine.aclose()


@pytest.mark.parametrize("recording", [LOW, HIGH], ids=["low", "high"])
async def test_the_voice_comes_near_the_recording_in_pitch_melody_and_spectrum(
    offline: OfflineEngine, recording: bytes
) -> None:
    wanted, default = heard(recording), heard(await offline.speak(TEXT))

    got = heard(await offline.clone(TEXT, recording))

    assert semitones(default.f0_hz, wanted.f0_hz) > 3
    assert semitones(got.f0_hz, wanted.f0_hz) < 1
    assert abs(got.spread - wanted.spread) < 0.5
    assert spectrum_distance(got, wanted) < 0.6 * spectrum_distance(default, wanted)
    assert (got.rate, got.channels, got.bits) == (48_000, 1, 16)
    assert -23 < got.rms_dbfs < -18
    assert got.peak_dbfs <= -0.99


@pytest.mark.parametrize(
    "text", ["Yes.", "你好，今天天气很好，我们去公园吧。", "Привет, как твои дела сегодня?"]
)
async def test_short_texts_and_other_languages_keep_the_pitch(offline: OfflineEngine, text: str) -> None:
    got = heard(await offline.clone(text, HIGH))

    assert semitones(got.f0_hz, heard(HIGH).f0_hz) < 1


async def test_two_recordings_give_two_voices(offline: OfflineEngine) -> None:
    low, high = heard(await offline.clone(TEXT, LOW)), heard(await offline.clone(TEXT, HIGH))

    assert semitones(low.f0_hz, high.f0_hz) > 18
    assert spectrum_distance(low, high) > 3


@pytest.mark.parametrize("rate", [0.75, 1.35])
async def test_the_transcript_tells_the_pace(offline: OfflineEngine, rate: float) -> None:
    recording = _recorded(VoiceSettings(100, 140, rate=rate))

    without = heard(await offline.clone(WORDS, recording)).seconds
    known = heard(await offline.clone(WORDS, recording, prompt_text=WORDS)).seconds

    length = heard(recording).seconds
    assert abs(known - length) < 0.1 * length
    assert abs(without - length) > 0.15 * length


async def test_a_transcript_of_something_else_does_not_spoil_the_pace(offline: OfflineEngine) -> None:
    plain = await offline.clone(TEXT, LOW)

    for transcript in ("Hm.", WORDS * 8, "...", ""):
        assert await offline.clone(TEXT, LOW, prompt_text=transcript) == plain


async def test_noise_in_the_recording_is_not_copied_into_the_voice(offline: OfflineEngine) -> None:
    noise = np.random.default_rng(1).normal(size=48_000 * 8) * 0.02
    clean = np.frombuffer(LOW[44:], "<i2") / 32_768
    noisy = wav_of(clean + noise[: len(clean)])

    got = heard(await offline.clone(TEXT, noisy))

    assert semitones(got.f0_hz, heard(LOW).f0_hz) < 1
    assert spectrum_distance(got, heard(LOW)) < spectrum_distance(heard(noisy), heard(LOW))


async def test_a_description_changes_the_voice_of_a_recording_too(offline: OfflineEngine) -> None:
    plain = heard(await offline.clone(TEXT, LOW))

    slow = heard(await offline.clone(f"(slow, high){TEXT}", LOW, prompt_text=None))

    assert slow.seconds > 1.2 * plain.seconds
    assert slow.f0_hz > 1.25 * plain.f0_hz


async def test_concurrent_fits_give_the_same_bytes_as_serial_ones(offline: OfflineEngine) -> None:
    serial = [await offline.clone(TEXT, recording) for recording in (LOW, HIGH)]
    fresh = OfflineEngine()

    concurrent = await asyncio.gather(*(fresh.clone(TEXT, recording) for recording in (LOW, HIGH, LOW)))
    await fresh.aclose()

    assert concurrent == [serial[0], serial[1], serial[0]]


@pytest.mark.parametrize(
    ("recording", "reason"),
    [
        (LOW[: 44 + 2 * 40_000], "shorter than one second"),
        (wav_of(np.zeros(96_000)), "silent"),
        (wav_of(np.random.default_rng(2).normal(size=96_000) * 0.1), "no voice"),
        (_recorded(VoiceSettings(variant="whisper")), "no voice"),
        (b"", "not a recording"),
        (b"hello, I am a text named voice.mp3" * 100, "not a recording"),
        (bytes(10 * 1024 * 1024 + 1), "larger than 10 MiB"),
    ],
    ids=["short", "silent", "noise", "whisper", "empty", "text", "large"],
)
async def test_a_recording_without_a_voice_is_refused_with_a_reason(
    offline: OfflineEngine, recording: bytes, reason: str
) -> None:
    with pytest.raises(ReferenceRefused, match=reason):
        await offline.clone(TEXT, recording)


async def test_a_text_with_nothing_to_say_is_refused_in_any_voice(offline: OfflineEngine) -> None:
    with pytest.raises(TextRefused):
        await offline.clone("...", LOW)
