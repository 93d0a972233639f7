"""The one string in which the model reads both the style and the text."""

from __future__ import annotations

import re
import unicodedata

from bot.limits import MAX_STYLE_CHARS

_OPENING = "(（﹙⁽₍❨❪⦅｟︵"
_CLOSING = ")）﹚⁾₎❩❫⦆｠︶"
_BRACKETS = re.compile(f"[{re.escape(_OPENING + _CLOSING)}]")


def text_with_style(text: str, style: str | None) -> str:
    """Return what goes out as `text`: ``(style)text``, or the text alone.

    Only what is in ``style`` can act as a style. The model takes a bracket in front of the text for
    a voice description, so a text that begins with one loses its brackets and keeps its words:
    ``(by the way) hello`` goes out as ``by the way, hello``. A style cannot close its own bracket.
    """
    words = _without_leading_brackets(_sendable(text))
    described = " ".join(_BRACKETS.sub(" ", _sendable(style or "")).split())[:MAX_STYLE_CHARS].strip()
    return f"({described}){words}" if described else words


def _sendable(text: str) -> str:
    return text.encode("utf-8", "ignore").decode("utf-8")  # half a surrogate pair is no character


def _without_leading_brackets(text: str) -> str:
    text = _without_invisible_start(text)
    while text[:1] and text[0] in _OPENING:
        end = _closing_index(text)
        if end is None:
            inner, rest = text.lstrip(_OPENING), ""
        else:
            inner, rest = text[1:end].strip(), text[end + 1 :].lstrip()
        comma = ", " if inner and rest and rest[0].isalnum() and inner[-1].isalnum() else " "
        text = _without_invisible_start(inner + comma + rest if rest else inner)
    return text


def _closing_index(text: str) -> int | None:
    depth = 0
    for index, character in enumerate(text):
        if character in _OPENING:
            depth += 1
        elif character in _CLOSING:
            depth -= 1
            if depth == 0:
                return index
    return None


def _without_invisible_start(text: str) -> str:
    index = 0
    while index < len(text) and unicodedata.category(text[index]) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn"):
        index += 1
    return text[index:]
