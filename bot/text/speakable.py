"""From what a member wrote to what a voice can say."""

from __future__ import annotations

from typing import Final

from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS, MAX_TEXT_BYTES, MAX_TEXT_GRAPHEMES, MAX_UTTERANCE_SECONDS
from bot.text.addresses import say_addresses
from bot.text.brackets import disarm_brackets
from bot.text.characters import clean_characters, count_characters, has_words
from bot.text.emojis import name_emoji
from bot.text.markdown import drop_marks, read_layout
from bot.text.names import Names, resolve_names
from bot.text.patterns import pattern
from bot.text.repeats import join_lines, shorten_repeats
from bot.text.speaking_time import speaking_seconds

_PASSES: Final = 5
_NO_NAMES: Final = Names()
_SIGN = pattern(r"[^\p{L}\p{M}\p{N}\s]++")


def speakable(text: str, names: Names = _NO_NAMES) -> str:
    """Return ``text`` as it can be said: no notation, no addresses, no decoration.

    It has the lines that it was written in, each ended by a stop, and an empty line between two paragraphs.
    What is speakable already comes back as it is. The result may be empty. Raises `MemberError` where
    `check_length` does.
    """
    check_length(text)
    for _ in range(_PASSES):
        before, text = text, _read(text, names)
        if text == before:  # taking one thing away may have shown another
            return text
    return _words_only(text)


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
        raise MemberError("There is nothing in that text that I can say. Write a few words.")
    size = len(text.encode("utf-8", "surrogatepass"))
    if size > MAX_TEXT_BYTES:
        raise MemberError(_too_long(size, MAX_TEXT_BYTES, "bytes"))
    length = count_characters(text)
    if length > MAX_TEXT_GRAPHEMES:
        raise MemberError(_too_long(length, MAX_TEXT_GRAPHEMES, "characters"))
    seconds = speaking_seconds(text)
    if seconds > MAX_UTTERANCE_SECONDS:
        raise MemberError(
            f"That text is too long: to say it takes about {seconds:.0f} seconds, "
            f"and I can talk for {MAX_UTTERANCE_SECONDS:.0f} at once."
        )
    return text


def _read(text: str, names: Names) -> str:
    # Characters come first: an invisible one dropped later could complete a mention or an address.
    text = clean_characters(text)
    text = resolve_names(text, names)
    text = read_layout(text)
    text = say_addresses(text)
    text = name_emoji(text)
    text = drop_marks(text)
    text = shorten_repeats(text)
    return join_lines(disarm_brackets(text))


def _words_only(text: str) -> str:
    return join_lines(shorten_repeats(_SIGN.sub(" ", text)))


def _too_long(length: int, limit: int, unit: str) -> str:
    return f"That text is too long: it has {length:,} {unit}, and I can say {limit:,} at once."
