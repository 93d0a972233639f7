"""Which espeak-ng language reads which stretch of a text.

The script decides first: a Greek word is read by the Greek voice wherever it stands. Scripts that many
languages share are told apart by letters only one of them uses, the Latin script by `latin.py`. Kanji are
read in Mandarin, because espeak-ng knows no Japanese readings; Lao is read as Thai, its nearest relative.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from tts_gateway.engines.espeak import Passage
from tts_gateway.engines.latin import latin_language

LANGUAGE_FILES: Final = {
    "am": "sem/am", "ar": "sem/ar", "be": "zle/be", "bg": "zls/bg", "bn": "inc/bn",
    "cmn": "sit/cmn", "cs": "zlw/cs", "da": "gmq/da", "de": "gmw/de", "el": "grk/el", "en": "gmw/en-US",
    "es": "roa/es", "fa": "ira/fa", "fi": "urj/fi", "fr": "roa/fr", "gu": "inc/gu", "he": "sem/he",
    "hi": "inc/hi", "hu": "urj/hu", "hy": "ine/hy", "id": "poz/id", "it": "roa/it", "ja": "jpx/ja",
    "ka": "ccs/ka", "kn": "dra/kn", "ko": "ko", "ml": "dra/ml", "ms": "poz/ms", "my": "sit/my",
    "nb": "gmq/nb", "nl": "gmw/nl", "or": "inc/or", "pa": "inc/pa", "pl": "zlw/pl", "pt": "roa/pt",
    "ro": "roa/ro", "ru": "zle/ru", "si": "inc/si", "sv": "gmq/sv", "sw": "bnt/sw", "ta": "dra/ta",
    "te": "dra/te", "th": "tai/th", "tr": "trk/tr", "uk": "zle/uk", "ur": "inc/ur", "vi": "aav/vi",
    "yue": "sit/yue",
}  # fmt: skip
"""The file of espeak-ng's `lang` folder for each language told apart here."""

DEFAULT_LANGUAGE: Final = "en"
"""Reads what no other voice reads; of VoxCPM2's thirty languages that is Khmer, letter by letter."""

_SCRIPTS: Final = {
    "ARABIC": "ar", "ARMENIAN": "hy", "BENGALI": "bn", "BOPOMOFO": "cmn", "CJK": "cmn",
    "CYRILLIC": "ru", "DEVANAGARI": "hi", "ETHIOPIC": "am", "GEORGIAN": "ka", "GREEK": "el",
    "GUJARATI": "gu", "GURMUKHI": "pa", "HANGUL": "ko", "HEBREW": "he", "HIRAGANA": "ja", "KANNADA": "kn",
    "KATAKANA": "ja", "KATAKANA-HIRAGANA": "ja", "LAO": "th", "LATIN": "latin", "MALAYALAM": "ml",
    "MYANMAR": "my", "ORIYA": "or", "SINHALA": "si", "TAMIL": "ta", "TELUGU": "te", "THAI": "th",
}  # fmt: skip
_LETTERS_OF: Final = {
    "ru": (("uk", "іїєґІЇЄҐ"), ("be", "ўЎ")),
    "ar": (("ur", "ٹڈڑےں"), ("fa", "پچژگ")),
    "cmn": (("yue", "嘅咗喺係唔冇嚟啲咁哋"),),
}
_LAO_TO_THAI: Final = {code: code - 0x80 for code in range(0x0E81, 0x0EDA)}  # the two blocks run in parallel
_JOINERS: Final = "\u200c\u200d"


@dataclass(slots=True)
class _Run:
    language: str
    text: str


def passages(text: str) -> list[Passage]:
    """Return the text in stretches of one language each; empty when nothing in it can be spoken."""
    return [Passage(LANGUAGE_FILES[run.language], run.text) for run in _runs(speakable(text))]


def speakable(text: str) -> str:
    """Return the text without what is not for reading, its fancy letters (𝓗, Ｈ, ﷺ) as plain ones.

    Control characters matter most: espeak-ng takes some of them for commands.
    """
    plain = (unicodedata.normalize("NFKC", c) if c.isalpha() else c for c in text)
    kept = (c if _is_text(c) else " " for c in unicodedata.normalize("NFC", "".join(plain)))
    return " ".join("".join(kept).split())


def _is_text(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character)[0] not in "C"


def _runs(text: str) -> list[_Run]:
    if not any(unicodedata.category(c)[0] in "LNS" for c in text):
        return []
    runs: list[_Run] = []
    for character, script in _scripts(text):
        if runs and script in (None, runs[-1].language):
            runs[-1].text += character
        elif runs and runs[-1].language == "":  # digits and signs in front belong to what follows
            runs[-1] = _Run(script or "", runs[-1].text + character)
        else:
            runs.append(_Run(script or "", character))
    return list(_told_apart(runs))


def _scripts(text: str) -> Iterator[tuple[str, str | None]]:
    for character in text:
        yield character, _script_language(character)


@lru_cache(maxsize=4096)
def _script_language(character: str) -> str | None:
    """Return the language a letter's script stands for; None for what belongs to no script."""
    if not character.isalpha():
        return None
    return _SCRIPTS.get(unicodedata.name(character, "").split(" ")[0], DEFAULT_LANGUAGE)


def _told_apart(runs: list[_Run]) -> Iterator[_Run]:
    whole = {
        language: "".join(run.text for run in runs if run.language == language) for language in _LETTERS_OF
    }
    latin = latin_language("".join(run.text for run in runs if run.language == "latin"))
    for run in runs:
        language = {"latin": latin, "": DEFAULT_LANGUAGE}.get(run.language, run.language)
        for other, letters in _LETTERS_OF.get(run.language, ()):
            if any(letter in whole[run.language] for letter in letters):
                language = other
                break
        yield _Run(language, run.text.translate(_LAO_TO_THAI))
