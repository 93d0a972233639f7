"""The offline engine as its caller hears it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import numpy as np
import pytest

from tests.tts_gateway.listening import heard
from tts_gateway.engines.base import Engine, TextRefused
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.engines.sound import MAX_TEXT_CHARS

SENTENCE = "The ferry leaves at nine, whatever the weather may be like."


@pytest.fixture
async def offline() -> AsyncIterator[OfflineEngine]:
    engine = OfflineEngine()
    yield engine
    await engine.aclose()


async def test_speech_is_a_48_khz_mono_wav_at_a_sensible_level(offline: Engine) -> None:
    sound = heard(await offline.speak(SENTENCE, cfg_value=2.0, dit_steps=10))

    assert (sound.rate, sound.channels, sound.bits) == (48_000, 1, 16)
    assert -23 < sound.rms_dbfs < -18
    assert sound.peak_dbfs <= -0.99
    assert 2 < sound.seconds < 6


async def test_nothing_above_espeaks_own_bandwidth_is_invented(offline: OfflineEngine) -> None:
    wav = await offline.speak(SENTENCE)

    power = np.abs(np.fft.rfft(np.frombuffer(wav[44:], "<i2") / 32_768)) ** 2
    above = power[np.linspace(0, 24_000, len(power)) > 11_500].sum()
    assert above / power.sum() < 1e-6


async def test_guidance_and_steps_are_accepted_and_change_nothing(offline: OfflineEngine) -> None:
    plain = await offline.speak(SENTENCE)

    steered = await offline.speak(SENTENCE, cfg_value=3.0, dit_steps=30)

    assert steered == plain


@pytest.mark.parametrize("text", ["", "  \n ", "...", "?!", "\u200b", "\x01\x02", "(an old man)", "(slow) …"])
async def test_a_text_without_anything_to_say_is_refused_with_a_reason(
    offline: OfflineEngine, text: str
) -> None:
    with pytest.raises(TextRefused, match="nothing in the text that can be spoken"):
        await offline.speak(text)


@pytest.mark.parametrize("text", ["7", "Ω", "♥", "é", "ひ", "a\u0000b", "\ud800 hello"])
async def test_the_shortest_texts_are_heard(offline: OfflineEngine, text: str) -> None:
    sound = heard(await offline.speak(text))

    assert 0.1 < sound.seconds < 3
    assert sound.rms_dbfs > -26


async def test_a_thousand_characters_are_spoken_to_the_end(offline: OfflineEngine) -> None:
    once = heard(await offline.speak(SENTENCE)).seconds
    text = " ".join([SENTENCE] * (1_000 // len(SENTENCE) + 1))

    sound = heard(await offline.speak(text))

    assert len(text) > 1_000
    assert sound.seconds > 0.8 * once * (len(text) / len(SENTENCE))


async def test_longer_texts_than_anybody_hears_are_refused(offline: OfflineEngine) -> None:
    with pytest.raises(TextRefused, match=f"longer than {MAX_TEXT_CHARS} characters"):
        await offline.speak("a" * (MAX_TEXT_CHARS + 1))
    with pytest.raises(TextRefused, match="more than 5 minutes"):
        await offline.speak("asdf " * (MAX_TEXT_CHARS // 5))


async def test_brackets_inside_a_text_are_spoken(offline: OfflineEngine) -> None:
    without = heard(await offline.speak("We meet at noon at the harbour."))

    inside = heard(await offline.speak("We meet at noon (not later) at the harbour."))

    assert inside.seconds > without.seconds + 0.3


async def test_espeaks_control_codes_are_not_obeyed(offline: OfflineEngine) -> None:
    plain = heard(await offline.speak("99P Hello, this is a voice like any other."))

    coded = heard(await offline.speak("\x0199P Hello, this is a voice like any other."))

    assert coded.f0_hz == pytest.approx(plain.f0_hz, rel=0.02)


async def test_concurrent_calls_give_the_same_bytes_as_serial_ones(offline: OfflineEngine) -> None:
    texts = [
        "One two three.",
        "(whisper)Eins zwei drei.",
        "(robot)Un deux trois.",
        "(old)Uno dos tres.",
        "Раз два.",
    ]
    serial = [await offline.speak(text) for text in texts]

    others = [OfflineEngine(), OfflineEngine()]
    concurrent = await asyncio.gather(
        *(engine.speak(text) for engine in (offline, *others) for text in reversed(texts))
    )
    for other in others:
        await other.aclose()

    assert concurrent == 3 * serial[::-1]


async def test_the_event_loop_runs_on_while_speech_is_made(offline: OfflineEngine) -> None:
    turns = 0
    speaking = asyncio.create_task(offline.speak(" ".join([SENTENCE] * 20)))

    while not speaking.done():
        turns += 1
        await asyncio.sleep(0)

    assert len(await speaking) > 1_000_000
    assert turns > 10
