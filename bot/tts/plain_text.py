"""Foreign text on its way into our log: one short, harmless line."""

from __future__ import annotations

import html
import re
from typing import Final

MAX_DETAIL_CHARS: Final = 200
"""How much of a foreign text goes into our log."""

_UNREAD_BEGINS = re.compile(r"<(?:script|style)\b", re.IGNORECASE)
_UNREAD_ENDS = re.compile(r"</(?:script|style)\b", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")


def printable(text: str) -> str:
    """Return ``text`` in one line of at most `MAX_DETAIL_CHARS` printable characters."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text[: 50 * MAX_DETAIL_CHARS]).split())
    return line[:MAX_DETAIL_CHARS]


def text_of_page(page: str) -> str:
    """Return what a browser would show of ``page``, roughly, in time that grows no faster than it."""
    first, *others = _UNREAD_BEGINS.split(page)
    shown = [first]
    for part in others:
        end = _UNREAD_ENDS.search(part)
        shown.append("<" + part[end.end() :] if end else "")
    return html.unescape(_TAG.sub(" ", "".join(shown)))
