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
    closings = _closings(text)
    start = _visible_from(text, 0)
    ends: list[int] = []
    while text[start : start + 1] and text[start] in _OPENING + _CLOSING:
        if ends and start == ends[-1]:  # nothing was in it
            ends.pop()
            start += 1
        elif start in closings:
            ends.append(closings[start])
            start += 1
        elif text[start] in _OPENING:
            start = len(text) - len(text[start:].lstrip(_OPENING))
        else:
            break
        start = _visible_from(text, start)
    said = ""
    for end in [*reversed(ends), len(text)]:
        said, start = _joined(said, text[start:end].strip() if ends else text[start:end]), end + 1
    return said


def _joined(said: str, more: str) -> str:
    if not said or not more:
        return said or more
    return f"{said}, {more}" if said[-1].isalnum() and more[0].isalnum() else f"{said} {more}"


def _closings(text: str) -> dict[int, int]:
    """Return where each opening bracket that is closed at all is closed; any closes any."""
    found: dict[int, int] = {}
    opened: list[int] = []
    for index, character in enumerate(text):
        if character in _OPENING:
            opened.append(index)
        elif character in _CLOSING and opened:
            found[opened.pop()] = index
    return found


def _visible_from(text: str, index: int) -> int:
    while index < len(text) and unicodedata.category(text[index]) in ("Cc", "Cf", "Zs", "Zl", "Zp", "Mn"):
        index += 1
    return index
