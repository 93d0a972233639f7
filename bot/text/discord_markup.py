"""Discord markup: markdown, mentions, emoji and addresses, as they are said aloud."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

import emoji

from bot.text.characters import ANY_CHARACTER, IGNORE_CASE, LINES, clean_characters, has_words, pattern

_CODE_BLOCK = pattern(r"```.*?```", ANY_CHARACTER)
_SPOILER = pattern(r"\|\|.+?\|\|", ANY_CHARACTER)
_MASKED_LINK = pattern(
    r"\[(?P<text>[^\[\]]+)\]"
    r"\(\s*+<?[a-z][a-z0-9+.-]{0,20}://[^\s<>()]*+(?:\([^\s<>()]*+\)[^\s<>()]*+)*+>?(?:\s++\"[^\"]*+\")?\s*+\)",
    IGNORE_CASE,
)
_HEADING = pattern(r"^(?:[^\S\n]*+>)*+[^\S\n]*+#{1,3}[^\S\n]++[^\n]++", LINES)
_LINE_START = pattern(
    # quote, heading, small print, list item: as often as they are nested
    r"^[^\S\n]*+(?:(?:>{1,3}|\#{1,3}|-\#|[-*•])[^\S\n]++)++",
    LINES,
)

_TIMES = pattern(r"(?<=\d) ?\*{1,2} ?(?=\d)")
_UNDERSCORE_IN_WORD = pattern(r"(?<=[^\W_])_++(?=[^\W_])")
_HEART = pattern(r"(?<![\w<])(?:<3)++(?!\w)")
_EMOTICON = pattern(r"(?<!\S)>?[:;=]'?-?[()DPpOo3/\\|*]++(?!\S)")
_COMPARISON = pattern(r"(?<=\w) ([<>]) (?=\w)")
_ABOUT = pattern(r"(?<![\w~])~(?=\d)")
_NUMBER_SIGN = pattern(r"(?<![\w#])#(?=\d)")
_SHARP = pattern(r"(?<=\b[A-Ga-g])#(?!\w)")
_SHRUG = pattern(r"¯\\*_*\(ツ\)_*/¯")
_MARKS = pattern(r"[*_`^]++|\\(?=[^\w\s])")
_WALLS = pattern(r"[|~<>#\\]++")


def read_layout(text: str) -> str:
    """Return ``text`` with code blocks and spoilers named, masked links as their words, and plain lines.

    A heading is a paragraph.
    """
    text = _CODE_BLOCK.sub(" code block ", text)
    text = _SPOILER.sub(" spoiler ", text)
    text = _MASKED_LINK.sub(r"\g<text>", text)
    return _LINE_START.sub("", _HEADING.sub("\n\\g<0>\n", text))


def drop_marks(text: str) -> str:
    """Return ``text`` without the marks of emphasis, and with the signs between numbers as words.

    Emphasis is not parsed: a mark that shows itself is no more use to a voice than one that does not.
    """
    text = _SHRUG.sub(" shrug ", text)
    text = _TIMES.sub(" times ", text)
    text = _EMOTICON.sub(" ", _HEART.sub("heart", text))
    text = _COMPARISON.sub(lambda match: " less than " if match[1] == "<" else " greater than ", text)
    text = _ABOUT.sub("about ", text)
    text = _NUMBER_SIGN.sub("number ", text)
    text = _SHARP.sub(" sharp", text)
    text = _UNDERSCORE_IN_WORD.sub(" ", text)
    return _WALLS.sub(" ", _MARKS.sub("", text))


_MENTION = pattern(r"<(?P<kind>@!?|@&|#)(?P<id>\d{1,20})>")
_EVERYONE = pattern(r"(?<!@)@++(everyone|here)\b")
_COMMAND = pattern(r"</(?P<name>[^<>:\n]{1,100}):\d{1,20}>")
_GUIDE = pattern(r"<id:(customize|browse|guide|home|linked-roles)(?::\d{1,20})?>")
_CUSTOM_EMOJI = pattern(r"<a?:(?P<name>\w{1,32}):\d{1,20}>")
_TIME = pattern(r"<t:(?P<seconds>-?\d{1,17})(?::(?P<style>[tTdDfFsSR]))?>")
_CHANNEL_LINK = pattern(
    r"<?https?://(?:\w+\.)?discord(?:app)?\.com/channels/(?:\d{1,20}|@me)/(?P<id>\d{1,20})(?:/\d{1,20})?/?>?"
)
_UNSAYABLE = pattern(r"[^\p{L}\p{M}\p{N} '.&-]+")

_UNITS = (("year", 31_557_600), ("month", 2_629_800), ("day", 86_400), ("hour", 3_600), ("minute", 60))


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids in a text are called, and when now is. What is not known is called by its kind."""

    members: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    now: datetime | None = None  # with a time zone; without it, `<t:…:R>` is said as a date

    def of(self, kind: str, number: int) -> str:
        """Return how to say the thing of ``kind`` (``@``, ``@&`` or ``#``) with this id."""
        if kind == "#":
            return _sayable(self.channels.get(number), "a channel")
        if kind == "@&":
            return _sayable(self.roles.get(number), "a role")
        return _sayable(self.members.get(number), "someone")


