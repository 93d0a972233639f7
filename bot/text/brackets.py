"""Brackets: VoxCPM reads some of them as orders, so a text may hold only those we mean."""

from __future__ import annotations

from bot.text.patterns import IGNORE_CASE, pattern

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
