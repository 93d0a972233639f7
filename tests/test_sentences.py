"""All that people can read stands in one file, and is written as people write."""

from __future__ import annotations

import re

import pytest

from tests.sentences import HOW, WRITTEN, sentences

TRANSLATED = {
    "a contraction is natural here": r"\b[Ii] (?:cannot|am not|do not|did not|could not)\b",
    "say who, or leave it out": r"\b(?:Somebody else's|my owner)\b",
    "say: no longer": r"\bnot \w+ any ?more\b",
    "a command is run, or used": r"\b[Tt]ype your command\b",
}


def test_all_that_people_can_read_stands_in_one_file():
    assert WRITTEN.read_text(encoding="utf-8") == sentences(), f"They have changed. Type: {HOW}"


@pytest.mark.slow
@pytest.mark.parametrize("why", TRANSLATED)
def test_no_sentence_reads_like_a_translation(why: str):
    assert [line for line in sentences().splitlines() if re.search(TRANSLATED[why], line)] == [], why
