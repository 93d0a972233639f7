from __future__ import annotations

import random
import re

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.errors import MemberError
from bot.limits import MAX_STYLE_CHARS
from bot.text.discord_markup import Names
from bot.text.labels import MAX_STEM_CHARS, check_style, excerpt, file_stem, one_line, quote
from tests.text.discord_reading import shown_by_discord

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


NAMES = Names(members={5: "Al*ice"}, channels={7: "lobby"})
_ESCAPED = re.compile(r"\\.")
_ALIVE = re.compile(r"[\\*_~|`<>\[\]()#:.+=/-]|@[^\s\u200b]")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Hello there", "> Hello there"),
        ("**b** <@5> in <#7>", r"> \*\*b\*\* Al ice in lobby"),
        ("@everyone https://x.example", r"> everyone https\:\/\/x\.example"),
        ("it is ||sesame, **open**||!", r"> it is ||sesame, \*\*open\*\*||!"),
        ("||a|| b ||c|||", r"> ||a|| b ||c||\|"),
        ("||one\ntwo||", "> ||one||\n> ||two||"),
        ("first\n\n# second", "> first\n> \\# second"),
        ("first\nsecond\nthird", "> first\n> second …"),
        ("`code` and\n```py\nmore```", "> code and\n> py …"),
        ("- ||never shown\n- outside||", "> \\- ||never shown||\n> ||\\- outside||"),
        ("x" * 161, f"> {'x' * 159}…"),
        ("x" * 81 + "\ny", f"> {'x' * 79}…\n> y"),
        ("x" * 155 + " ||sesame||", f"> {'x' * 155} ||ses…||"),
        ("x" * 160 + "||sesame||", f"> {'x' * 160}||…||"),
        ("\u200b\n ", ""),
    ],
)
def test_a_quote_is_two_lines_at_most_with_spoilers_and_nothing_else_alive(text: str, shown: str) -> None:
    assert quote(text, NAMES) == shown


_SCRAPS = (
    *("||", "|", "`", "```", "**", "_", "~~", "\n", "> ", ">>> ", "# ", "-# ", "- ", "\\", "<", " ", "@here"),
    *("[", "](https://x.example)", "https://x.example/", "<@5>", "<t:0>", "W", "W", "W"),
)


@pytest.mark.parametrize("seed", range(6))
def test_no_tangle_of_marks_comes_to_life_in_a_quote_or_loses_its_spoiler(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(400):
        number = iter(range(100))
        scraps = chance.choices(_SCRAPS, k=chance.randint(1, 9))
        text = "".join(f" word{next(number)} " if scrap == "W" else scrap for scrap in scraps)

        lines = quote(text, NAMES).splitlines()

        assert len(lines) <= 2
        assert all(line.startswith("> ") for line in lines), text
        outside = [re.sub(r"\|\|.+?\|\|", "", _ESCAPED.sub("x", line[2:])) for line in lines]
        assert not any(_ALIVE.search(line) for line in outside), text
        open_words = set(re.findall(r"word\d+", " ".join(re.sub(r"\|\|.+?\|\|", "", line) for line in lines)))
        seen = shown_by_discord(text)
        in_code = set(re.findall(r"word\d+", "".join(re.findall(r"```.*?```", text, re.DOTALL))))
        assert open_words <= set(re.findall(r"word\d+", seen)) | in_code, text
