"""Emoji: said by name, and only a few of them."""

from __future__ import annotations

from typing import Final

import emoji

from bot.text.patterns import pattern

MAX_NAMED: Final = 3
"""Emoji named in one text; the others are not said. Each is said once, however often it is shown."""

_MAX_RUN: Final = 200  # characters; the longest emoji has ten

_PART = r"\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}"
_EMOJI = pattern(rf"[{_PART}][{_PART}\u200D\uFE0F\u2640\u2642\U000E0020-\U000E007F]*+|[0-9#*]\uFE0F?\u20E3")
_BY_NAME = pattern(r"(?<![\w:]):(?P<name>[\w+-]{2,32}):(?![\w:])")
_SKIN_TONE = pattern(r"_?(?:medium[-_])?(?:light|medium|dark)_skin_tone")
_COUNTRY = pattern(r"[\U0001F1E6-\U0001F1FF]{2}")
_CAMEL = pattern(r"(?<=\p{Ll})(?=\p{Lu})")
_NOT_A_WORD = pattern(r"[^\p{L}\p{M}\p{N}'&.-]+")
_LEFT_OVER = pattern(r"[\uFE0F\u20E3]|(?<![\p{L}\p{M}])\u200D|\u200D(?![\p{L}\p{M}])|[\U000E0020-\U000E007F]")


def name_emoji(text: str) -> str:
    """Return ``text`` with its emoji in words, without skin tones: both 😀 and ``:name:``."""
    spoken = _Spoken()
    text = _BY_NAME.sub(lambda match: spoken.say(_official(match["name"])), text)
    text = _EMOJI.sub(lambda match: _say_all(match[0], spoken), text)
    return _LEFT_OVER.sub("", text)


class _Spoken:
    """The emoji of one text that were said already."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def say(self, short_name: str) -> str:
        """Return the words for an emoji, between spaces; only a space when it is not to be said."""
        name = _in_words(short_name)
        if name.casefold() in self._names or len(self._names) >= MAX_NAMED:
            return " "
        if name:
            self._names.add(name.casefold())
        return f" {name} "


def _say_all(chars: str, spoken: _Spoken) -> str:
    # The package looks at every character in Python, so it sees only emoji, and not a wall of them.
    return emoji.replace_emoji(chars[:_MAX_RUN], lambda one, _: spoken.say(_name(one)))


def _official(short_name: str) -> str:
    """Return the name of the emoji that Discord calls ``short_name``; a server's own is called as it is."""
    chars = emoji.emojize(f":{short_name}:", language="alias")
    return _name(chars) if emoji.is_emoji(chars) else _CAMEL.sub(" ", short_name)


def _name(chars: str) -> str:
    name: str = emoji.EMOJI_DATA[chars]["en"]
    return f"flag of {name}" if _COUNTRY.fullmatch(chars) else name


def _in_words(short_name: str) -> str:
    plain = _SKIN_TONE.sub("", short_name).replace("keycap_", "").replace("_", " ")
    return " ".join(_NOT_A_WORD.sub(" ", plain.replace("’", "'")).split())
