"""Texts that no voice was made for: said sensibly or refused in one sentence, one call for each segment."""

from __future__ import annotations

import pytest

from benchmarks.sentences import SENTENCES
from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS
from bot.text.segments import MAX_SECONDS
from bot.text.speakable import check_text, speakable
from bot.text.speaking_time import speaking_seconds
from tests.scenes import Studio

SAID = {
    # what is typed, and the most calls that it may cost
    "4,000 characters of one letter": ("a" * MAX_OPTION_CHARS, 1),
    "the same of a letter without spaces": ("あ" * MAX_OPTION_CHARS, 1),
    "fifty sentences of one word": (" ".join(f"Word{number}." for number in range(50)), 14),
    "fifty lines of one word": ("\n".join(f"Word{number}" for number in range(50)), 14),
    "fifty paragraphs of one word": ("\n\n".join(f"Word{number}" for number in range(50)), 16),
    "fifty times the same word": ("\n\n".join(["Yes!"] * 50), 1),
    "Chinese": ("".join(SENTENCES["zh"] * 2), 8),
    "Chinese without a stop": (
        "".join(SENTENCES["zh"] * 2).translate(dict.fromkeys(map(ord, "。，！？、"))),
        12,
    ),
    "Thai": ("".join(SENTENCES["th"]).replace(" ", ""), 10),
    "Burmese": ("".join(SENTENCES["my"]).replace(" ", ""), 12),
    "three languages": (" ".join([*SENTENCES["de"][:2], *SENTENCES["zh"][:2], *SENTENCES["ar"][:2]]), 6),
    "three languages in paragraphs": ("\n\n".join(SENTENCES[one][1] for one in ("en", "ja", "hi")), 4),
}
REFUSED = {
    "signs": "!!! ... ??? *** ~~~ --- \n\n ###",
    "nothing that can be seen": "\u200b\u3164\n\n\u2060\ufe0f",
    "marks without a letter": "\u0301\u0302",
    "too many letters": " ".join(f"Word{number}" for number in range(500)),
    "digits for minutes": "0123456789" * 99,
}


@pytest.mark.parametrize("name", SAID)
async def test_an_odd_text_is_said_with_one_call_for_each_segment(studio: Studio, name: str):
    typed, most = SAID[name]
    text = check_text(speakable(typed))

    speech = await studio.make(text)

    assert "".join("".join(studio.texts).split()) == "".join(text.split()), "all of it, once and in order"
    assert len(studio.calls) <= most
    assert all(speaking_seconds(part) <= MAX_SECONDS for part in studio.texts)
    assert not any("\n" in part for part in studio.texts)
    assert not speech.rest_is_missing
    assert speech.seconds > 0.5 * speaking_seconds(text)


@pytest.mark.parametrize("name", REFUSED)
def test_an_odd_text_that_cannot_be_said_is_refused_in_one_sentence(name: str):
    with pytest.raises(MemberError) as refusal:
        check_text(speakable(REFUSED[name]))

    assert "read that aloud" in str(refusal.value) or "too long" in str(refusal.value)
    assert str(refusal.value).endswith(".")
