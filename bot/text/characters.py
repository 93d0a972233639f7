"""Characters: what may be in a text at all, and one spelling for each thing."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final
from unicodedata import normalize

import regex

IGNORE_CASE = int(regex.IGNORECASE)
LINES = int(regex.MULTILINE)
"""``^`` and ``$`` stand at every line."""
ANY_CHARACTER = int(regex.DOTALL)
"""``.`` is a line feed, too."""


def pattern(expression: str, flags: int = 0) -> re.Pattern[str]:
    """Return ``expression`` compiled, with ``[a--b]`` as the set a without b.

    Every expression here must take time in proportion to the text, whatever the text: where two
    repetitions could share the same characters, they are possessive (``++``) or bounded. A letter is
    compared with one letter: ``ß`` is not ``ss``.
    """
    # By default this version lets ``ß`` match ``ss`` and the other way round, and every such letter in front
    # of a mismatch doubles the time (regex 2024 to 2026, README: "full case-folding is used by default").
    compiled: re.Pattern[str] = regex.compile(f"(?-f){expression}", flags | regex.V1)
    return compiled


MAX_MARKS: Final = 4
"""Combining marks kept on one letter: Vietnamese needs two, Tibetan four; more is a joke called zalgo."""

_FOLDED = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′‵ʼ＇", "'"),  # curly quotes bring artefacts into VoxCPM's speech
        **dict.fromkeys("“”„‟″«»＂", '"'),
        **dict.fromkeys("‐‑‒–−﹣－", "-"),
        **dict.fromkeys("—―⸺⸻", " - "),
        "…": "...",
        "⁉": "?!",
        "‼": "!",
        "\N{BRAILLE PATTERN BLANK}": " ",
        "\t": " ",
        **dict.fromkeys("\r\v\f\x1c\x1d\x1e\x85\u2028", "\n"),
        "\u2029": "\n\n",  # the paragraph separator
    }
)

_FANCY = pattern(
    # letters and digits in costume: mathematical, full-width, circled
    r"[\U0001D400-\U0001D7FF\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\u2460-\u24FF]"
)

_DROPPED = pattern(
    # A flag of England, Scotland or Wales is a black flag and tags; tags alone are invisible writing.
    r"(?P<kept>\U0001F3F4[\U000E0030-\U000E007A]{2,6}\U000E007F"
    # Joiners shape words in Arabic and Indic scripts, and hold an emoji together; elsewhere they hide.
    r"|(?<=[\p{L}\p{M}--[\p{Latin}\p{Greek}\p{Cyrillic}\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}\p{Common}\p{Inherited}]])"
    r"[\u200C\u200D](?=[\p{L}\p{M}])"
    r"|(?<=[\p{Extended_Pictographic}\p{Emoji_Modifier}\uFE0F])\u200D(?=\p{Extended_Pictographic})"
    # A variation selector may follow what can be an emoji; the emoji step takes it from there.
    r"|(?<=\p{Emoji})\uFE0F)"
    # Letters that show nothing (Hangul fillers), and all that is no character of a writing system.
    r"|[\u115F\u1160\u3164\uFFA0\uFFFC\uFFFD\u034F\u180B-\u180F\uFE00-\uFE0F\U000E0100-\U000E01EF"
    r"\p{Cf}\p{Cs}\p{Co}\p{Cn}]"
    r"|[\p{Cc}--\n]",
)

_TOO_MANY_MARKS = pattern(rf"(\p{{M}}{{{MAX_MARKS}}})\p{{M}}++")

GRAPHEME = pattern(
    # Flags are taken pair by pair: `regex` counts all of them anew at each (2026.11.19, `\X`).
    r"\p{Regional_Indicator}{2}[\p{GCB=Extend}\p{GCB=SpacingMark}\p{GCB=ZWJ}]*+|\X"
)
"""One character as people count it."""

_SAYABLE = pattern(r"[\p{L}\p{N}--[\u115F\u1160\u3164\uFFA0]]")


def clean_characters(text: str) -> str:
    """Return ``text`` composed (NFC), with one spelling for quotes, dashes and line ends.

    Invisible, unassigned and private characters are gone; joiners stay where a script or an emoji needs
    them. The only control character left is the line feed.
    """
    text = text.replace("\r\n", "\n").translate(_FOLDED)
    text = _DROPPED.sub(lambda match: match["kept"] or "", text)
    text = _FANCY.sub(lambda match: normalize("NFKC", match[0]), text)
    return _TOO_MANY_MARKS.sub(r"\1", normalize("NFC", text))


def has_words(text: str) -> bool:
    """Return whether there is a letter or a number in ``text`` that a voice could say."""
    return _SAYABLE.search(text) is not None


def count_characters(text: str) -> int:
    """Return how many characters a person would count: grapheme clusters."""
    return sum(1 for _ in GRAPHEME.finditer(text))


def first_characters(text: str, count: int) -> str:
    """Return the first ``count`` characters of ``text`` as a person would count them."""
    return "".join(match[0] for match in islice(GRAPHEME.finditer(text), count))
