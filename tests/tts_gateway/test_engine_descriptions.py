"""Voice design offline: every word that is known can be heard, no other is."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable

import pytest

from tests.tts_gateway.listening import Heard, heard
from tts_gateway.engines.descriptions import traits_of, without_description
from tts_gateway.engines.offline import OfflineEngine

SENTENCE = "We meet at the harbour at noon, and then we sail to the island together."
Change = Callable[[Heard, Heard], bool]


@pytest.fixture
async def offline() -> AsyncIterator[OfflineEngine]:
    engine = OfflineEngine()
    yield engine
    await engine.aclose()


def _higher(now: Heard, before: Heard) -> bool:
    return now.f0_hz > 1.08 * before.f0_hz


def _lower(now: Heard, before: Heard) -> bool:
    return now.f0_hz < 0.96 * before.f0_hz


def _longer(now: Heard, before: Heard) -> bool:
    return now.seconds > 1.1 * before.seconds


def _shorter(now: Heard, before: Heard) -> bool:
    return now.seconds < 0.9 * before.seconds


def _louder(now: Heard, before: Heard) -> bool:
    return now.rms_dbfs > before.rms_dbfs + 2


def _quieter(now: Heard, before: Heard) -> bool:
    return now.rms_dbfs < before.rms_dbfs - 4


def _livelier(now: Heard, before: Heard) -> bool:
    return now.spread > 1.2 * before.spread


def _flatter(now: Heard, before: Heard) -> bool:
    return now.spread < 0.75 * before.spread


def _unvoiced(now: Heard, before: Heard) -> bool:
    return now.profile.melody.voiced_seconds < 0.2 * before.profile.melody.voiced_seconds


@pytest.mark.parametrize(
    ("description", "changes"),
    [
        ("a man", [_lower]),
        ("A young woman, gentle and sweet voice", [_higher]),
        ("boy", [_higher]),
        ("girl", [_higher]),
        ("child", [_higher]),
        ("an old man", [_lower, _longer]),
        ("young", [_higher]),
        ("deep", [_lower]),
        ("low", [_lower]),
        ("high", [_higher]),
        ("slow", [_longer]),
        ("fast", [_shorter]),
        ("whisper", [_unvoiced, _quieter]),
        ("robotic", [_flatter]),
        ("loud", [_louder]),
        ("quiet", [_quieter]),
        ("soft", [_quieter]),
        ("cheerful", [_higher, _livelier]),
        ("sad", [_flatter, _longer]),
        ("monotone", [_flatter]),
        ("eine tiefe, langsame Stimme", [_lower, _longer]),
        ("une femme", [_higher]),
        ("una mujer", [_higher]),
        ("低沉的老人，语速慢", [_lower, _longer]),
        ("very fast", [_shorter]),
    ],
)
async def test_a_description_is_heard_in_the_voice(
    offline: OfflineEngine, description: str, changes: list[Change]
) -> None:
    before = heard(await offline.speak(SENTENCE))

    now = heard(await offline.speak(f"({description}){SENTENCE}"))

    assert [change.__name__ for change in changes if not change(now, before)] == []


@pytest.mark.parametrize("description", ["purple", "", "not slow, not deep", "xyz 123"])
async def test_what_a_description_does_not_ask_for_does_not_change_and_is_not_spoken(
    offline: OfflineEngine, description: str
) -> None:
    plain = await offline.speak(SENTENCE)

    described = await offline.speak(f"({description}){SENTENCE}")

    assert described == plain


async def test_a_childs_voice_has_a_smaller_head_and_a_deep_one_a_larger() -> None:
    assert traits_of("a child").formants > 1.1
    assert traits_of("a deep voice").formants < 0.95


def test_small_words_weigh_the_next_one() -> None:
    assert traits_of("slightly slow").rate > traits_of("slow").rate > traits_of("very slow").rate


@pytest.mark.parametrize(
    ("text", "description", "spoken"),
    [
        ("(old)Hello", "old", "Hello"),
        ("  (old) Hello", "old", "Hello"),
        ("（老）你好", "老", "你好"),
        ("Hello (old)", None, "Hello (old)"),
        ("(old Hello", None, "(old Hello"),
        ("(a)(b)c", "a", "(b)c"),
    ],
)
def test_only_brackets_at_the_very_start_are_a_description(
    text: str, description: str | None, spoken: str
) -> None:
    assert without_description(text) == (description, spoken)
