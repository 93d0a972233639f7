"""Characters: what may be in a text at all, and one spelling for each thing."""

from __future__ import annotations

import re
from itertools import islice
from typing import Final
from unicodedata import combining, normalize

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

_MAX_MARKS_OF_ALPHABETS: Final = 2  # Latin, Cyrillic; Greek of old has three

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
    # letters and digits in costume: mathematical, full-width, circled, squared; and ligatures
    r"[\U0001D400-\U0001D7FF\uFF10-\uFF19\uFF21-\uFF3A\uFF41-\uFF5A\u2460-\u24FF\U0001F130-\U0001F149"
    r"\uFB00-\uFB4Fℂℊ-ℓℕℙ-ℝℤℨℬℭℯ-ℴ]|[\uFB50-\uFDFF\uFE70-\uFEFC]"
    # raised letters, when a word is written with them: 1ˢᵗ, ᴴᵉˡˡᵒ
    r"|[ᴬ-ᵪʰ-ʸˠ-ˤⁱⁿᶛ-ᶿⱼⱽₐ-ₜ]{2,}+"
)
_BOXED = pattern(r"(?:[\U0001F110-\U0001F129\U0001F150-\U0001F169\U0001F170-\U0001F189]\uFE0F?+){2,}+")
_SMALL_CAPITALS = str.maketrans("ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢ", "abcdefghijklmnopqrstuvwyz")
_SMALL_CAPITAL_WORD = pattern(r"[ᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘǫʀꜱᴛᴜᴠᴡʏᴢxs]{2,}+")

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
_ALPHABETIC = pattern(r"[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}\p{M}]++")
_COSTUME = pattern(
    # strokes through a word, or more marks on a letter than any alphabet has
    rf"[\u0305\u0332-\u0338\u033F\u20D0-\u20DF\u20E5-\u20F0]"
    rf"|[\p{{Latin}}\p{{Cyrillic}}]\p{{M}}{{{_MAX_MARKS_OF_ALPHABETS + 1}}}"
)
_MARK = pattern(r"\p{M}")
_QUOTED = pattern(r"(?<![^\s(])«\s++|(?<!\s)\s++»(?![\p{L}\p{N}])")

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
    if text.isascii():
        return _DROPPED.sub("", text.replace("\r\n", "\n").translate(_FOLDED))
    text = _QUOTED.sub('"', text).replace("\r\n", "\n").translate(_FOLDED)
    text = _DROPPED.sub(lambda match: match["kept"] or "", text)
    text = _FANCY.sub(lambda match: _plain(match[0]), text)
    text = _BOXED.sub(lambda match: _unboxed(match[0]), text)
    text = _SMALL_CAPITAL_WORD.sub(lambda match: _in_full(match[0]), text)
    text = _without_costume(normalize("NFD", text)) if _MARK.search(text) else text
    return _TOO_MANY_MARKS.sub(r"\1", normalize("NFC", text))


def _plain(letters: str) -> str:
    plain = normalize("NFKC", letters)
    return plain[1:-1] if plain[0] == "(" else plain  # ⒜ is (a)


def _unboxed(letters: str) -> str:
    return "".join(chr(ord("A") + (ord(letter) - 0x1F110) % 0x20) for letter in letters if letter != "\ufe0f")


def _in_full(letters: str) -> str:
    plain = letters.translate(_SMALL_CAPITALS)
    return letters if plain == letters else plain


def _without_costume(text: str) -> str:
    """Return decomposed ``text`` without the marks of words that are covered with them."""
    return _ALPHABETIC.sub(
        lambda match: _MARK.sub("", match[0]) if _COSTUME.search(match[0]) else match[0], text
    )


