"""Names of voices: what may be one, and when two are the same."""

from __future__ import annotations

import re
from typing import Final
from unicodedata import category, normalize

from bot.errors import MemberError
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.text.characters import count_characters, has_words

_MAX_CODE_POINTS: Final = 4 * MAX_VOICE_NAME_GRAPHEMES
"""So that no name hides its weight in marks; flags and families of emoji have up to 11 each."""

_MAX_TYPED: Final = 4 * _MAX_CODE_POINTS
"""With marks written apart from their letters and blanks around it; of what is longer nothing is read."""

_NO_KEY: Final = "\n"  # in no name

_MARKUP: Final = re.compile(r"[*_~`|<>@#\\/\[\]{}:：\"]|^[-+>#]|^\d+[.)]")
_HIDDEN: Final = ("Cc", "Cs", "Co", "Cn", "Zl", "Zp")
_TOO_LONG: Final = f"That name is too long. Use at most {MAX_VOICE_NAME_GRAPHEMES} characters."
_JOINERS: Final = "\u200c\u200d"  # they shape words in some scripts, and hold an emoji together
_UNSEEN: Final = dict.fromkeys(map(ord, (*_JOINERS, "\ufe0e", "\ufe0f")))


def check_name(text: str) -> str:
    """Return the name as it is shown: one spelling, one blank between words.

    Raises `MemberError` with the sentence for what cannot be a name.
    """
    if len(text) > _MAX_TYPED:
        raise MemberError(_TOO_LONG)
    name = " ".join(normalize("NFC", text).split())
    if not has_words(name):
        raise MemberError("A voice needs a name with at least one letter or digit. Try another one.")
    if count_characters(name) > MAX_VOICE_NAME_GRAPHEMES or len(name) > _MAX_CODE_POINTS:
        raise MemberError(_TOO_LONG)
    if _MARKUP.search(name) or any(_is_hidden(character) for character in name):
        raise MemberError("That name has characters I cannot use. Use letters, digits, blanks and emoji.")
    return name


def name_key(name: str) -> str:
    """Return what is the same for names that people take for the same: ``ALICE``, ``alice``, ``Ａlice``.

    For a text that is too long for any name, what is the same as and part of no name's.
    """
    if len(name) > _MAX_TYPED:
        return _NO_KEY
    seen = name.translate(_UNSEEN)
    return " ".join(normalize("NFKC", normalize("NFKC", seen).casefold()).split())


def _is_hidden(character: str) -> bool:
    kind = category(character)
    return kind in _HIDDEN or (kind == "Cf" and character not in _JOINERS)
