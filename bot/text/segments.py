"""Segments of a long text: where it may be cut, and pieces that sound like one utterance."""

from __future__ import annotations

import asyncio
import math
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum
from itertools import accumulate
from types import MappingProxyType
from typing import Final

import sentencex

from bot.text.characters import GRAPHEME, IGNORE_CASE, LINES, has_words, pattern
from bot.text.speaking_time import seconds_up_to, speaking_seconds
from bot.text.words import WORDS

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
_CONNECTED = pattern(
    # The last syllables of a Korean verb that goes on ("and", "because", "but"): no comma is written.
    r"(?<=[\uAC00-\uD7A3](?:고|서|면|며|지만|니까|는데|은데|려고|도록|자마자))\s++(?=\p{Hangul})"
)
_ABBREVIATED = pattern(
    # Where sentencex has no list, these stand in front of a name or a number; and letters with stops.
    r"(?<![\p{L}\p{M}.])(?:"
    r"κ|κα|κος|κυρ|δρ|καθ|αρ|τηλ|οδ|λεωφ|π\.χ|δηλ|βλ|σελ|εκ|χιλ"
    r"|डॉ|श्री|श्रीमती|प्रो|पं|कु|रु|सं|पृ"
    r"|د|أ|م|ص|ت|هـ|ق\.م|ب\.م"
    r"|TS|ThS|PGS|GS|BS|KS|LS|Tp|TP|Q|P|Đ|Ths|tr|đ/c|v\.v"
    r"|ดร|ศ|รศ|ผศ|นพ|พญ|น\.ส|ด\.ช|ด\.ญ|พ\.ศ|ค\.ศ|จ|อ|ต|ถ|โทร|บ|ร\.ต|พล\.อ"
    r"|вул|просп|пров|пл|бул|буд|кв|м|с|смт|обл|р|рр|ст|проф|акад|доц|ім|гр|грн|тис|млн|млрд|див|напр|тел"
    r"|(?:\p{L}\p{M}*+\.){1,3}\p{L}\p{M}*+"
    r")\.[\s\u200B]*+\Z|(?<![\p{L}\p{M}.])\p{L}\p{M}*+\.\Z",
    IGNORE_CASE,
)
_ABBREVIATION_CHARS: Final = 20
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
_DOT = f"(?:{'|'.join(sorted({words.dot for words in WORDS.values() if words.dot.isalpha()}))})"
_AT = f"(?:{'|'.join(sorted({words.at for words in WORDS.values() if words.at[0].isalpha()}))})"
_ADDRESS = pattern(
    r"(?<!\S)[^\s@]{1,64}+@[^\s@]++|(?<![\p{L}\p{N}])[a-z][a-z0-9+.-]{0,20}+://\S++"
    r"|(?<![\w.-])(?:[\w-]++\.)++[\w-]++(?:[/?#:]\S*+)?+"
    # what `bot.text.discord_markup` makes of them
    rf"|(?<![\w-])(?:link to )?+[\w-]{{1,63}}+(?: {_DOT} [\w-]{{1,63}}+)*+"
    rf"(?: {_AT} [\w-]{{1,63}}+(?: {_DOT} [\w-]{{1,63}}+)++|(?<= {_DOT} [\w-]{{1,63}}))",
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
    for expression, kind in ((_SPACE, Break.SPACE), (_CLAUSE_END, Break.CLAUSE), (_CONNECTED, Break.CLAUSE)):
        yield from ((match.end(), kind) for match in expression.finditer(text))
    continued = {match.end() for match in _QUOTED_END.finditer(text)}
    for match in _PLAIN_END.finditer(text):
        yield match.end(), Break.CLAUSE if match.end() in continued else Break.SENTENCE
    for match in _LINE.finditer(text):
        if match[0][0] == "\n":
            yield match.end(), Break.PARAGRAPH if match[0].count("\n") > 1 else Break.SENTENCE
            continue
        for index in _sentence_ends(match[0]):
            end = match.start() + index
            if end not in continued and not _ABBREVIATED.search(text, max(0, end - _ABBREVIATION_CHARS), end):
                yield end, Break.SENTENCE


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


MIN_SECONDS: Final = 3.0
"""The model speaks single words badly, so short sentences are said together with the next."""

MAX_SECONDS: Final = 20.0
"""The longest segment: VoxCPM2 distorts from about here on (OpenBMB/VoxCPM, issue 372)."""

PAUSE_SECONDS: Final[Mapping[Break, float]] = MappingProxyType(
    {
        Break.PARAGRAPH: 0.4,
        Break.SENTENCE: 0.2,
        Break.CLAUSE: 0.1,
        Break.SPACE: 0.03,
        Break.GRAPHEME: 0.0,
        Break.END: 0.0,
    }
)
"""Silence between this segment and the next, in seconds."""

_LONG_PAUSE_SECONDS: Final = 0.25  # after a question, a call, or words left hanging
_LONG_PAUSE_MARKS: Final = "!?…！？؟"

_COSTS: Final[Mapping[Break, float]] = MappingProxyType(
    # How much worse than a sentence end; a segment of e times its target costs `_OVER`, of 1/e `_UNDER`.
    {Break.END: -0.2, Break.PARAGRAPH: -0.1, Break.SENTENCE: 0.0, Break.CLAUSE: 0.5, Break.SPACE: 1.3}
)
_OVER: Final = 1.6
_UNDER: Final = 0.8
_SHORT_REST: Final = 1.0
_FIRST_SHARE: Final = 0.75  # of its target, or
_FIRST_SECONDS: Final = 4.5  # are enough for a first paragraph to be a segment of its own


@dataclass(frozen=True, slots=True)
class Segment:
    """A piece of a text, how long it will sound, and the silence after it; both in seconds."""

    text: str
    seconds: float
    pause_after: float


class Segmenter:
    """Gives ``text`` piece by piece, each as long as is asked for. All segments hold all its words in order.

    A text without a letter, a number or a sign that can be said has no segments.
    """

    def __init__(self, text: str) -> None:
        self._text = text = text.strip()
        self._breaks = Breaks(text)
        self._places = [index for index, _ in self._breaks.words]
        self._paragraphs = [index for index, kind in self._breaks.words if kind is Break.PARAGRAPH]
        self._sayable = [0, *accumulate(map(has_words, text))]
        self._start = 0 if speaking_seconds(text) else len(text)

    @property
    def seconds_left(self) -> float:
        """About how long all segments still to come will sound."""
        return speaking_seconds(self._text[self._start :])

    def next(self, target_seconds: float) -> Segment | None:
        """Return the next segment, near ``target_seconds`` long; None after the last.

        It ends with a sentence if one ends near the target, else with a clause, else with a word. It is
        at least `MIN_SECONDS` long where the text and the target allow it, and at most `MAX_SECONDS`; and no
        longer than its paragraph, unless that paragraph or all that follows it would be shorter.
        """
        start = self._start
        if start == len(self._text):
            return None
        target = min(max(target_seconds, 0.5), MAX_SECONDS)
        end, kind = self._best(start, target) or self._forced(start, target)
        self._start = end
        text = self._text[start:end]
        return Segment(" ".join(text.split()), speaking_seconds(text), _pause(text, kind))

    def _best(self, start: int, target: float) -> tuple[int, Break] | None:
        shortest = min(MIN_SECONDS, 0.7 * target)
        furthest = self._paragraph_end(start, target)
        found: tuple[float, int, Break] | None = None
        for index, kind in self._window(start):
            if index > furthest:
                break
            seconds = self._seconds(start, index)
            if seconds < shortest and kind is not Break.END:
                continue
            if not self._both_sayable(start, index):
                continue
            cost = _COSTS[kind] + self._misfit(seconds, target, self._seconds(index, furthest))
            if found is None or cost < found[0]:
                found = cost, index, kind
        return found and found[1:]

    def _paragraph_end(self, start: int, target: float) -> int:
        """Return where the paragraph ends that is said from ``start`` on, short ones taken together."""
        times = self._breaks.seconds
        # What comes second is made while the first is heard, so the first is not much shorter than asked for.
        least = MIN_SECONDS if start else max(MIN_SECONDS, min(_FIRST_SHARE * target, _FIRST_SECONDS))
        for index in self._paragraphs[bisect_right(self._paragraphs, start) :]:
            if times[index] - times[start] >= least and times[-1] - times[index] >= MIN_SECONDS:
                return index
        return len(self._text)

    def _window(self, start: int) -> list[tuple[int, Break]]:
        first = bisect_right(self._places, start)
        limit = bisect_right(self._breaks.seconds, self._breaks.seconds[start] + MAX_SECONDS) - 1
        return self._breaks.words[first : bisect_right(self._places, limit)]

    def _forced(self, start: int, target: float) -> tuple[int, Break]:
        """Return an end where none is good: the last word that fits, else between two characters."""
        if window := [found for found in self._window(start) if self._both_sayable(start, found[0])]:
            return window[-1]
        limit = self._breaks.seconds[start] + max(target, min(MIN_SECONDS, MAX_SECONDS))
        index = bisect_right(self._breaks.seconds, limit) - 1
        place = self._breaks.grapheme_before(index, start)
        end = self._breaks.grapheme_after(start) if place is None else place
        return end, Break.END if end == len(self._text) else Break.GRAPHEME

    def _seconds(self, start: int, end: int) -> float:
        return self._breaks.seconds[end] - self._breaks.seconds[start]

    def _both_sayable(self, start: int, index: int) -> bool:
        rest = self._sayable[-1] - self._sayable[index]
        return self._sayable[index] > self._sayable[start] and (rest > 0 or index == len(self._text))

    def _misfit(self, seconds: float, target: float, rest: float) -> float:
        ratio = math.log(max(seconds, 0.01) / target)
        return (_OVER if ratio > 0 else -_UNDER) * ratio + (_SHORT_REST if 0 < rest < MIN_SECONDS else 0)


async def segmenter(text: str) -> Segmenter:
    """Return a `Segmenter` of ``text``, read in a worker thread."""
    return await asyncio.to_thread(Segmenter, text)


def _pause(text: str, kind: Break) -> float:
    if kind is Break.SENTENCE and any(mark in text.rstrip()[-3:] for mark in _LONG_PAUSE_MARKS):
        return _LONG_PAUSE_SECONDS
    return PAUSE_SECONDS[kind]
