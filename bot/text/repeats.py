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
    return "\n".join(_few_lines(lines))


def join_lines(text: str) -> str:
    """Return ``text`` without lines that say nothing, and with one empty line between two paragraphs.

    Lines with nothing to say, the empty ones among them, are what is between paragraphs. A line that ends
    without a stop gets one, so that its end is heard; only the last is left as it is.
    """
    lines = (_SPACE_TO_DROP.sub("", " ".join(line.split())) for line in text.split("\n"))
    paragraphs = [list(group) for said, group in groupby(lines, key=has_words) if said]
    ended = [[line if _has_stop(line) else f"{line}." for line in group] for group in paragraphs]
    if paragraphs:
        ended[-1][-1] = paragraphs[-1][-1]
    return "\n\n".join(map("\n".join, ended))


def _few(words: Iterable[str]) -> Iterator[str]:
    for _, same in groupby(words, key=str.casefold):
        yield from islice(same, MAX_REPEATS)


def _few_lines(lines: Iterable[str]) -> Iterator[str]:
    """Do as `_few` does, across empty lines too."""
    said, times = "", 0
    for line in lines:
        if line:
            times = times + 1 if line.casefold() == said else 1
            said = line.casefold()
        if not line or times <= MAX_REPEATS:
            yield line


def _has_stop(line: str) -> bool:
    return category(line.rstrip(_CLOSERS)[-1:] or "-").startswith("P")
