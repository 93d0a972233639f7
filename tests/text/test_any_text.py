from __future__ import annotations

import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.text.discord_markup import Names
from bot.text.speakable import speakable

NAMES = Names(members={1: "||https://evil.example||"}, channels={10: "**general**"})

_WRITTEN = r"""
<@1> <#10> < > || ``` ` ** _ ~ [ ] ( ) ]( http:// www. .com a A ab 1 . , ! ? - # : @ / \ ’ — = + '
😀 🏽 🇫 🇷 ❤ ﬃ İ ß ℹ { } （ ） [sigh] <t:1:R> :a: <:a:1> م क が
"""
_UNSEEN = [
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\t",
    "- ",
    "# ",
    "> ",
    "\u200c",
    "\u200d",
    "\ufe0f",
    "\u20e3",
    "\u0301",
    "\u3164",
    "\ud800",
]
_PIECES = st.sampled_from([*_WRITTEN.split(), *_UNSEEN, "\u094d", "\u1100", "\u1161", "\U0001f3f4\U000e0067"])
ANY_TEXT = st.one_of(
    st.text(st.characters(codec=None)),
    st.lists(_PIECES, max_size=40).map("".join),
    st.lists(st.one_of(_PIECES, st.text(max_size=3)), max_size=20).map("".join),
)


@pytest.mark.slow
@settings(max_examples=600, deadline=None)
@given(ANY_TEXT)
@example("`- `- x")
@example("ℹ" * 9)
@example("🏽- x")
@example("(\n\n(a\n\n) b")
@example("# \n# a\n\n. b")
def test_any_text_becomes_clean_lines_and_stays_as_it_is(text: str) -> None:
    said = speakable(text, NAMES)

    assert speakable(said) == said
    assert speakable(said, NAMES) == said
    lines = said.split("\n")
    assert all(line == " ".join(line.split()) for line in lines)
    assert "\n\n\n" not in said
    assert said == said.strip()
    kinds = {unicodedata.category(char) for char in "".join(lines) if char not in "\u200c\u200d"}
    assert not kinds & {"Cc", "Cs", "Co", "Cf"}
    assert not set(said) & set("*_`|~<>{}\\")
    assert not said.startswith(("(", "（"))
    assert said == unicodedata.normalize("NFC", said)
