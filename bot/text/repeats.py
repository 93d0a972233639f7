"""Repeats and white space: what is shown many times is said a few times."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Final
from unicodedata import category

from bot.text.characters import has_words
from bot.text.patterns import IGNORE_CASE, pattern

MAX_REPEATS: Final = 3
"""How often the same letter, syllable, word or line is said in a row."""

_LETTERS = pattern(rf"(\p{{L}})\1{{{MAX_REPEATS},}}", IGNORE_CASE)
_SYLLABLES = pattern(rf"(\p{{L}}{{2,4}}?)\1{{{MAX_REPEATS},}}", IGNORE_CASE)
_CRIES = pattern(r"[!?]{2,}+")
_DOTS = pattern(r"\.{3,}")
_SIGNS = pattern(r"([^\w\s.])\1+")
_SHOUTED = pattern(r"(?<![\p{L}\p{M}])[\p{Lu}\p{M}]{5,}(?![\p{L}\p{M}])")
_CLOSERS = "\"'-)]}」』）"
_SPACE_TO_DROP = pattern(r"(?<=\() | (?=[,.;:!?)](?!\w))")


def shorten_repeats(text: str) -> str:
    """Return ``text`` with runs of letters, syllables, signs, words and lines cut short, and no shouting."""
    text = _LETTERS.sub(r"\1" * MAX_REPEATS, text)
    text = _SYLLABLES.sub(r"\1" * MAX_REPEATS, text)
    text = _CRIES.sub(lambda match: "?!" if len(set(match[0])) == 2 else match[0][0], text)
    text = _SIGNS.sub(r"\1", _DOTS.sub("...", text))
    text = _SHOUTED.sub(lambda match: match[0].lower(), text)  # an engine may spell out capitals
    lines = (" ".join(_few(line.split())) for line in text.split("\n"))
    return "\n".join(_few(lines))


def join_lines(text: str) -> str:
    """Return ``text`` as one line. A line that ends without a stop gets one, so that its end is heard."""
    lines = [line for line in (" ".join(line.split()) for line in text.split("\n")) if has_words(line)]
    ended = [line if _has_stop(line) else f"{line}." for line in lines[:-1]]
    return _SPACE_TO_DROP.sub("", " ".join(ended + lines[-1:]))


def _few(pieces: Iterable[str]) -> Iterator[str]:
    for _, same in groupby(pieces, key=str.casefold):
        yield from islice(same, MAX_REPEATS)


def _has_stop(line: str) -> bool:
    return category(line.rstrip(_CLOSERS)[-1:] or "-").startswith("P")
