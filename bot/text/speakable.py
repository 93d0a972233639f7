"""Speakable text: from what a member wrote to what a voice can say."""

from __future__ import annotations

from itertools import groupby
from typing import Final
from unicodedata import category

from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS, MAX_TEXT_BYTES, MAX_TEXT_GRAPHEMES, MAX_UTTERANCE_SECONDS
from bot.text.characters import IGNORE_CASE, clean_characters, count_characters, has_words, pattern
from bot.text.discord_markup import Names, PieceKind, drop_layout, pieces, resolve_names, say_addresses
from bot.text.languages import ENGLISH, language_of, tells_language
from bot.text.notation import calm, say_code, say_signs
from bot.text.pictures import drop_faces, name_emoji
from bot.text.speaking_time import speaking_seconds
from bot.text.words import WORDS

_TAGS = ("laughing", "sigh", "Uhm", "Shh", "Question-ah")  # sounds that VoxCPM2 makes when it reads these

_SQUARE_OR_CURLY = pattern(
    rf"\[\s*+(?P<tag>{'|'.join(_TAGS)})\s*+\]|[\[\]{{}}]",
    IGNORE_CASE,  # curly ones hold phonemes
)
_LEADING = pattern(r"^[\s()（）]*[(（][\s()（）]*+(?P<aside>[^()（）]*+)(?P<closed>[)）]*+)")
_SPOKEN_TAG = {tag.casefold(): f"[{tag}]" for tag in _TAGS}


def disarm_brackets(text: str) -> str:
    """Return ``text`` without brackets that would change the voice instead of being said.

    The model takes round brackets at the very start for a description of the voice. Ours are sent as a
    style; a member's become an aside: ``(psst) hello`` → ``psst, hello``.
    """
    text = _SQUARE_OR_CURLY.sub(lambda match: _SPOKEN_TAG.get((match["tag"] or "").casefold(), " "), text)
    leading = _LEADING.match(text)
    if leading is None:
        return text
    aside, rest = leading["aside"].strip(), text[leading.end() :]
    if rest[: len(rest) - len(rest.lstrip())].count("\n"):  # a line of its own is a sentence of its own
        return f"{aside}{rest}"
    rest = rest.lstrip()
    comma = "," if leading["closed"] and aside[-1:].isalnum() and rest[:1].isalnum() else ""
    return f"{aside}{comma} {rest}"


_CLOSERS = "\"'-)]}」』）"
_SPACE_TO_DROP = pattern(r"(?<=[(（「『【《]) | (?=[,.;:!?)](?!\w)|[，。、！？；：）」』】》])")


def join_lines(text: str) -> str:
    """Return ``text`` without lines that say nothing, and with one empty line between two paragraphs.

    Lines with nothing to say, the empty ones among them, are what is between paragraphs. A line that ends
    without a stop gets one, so that its end is heard; only the last is left as it is.
    """
    lines = (_SPACE_TO_DROP.sub("", " ".join(line.split())) for line in text.split("\n"))
    paragraphs = [list(group) for said, group in groupby(lines, key=has_words) if said]
    ended = [[line if _has_stop(line) else f"{line}." for line in group] for group in paragraphs]
    if paragraphs:
        ended[-1][-1] = paragraphs[-1][-1]
    return "\n\n".join(map("\n".join, ended))


def _has_stop(line: str) -> bool:
    return category(line.rstrip(_CLOSERS)[-1:] or "-").startswith("P")


_PASSES: Final = 5
_NO_NAMES: Final = Names()
_SIGN = pattern(r"[^\p{L}\p{M}\p{N}\s]++")


def speakable(text: str, names: Names = _NO_NAMES, *, otherwise: str = ENGLISH) -> str:
    """Return ``text`` as it can be said: no notation, no addresses, no decoration, and nothing hidden.

    It has the lines that it was written in, each ended by a stop, and an empty line between two paragraphs.
    Words of our own are in its language, or in ``otherwise`` where nothing tells that. What is speakable
    already comes back as it is. The result may be empty. Raises `MemberError` where `check_length` does.
    """
    check_length(text)
    text, language = _show(text, otherwise)
    for _ in range(_PASSES):
        before, text = text, _read(text, names, language)
        if text == before:  # taking one thing away may have shown another
            return text
    return _words_only(text)


def shown_language(text: str, otherwise: str = ENGLISH) -> str:
    """Return the language of what ``text`` shows, as `speakable` has it."""
    return _show(text, otherwise)[1]


def check_length(text: str) -> None:
    """Raise `MemberError` for a text that is longer than Discord lets anybody type, before it is read."""
    if len(text) > MAX_OPTION_CHARS:
        raise MemberError(_too_long(len(text), MAX_TEXT_GRAPHEMES, "characters"))


def check_text(text: str) -> str:
    """Return ``text``, as `speakable` gave it, if it can be sent to the TTS gateway.

    Raises `MemberError` when there is nothing in it to say, or too much.
    """
    text = text.strip()
    check_length(text)
    if not has_words(text):
        raise MemberError("I can't read that aloud. Add some words.")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise MemberError(_too_long(size, MAX_TEXT_BYTES, "bytes"))
    length = count_characters(text)
    if length > MAX_TEXT_GRAPHEMES:
        raise MemberError(_too_long(length, MAX_TEXT_GRAPHEMES, "characters"))
    seconds = speaking_seconds(text)
    if seconds > MAX_UTTERANCE_SECONDS:
        raise MemberError(
            f"That text is too long: it would take about {seconds:.0f} seconds, and the limit is "
            f"{MAX_UTTERANCE_SECONDS:.0f}."
        )
    return text


def _show(text: str, otherwise: str) -> tuple[str, str]:
    """Return ``text`` with what is hidden in it named, and its language."""
    # As it was written: a character that is not shown may stand between two bars.
    found = list(pieces(text))
    shown = "\n".join(piece.text for piece in found if piece.kind is PieceKind.PLAIN)
    shown = drop_faces(clean_characters(shown))
    language = language_of(shown) if tells_language(shown) else otherwise
    words = WORDS[language]
    said = {PieceKind.SPOILER: f" {words.spoiler} ", PieceKind.CODE_BLOCK: f" {words.code_block} "}
    return "".join(
        said[piece.kind]
        if piece.kind in said
        else say_code(piece.text, language)
        if piece.kind is PieceKind.CODE
        else piece.text
        for piece in found
    ), language


def _read(text: str, names: Names, language: str) -> str:
    # Characters come first: an invisible one dropped later could complete a mention or an address.
    text = clean_characters(text)
    text = resolve_names(text, names, language)
    text = drop_faces(text, WORDS[language].shrug)
    text = drop_layout(text)
    text = say_addresses(text, language)
    text = name_emoji(text, language)
    text = say_signs(text, language)
    text = calm(text, language)
    return join_lines(disarm_brackets(text))


def _words_only(text: str) -> str:
    return join_lines(calm(_SIGN.sub(" ", text)))


def _too_long(length: int, limit: int, unit: str) -> str:
    return f"That text is too long: it has {length:,} {unit}, and the limit is {limit:,}."
