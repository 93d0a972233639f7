"""Emoji in words, in the language of the message.

The names are CLDR's: those of the `emoji` package where it has the language, else those in ``emoji_names/``.
Those are the ``tts`` names of CLDR 48.2 (npm package cldr-annotations-full), with its licence beside them.
Flags are the names of their countries, from Babel.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Final

import emoji
from babel import Locale

from bot.text.characters import pattern
from bot.text.languages import ENGLISH, UNKNOWN
from bot.text.words import WORDS

MAX_NAMED: Final = 3
"""Emoji named in one text; the others are not said. Each is said once, however often it is shown."""

_MAX_RUN: Final = 200  # characters; the longest emoji has ten

_PART = r"\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}"
_EMOJI = pattern(rf"[{_PART}][{_PART}\u200D\uFE0F\u2640\u2642\U000E0020-\U000E007F]*+|[0-9#*]\uFE0F?\u20E3")
_BY_NAME = pattern(r"(?<![\w:]):(?P<name>[\w+-]{2,32}):(?![\w:])")
_SKIN_TONE = pattern(r"_?(?:medium[-_])?(?:light|medium|dark)_skin_tone")
_TONE = pattern(r"\p{Emoji_Modifier}")
_COUNTRY = pattern(r"[\U0001F1E6-\U0001F1FF]{2}")
_KEYCAP = pattern(r"(?P<key>[0-9#*])\uFE0F?\u20E3")
_INITIALS = pattern(r"\p{Regional_Indicator}++")
_CAMEL = pattern(r"(?<=\p{Ll})(?=\p{Lu})")
_NOT_A_WORD = pattern(r"[^\p{L}\p{M}\p{N}'&.-]+")
_LEFT_OVER = pattern(r"[\uFE0F\u20E3]|(?<![\p{L}\p{M}])\u200D|\u200D(?![\p{L}\p{M}])|[\U000E0020-\U000E007F]")
_LEGAL = pattern(r"[™®©]\uFE0F?+")
_STARS = pattern(r"(?P<full>[★⭐]{1,5}+)(?P<empty>[☆✩✰]{0,5}+)(?![★⭐☆])")
_FIRST_LETTER: Final = ord("🇦")
_A_LETTER: Final = dict(zip("🅰🅱🅾🅿Ⓜ", "ABOPM", strict=True))
_LETTER = pattern(r"[🅰🅱🅾🅿Ⓜ]\uFE0F?+")


def name_emoji(text: str, language: str = ENGLISH) -> str:
    """Return ``text`` with its emoji in words, without skin tones: both 😀 and ``:name:``.

    Letters and numbers in boxes are letters and numbers, and a row of stars is how many of how many.
    """
    spoken = _Spoken(language)
    text = _BY_NAME.sub(lambda match: spoken.say(spoken.official(match["name"])), text)
    if not text.isascii():
        text = _LEGAL.sub("", text)
        text = _STARS.sub(lambda match: _stars(match["full"], match["empty"], language), text)
        text = _LETTER.sub(lambda match: _A_LETTER[match[0][0]], text)
        text = _INITIALS.sub(lambda match: _initials(match[0]), text)
    text = _EMOJI.sub(lambda match: spoken.say_all(match[0]), text)
    return _LEFT_OVER.sub("", text)


def _stars(full: str, empty: str, language: str) -> str:
    if not empty and full[0] == "⭐" and len(full) < 5:  # an ornament, if not of five
        return full
    return f" {WORDS[language].stars.format(len(full), max(5, len(full) + len(empty)))} "


def _initials(run: str) -> str:
    """Return the flags in a run of regional letters, or its letters where not all of it is flags."""
    flags = [run[index : index + 2] for index in range(0, len(run), 2)]
    if all(_territory(flag) for flag in flags):
        return run
    return "".join(_latin(letter) for letter in run)


def _latin(letter: str) -> str:
    return chr(ord(letter) - _FIRST_LETTER + ord("A"))


def _territory(flag: str, language: str = ENGLISH) -> str:
    """Return the name of the country whose flag it is; empty if there is none."""
    code = "".join(_latin(letter) for letter in flag)
    if len(code) != 2 or not emoji.is_emoji(flag):
        return ""
    return str(Locale.parse(language or ENGLISH).territories.get(code, ""))


class _Spoken:
    """The emoji of one text that were said already, and their names in its language."""

    def __init__(self, language: str) -> None:
        self._language = language
        self._names: set[str] = set()

    def say(self, name: str) -> str:
        """Return the words for an emoji, between spaces; only a space when it is not to be said."""
        name = _in_words(name)
        if name.casefold() in self._names or len(self._names) >= MAX_NAMED:
            return " "
        if name:
            self._names.add(name.casefold())
        return f" {name} "

    def say_all(self, chars: str) -> str:
        """Return the words for a run of emoji."""
        # The package looks at every character in Python, so it sees only emoji, and not a wall of them.
        return emoji.replace_emoji(chars[:_MAX_RUN], lambda one, _: self.say(_name(one, self._language)))

    def official(self, short_name: str) -> str:
        """Return the name of the emoji Discord calls ``short_name``; a server's own is called as it is."""
        chars = emoji.emojize(f":{short_name}:", language="alias")
        return _name(chars, self._language) if emoji.is_emoji(chars) else _CAMEL.sub(" ", short_name)


def _name(chars: str, language: str) -> str:
    """Return the name of one emoji; empty where the language has none for it."""
    if keycap := _KEYCAP.fullmatch(chars):
        return keycap["key"]
    if _COUNTRY.fullmatch(chars):
        country = _territory(chars, language)
        return f"flag of {country}" if language == ENGLISH else country
    if language == ENGLISH:
        return _SKIN_TONE.sub("", emoji.EMOJI_DATA[chars]["en"])
    if language == UNKNOWN:
        return ""
    names = _names_in(language)
    plain = _TONE.sub("", chars).replace("\ufe0f", "")
    return names.get(plain) or names.get(plain.partition("\u200d")[0], "")


@cache
def _names_in(language: str) -> Mapping[str, str]:
    """Return the names of all emoji without skin tones and variation selectors, read at the first use."""
    if language not in emoji.LANGUAGES:
        text = resources.files("bot.text").joinpath("emoji_names", f"{language}.json").read_text("utf-8")
        names: dict[str, str] = json.loads(text)
        return names
    emoji.config.load_language(language)
    return {
        chars.replace("\ufe0f", ""): data[language]
        for chars, data in emoji.EMOJI_DATA.items()
        if language in data and not _TONE.search(chars)
    }


def _in_words(name: str) -> str:
    plain = name.replace("_", " ").replace("’", "'")
    return " ".join(_NOT_A_WORD.sub(" ", plain).split())
