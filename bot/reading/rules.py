"""Rules of what is read aloud, and how it is worded. Pure: a message goes in, and what is said comes out."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final

from bot.errors import MemberError
from bot.library.reading import ReadingRules
from bot.limits import MAX_OPTION_CHARS, MAX_SPOKEN_NAME_CHARS
from bot.reading.dictionary import Dictionary
from bot.text.characters import IGNORE_CASE, first_characters, has_words, pattern
from bot.text.discord_markup import Names
from bot.text.languages import ENGLISH
from bot.text.notation import calm
from bot.text.pictures import drop_emoji
from bot.text.segments import Break, Breaks
from bot.text.speakable import join_lines, shown_language, speakable
from bot.text.speaking_time import seconds_up_to, speaking_seconds
from bot.text.words import PHRASES, WORDS, Phrases

NOT_READ_SIGN: Final = ";"
"""A message that begins with one of it is not read, whatever else a server sets; with two it is."""

SAME_IN_A_ROW: Final = 2
"""So many equal messages in a row are read; from the next on they are not."""


class AttachmentKind(Enum):
    """What an attachment is."""

    IMAGE = "image"
    GIF = "gif"
    VIDEO = "video"
    SOUND = "sound"
    VOICE_MESSAGE = "voice message"
    FILE = "file"


@dataclass(frozen=True, slots=True)
class Attached:
    """One attachment. ``is_hidden``: it is shown only to who presses on it."""

    kind: AttachmentKind
    is_hidden: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """What a message shows, as far as it can be read. ``forwarded`` are the messages that it forwards.

    ``question`` and ``answers`` are those of a poll. The rest says of what kind it is: written without
    notifying anybody, by a bot or a webhook, the answer of a command, or Discord's own.
    """

    content: str = field(default="", repr=False)
    attached: tuple[Attached, ...] = ()
    stickers: tuple[str, ...] = ()
    forwarded: tuple[Written, ...] = ()
    question: str = ""
    answers: tuple[str, ...] = ()
    is_silent: bool = False
    is_bots: bool = False
    is_commands_answer: bool = False
    is_systems: bool = False


class Unread(Enum):
    """Why a message is not read."""

    SYSTEM = "Discord's own message"
    ANSWER = "the answer of a command"
    BOT = "written by a bot or a webhook"
    SILENT = "sent with @silent"
    SIGN = "begins with the sign for it"
    PREFIX = "begins with the server's prefix"


def unread_reason(written: Written, rules: ReadingRules) -> Unread | None:
    """Return why a message is not read, whoever has written it; None: it is read."""
    begin = written.content.lstrip()
    if written.is_systems:
        return Unread.SYSTEM
    if written.is_commands_answer:
        return Unread.ANSWER
    if written.is_bots and not rules.reads_bots:
        return Unread.BOT
    if written.is_silent:
        return Unread.SILENT
    if begin.startswith(NOT_READ_SIGN) and not begin.startswith(2 * NOT_READ_SIGN):
        return Unread.SIGN
    if rules.prefix and begin.casefold().startswith(rules.prefix.casefold()):
        return Unread.PREFIX
    return None


@dataclass(frozen=True, slots=True)
class Said:
    """What is said of a message, in lines; and the language in which our own words are. It may be empty."""

    text: str = field(repr=False)
    language: str


_NO_NAMES: Final = Names()
_NO_WORDS: Final = Dictionary()

_GIF = pattern(
    r"(?<!\()<?https?://(?:(?:[\w-]{1,63}\.){0,4}(?:tenor|giphy|klipy|gfycat)\.com/[^\s<>|]*+"
    r"|[^\s<>?#|]{1,500}?\.gif(?:\?[^\s<>|]*+)?+(?![^\s<>|]))>?",
    IGNORE_CASE,
)


def said_of(
    written: Written,
    rules: ReadingRules,
    *,
    names: Names = _NO_NAMES,
    dictionary: Dictionary = _NO_WORDS,
    otherwise: str = ENGLISH,
) -> Said:
    """Return what is said of a message: its words, and behind them what else it shows.

    ``otherwise`` is the language of our own words where the message does not tell. It is not cut yet, see
    `shortened`.
    """
    content = written.content[:MAX_OPTION_CHARS]
    language = shown_language(content, otherwise)
    phrases = PHRASES[language]
    parts = [_words_of(content, rules, names, language), *_behind(written, rules, names, language)]
    for one in written.forwarded:
        inner = said_of(one, rules, names=names, otherwise=language).text
        parts.append(phrases.forwarded.format(inner) if has_words(inner) else "")
    text = dictionary.apply(join_lines("\n".join(part for part in parts if has_words(part))))
    return Said(first_characters(text, MAX_OPTION_CHARS), language)


def _words_of(content: str, rules: ReadingRules, names: Names, language: str) -> str:
    text = _GIF.sub(f" {PHRASES[language].gif} ", content)
    if not rules.names_emoji:
        text = drop_emoji(text)
    return speakable(text[:MAX_OPTION_CHARS], names, otherwise=language)


def _behind(written: Written, rules: ReadingRules, names: Names, language: str) -> list[str]:
    """Return what is said behind the words: a poll, what is attached, stickers."""
    phrases, parts = PHRASES[language], []
    if written.question:
        question = _words_of(written.question, rules, names, language)
        answers = [_words_of(answer, rules, names, language) for answer in written.answers]
        parts += [phrases.poll.format(question), ", ".join(filter(has_words, answers))]
    parts += [", ".join(_attachments(written.attached, language))]
    for sticker in dict.fromkeys(written.stickers):
        parts.append(phrases.sticker.format(_words_of(sticker, rules, names, language)))
    return parts


def _attachments(attached: Sequence[Attached], language: str) -> list[str]:
    phrases = PHRASES[language]
    said = []
    for is_hidden in (False, True):
        kinds = [one.kind for one in attached if one.is_hidden is is_hidden]
        for kind in dict.fromkeys(kinds):
            counted = _counted(kind, kinds.count(kind), phrases, language)
            said.append(phrases.hidden.format(counted) if is_hidden else counted)
    return said


def _counted(kind: AttachmentKind, count: int, phrases: Phrases, language: str) -> str:
    words = WORDS[language]
    one, several = {
        AttachmentKind.IMAGE: (words.image, phrases.images),
        AttachmentKind.VIDEO: (words.video, phrases.videos),
        AttachmentKind.SOUND: (phrases.sound, phrases.sounds),
        AttachmentKind.FILE: (phrases.file, phrases.files),
        AttachmentKind.GIF: (phrases.gif, ""),
        AttachmentKind.VOICE_MESSAGE: (phrases.voice_message, ""),
    }[kind]
    return several.format(count) if count > 1 and several else one


_LEAST_SHARE: Final = 0.4
"""A sentence that ends earlier than this share of the time would leave too much out."""


def shortened(said: Said, seconds: float) -> str:
    """Return what is said in about ``seconds`` at most: cut at a sentence, if there is one, and marked so.

    It takes a while for long texts.
    """
    text = said.text
    if speaking_seconds(text) <= seconds:
        return text
    times = seconds_up_to(text)
    end = next(index for index, time in enumerate(times) if time > seconds) - 1
    head = text[: _natural_end(text[:end], text[end : end + 1], _LEAST_SHARE * seconds)].rstrip()
    more = PHRASES[said.language].and_so_on
    if not has_words(more):
        return head
    return f"{head} {more}" if head[-1:] in ".!?…。！？" else f"{head.rstrip(',;:')}, {more}"


def _natural_end(head: str, after: str, least: float) -> int:
    """Return where ``head``, in front of ``after``, is best cut: behind a sentence, a clause or a word."""
    breaks = Breaks(head + after) if head else None
    if breaks is None:
        return 0
    found: dict[Break, int] = {}
    for index, kind in breaks.words:
        if index <= len(head) and kind is not Break.END and breaks.seconds[index] >= least:
            found[min(kind, Break.SENTENCE)] = index
    for kind in (Break.SENTENCE, Break.CLAUSE, Break.SPACE):
        if kind in found:
            return found[kind]
    return breaks.grapheme_before(len(head), 0) or len(head)


# -- names ----------------------------------------------------------------------------------------


def sayable_name(name: str, dictionary: Dictionary = _NO_WORDS, language: str = ENGLISH) -> str:
    """Return a member's name as it is said, short and in plain letters; "someone" where it has none."""
    plain = Names(members={1: name[:MAX_OPTION_CHARS]}).of("@", 1, WORDS[language])
    return dictionary.apply(first_characters(calm(plain, language), MAX_SPOKEN_NAME_CHARS).strip())


