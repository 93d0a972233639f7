"""Signs between numbers and words: what they mean is said, and marks that mean nothing aloud are gone."""

from __future__ import annotations

import re
from typing import Final

from bot.text.characters import LINES, pattern
from bot.text.words import WORDS, OurWords

_ESCAPED = pattern(r"\\(?=[*_~|<>^`#])")
_APOSTROPHE = pattern(r"(?<=\p{L})[´`](?=\p{L})")
_GRAWLIX = pattern(r"(?<!\S)[@#$%&*!?^]{3,}+(?=[\s.,;:)]|\Z)")
_MASKED_LETTERS = pattern(
    r"(?<![\w*])(?P<first>\p{L}{1,20})(?:\*{2,}+\p{L}{1,20}+|(?<=\b\p{L})\*{3,}+)(?![\w*])"
)
_POWER = pattern(r"(?<=[\p{L}\p{N})]) ?(?:\^|(?<=\d ?)\*\*(?= ?\d)) ?(?=-?[\p{L}\p{N}(])")
_TIMES = pattern(r"(?<=\d) ?\*{1,2} ?(?=\d)|(?<=\b\p{L})\*(?=\p{L}\b)|(?<=\d) ?\* ?(?=\p{L}\b(?!\*))")
_GLOB = pattern(r"(?<![\w*.])\*\.(?=\p{L})")
_UNDERSCORE_IN_WORD = pattern(r"(?<=[^\W_])_++(?=[^\W_])")
_HEART = pattern(r"(?<![\p{Latin}\p{N}<=])(?:(?P<broken></3)|(?:<3)++)(?![\p{Latin}\p{N}])")
_ARROW_AT_START = pattern(r"^[^\S\n]*+[-=]{1,3}+>", LINES)
_ARROW = pattern(r"<(?:-{1,3}|={2,3})>|<=>|-{1,3}>|={1,2}>|<-{1,3}(?![\d-])")
_PATH = pattern(r"(?<=\p{L}[)\]]?) > (?=\p{L}{2})")
_UNEQUAL = pattern(r"(?:(?<=[\w)\]]) ?!={1,2}+|(?<!\S)!={1,2}+|(?<=[\w)\]]) ?(?:=/=|<>)) ?(?=[\w(\[\s-])")
_BOUND = pattern(r" ?(?P<sign><=|>=|=<) ?(?=[\w(.$€£-])")
_COMPARISON = pattern(r"(?<=(?P<left>[\w)%])(?P<before> ?))(?P<sign>[<>])(?!\w+>)(?P<after> ?)(?=[\w(.$€£-])")
_RANGE = pattern(r"(?<=\d\p{L}{0,3}) ?~ ?(?=\d)")
_ABOUT = pattern(r"(?<![\p{Latin}\p{N}~])~ ?(?=\d)")
_NUMBER_SIGN = pattern(r"(?<![\w#])#(?=\d)")
_SHARP = pattern(r"(?<=\b[A-Ga-g])#(?!\w)")
_MARKS = pattern(r"[*_`^]++|\\(?=[^\w\s])")
_WALLS = pattern(r"[|~<>#\\]++")


def say_signs(text: str, language: str = "en") -> str:
    """Return ``text`` with the signs between numbers and words as words, and without marks of emphasis.

    What a mark emphasises is said as it is: one that shows itself is no more use to a voice than one that
    does not.
    """
    words = WORDS[language]
    text = _APOSTROPHE.sub("'", _ESCAPED.sub("", text))
    text = _HEART.sub(lambda match: f" {words.broken_heart if match['broken'] else words.heart} ", text)
    text = _GRAWLIX.sub(lambda match: _bleep(match[0], words), text)
    text = _MASKED_LETTERS.sub(lambda match: f"{match['first']} {words.bleep}", text)
    text = _POWER.sub(f" {words.power} ", text)
    text = _TIMES.sub(f" {words.times} ", text)
    text = _GLOB.sub(f"{words.star} {words.dot} ", text)
    text = _ARROW.sub(lambda match: _arrow(match[0]), _ARROW_AT_START.sub("", text))
    text = "\n".join(_comparisons(line, words) for line in text.split("\n"))
    text = _ABOUT.sub(f"{words.about} ", _RANGE.sub("-", text))
    text = _SHARP.sub(" sharp", _NUMBER_SIGN.sub(f"{words.number} ", text))
    text = _UNDERSCORE_IN_WORD.sub(" ", text)
    return _WALLS.sub(" ", _MARKS.sub("", text))


def _bleep(signs: str, words: OurWords) -> str:
    return f" {words.bleep} " if len(set(signs)) > 2 and set(signs) & set("@#$%&*") else signs


def _arrow(arrow: str) -> str:
    if arrow[0] != "<":
        return " → "
    return " ↔ " if arrow[-1] == ">" else " ← "


def _comparisons(line: str, words: OurWords) -> str:
    if len(_PATH.findall(line)) > 1:  # Settings > Privacy > Data
        line = _PATH.sub(", ", line)
    line = _UNEQUAL.sub(f" {words.unequal} ", line)
    line = _BOUND.sub(lambda match: f" {words.at_least if match['sign'] == '>=' else words.at_most} ", line)
    return _COMPARISON.sub(lambda match: _comparison(match, words), line)


def _comparison(match: re.Match[str], words: OurWords) -> str:
    following = match.string[match.end() : match.end() + 2].lstrip("-$€£.")[:1]
    is_of_numbers = match["left"].isdigit() or following.isdigit()
    if not is_of_numbers and not (match["before"] and match["after"]):
        return match[0]
    return f" {words.less if match['sign'] == '<' else words.greater} "


_NAMED_SIGNS: Final = {
    "*": "star", "|": "bar", "~": "tilde", "^": "caret", "_": "underscore", "\\": "backslash",
    "`": "backtick", "#": "hash_sign", "<": "less", ">": "greater",
}  # fmt: skip
_OR = pattern(r"(?<=\s)\|\|(?=\s)")
_POWER_IN_CODE = pattern(r"(?<=[\w)\]]) ?\*\* ?(?=[\w(-])")
_TIMES_IN_CODE = pattern(r"(?<=[\w)\]])(?: \* |\*)(?=[\w(])")
_LONE_SIGNS = pattern(r"(?<!\S)(?!<=|>=|<-|->)[*|~^_\\`#<>]{1,3}+(?!\S)")


def say_code(code: str, language: str = "en") -> str:
    """Return the content of inline ``code`` with those signs named that would be dropped from a sentence."""
    words = WORDS[language]
    code = _OR.sub(words.either, code.strip("\n"))
    code = _TIMES_IN_CODE.sub(f" {words.times} ", _POWER_IN_CODE.sub(f" {words.power} ", code))
    return _LONE_SIGNS.sub(
        lambda match: " ".join(getattr(words, _NAMED_SIGNS[sign]) for sign in match[0]), code
    )
