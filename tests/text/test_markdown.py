"""Spoilers and code: what Discord hides is never said, however it is written."""

from __future__ import annotations

import random
from typing import Final

import pytest

from bot.text.dialogue import check_lines, lines_of
from bot.text.discord_markup import PieceKind, cover, pieces
from bot.text.speakable import speakable
from tests.text.discord_reading import shown_by_discord

HIDDEN: Final = [
    ("||sesame||", "spoiler"),
    ("||`sesame`||", "spoiler"),
    ("||a `b||shown` c||", "spoiler shown c"),  # it ends inside what looks like code
    ("`a || b` ||sesame||", "a or b spoiler"),
    ("``a ` || b`` ||sesame||", "a backtick or b spoiler"),
    ("```\n||\n``` ||sesame||", "code block spoiler"),
    ("\\||a ||sesame||", "a spoiler"),
    ("https://x.example/|| ||sesame||", "link to x dot example spoiler"),
    ("> a ||b\nc ||sesame||", "a b.\nc spoiler"),
    ("# a ||b\nc ||sesame||", "a b.\n\nc spoiler"),
    ("> ||sesame\n> sesame||\nok", "spoiler.\nok"),
    ("> ```\n> sesame\n> ```\nok", "code block.\nok"),
    ("||sesame\n> sesame||", "spoiler"),
    ("**a ||sesame||**", "a spoiler"),
    ("*a ||b* ||sesame||", "a spoiler"),
    ("- a ||b\n- c ||sesame||", "a spoiler"),
    ("|\u200b|a||sesame||", "a spoiler"),
    ("```sesame```", "code block"),
    ("````sesame````", "code block"),
    ("```py\n```sesame```", "code block"),
    ("~~a||sesame||~~", "a spoiler"),
]


@pytest.mark.parametrize(("written", "said"), HIDDEN)
def test_what_is_hidden_is_not_said(written: str, said: str) -> None:
    heard = speakable(written)

    assert heard == said


@pytest.mark.parametrize("text", ["a || b", "||||", "||", "a ||", "``` open", "x|y", "a ` b"])
def test_marks_that_hide_nothing_leave_all_words(text: str) -> None:
    assert [(piece.kind, piece.text) for piece in pieces(text)] == [(PieceKind.PLAIN, text)]


_SCRAPS: Final = [
    *("||", "|", "`", "``", "```", "*", "**", "_", "__", "~~", "\n", "> ", "# ", "- ", "\\", "<", " "),
    *("[", "](https://x.example)", "https://x.example/", "W", "W", "W"),
]


@pytest.mark.parametrize("seed", range(12))
def test_no_tangle_of_marks_says_what_discord_hides(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(250):
        scraps = [chance.choice(_SCRAPS) for _ in range(chance.randint(3, 16))]
        text = "".join(
            f"{chr(0x4E00 + index)}" if scrap == "W" else scrap for index, scrap in enumerate(scraps)
        )

        shown = _words_in(shown_by_discord(text))

        assert _words_in("".join(piece.text for piece in pieces(text))) <= shown, text
        assert _words_in(cover(text)) <= shown, text


def _words_in(text: str) -> set[str]:
    return {letter for letter in text if "\u4e00" <= letter < "\u4f00"}


DIALOGUES: Final = [
    "Alice: look ||Bob: sesame||",
    "||Alice: sesame\nBob: sesame||",
    "Alice: a ||b / Bob: sesame|| c",
    "Alice: a\n```\nBob: sesame / Alice: sesame\n```\nBob: b",
    "Alice: `x / Bob: y` ||sesame`||",
    "Alice: **a ||b** / Bob: sesame||",
    "> Alice: ||sesame\n> Bob: sesame||\nBob: hi",
]


@pytest.mark.parametrize("written", DIALOGUES)
def test_a_dialogue_is_split_only_where_it_is_shown(written: str) -> None:
    voices = {"alice": "A", "bob": "B"}

    lines = lines_of(written, lambda label: voices.get(label.casefold()))

    said = [line.text for line in check_lines(lines)] if lines else [speakable(written)]
    assert not any("sesame" in line for line in said)