def check_spoken_name(name: str) -> str:
    """Return the name that a member wants to be called by. Raises `MemberError` where it cannot be said."""
    said = " ".join(speakable(name[:MAX_OPTION_CHARS]).split())
    if not has_words(said):
        raise MemberError("I can't say that. Write how your name sounds, in letters.")
    if len(first_characters(said, MAX_SPOKEN_NAME_CHARS)) < len(said):
        raise MemberError(f"That's too long. A name can have {MAX_SPOKEN_NAME_CHARS} characters.")
    return said


def with_name(name: str, text: str, language: str) -> str:
    """Return ``text`` with the name of its speaker in front."""
    return f"{name}：{text}" if language in ("ja", "zh") else f"{name}: {text}"


_NAMED: Final = 3


def announced(joined: Sequence[str], left: Sequence[str], language: str) -> str:
    """Return in a sentence or two who came and who went; of many only the first are named."""
    phrases = PHRASES[language]
    parts = [
        phrase.format(_listed(names, phrases))
        for names, phrase in ((joined, phrases.joined), (left, phrases.left))
        if names
    ]
    return ". ".join(parts)


def _listed(names: Sequence[str], phrases: Phrases) -> str:
    shown: Iterable[str] = names
    if len(names) > _NAMED:
        shown = (*names[: _NAMED - 1], phrases.others.format(len(names) - _NAMED + 1))
    return ", ".join(shown)


class Repeats:
    """Equal messages of one channel, in a row: the third is not read, nor those after it."""

    def __init__(self) -> None:
        self._last = ""
        self._times = 0

    def is_too_many(self, text: str) -> bool:
        """Take in what is said next, and return whether it was said often enough."""
        folded = text.casefold()
        self._times = self._times + 1 if folded == self._last else 1
        self._last = folded
        return self._times > SAME_IN_A_ROW
