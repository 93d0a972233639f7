from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sentences import SENTENCES
from bot.text.speaking_time import SHORTEST_SECONDS, seconds_up_to, speaking_seconds
from tests.text.offline_speech import offline_speech

_EDGES = 0.06  # silence that the offline engine leaves at both ends


def heard_seconds(language: str) -> dict[str, float]:
    return {
        sentence: (len(wav) - 44) / 96_000 - _EDGES
        for (other, sentence), wav in offline_speech().items()
        if other == language
    }


@pytest.mark.parametrize("language", SENTENCES)
def test_a_language_takes_as_long_as_its_scripts_say(language: str):
    heard = heard_seconds(language)

    ratio = sum(heard.values()) / sum(map(speaking_seconds, heard))

    assert 1 / 1.65 < ratio < 1.4  # the offline engine speaks faster than people and the model do


@pytest.mark.slow
@pytest.mark.parametrize("language", SENTENCES)
def test_no_sentence_is_far_from_its_estimate(language: str):
    for sentence, seconds in heard_seconds(language).items():
        assert 1 / 1.9 < seconds / speaking_seconds(sentence) < 1.7, sentence


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("The quick brown fox jumps over the lazy dog near the old river bank today", 73 / 14),
        ("Съешь же ещё этих мягких французских булок да выпей чаю", 55 / 14),
        ("今天下午我们一起去公园散步然后喝茶聊天", 19 / 4.5),
        ("きょうはとてもいいてんきですね", 15 / 7.8),
        ("오늘은 날씨가 아주 좋네요", 14 / 6.5),
    ],
)
def test_the_figures_of_the_sources_are_kept(text: str, seconds: float):
    assert speaking_seconds(text) == pytest.approx(seconds, rel=0.12)


@pytest.mark.parametrize(
    ("shorter", "longer"),
    [
        ("It is 7 now", "It is 1375 now"),
        ("3 14", "3.14"),  # "point" is said
        ("one two", "one, two"),
        ("one, two", "one. Two"),
        ("5", "5%"),
        ("hello", "hello 😀"),
        ("สวัสดีวันนี้", "สวัสดี วันนี้"),
    ],
)
def test_digits_signs_and_pauses_take_their_time(shorter: str, longer: str):
    assert speaking_seconds(shorter) < speaking_seconds(longer)


def test_the_comma_in_a_thousand_is_not_said():
    assert speaking_seconds("1,000 boats") == pytest.approx(speaking_seconds("1000 boats"), abs=0.1)


@pytest.mark.parametrize("text", ["", "   ", "...", "?!", '"-"', "()"])
def test_nothing_to_say_takes_no_time(text: str):
    assert speaking_seconds(text) == 0


def test_the_shortest_word_takes_its_time():
    assert speaking_seconds("a") == SHORTEST_SECONDS


@given(st.text(st.characters(codec=None), max_size=60))
def test_every_place_in_any_text_has_its_time(text: str):
    times = seconds_up_to(text)

    assert len(times) == len(text) + 1
    assert times[0] == 0
    assert all(before < after for before, after in pairwise(times))
    assert 0 <= speaking_seconds(text) <= max(times[-1], SHORTEST_SECONDS)
