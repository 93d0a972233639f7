"""What a text can be made of to take long: every script, every mark, and what nearly is something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Final

from tests.text.growth import repeated

SCRIPTS: Final[Mapping[str, str]] = {
    "Latin": "a",
    "capitals": "A",
    "accented": "é",
    "Greek": "α",
    "Cyrillic": "я",
    "Armenian": "ա",
    "Georgian": "ა",
    "Hebrew": "א",
    "Arabic": "م",
    "Syriac": "ܐ",
    "Thaana": "އ",
    "Devanagari": "क",
    "Bengali": "ক",
    "Gurmukhi": "ਕ",
    "Gujarati": "ક",
    "Tamil": "க",
    "Telugu": "క",
    "Malayalam": "ക",
    "Sinhala": "ක",
    "Thai": "ก",
    "Lao": "ກ",
    "Tibetan": "ཀ",
    "Burmese": "က",
    "Ethiopic": "አ",
    "Cherokee": "Ꭰ",
    "Khmer": "ក",
    "Mongolian": "ᠠ",
    "Han": "你",
    "Hiragana": "あ",
    "Katakana": "ア",
    "Hangul": "한",
    "Yi": "ꀀ",
    "mathematical": "𝐀",
    "full width": "Ａ",
    "circled": "ⓐ",
    "Hangul jamo": "\u1100\u1161",
    "jamo that stand alone": "ㄱ",
    "a word": "word ",
    "words of two scripts": "aя",
}

MARKS_ON_LETTERS: Final[Mapping[str, str]] = {
    "combining marks": "\u0301",
    "zalgo": "a\u0301\u0300\u0338\u0489\u0321",
    "a letter with a mark": "e\u0301",
    "Thai marks": "\u0e31",
    "virama": "क्ष",
    "enclosing keycaps": "1\ufe0f\u20e3",
    "joiners": "\u200d",
    "non-joiners": "م\u200c",
    "variation selectors": "\ufe0f",
    "zero-width spaces": "\u200b",
    "marks of direction": "\u200f",
    "isolates": "\u2066a\u2069",
    "overrides": "\u202ea",
    "fillers": "\u3164",
    "tags": "\U000e0061",
    "lone surrogates": "\ud800",
    "private use": "\ue000",
    "nulls": "\x00",
    "soft hyphens": "\u00ad",
    "byte order marks": "\ufeff",
}

FOLDING: Final[Mapping[str, str]] = {
    "sharp s": "ß",
    "large sharp s": "ẞ",
    "dotted I": "İ",
    "dotless i": "ı",
    "ligature fi": "ﬁ",
    "ligature ffi": "ﬃ",
    "n with apostrophe": "ŉ",
    "iota with two marks": "ΐ",
    "Greek with iota": "ᾳ",
    "Armenian ligature": "ﬓ",
    "long s": "ſ",
    "Kelvin": "K",
    "ss": "ss",
    "sharp s and ss": "ßss",
    "ﬆ": "ﬆ",
}

DIGITS: Final[Mapping[str, str]] = {
    "digits": "1",
    "Arabic digits": "٣",
    "Devanagari digits": "३",
    "full-width digits": "５",
    "Roman": "Ⅳ",
    "superscripts": "²",
    "numbers with points": "1.",
    "numbers with commas": "1,",
    "times": "12:30 ",
    "groups of digits": "123 ",
    "numbers in brackets": "(1) ",
    "versions": "v1.2.",
}

SIGNS: Final[Mapping[str, str]] = {
    **{sign: sign for sign in "@#<>:*_|`~.-/\\!?,;'\"()[]{}&%$+=^…。、・’“«」（）：／"},
    "space": " ",
    "line": "\n",
    "tab": "\t",
    "return": "\r\n",
    "wide space": "\u3000",
    "no-break space": "\u00a0",
    "line separator": "\u2028",
    "paragraphs": "a\n\n",
    "lines": "a\n",
    "spaces between letters": "a ",
}

EMOJI: Final[Mapping[str, str]] = {
    "emoji": "😀",
    "a family": "👨\u200d👩\u200d👧",
    "skin tones": "👍🏽",
    "flags": "🇫🇷",
    "half a flag": "🇫",
    "a flag of tags": "\U0001f3f4\U000e0067\U000e0062\U000e007f",
    "hearts": "❤\ufe0f",
    "gendered": "🏃\u200d♀\ufe0f",
    "emoji and letters": "😀a",
    "a name": ":smile:",
    "names without an end": ":smile",
}

NEARLY: Final[Mapping[str, str]] = {
    "an ending": ".x",
    "mail without a name": "@a",
    "mail": "a@b.",
    "mail without an end": "a@",
    "hosts": "a.",
    "addresses": "http://",
    "a scheme in a scheme": "a+http://",
    "www": "www.",
    "addresses in brackets": "<http://a>",
    "a mention": "<@1",
    "a role": "<@&1",
    "a channel": "<#1",
    "a time": "<t:1",
    "a command": "</a",
    "a guide": "<id:",
    "an animated emoji": "<a:",
    "an emoji": "<:a:",
    "spoilers": "||",
    "a spoiler": "||a",
    "code": "```",
    "ticks": "`a",
    "brackets": "(((",
    "closing brackets": ")))",
    "a link": "[a](",
    "a link in a link": "[[a](http://",
    "tags": "[sigh",
    "an aside": "(a) ",
    "headings": "# ",
    "quotes": "> ",
    "lists": "- ",
    "small print": "-# ",
    "numbered": "1. ",
    "emoticons": ":-) ",
    "hearts": "<3",
    "shrugs": "¯\\_(ツ)_/¯",
    "products": "1 * 1",
    "comparisons": "a < b ",
    "sharps": "A# ",
    "about": "~5",
    "speakers": "a: ",
    "speakers between strokes": "a: b / ",
    "bold speakers": "**a:** ",
    "everyone": "@everyone",
    "at signs and here": "@@here",
    "syllables": "ab",
    "syllables of three": "abc",
    "shouting": "AAAAAB ",
    "cries": "!?",
    "dots": "...",
    "sentences": "a. ",
    "abbreviations": "z. B. ",
    "quoted sentences": "“a.” ",
    "Japanese quotes": "「あ」と",
    "underscores": "a_",
    "escapes": "\\*",
    "hyphens": "a-",
    "apostrophes": "a'",
    "channels": "https://discord.com/channels/1/",
    "tokens": "a" * 24 + ".",
    "keys": "key: ",
    "a header": "authorization: ",
    "quoted keys": "'token': '",
    "webhooks": "/webhooks/1/",
    "hm": "hm=",
    "html": "<script>",
    "html comments": "<!--",
    "waiting": "in 1 ",
    "clocks": "1:00:",
    "dotted clocks": "1.1:00:",
    "formants": "formant 1 ",
    "pairs": "()",
    "pairs of another kind": "❨a❩",
    "two kinds of pairs": "❨❪",
    "quoted names": "«a»",
    "data": "data:audio/mp3;base64,",
    "files": "files[1]",
    "braces": "{a}",
    "percent": "%41",
    "ipv6": "[::1]:",
}

ALPHABETS: Final[Mapping[str, str]] = {
    f"{group}: {name}": piece
    for group, pieces in {
        "script": SCRIPTS,
        "unseen": MARKS_ON_LETTERS,
        "folding": FOLDING,
        "digits": DIGITS,
        "sign": SIGNS,
        "emoji": EMOJI,
        "nearly": NEARLY,
    }.items()
    for name, piece in pieces.items()
}

AFTER: Final = ("", ".x", "@a\n!")
"""What stands at the end and lets a match fail there."""

_NESTED: Final = ("()", "[]", "{}", "<>", "（）", "❨❩", "「」", "“”", "*_", "|`", "<a>")

_BEFORE: Final = (
    *(
        "[",
        "[a](",
        "(",
        "<",
        "<@",
        "<a:",
        "</",
        "<id:",
        "<t:",
        ":",
        "||",
        "```",
        "http://",
        "https://discord.com/channels/",
    ),
    *(
        '"',
        "'",
        "@",
        "a@",
        "#",
        "# ",
        "1",
        "/",
        "a: ",
        "authorization: bot ",
        "subscription-key=",
        "'a_",
        "formant ",
    ),
    *("data:audio/mp3;base64,", "<script>", "link to ", "\U0001f3f4", "，", "「", "😀", "क", "\u0600"),
)
_BODIES: Final = (*"a1 /-.ß\n@_<:)*😀", "a.", "a ", "1.", "\u0301", "\ufe0f", "\u200d", "\u094d", "🇫")

TextOf = Callable[[int], str]


def hostile_texts(*, with_every_end: bool = True) -> Iterator[tuple[str, TextOf]]:
    """Yield runs of every alphabet with every end, what is begun and never ended, and what is nested."""
    for name, piece in ALPHABETS.items():
        for after in AFTER if with_every_end else AFTER[1:2]:
            yield f"{name}, then {after!r}", partial(repeated, piece, after=after)
    for before in _BEFORE:
        for piece in _BODIES:
            for after in AFTER[:2] if with_every_end else AFTER[:1]:
                yield f"{before!r}, {piece!r}, then {after!r}", partial(_begun, piece, before, after)
    for pair in _NESTED:
        yield f"{pair!r}, nested", partial(_nested, pair)


def _nested(pair: str, length: int) -> str:
    half = length // 2
    return pair[0] * half + pair[1] * (length - 2 * half) + pair[-1] * half


def _begun(piece: str, before: str, after: str, length: int) -> str:
    return repeated(piece, length, before, after)
