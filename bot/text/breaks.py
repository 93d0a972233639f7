"""Where a text may be cut so that each part can be said on its own, and how good each place is."""

from __future__ import annotations

from collections.abc import Iterator
from enum import IntEnum
from itertools import accumulate
from typing import Final

import sentencex

from bot.text.characters import GRAPHEME
from bot.text.patterns import IGNORE_CASE, LINES, pattern
from bot.text.speaking_time import seconds_up_to

PROTECTED_SECONDS: Final = 15.0
"""A number, an address or a bracket that takes longer may be cut: the model would not survive it whole."""

_LANGUAGES: Final = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "ru", "sv")
# The language is not known, so a full stop ends a sentence only where the rules of all these agree:
# "z. B." and "Sr." stay whole. A sentence end that is missed costs a longer segment, not a broken one.

_CHARACTERS_AT_ONCE: Final = 1_000  # some of sentencex's rules take time with the square of the text

_CLOSERS = r"[\"')\]}’”»」』）】》〉〗〙]*+"
_UNSPACED = r"[\p{Han}\p{Hiragana}\p{Katakana}\p{Hangul}]"
_PLAIN_END = pattern(
    # Marks that never stand inside a sentence; sentencex does not know all of them.
    rf"(?:[。！？｡．؟۔।॥။៕។։።፧᠃᠉༎།]++|(?<![!?…])[!?…]++(?={_CLOSERS}{_UNSPACED}))"
    rf"{_CLOSERS}\s*+"
)
_QUOTED_END = pattern(r"[」』”]\s*+(?=\p{Hiragana})")  # 「本当？」と聞いた: the sentence goes on
_CLAUSE_END = pattern(
    rf"(?:[、，；：،؛፣፤፥၊᠂៖]++{_CLOSERS}\s*+|(?<![,;:])[,;:]++{_CLOSERS}\s++|\s-++\s++"
    r"|(?<=[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}])\s++(?=[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}]))"
)
_SPACE = pattern(r"\s++")
_LINE = pattern(rf"[^\n]{{1,{_CHARACTERS_AT_ONCE}}}+(?:\S{{0,99}}+[^\S\n])?+|\n\s*+")
_SURROGATE = pattern(r"\p{Cs}")

_NUMBER = pattern(
    # 3.14, 1,000, 12:30, 2026-11-24, v1.2.3, +49 30 123 45-67, (030) 1234, 1 000 000, 50 %
    r"(?<![\p{L}\p{N}])[vV]?+(?:[+#№$€£¥₹]\s?+)?+(?:\(\d++\)\s?+)?+"
    r"\d++(?:[.,:/'’_×x+-]\d++|[ \u00A0\u202F]\d{2,4}+(?!\d))*+"
    r"(?:-?\p{Latin}++)?+(?:\s?[%‰°€$£¥₹])?+"
)
_ITEM = pattern(r"^\d{1,3}+[.)][^\S\n]++\S", LINES)  # the number of a list's item is no sentence
_ADDRESS = pattern(
    r"(?<!\S)[^\s@]{1,64}+@[^\s@]++|(?<![\p{L}\p{N}])[a-z][a-z0-9+.-]{0,20}+://\S++"
    r"|(?<![\w.-])(?:[\w-]++\.)++[\w-]++(?:[/?#:]\S*+)?+"
    # what `bot.text.addresses` makes of them
    r"|(?<![\w-])(?:link to )?+[\w-]{1,63}+(?:(?: at [\w-]{1,63}+)?(?: dot [\w-]{1,63}+)++)",
    IGNORE_CASE,
)
_PAIRS: Final = dict(zip("([{（「『【《〈«“", ")]}）」』】》〉»”", strict=True))
_CLOSING: Final = {close: opening for opening, close in _PAIRS.items()}


class Break(IntEnum):
    """What is between two parts of a text; the higher, the more natural."""

    GRAPHEME = 1
    SPACE = 2
    CLAUSE = 3
    SENTENCE = 4
    PARAGRAPH = 5
    END = 6


class Breaks:
    """The places of ``text`` where it may be cut.

    ``words`` holds them in order, from `Break.SPACE` up, as (index of what follows, kind); the end of
    the text is the last. ``seconds[i]`` is the speaking time in front of index i.
    """

    def __init__(self, text: str) -> None:
        self.seconds = seconds_up_to(text)
        kinds: dict[int, Break] = {}
        for index, kind in _ends(text):
            kinds[index] = max(kind, kinds.get(index, kind))
        self._whole = self._protected(text)
        self._inside = {0, len(text)}
        self._inside.update(match.end() for match in GRAPHEME.finditer(text))
        self.words = [
            (index, kind)
            for index, kind in sorted(kinds.items())
            if 0 < index < len(text) and not self._whole[index]
        ]
        self.words.append((len(text), Break.END))

    def grapheme_before(self, index: int, start: int) -> int | None:
        """Return the last place after ``start``, at most ``index``, between two characters as people count.

        Numbers, addresses and brackets are cut only when there is no other; None when there is none at all.
        """
        places = [place for place in range(start + 1, index + 1) if place in self._inside]
        return max((place for place in places if not self._whole[place]), default=max(places, default=None))

    def grapheme_after(self, index: int) -> int:
        """Return the first place after ``index`` between two characters as people count."""
        return next(place for place in range(index + 1, len(self.seconds)) if place in self._inside)

    def _protected(self, text: str) -> list[bool]:
        """Return for each index if a cut there would go through what belongs together."""
        depth = [0] * (len(text) + 2)
        for start, end in _spans(text):
            if self.seconds[end] - self.seconds[start] <= PROTECTED_SECONDS:
                depth[start + 1] += 1
                depth[end] -= 1
        return [count > 0 for count in accumulate(depth)]


def _ends(text: str) -> Iterator[tuple[int, Break]]:
    for expression, kind in ((_SPACE, Break.SPACE), (_CLAUSE_END, Break.CLAUSE)):
        yield from ((match.end(), kind) for match in expression.finditer(text))
    continued = {match.end() for match in _QUOTED_END.finditer(text)}
    for match in _PLAIN_END.finditer(text):
        yield match.end(), Break.CLAUSE if match.end() in continued else Break.SENTENCE
    for match in _LINE.finditer(text):
        if match[0][0] == "\n":
            yield match.end(), Break.PARAGRAPH if match[0].count("\n") > 1 else Break.SENTENCE
            continue
        for index in _sentence_ends(match[0]):
            if match.start() + index not in continued:
                yield match.start() + index, Break.SENTENCE


def _sentence_ends(line: str) -> set[int]:
    """Return the indices after sentences of ``line``, which holds no line feed, and no last one."""
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", line)
    agreed: set[int] | None = None
    for language in _LANGUAGES:
        lengths = [len(sentence) for sentence in sentencex.segment(language, text)]
        if sum(lengths) != len(text):  # it left something out, so its places mean nothing
            return set()
        ends = set(accumulate(lengths[:-1]))
        agreed = ends if agreed is None else agreed & ends
    return agreed or set()


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for expression in (_NUMBER, _ITEM, _ADDRESS):
        yield from (match.span() for match in expression.finditer(text))
    opened: dict[str, list[int]] = {opening: [] for opening in _PAIRS}
    for index, character in enumerate(text):
        if character in opened:
            opened[character].append(index)
        elif character in _CLOSING and opened[_CLOSING[character]]:
            yield opened[_CLOSING[character]].pop(), index + 1
