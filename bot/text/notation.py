"""Notation of chats: signs between numbers and words, laughter, shouting, repeats, and long ids."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import groupby, islice
from typing import Final

from bot.text.characters import IGNORE_CASE, LINES, pattern
from bot.text.languages import ENGLISH
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


MAX_REPEATS: Final = 3
"""How often the same letter, syllable, word or line is said in a row."""

_JAPANESE_LAUGH = pattern(
    r"(?<!\p{Latin})(?:(?<=草)w++|[wW]{2,}+|(?<=[\p{Hiragana}\p{Katakana}ー。！!?？])w)(?![\p{Latin}.\d])"
)
_BRAZILIAN_LAUGH = pattern(r"(?<![\p{L}\p{N}-])k{3,}+(?![\p{L}\p{N}-])", IGNORE_CASE)
_CHINESE_LAUGH = pattern(r"(?<!\d)23{2,}+(?!\d|[.,:]\d)")
_CHINESE_H = pattern(r"(?<!\p{Latin})h{2,}+(?!\p{Latin})", IGNORE_CASE)
_THAI_LAUGH = pattern(r"(?<![\d.,:])5{3,}+(?P<more>\++)?(?![\d]|[.,:]\d)")
_COUNTED_AFTER: Final = {
    "zh": pattern(r"(?<!\s)\s*+(?:元|块|个|人|年|月|日|号|米|公里|千|万|亿|次|天|岁|分|秒|点|度|%|￥|\$|€)"),
    "th": pattern(r"(?<!\s)\s*+(?:บาท|คน|ปี|ครั้ง|กม|กิโล|เมตร|ดอลลาร์|บ\.|วัน|ชั่วโมง|นาที|หน้า|ตัว|อัน|ชิ้น|%|฿|\$)"),
}
_COUNTED_BEFORE: Final = {
    "zh": pattern(r"(?:第|号|号码|价格|共|￥|\$|€)\s{0,3}\Z"),
    "th": pattern(r"(?:ราคา|เบอร์|โทร|ห้อง|เลข|เลขที่|หน้า|รหัส|ปี|฿|\$)\s{0,3}\Z"),
}
_AHEAD: Final = 12  # characters of a word in front that says what a number counts

_KOREAN_LETTERS: Final = {
    # The first letters of syllables; those that laugh or cry are said as they sound.
    "ㅋ": "크", "ㅎ": "흐", "ㅠ": "흑", "ㅜ": "흑", "ㄷ": "덜", "ㅇ": "응", "ㄴ": "노", "ㄱ": "고",
    "ㅉ": "쯧", "ㅡ": "",
}  # fmt: skip
_KOREAN_SHORT: Final = {
    "ㅇㅋ": "오케이", "ㄱㅅ": "감사", "ㅈㅅ": "죄송", "ㅊㅋ": "축하", "ㅂㅂ": "바이바이", "ㅅㄱ": "수고",
    "ㅇㅈ": "인정", "ㄹㅇ": "리얼", "ㅁㄹ": "몰라", "ㅂㅇ": "바이", "ㅎㅇ": "하이",
}  # fmt: skip
_SOBS = pattern("흑{3,}+")
_KOREAN = pattern(r"[\u3131-\u3163]{2,}+|[ㅋㅎㅠㅜ]")

_LONG_ID = pattern(r"(?<![\p{L}\p{N}_-])[A-Za-z0-9_+/=-]{20,}+(?![\p{L}\p{N}])")
_OF_AN_ID = pattern(r"[A-Za-z]\d|\d[A-Za-z]")
_HEXADECIMAL = pattern(r"\A[0-9]*+[a-f][0-9a-f]++", IGNORE_CASE)
_UUID = pattern(
    r"(?<![\p{L}\p{N}-])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![\p{L}\p{N}-])", IGNORE_CASE
)
_ID_KEPT: Final = 7  # what git shows of its own

_TOKEN_WITH_DIGIT = pattern(r"(?<![\p{L}\p{N}-])(?=[\p{L}-]*+\p{N})[\p{L}\p{N}-]{2,24}+(?![\p{L}\p{N}-])")
_LETTERS = pattern(rf"(\p{{L}})\1{{{MAX_REPEATS},}}", IGNORE_CASE)
_SYLLABLES = pattern(rf"([\p{{L}}\p{{M}}]{{2,4}}?)\1{{{MAX_REPEATS},}}", IGNORE_CASE)
_CRIES = pattern(r"[!?]{2,}+")
_DOTS = pattern(r"\.{3,}")
_PLUSES = pattern(r"(?<=[\p{L}\p{N}])\+{3,}")
_SIGNS = pattern(r"(?P<sign>[^\w\s.+])(?P=sign)+|(?<![\p{L}\p{N}+])\+{2,}+(?!\p{L})")
_SHOUTED = pattern(r"(?<![\p{L}\p{M}\p{N}])[\p{Lu}\p{M}]{5,}+(?![\p{L}\p{M}\p{N}])")
_ROMAN = pattern(r"M{0,3}(?:C[MD]|D?C{0,3})(?:X[CL]|L?X{0,3})(?:I[XV]|V?I{0,3})")


def calm(text: str, language: str = ENGLISH) -> str:
    """Return ``text`` with laughter as it sounds in its language, repeats cut short, and no shouting.

    Runs of letters, syllables, signs, words and lines are cut. A long id is said by its first characters;
    what counts something, and what has digits in it, is left as it is.
    """
    text = _LONG_ID.sub(lambda match: _short_id(match[0]), _UUID.sub(lambda match: match[0][:8], text))
    text = laugh(text, language)
    text = _shorten(text)
    text = _CRIES.sub(lambda match: "?!" if len(set(match[0])) == 2 else match[0][0], text)
    text = _PLUSES.sub("++", _DOTS.sub("...", text))
    text = _SIGNS.sub(lambda match: match[0][0], text)
    text = _SHOUTED.sub(lambda match: _said_calmly(match[0]), text)  # an engine may spell out capitals
    lines = (" ".join(_few(line.split())) for line in text.split("\n"))
    return "\n".join(_few_lines(lines))


def laugh(text: str, language: str = ENGLISH) -> str:
    """Return ``text`` with what is laughter in ``language`` as it sounds, where letters would be spelled."""
    text = _KOREAN.sub(lambda match: _in_syllables(match[0]), text)
    if language in ("ja", "zh"):
        text = _JAPANESE_LAUGH.sub("笑", text)
    if language == "pt":
        return _BRAZILIAN_LAUGH.sub("hahaha", text)
    if language == "zh":
        text = _CHINESE_H.sub("哈哈", text)
        return _CHINESE_LAUGH.sub(lambda match: _unless_counted(match, "哈哈哈", language), text)
    if language == "th":
        return _THAI_LAUGH.sub(lambda match: _unless_counted(match, "ฮ่าๆ", language), text)
    return text


def _unless_counted(match: re.Match[str], laughter: str, language: str) -> str:
    start = match.start()
    before = match.string[max(0, start - _AHEAD) : start]
    counts = _COUNTED_BEFORE[language].search(before) or _COUNTED_AFTER[language].match(
        match.string, match.end()
    )
    return match[0] if counts else laughter


def _in_syllables(letters: str) -> str:
    if letters in _KOREAN_SHORT:
        return _KOREAN_SHORT[letters]
    if not set(letters) <= _KOREAN_LETTERS.keys():
        return letters
    said = "".join(_KOREAN_LETTERS[letter] for letter in islice(letters, MAX_REPEATS))
    return _SOBS.sub("흑흑", said)


def _short_id(letters: str) -> str:
    """Return the beginning of an id; words with hyphens, and what has no digits among its letters, whole."""
    if len(_OF_AN_ID.findall(letters)) < 3 and not _HEXADECIMAL.fullmatch(letters):
        return letters
    return letters[:_ID_KEPT].rstrip("_+/=-")


def _shorten(text: str) -> str:
    """Cut runs of letters and syllables, but not in codes: what has digits and is no longer than one."""
    said, index = [], 0
    for match in _TOKEN_WITH_DIGIT.finditer(text):
        said += [_shorten_plain(text[index : match.start()]), match[0]]
        index = match.end()
    return "".join([*said, _shorten_plain(text[index:])])


def _shorten_plain(text: str) -> str:
    return _SYLLABLES.sub(r"\1" * MAX_REPEATS, _LETTERS.sub(r"\1" * MAX_REPEATS, text))


def _said_calmly(word: str) -> str:
    return word if _ROMAN.fullmatch(word) else word.lower()


def _few(words: Iterable[str]) -> Iterator[str]:
    for word, same in groupby(words, key=str.casefold):
        yield from islice(same, None if word.isdecimal() else MAX_REPEATS)


def _few_lines(lines: Iterable[str]) -> Iterator[str]:
    """Do as `_few` does, across empty lines too."""
    said, times = "", 0
    for line in lines:
        if line:
            times = times + 1 if line.casefold() == said else 1
            said = line.casefold()
        if not line or times <= MAX_REPEATS:
            yield line
