"""How long a text will sound, by the scripts it is written in.

It is an estimate for planning and for noticing broken takes, made without knowing the language. Where the
figures come from:

- Alphabets: about 14 characters a second with spaces and pauses, what people read aloud at; our offline
  engine reads Latin at 17 (median of thirteen languages), Greek and Cyrillic at 18, Georgian at 14.
- Chinese: 5.18 syllables a second without pauses (Pellegrino, Coupé and Marsico, Language 87, 2011), one
  to a character, so about 4.5 characters with them; the offline engine: 4.2.
- Japanese: 7.84 morae a second (the same), one to a kana. A kanji has about two. The offline engine reads
  kana at 8.8, texts mixed with kanji at 4.9.
- Hangul, Arabic, Hebrew, Thai, Burmese, Devanagari, Bengali and Tamil: the offline engine reads 7.7, 11.4,
  14.0, 9.3, 14.8, 15.6, 14.2 and 16.5 characters a second; made some ten per cent slower, as for alphabets.
- VoxCPM2 users report at most 0.147 s a token (vLLM-Omni, pull request 5156). A Chinese character is a token
  there: 6.8 a second is the fastest to expect, and well within the factor of `bot.audio.quality`.

`tests/text/test_speaking_time.py` holds the estimate against the offline engine's own sound.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import accumulate
from typing import Final
from unicodedata import category

from bot.text.characters import has_words, pattern

SHORTEST_SECONDS: Final = 0.25
"""The shortest word takes this long."""

CLAUSE_PAUSE_SECONDS: Final = 0.15
SENTENCE_PAUSE_SECONDS: Final = 0.3
"""What a comma and a full stop add; the offline engine makes 0.11 and 0.35 of them."""

CLAUSE_MARKS: Final = frozenset(",;:،؛、，；：·׀፣፤፥၊᠂៖-")
"""Marks that end a part of a sentence. A hyphen counts only between spaces."""

SENTENCE_MARKS: Final = frozenset(".!?…。！？｡．؟۔।॥။។៕։።፧᠃᠉༎།๏ฯ;")
"""Marks that may end a sentence; a full stop may also stand in a number or an abbreviation."""

_SPACE_SECONDS: Final = 0.055
_DIGIT_SECONDS: Final = 0.3  # "two thousand three hundred and fifty" and "two three five nought" are alike
_SIGN_SECONDS: Final = 0.4  # "percent", "euros", "plus"
_PICTURE_SECONDS: Final = 0.8  # an emoji is read by its name
_UNKNOWN_SECONDS: Final = 0.1
_SILENT_SECONDS: Final = 0.002  # quotes and brackets; never nothing, so that no run of them is free

_LETTER_SECONDS: Final = (
    # The first that fits counts. Marks are in the set of their script, so that they cost what they add.
    (r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Armenian}\p{Georgian}\p{Coptic}\p{Glagolitic}&&\p{L}]", 0.073),
    (r"\p{Han}", 0.22),
    (r"[ーっッゃゅょャュョぁぃぅぇぉァィゥェォ]", 0.08),
    (r"[\p{Hiragana}\p{Katakana}]", 0.125),
    (r"[\uAC00-\uD7A3]", 0.16),
    (r"\p{Hangul}", 0.06),
    (r"[\p{Arabic}&&\p{L}]", 0.1),
    (r"[\p{Hebrew}&&\p{L}]", 0.085),
    (r"[\p{Thai}\p{Lao}\p{Khmer}\p{Tai_Le}&&\p{L}]", 0.125),
    (r"[\p{Thai}\p{Lao}\p{Khmer}&&\p{M}]", 0.06),
    (r"[\p{Myanmar}&&\p{L}]", 0.1),
    (r"[\p{Ethiopic}\p{Yi}\p{Cherokee}\p{Canadian_Aboriginal}\p{Vai}&&\p{L}]", 0.16),
    (r"[\p{Devanagari}\p{Bengali}\p{Gujarati}\p{Gurmukhi}\p{Oriya}&&\p{L}]", 0.085),
    (r"[\p{Tamil}\p{Telugu}\p{Kannada}\p{Malayalam}\p{Sinhala}\p{Tibetan}&&\p{L}]", 0.08),
    (r"[\p{Latin}\p{Greek}\p{Cyrillic}\p{Arabic}\p{Hebrew}\p{Inherited}&&\p{M}]", 0.003),
    (r"\p{M}", 0.055),
)
_LETTERS = tuple((pattern(expression), seconds) for expression, seconds in _LETTER_SECONDS)
_UNSPACED = pattern(r"[\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Han}\p{Hiragana}\p{Katakana}]")


def speaking_seconds(text: str) -> float:
    """Return about how long ``text`` takes to be said, in seconds; 0 when there is nothing to say."""
    length = len(text.rstrip())
    while length and _is_mark(text[length - 1]):  # the pause after the last word is not sound
        length -= 1
    if not has_words(text[:length]) and all(_weight(sign) < _SIGN_SECONDS for sign in text[:length]):
        return 0.0
    return max(SHORTEST_SECONDS, seconds_up_to(text[:length])[-1])


def seconds_up_to(text: str) -> list[float]:
    """Return for every place in ``text``, both ends among them, the seconds said up to there.

    A pause belongs to the mark that brings it. Every character takes some time.
    """
    following = (*text[1:], " ") if text else ()
    before, times = " ", [0.0]
    for character, after in zip(text, following, strict=True):
        times.append(_seconds(before, character, after))
        before = character
    return list(accumulate(times))


def _seconds(before: str, character: str, after: str) -> float:
    if character.isspace():
        if before.isspace() or _is_mark(before):
            return _SILENT_SECONDS
        return CLAUSE_PAUSE_SECONDS if _is_unspaced(before) and _is_unspaced(after) else _SPACE_SECONDS
    if _is_mark(character):
        return _mark_seconds(before, character, after)
    return _weight(character)


def _mark_seconds(before: str, character: str, after: str) -> float:
    if _is_mark(before):
        return _SILENT_SECONDS
    if before.isalnum() and after.isalnum() and character.isascii():
        # inside a number or a name: the point of 3.14 is said, the comma of 1,000 is not
        return _DIGIT_SECONDS if character == "." else _SPACE_SECONDS
    return SENTENCE_PAUSE_SECONDS if character in SENTENCE_MARKS else CLAUSE_PAUSE_SECONDS


def _is_mark(character: str) -> bool:
    return character in SENTENCE_MARKS or character in CLAUSE_MARKS


@lru_cache(maxsize=4096)
def _is_unspaced(character: str) -> bool:
    return _UNSPACED.match(character) is not None


@lru_cache(maxsize=16_384)
def _weight(character: str) -> float:
    for letters, seconds in _LETTERS:
        if letters.match(character):
            return seconds
    kind = category(character)
    if kind[0] == "N":
        return _DIGIT_SECONDS
    if kind == "So":
        return _PICTURE_SECONDS
    if kind in ("Sc", "Sm") or character in "%&@#‰§":
        return _SIGN_SECONDS
    return _UNKNOWN_SECONDS if kind[0] in "LM" else _SILENT_SECONDS
