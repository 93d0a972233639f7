"""A dialogue in lines: who says what, and what is no dialogue."""

from __future__ import annotations

from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import MemberError
from bot.limits import MAX_DIALOGUE_LINES, MAX_DIALOGUE_VOICES, MAX_TEXT_GRAPHEMES
from bot.models import Line
from bot.text.dialogue import check_lines, labels_in, lines_of
from bot.text.discord_markup import Names

VOICES = {"alice": "A", "bob": "B", "old tom": "T", "太郎": "太", "sœur d’arc": "S", "note": None}


def known(name: str) -> str | None:
    return VOICES.get(" ".join(normalize("NFKC", name).casefold().split()))


def said(text: str) -> list[tuple[str | None, str]]:
    return [(line.voice, line.text) for line in lines_of(text, known)]


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Alice: hello / Bob: hi", [("A", "hello"), ("B", "hi")]),
        ("Alice: hello\nBob: hi", [("A", "hello"), ("B", "hi")]),
        ("Alice: hello\r\n\r\nBob:hi\n", [("A", "hello"), ("B", "hi")]),
        ("ALICE: hello / \uff22ob: hi", [("A", "hello"), ("B", "hi")]),
        ("太郎：こんにちは／Bob：やあ", [("太", "こんにちは"), ("B", "やあ")]),
        ("\u200fAlice\u200f: hello / Bob : hi", [("A", "hello"), ("B", "hi")]),
        ("Old  Tom: aye / sœur d’Arc: oui", [("T", "aye"), ("S", "oui")]),
        ("> **Alice:** hello\n> _Bob_: hi", [("A", "** hello"), ("B", "hi")]),
        ("- Alice: hello\n- Bob: hi", [("A", "hello"), ("B", "hi")]),
        ("Alice:\nhello\n\nBob:\nhi", [("A", "hello"), ("B", "hi")]),
        ("Alice: hello", [("A", "hello")]),
    ],
)
def test_a_known_name_and_a_colon_begin_a_line(text: str, lines: list[tuple[str, str]]):
    assert said(text) == lines


@pytest.mark.parametrize(
    "text",
    [
        "Note: this / that",
        "and / or",
        "Hello Alice: how are you",
        "see https://example.org / or not",
        "at 12:30 / 13:00",
        "Carl: hello / Dora: hi",
        "Alice / Bob",
        "",
        ": / :",
        "\n\n",
    ],
)
def test_where_no_known_voice_speaks_it_is_no_dialogue(text: str):
    assert said(text) == []


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("Alice: tea / coffee / Bob: coffee", [("A", "tea / coffee"), ("B", "coffee")]),
        ("Alice: at 12:30 / 13:00", [("A", "at 12:30 / 13:00")]),
        ("Alice: look / https://example.org", [("A", "look / https://example.org")]),
        ("Alice: one\ntwo\n\nthree\nBob: four", [("A", "one\ntwo\n\nthree"), ("B", "four")]),
        ("Alice: one / or so / Note: two", [("A", "one / or so / Note: two")]),
        ("Alice: he said: Bob: hi", [("A", "he said: Bob: hi")]),
        ("Alice: this/Bob: that", [("A", "this/Bob: that")]),
    ],
)
def test_what_is_between_is_part_of_the_line(text: str, lines: list[tuple[str, str]]):
    assert said(text) == lines


def test_what_stands_before_the_first_line_has_nobodys_voice():
    assert said("A play. / Alice: hello") == [(None, "A play."), ("A", "hello")]
    assert said("\n / Alice: hello") == [("A", "hello")]


def test_lines_in_a_row_of_one_voice_are_one():
    assert said("Alice: one / Alice: two / Bob: three / alice: four") == [
        ("A", "one\n two"),
        ("B", "three"),
        ("A", "four"),
    ]


def test_a_line_without_words_is_left_out():
    assert said("Alice: / Bob: hi") == [("B", "hi")]
    assert said("Alice:") == []


