"""Dialogue: ``Alice: hello / Bob: hi`` in lines, each with the voice that is named in front of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeVar

from bot.errors import MemberError
from bot.limits import MAX_DIALOGUE_LINES, MAX_DIALOGUE_VOICES, MAX_VOICE_NAME_GRAPHEMES
from bot.models import Line
from bot.text.characters import has_words, pattern
from bot.text.discord_markup import Names, cover
from bot.text.labels import excerpt
from bot.text.speakable import check_length, check_text, speakable

V = TypeVar("V")

_LABEL_CHARS: Final = 5 * MAX_VOICE_NAME_GRAPHEMES  # code points, with what is written around a name
_NOBODY: Final = Names()
_BETWEEN = pattern(r"((?<!\s)[^\S\n]++/[^\S\n]++|(?<!\s)[^\S\n]*+／[^\S\n]*+|\n)")
_COLON = pattern(r"[:：]")
_AROUND_NAME = pattern(  # quotes, list marks, bold, unseen marks
    r"^[\s\p{Cf}/>*_~-]++|(?<![\s\p{Cf}*_~])[\s\p{Cf}*_~]++$"
)
_NAME_LIKE = pattern(r"\p{L}[\p{L}\p{M}\p{N}'’.-]*+(?: [\p{L}\p{M}\p{N}'’.-]++){0,2}+")
_SPEAKS = pattern(r"：|:[*_]*+(?=\s)")  # and not 12:30, nor an address


@dataclass(frozen=True, slots=True)
class _Piece:
    """What stands between two separators. ``label`` is what is in front of its first colon.

    ``before`` is the separator, ``words`` what follows the label.
    """

    before: str
    text: str
    label: str = ""
    words: str = ""
    looks_like_a_name: bool = False


def lines_of(text: str, known: Callable[[str], V | None]) -> list[Line[V]]:
    """Return the lines of the dialogue in ``text`` as they are written; none if it is no dialogue.

    ``known`` gives the voice of a name, written in any way that counts as the same name, or None. A line
    begins with the name of a known voice and a colon: at the beginning, after " / ", or after a line break.
    What stands before the first line is one of nobody's voice. Lines in a row of one voice are one line.
    Spoilers and code blocks are part of the line they stand in, without their content.

    Raises `MemberError` when somebody speaks who is not known, with too many voices or lines, and where
    `check_length` does.
    """
    check_length(text)
    pieces = list(_pieces(text))
    voices = [known(piece.label) if piece.label else None for piece in pieces]
    if all(voice is None for voice in voices):
        return []
    _refuse_strangers(pieces, voices)
    lines: list[Line[V]] = []
    for piece, voice in zip(pieces, voices, strict=True):
        if lines and voice in (None, lines[-1].voice):
            more = piece.before + piece.text if voice is None else f"\n{piece.words}"
            lines[-1] = replace(lines[-1], text=lines[-1].text + more)
        else:
            lines.append(Line(voice, piece.text if voice is None else piece.words))
    lines = [replace(line, text=line.text.strip()) for line in lines if line.text.strip()]
    _refuse_too_many(lines)
    return lines


def labels_in(text: str) -> set[str]:
    """Return what `lines_of` asks about: all that stands where the name of a voice can.

    Raises `MemberError` where `check_length` does.
    """
    check_length(text)
    return {piece.label for piece in _pieces(text) if piece.label}


def check_lines(lines: Sequence[Line[V]], names: Names = _NOBODY) -> tuple[Line[V], ...]:
    """Return ``lines`` as they can be said, without those in which there is nothing to say.

    Raises `MemberError` as `check_text` does, for all of them together.
    """
    said = [replace(line, text=speakable(line.text, names)) for line in lines]
    said = [line for line in said if has_words(line.text)]
    check_text("\n".join(line.text for line in said))
    return tuple(said)


def _pieces(text: str) -> Iterator[_Piece]:
    # What is hidden is covered before anything is split: a piece of a spoiler would no longer be one.
    parts = ["", *_BETWEEN.split("\n".join(cover(text).splitlines()))]
    for before, piece in zip(parts[::2], parts[1::2], strict=True):
        colon = _COLON.search(piece, 0, _LABEL_CHARS)
        label = " ".join(_AROUND_NAME.sub("", piece[: colon.start()]).split()) if colon else ""
        if colon is None or not label:
            yield _Piece(before, piece)
            continue
        is_name = _NAME_LIKE.fullmatch(label) is not None and _SPEAKS.match(piece, colon.start()) is not None
        yield _Piece(before, piece, label, piece[colon.end() :], is_name)


def _refuse_strangers(pieces: Sequence[_Piece], voices: Sequence[object]) -> None:
    """Raise `MemberError` for the first speaker who is not known, if it is clear that it is a speaker.

    It is where every piece names one, or two known ones speak. Elsewhere ``Note: this`` is part of the text.
    """
    written = [(piece, voice) for piece, voice in zip(pieces, voices, strict=True) if piece.text.strip()]
    speakers = [voice is not None or piece.looks_like_a_name for piece, voice in written]
    if not speakers[0] or not (all(speakers) or len(_distinct(voices)) > 1):
        return
    for piece, voice in written:
        if voice is None and piece.looks_like_a_name:
            raise MemberError(
                f"There's no voice called {excerpt(piece.label, MAX_VOICE_NAME_GRAPHEMES)} here. "
                "Type /voice list to see them all, or leave out the colon."
            )


def _refuse_too_many(lines: Sequence[Line[V]]) -> None:
    voices = _distinct([line.voice for line in lines])
    if len(voices) > MAX_DIALOGUE_VOICES:
        raise MemberError(f"That dialogue has {len(voices)} voices, and the limit is {MAX_DIALOGUE_VOICES}.")
    if len(lines) > MAX_DIALOGUE_LINES:
        raise MemberError(f"That dialogue has {len(lines)} lines, and the limit is {MAX_DIALOGUE_LINES}.")


def _distinct(voices: Sequence[object]) -> list[object]:
    found: list[object] = []
    for voice in voices:
        if voice is not None and voice not in found:
            found.append(voice)
    return found
