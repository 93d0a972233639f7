from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.text.names import Names
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


_MARKS = r"""
| ||a * 1* _ ` ``` < <@ <t: </ [ [a]( [a](http://( ( () http:// a://( www. a. a@ .com :a !? ,. # \
😀 🏽 🇫 A AAAAAB ~5 a ab =
"""
_HOSTILE = [
    *_MARKS.split(),
    *[
        "aa ",
        "- ",
        "> ",
        "# ",
        "# x\n",
        "x\n",
        "x\n\n",
        "\n",
        "(\n",
        " ",
        "\u0301",
        "\u200d",
        "م\u200c",
        "1\ufe0f",
        "\U0001f3f4\U000e0067",
    ],
]


@pytest.mark.parametrize("piece", _HOSTILE)
def test_a_hostile_text_takes_time_in_proportion_to_its_length(piece: str) -> None:
    short, long = (_seconds(piece * (size // len(piece))) for size in (2_000, 20_000))

    # Ten times the text in less than forty times the time: a square would be a hundred times.
    assert long < 40 * max(short, 0.002)


def _seconds(text: str) -> float:
    best = float("inf")
    for _ in range(2):
        started = time.process_time()
        speakable(text)
        best = min(best, time.process_time() - started)
    return best