@pytest.mark.parametrize(
    "text",
    [
        "Alice: hello / Bbo: hi",
        "Bbo: hi / Alice: hello",
        "Alice: hello / Bbo：hi",
        "Alice: hello / Bob: hi / and so on / Bbo: what",
    ],
)
def test_a_stranger_in_a_dialogue_is_named_in_one_sentence(text: str):
    with pytest.raises(MemberError, match=r"^There's no voice called Bbo here\. "):
        lines_of(text, known)


def test_the_name_of_a_stranger_comes_to_no_life_in_the_answer():
    with pytest.raises(MemberError, match=r"called it's\\\.a\\-b here"):
        lines_of("Alice: hello / it's.a-b: hi", known)


def test_there_are_only_so_many_voices_and_lines():
    def any_voice(name: str) -> str:
        return name

    voices = [f"v{number}: hi" for number in range(MAX_DIALOGUE_VOICES)]
    lines = [f"v{number % 2}: hi" for number in range(MAX_DIALOGUE_LINES)]

    assert len(lines_of(" / ".join(voices), any_voice)) == MAX_DIALOGUE_VOICES
    assert len(lines_of("\n".join(lines), any_voice)) == MAX_DIALOGUE_LINES
    with pytest.raises(MemberError, match="9 voices"):
        lines_of(" / ".join([*voices, "v9: hi"]), any_voice)
    with pytest.raises(MemberError, match="41 lines"):
        lines_of("\n".join([*lines, "v0: hi"]), any_voice)


def test_checked_lines_can_be_said():
    lines = lines_of("> **Alice:** hi <@1> / Bob: *** / Alice: (psst) you", known)

    assert check_lines(lines, Names(members={1: "Carl"})) == (Line("A", "hi Carl"), Line("A", "psst, you"))


def test_checked_lines_are_not_longer_together_than_any_text():
    lines = [Line("A", "word " * 120), Line("B", "word " * 120)]

    assert len(check_lines(lines)) == 2
    with pytest.raises(MemberError, match="too long"):
        check_lines([Line("A", ("letter number " * 50)[:MAX_TEXT_GRAPHEMES])] * 2)
    with pytest.raises(MemberError, match="read that aloud"):
        check_lines([Line("A", "***")])


_SCRAPS = st.sampled_from(
    ["Alice", "Bob:", "Bbo: ", ": ", "：", " / ", "／", "\n", " ", "word", "*", "> ", "\u200f"]
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(st.text(st.characters(codec=None), max_size=200), st.lists(_SCRAPS, max_size=60).map("".join))
)
def test_any_text_is_lines_or_no_dialogue_or_refused(text: str):
    try:
        lines = lines_of(text, known)
    except MemberError:
        return

    assert all(line.text == line.text.strip() != "" for line in lines)
    letters = [character for character in text if character.isalpha()]
    left = [character for line in lines for character in line.text if character.isalpha()]
    assert len(left) <= len(letters)


@pytest.mark.parametrize("scrap", [" ", "\u200f", "*", " /", "a:", "Alice:", "／", "\n:"])
def test_in_a_long_run_no_long_names_are_asked_for(scrap: str):
    asked: list[int] = []

    def stranger(name: str) -> None:
        asked.append(len(name))

    assert lines_of(scrap * (4_000 // len(scrap)), stranger) == []
    assert all(length <= 200 for length in asked)


@pytest.mark.parametrize(
    "text",
    [
        "Alice: hello / Bob: hi",
        "Once upon a time\n**Alice:** hello: there\n- Bob： hi",
        "Note: this / that: 12:30",
        "nobody speaks here",
        ": / : /",
    ],
)
def test_what_can_be_a_name_is_known_before_any_voice_is_looked_up(text: str) -> None:
    asked: set[str] = set()

    lines_of(text, lambda label: asked.add(label))

    assert labels_in(text) == asked
