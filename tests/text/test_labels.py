from __future__ import annotations

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import MemberError
from bot.limits import MAX_STYLE_CHARS
from bot.text.labels import MAX_STEM_CHARS, check_style, excerpt, file_stem, one_line

ANY_TEXT = st.text(st.characters(codec=None))
RESERVED = ["CON", "prn", "Aux", "nul", "COM1", "com0", "LPT9"]


@pytest.mark.parametrize(
    ("style", "cleaned"),
    [
        ("an old man, slow and deep", "an old man, slow and deep"),
        ("(whispering)", "whispering"),
        ("（温柔）的声音", "温柔的声音"),
        ("a)b(c", "abc"),
        ("two\nlines\tof  it", "two lines of it"),
        ("“sad”\u202e\u200b", '"sad"'),
    ],
)
def test_a_style_is_one_line_without_round_brackets(style: str, cleaned: str) -> None:
    assert check_style(style) == cleaned


@pytest.mark.parametrize("style", ["", " ", "()", "\u200b", "..."])
def test_an_empty_style_is_refused_with_an_example(style: str) -> None:
    with pytest.raises(MemberError, match="for example"):
        check_style(style)


def test_a_style_may_be_as_long_as_its_limit_and_no_longer() -> None:
    longest = "é" * MAX_STYLE_CHARS

    assert check_style(longest) == longest
    with pytest.raises(
        MemberError, match=f"{MAX_STYLE_CHARS + 1} characters, and the limit is {MAX_STYLE_CHARS}"
    ):
        check_style(longest + "é")


@pytest.mark.parametrize(
    ("text", "stem"),
    [
        ("Hello, world!", "Hello-world"),
        ("Ça va, Jürgen? Straße", "Ca-va-Jurgen-Strasse"),
        ("don't", "dont"),
        ("../../etc/passwd", "etc-passwd"),
        ("C:\\Windows\\x", "C-Windows-x"),
        ("a\r\nb\x00c", "a-bc"),
        ("日本語", "speech"),
        ("...", "speech"),
        ("", "speech"),
        ("word " * 20, "word-word-word-word-word-word-word-word"),
        ("x" * 99, "x" * MAX_STEM_CHARS),
        *((name, f"speech-{name}") for name in RESERVED),
    ],
)
def test_a_file_is_named_after_its_text(text: str, stem: str) -> None:
    assert file_stem(text) == stem


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT)
def test_a_file_name_is_safe_whatever_the_text(text: str) -> None:
    stem = file_stem(text)

    assert 1 <= len(stem) <= MAX_STEM_CHARS
    assert stem.isascii()
    assert stem.replace("-", "").isalnum()
    assert stem.upper() not in {name.upper() for name in RESERVED}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain words", "plain words"),
        ("**bold** _it_", r"\*\*bold\*\* \_it\_"),
        ("# big", r"\# big"),
        ("[x](https://evil.example)", r"\[x\]\(https\:\/\/evil\.example\)"),
        ("<t:0:R> <@1>", "\\<t\\:0\\:R\\> \\<@\u200b1\\>"),
        ("@everyone", "@\u200beveryone"),
        ("a\nb\u2028c", "a b c"),
        ("a\u202eb\u2800c", "ab c"),
        ("`code` ||no||", r"\`code\` \|\|no\|\|"),
        ("<:a:1> :b:", r"\<\:a\:1\> \:b\:"),
    ],
)
def test_an_excerpt_shows_what_was_written_and_nothing_comes_to_life(text: str, shown: str) -> None:
    assert excerpt(text) == shown


@settings(max_examples=300, deadline=None)
@given(ANY_TEXT)
def test_discord_py_finds_nothing_left_to_remove_in_an_excerpt(text: str) -> None:
    label = excerpt(text)

    assert "\n" not in label
    assert discord.utils.escape_mentions(label) == label


def test_a_label_is_cut_by_characters_as_people_count_them_before_it_is_escaped() -> None:
    text = "👨‍👩‍👧" * 61

    assert one_line(text, 60) == "👨‍👩‍👧" * 59 + "…"
    assert excerpt("*" * 61, 60) == r"\*" * 59 + "…"
    assert one_line("x" * 60, 60) == "x" * 60