_LOOK_ALIKES: Final = {
    "2": "ƧϨᒿꙄꛯꝚ",
    "3": "ƷȜЗӠⳌꝪꞫ𑣊𖼻",
    "4": "Ꮞ𑢯",
    "5": "Ƽ𑢻",
    "6": "бᏮⳒ𑣕",
    "7": "𐓒𑣆",
    "8": "Ȣȣ৪੪𐌚",
    "9": "৭੧୨൭ⳊꝮ𑢬𑣌𑣖",
    "a": "ɑΑαАаᎪᗅꓮ𐊠𖽀",
    "b": "ƄΒВЬᏏᏴᑲᖯᗷꓐꞴ𐊂𐊡𐌁",
    "c": "СсᏟᴄⲤⲥꓚꮯ𐊢𐌂𐐕𐐽𐔜𑣩𑣲",
    "d": "ԁᎠᏧᑯᗞᗪꓒꓓ",
    "e": "ΕЕеҽᎬⴹꓰꬲ𐊆𑢦𑢮",
    "f": "ϜքᖴẝꓝꞘꞙꬵ𐊇𐊥𐔥𑢢𑣂",
    "g": "ƍɡԌցᏀᏳᶃꓖ",
    "h": "ΗНһհᎻᏂᕼⲎꓧ𐋏",
    "i": "ıɩɪιіӏᎥꙇꭵ𑣃",
    "j": "ͿϳЈјᎫᒍꓙꞲ",
    "k": "ΚКᏦᛕⲔꓗ𐔘",
    "l": "ƖǀΙІӀ۱ᏞᒪᛁⲒⳐⵏꓡꓲ𐊊𐌉𐌠𐐛𐔦𑢣𑢲𖼖𖼨",
    "m": "ΜϺМᎷᗰᛖⲘꓟ𐊰𐌑",
    "n": "ΝոռⲚꓠ𐔓",
    "o": "ΟοσОоՕօ۵०০੦૦ଠ୦௦౦೦ഠ൦๐໐ဝ၀ჿዐᴏᴑⲞⲟⵔ〇ꓳꬽ𐊒𐊫𐐄𐐬𐓂𐓪𐔖𑓐𑢵𑣈𑣗𑣠",
    "p": "ΡρРрᏢᑭⲢⲣꓑ𐊕",
    "q": "ԛգզⵕ",
    "r": "ƦгᎡᏒᖇᴦⲅꓣꭇꭈꮁ𐒴𖼵",
    "s": "ƽЅѕՏᏕᏚꓢꜱꮪ𐊖𐐠𐑈𑣁𖼺",
    "t": "ΤТᎢⲦꓔ𐊗𐊱𐌕𑢼𖼊",
    "u": "ʋυՍսሀᑌᴜꓴꞟꭎꭒ𐓎𐓶𑢸𑣘𖽂",
    "v": "νѴѵ۷Ꮩᐯᴠⴸꓦꛟꮩ𐔝𑜆𑢠𑣀𖼈",
    "w": "ɯѡԜԝաᎳᏔᴡꓪꮃ𑜊𑜎𑜏𑣦𑣯",
    "x": "ΧХхᕁᕽᚷⲬⵝꓫꞳ𐊐𐊴𐌗𐌢𐔧𑣬",
    "y": "ɣʏΥγУуҮүყᎩᎽᶌỿⲨꓬꭚ𐊲𑢤𑣜𖽃",
    "z": "ΖᏃᴢꓜꮓ𐋵𑢩𑣄𑣥",
}
"""Letters that look like one of ASCII, and that NFKC leaves as they are: Unicode's confusables.txt, 15.1.

https://www.unicode.org/reports/tr39/#Confusable_Detection"""

_ASCII_SHAPES: Final = str.maketrans(
    {letter: shape for shape, letters in _LOOK_ALIKES.items() for letter in letters}
)
_WRITTEN_ALIKE: Final = str.maketrans({"I": "l", "|": "l", "1": "l", "0": "o"})
_OVERLAY: Final = 1  # the combining class of strokes through a letter
_JOINERS: Final = str.maketrans("", "", "\u200c\u200d")


def appearances(text: str) -> tuple[str, str]:
    """Return what ``text`` looks like as it is written, and in small letters.

    Where two texts have one of both in common, people take one for the other.
    """
    plain = normalize("NFKD", clean_characters(text).translate(_JOINERS))
    plain = "".join(character for character in plain if combining(character) != _OVERLAY)
    written = plain.translate(_ASCII_SHAPES).translate(_WRITTEN_ALIKE).casefold()
    small = normalize("NFKD", plain.casefold()).translate(_ASCII_SHAPES).casefold()
    return " ".join(written.split()), " ".join(small.split())


def has_words(text: str) -> bool:
    """Return whether there is a letter or a number in ``text`` that a voice could say."""
    return _SAYABLE.search(text) is not None


def count_characters(text: str) -> int:
    """Return how many characters a person would count: grapheme clusters."""
    return sum(1 for _ in GRAPHEME.finditer(text))


def first_characters(text: str, count: int) -> str:
    """Return the first ``count`` characters of ``text`` as a person would count them."""
    return "".join(match[0] for match in islice(GRAPHEME.finditer(text), count))
