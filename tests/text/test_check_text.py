from __future__ import annotations

import pytest

from bot.errors import MemberError
from bot.limits import MAX_TEXT_BYTES, MAX_TEXT_GRAPHEMES, MAX_UTTERANCE_SECONDS
from bot.text.speakable import check_text, speakable


@pytest.mark.parametrize(
    "empty",
    ["", " ", "...", "!?", "\u200b", "\u3164", "\u115f\u1160\uffa0", "\u2800", "\ud800", "()", "\u0301"],
)
def test_a_text_with_nothing_to_say_is_refused(empty: str) -> None:
    with pytest.raises(MemberError, match="read that aloud"):
        check_text(empty)
    with pytest.raises(MemberError):
        check_text(speakable(empty))


@pytest.mark.parametrize("fine", ["a", "5", "你好", " hi ", "ツ", "½", "e\u0301"])
def test_a_text_with_a_letter_or_a_number_is_taken(fine: str) -> None:
    assert check_text(fine) == fine.strip()


@pytest.mark.parametrize("character", ["a", "é", "你", "e\u0323\u0301"])
def test_the_limit_counts_characters_as_people_do(character: str) -> None:
    longest = character * MAX_TEXT_GRAPHEMES

    assert check_text(longest) == longest
    with pytest.raises(
        MemberError, match=f"{MAX_TEXT_GRAPHEMES + 1:,} characters, and the limit is {MAX_TEXT_GRAPHEMES:,}"
    ):
        check_text(longest + character)


def test_a_text_of_few_but_heavy_characters_is_bounded_as_well() -> None:
    heavy = "क्षि"  # one character, twelve bytes
    weight = len(heavy.encode())
    most = MAX_TEXT_BYTES // weight

    assert check_text(heavy * most)
    with pytest.raises(
        MemberError, match=f"{weight * (most + 1):,} bytes, and the limit is {MAX_TEXT_BYTES:,}"
    ):
        check_text(heavy * (most + 1))


def test_a_text_that_takes_too_long_to_say_says_how_long() -> None:
    numbers = "1234567890" * 90

    with pytest.raises(MemberError, match=f"about 270 seconds, and the limit is {MAX_UTTERANCE_SECONDS:.0f}"):
        check_text(numbers)