def resolve_names(text: str, names: Names) -> str:
    """Return ``text`` with Discord's notation in words; custom emoji become ``:name:``."""
    text = _MENTION.sub(lambda match: names.of(match["kind"], int(match["id"])), text)
    text = _EVERYONE.sub(r"\1", text)
    text = _COMMAND.sub(lambda match: _sayable(match["name"], "a command"), text)
    text = _GUIDE.sub(lambda match: f"the {_sayable(match[1].replace('-', ' '), 'server')} page", text)
    text = _CUSTOM_EMOJI.sub(r" :\g<name>: ", text)
    text = _TIME.sub(lambda match: _time(int(match["seconds"]), match["style"] or "f", names.now), text)
    return _CHANNEL_LINK.sub(lambda match: f" link to {names.of('#', int(match['id']))} ", text)


def _sayable(name: str | None, otherwise: str) -> str:
    plain = " ".join(_UNSAYABLE.sub(" ", clean_characters(name or "")).split()).strip(" -.&'")
    return plain if has_words(plain) else otherwise


def _time(seconds: int, style: str, now: datetime | None) -> str:
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return "some time"
    if style == "R" and now is not None:
        return _relative((moment - now).total_seconds())
    date = f"{moment.day} {moment:%B} {moment.year}"
    clock = f"{moment:%H:%M} UTC"  # everybody's own zone is known to their own Discord only
    if style in "tT":
        return clock
    if style in "dDR":
        return date
    return f"{date} at {clock}"


def _relative(seconds: float) -> str:
    for unit, length in _UNITS:
        count = round(abs(seconds) / length)
        if count:
            amount = f"{count} {unit}{'s' if count > 1 else ''}"
            return f"in {amount}" if seconds > 0 else f"{amount} ago"
    return "now"


MAX_NAMED: Final = 3
"""Emoji named in one text; the others are not said. Each is said once, however often it is shown."""

_MAX_RUN: Final = 200  # characters; the longest emoji has ten

_PART = r"\p{Extended_Pictographic}\p{Emoji_Modifier}\p{Regional_Indicator}"
_EMOJI = pattern(rf"[{_PART}][{_PART}\u200D\uFE0F\u2640\u2642\U000E0020-\U000E007F]*+|[0-9#*]\uFE0F?\u20E3")
_BY_NAME = pattern(r"(?<![\w:]):(?P<name>[\w+-]{2,32}):(?![\w:])")
_SKIN_TONE = pattern(r"_?(?:medium[-_])?(?:light|medium|dark)_skin_tone")
_COUNTRY = pattern(r"[\U0001F1E6-\U0001F1FF]{2}")
_CAMEL = pattern(r"(?<=\p{Ll})(?=\p{Lu})")
_NOT_A_WORD = pattern(r"[^\p{L}\p{M}\p{N}'&.-]+")
_LEFT_OVER = pattern(r"[\uFE0F\u20E3]|(?<![\p{L}\p{M}])\u200D|\u200D(?![\p{L}\p{M}])|[\U000E0020-\U000E007F]")


