"""Short lines made of what a member wrote: a voice style, a file name, a label."""

from __future__ import annotations

from typing import Final
from unicodedata import combining, normalize

from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS, MAX_STYLE_CHARS
from bot.text.characters import (
    IGNORE_CASE,
    clean_characters,
    count_characters,
    first_characters,
    has_words,
    pattern,
)
from bot.text.discord_markup import Names, PieceKind, opened_pieces, resolve_names

MAX_STEM_CHARS: Final = 40
"""Longest file name we give, without its extension."""

_BRACKETS = str.maketrans("", "", "()（）")
_MARKDOWN = pattern(r"[\\*_~|`<>\[\]()#:.+=/-]")
_MENTION = pattern(r"@(?=\S)")

_ASCII = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "AE", "œ": "oe", "Œ": "OE", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L",
    "đ": "d", "Đ": "D", "ð": "d", "þ": "th", "ı": "i", "'": None,
})  # fmt: skip
_NO_STEM = pattern(r"[^A-Za-z0-9]+")
_RESERVED = pattern(r"con|prn|aux|nul|com\d|lpt\d|conin|conout|clock", IGNORE_CASE)
_FALLBACK: Final = "speech"


def check_style(style: str) -> str:
    """Return ``style`` as one line without round brackets, which the wire puts around it.

    Raises `MemberError` when it is empty or too long.
    """
    if len(style) > MAX_OPTION_CHARS:
        raise MemberError(_too_long(len(style)))
    words = one_line(style.translate(_BRACKETS))
    if not has_words(words):
        raise MemberError("Describe the voice in a few words, for example: an old man, slow and deep.")
    length = count_characters(words)
    if length > MAX_STYLE_CHARS:
        raise MemberError(_too_long(length))
    return words


def _too_long(length: int) -> str:
    return f"That style is too long: it has {length} characters, and the limit is {MAX_STYLE_CHARS}."


def file_stem(text: str) -> str:
    """Return a file name without extension that says what ``text`` is about, safe on every system.

    ASCII letters, digits and hyphens, at most 40; "speech" when the text has none of them.
    """
    plain = normalize("NFKD", clean_characters(text[:MAX_OPTION_CHARS]).translate(_ASCII))
    plain = "".join(char for char in plain if not combining(char))
    stem = _NO_STEM.sub("-", plain).strip("-")
    if len(stem) > MAX_STEM_CHARS:
        whole_words = stem[: MAX_STEM_CHARS + 1].rpartition("-")[0]
        stem = (whole_words or stem)[:MAX_STEM_CHARS].strip("-")
    if not stem:
        return _FALLBACK
    return f"{_FALLBACK}-{stem}" if _RESERVED.fullmatch(stem) else stem


def one_line(text: str, limit: int | None = None) -> str:
    """Return ``text`` as one clean line; past ``limit`` characters it is cut and ends in an ellipsis.

    For titles and tags: nothing is escaped. Of a text longer than members can type only that much is read.
    """
    line = " ".join(clean_characters(text[:MAX_OPTION_CHARS]).split())
    if limit is None or count_characters(line) <= limit:
        return line
    return f"{first_characters(line, limit - 1).rstrip()}…"


def excerpt(text: str, limit: int = 60) -> str:
    """Return ``text`` as one line of at most ``limit`` shown characters, to be put into a Discord message.

    It is escaped: no markdown, mention, time, emoji or link of the member's comes to life in it.
    """
    return _escaped(one_line(text, limit))


def _escaped(words: str) -> str:
    return _MENTION.sub("@\u200b", _MARKDOWN.sub(r"\\\g<0>", words))


_QUOTED_LINES: Final = 2
_LINE_CHARS: Final = 80
"""About what fits into one line of Discord's app beside its lists."""

_SPACE = pattern(r"\s++")
_Line = list[tuple[str, bool]]  # words, and whether they are hidden


def quote(text: str, names: Names) -> str:
    """Return the beginning of ``text`` as a quote of at most two lines, to be put into a Discord message.

    It is escaped as an `excerpt`, and nobody is pinged; what Discord hides as a spoiler stays one. It is
    empty if there is nothing to be shown.
    """
    lines = _lines_of(resolve_names(text[:MAX_OPTION_CHARS], names))
    shown = lines[:_QUOTED_LINES]
    limit = _LINE_CHARS * _QUOTED_LINES // max(1, len(shown))
    cut = [_cut(line, limit, goes_on=line is shown[-1] and len(lines) > len(shown)) for line in shown]
    return "\n".join(f"> {''.join(_shown(*part) for part in line)}" for line in cut)


def _lines_of(text: str) -> list[_Line]:
    """Return the lines of a text in which there is something to be seen."""
    lines: list[_Line] = [[]]
    for piece in opened_pieces(text):
        first, *more = clean_characters(piece.text).split("\n")
        is_hidden = piece.kind is PieceKind.SPOILER
        lines[-1].append((first, is_hidden))
        lines += ([(line, is_hidden)] for line in more)
    spaced = ([(_SPACE.sub(" ", words), is_hidden) for words, is_hidden in line] for line in lines)
    return [line for line in spaced if any(words.strip() for words, _ in line)]


def _cut(line: _Line, limit: int, *, goes_on: bool) -> _Line:
    """Return a line without what is past ``limit``; an ellipsis stands for that, and for what ``goes_on``."""
    kept: _Line = []
    for words, is_hidden in line:
        length = count_characters(words)
        if length > limit:
            return [*kept, (f"{first_characters(words, max(0, limit - 1)).rstrip()}…", is_hidden)]
        kept.append((words, is_hidden))
        limit -= length
    return [*kept, (" …", False)] if goes_on else kept


def _shown(words: str, is_hidden: bool) -> str:
    """Return words for a message; no bar of theirs may end the spoiler they stand in."""
    inside = words.strip("|") if is_hidden else words
    return f"||{_escaped(inside)}||" if is_hidden and inside.strip() else _escaped(inside)