def name_emoji(text: str) -> str:
    """Return ``text`` with its emoji in words, without skin tones: both 😀 and ``:name:``."""
    spoken = _Spoken()
    text = _BY_NAME.sub(lambda match: spoken.say(_official(match["name"])), text)
    text = _EMOJI.sub(lambda match: _say_all(match[0], spoken), text)
    return _LEFT_OVER.sub("", text)


class _Spoken:
    """The emoji of one text that were said already."""

    def __init__(self) -> None:
        self._names: set[str] = set()

    def say(self, short_name: str) -> str:
        """Return the words for an emoji, between spaces; only a space when it is not to be said."""
        name = _in_words(short_name)
        if name.casefold() in self._names or len(self._names) >= MAX_NAMED:
            return " "
        if name:
            self._names.add(name.casefold())
        return f" {name} "


def _say_all(chars: str, spoken: _Spoken) -> str:
    # The package looks at every character in Python, so it sees only emoji, and not a wall of them.
    return emoji.replace_emoji(chars[:_MAX_RUN], lambda one, _: spoken.say(_name(one)))


def _official(short_name: str) -> str:
    """Return the name of the emoji that Discord calls ``short_name``; a server's own is called as it is."""
    chars = emoji.emojize(f":{short_name}:", language="alias")
    return _name(chars) if emoji.is_emoji(chars) else _CAMEL.sub(" ", short_name)


def _name(chars: str) -> str:
    name: str = emoji.EMOJI_DATA[chars]["en"]
    return f"flag of {name}" if _COUNTRY.fullmatch(chars) else name


def _in_words(short_name: str) -> str:
    plain = _SKIN_TONE.sub("", short_name).replace("keycap_", "").replace("_", " ")
    return " ".join(_NOT_A_WORD.sub(" ", plain.replace("’", "'")).split())


MAX_HOST_CHARS: Final = 40
"""A longer domain is only called "a link"."""

_URL = pattern(
    r"<?(?<![a-z0-9+.-])(?:[a-z][a-z0-9+.-]{0,20}://|www\.(?=[a-z0-9]))[^\s<>]*[^\s<>.,!?;:'\"()\[\]{}]>?",
    IGNORE_CASE,
)
_AUTHORITY = pattern(
    r"\A(?:[a-z][a-z0-9+.-]{0,20}://)?(?:[^/?#@]*+@)?(?:www\.)?(?P<host>[^/?#:]*+)", IGNORE_CASE
)
_HOST = pattern(r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?")
_EMAIL = pattern(
    r"(?<![\w.+-])(?P<local>[\w.+-]{1,64})@(?P<domain>(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})\b", IGNORE_CASE
)
_DOTTED = pattern(
    # Bare domains and file names. No ending here is an English word: "the end.so I left" is two sentences.
    r"(?<![\w.-])(?:[\w-]{1,63}\.){1,4}"
    r"(?:com|org|net|edu|gov|dev|app|wiki|gg|tv|uk|eu|fr|jp|io|ai"
    r"|txt|pdf|docx?|xlsx?|pptx?|csv|json|ya?ml|toml|xml|html?|css|js|ts|py|rs|cpp|md|sh|exe|dll|zip|rar|7z|gz"
    r"|png|jpe?g|gif|webp|svg|mp3|mp4|wav|ogg|flac|webm|mov)(?P<path>/[^\s<>]*)?(?![\w-]|\.\w)",
    IGNORE_CASE,
)


def say_addresses(text: str) -> str:
    """Return ``text`` with addresses, e-mail addresses, bare domains and file names in words."""
    text = _URL.sub(lambda match: f" {_link(match[0])} ", text)
    text = _EMAIL.sub(lambda match: f"{_dots(match['local'])} at {_dots(match['domain'])}", text)
    return _DOTTED.sub(_dotted, text)


def _link(url: str) -> str:
    match = _AUTHORITY.match(url.lstrip("<"))
    host = match["host"].rstrip(".") if match else ""
    if len(host) > MAX_HOST_CHARS or "xn--" in host.lower() or not _HOST.fullmatch(host):
        return "a link"
    return f"link to {_dots(host)}"


def _dotted(match: re.Match[str]) -> str:
    return f" {_link(match[0])} " if match["path"] else _dots(match[0])


def _dots(name: str) -> str:
    return " dot ".join(part for part in name.split(".") if part)
