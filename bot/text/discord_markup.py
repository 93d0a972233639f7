"""Discord's own notation and addresses: mentions, times, links, file names, as they are said aloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta

from bot.text.characters import IGNORE_CASE, clean_characters, has_words, pattern
from bot.text.languages import ENGLISH, UNKNOWN
from bot.text.pictures import drop_faces
from bot.text.words import WORDS, OurWords

_MENTION = pattern(r"<(?P<kind>@!?|@&|#)(?P<id>\d{1,20})>")
_TOUCHING = pattern(r"(?<=[\p{Latin}\p{Cyrillic}\p{Greek}\p{N}>])(?=<(?:@[!&]?|#)\d{1,20}>)")
_EVERYONE = pattern(r"(?<![@\w])@++(everyone|here)\b(?!\.\w)")
_COMMAND = pattern(r"</(?P<name>[^<>:\n]{1,100}):\d{1,20}>")
_GUIDE = pattern(r"<id:(customize|browse|guide|home|linked-roles)(?::\d{1,20})?>")
_CUSTOM_EMOJI = pattern(r"<a?:(?P<name>\w{1,32}):\d{1,20}>")
_TIME = pattern(r"<t:(?P<seconds>-?\d{1,17})(?::(?P<style>[tTdDfFsSR]))?>")
_CHANNEL_LINK = pattern(
    r"<?https?://(?:\w+\.)?discord(?:app)?\.com/channels/(?:\d{1,20}|@me)/(?P<id>\d{1,20})(?:/\d{1,20})?/?>?"
)
_UNSAYABLE = pattern(r"[^\p{L}\p{M}\p{N} '.&-]+")

_IN_BRACKETS = pattern(r" \(\d++\)")
_GLUE: Final = {ENGLISH: "{1} at {0}"}  # between a date and a time; CLDR has a comma


@dataclass(frozen=True, slots=True)
class Names:
    """What the ids in a text are called, and when now is. What is not known is called by its kind."""

    members: Mapping[int, str] = field(default_factory=dict)
    channels: Mapping[int, str] = field(default_factory=dict)
    roles: Mapping[int, str] = field(default_factory=dict)
    now: datetime | None = None  # with a time zone; without it, `<t:…:R>` is said as a date

    def of(self, kind: str, number: int, words: OurWords = WORDS[ENGLISH]) -> str:
        """Return how to say the thing of ``kind`` (``@``, ``@&`` or ``#``) with this id."""
        if kind == "#":
            return _sayable(self.channels.get(number), words.channel)
        if kind == "@&":
            return _sayable(self.roles.get(number), words.role)
        return _sayable(self.members.get(number), words.someone)


_NOBODY: Final = Names()


def resolve_names(text: str, names: Names = _NOBODY, language: str = ENGLISH) -> str:
    """Return ``text`` with Discord's notation in words; custom emoji become ``:name:``."""
    words = WORDS[language]
    text = _MENTION.sub(
        lambda match: names.of(match["kind"], int(match["id"]), words), _TOUCHING.sub(" ", text)
    )
    text = _EVERYONE.sub(r"\1", text)
    text = _COMMAND.sub(lambda match: _sayable(match["name"], words.command), text)
    text = _GUIDE.sub(lambda match: words.page.format(_page(match[1], language)), text)
    text = _CUSTOM_EMOJI.sub(r" :\g<name>: ", text)
    text = _TIME.sub(
        lambda match: _time(int(match["seconds"]), match["style"] or "f", names.now, language), text
    )
    return _CHANNEL_LINK.sub(
        lambda match: f" {words.link_to.format(names.of('#', int(match['id']), words))} ", text
    )


def _page(name: str, language: str) -> str:
    return _sayable(name.replace("-", " "), "server") if language == ENGLISH else "Discord"


def _sayable(name: str | None, otherwise: str) -> str:
    plain = " ".join(_UNSAYABLE.sub(" ", drop_faces(clean_characters(name or ""))).split()).strip(" -.&'")
    return plain if has_words(plain) else otherwise


def _time(seconds: int, style: str, now: datetime | None, language: str) -> str:
    try:
        moment = datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except OverflowError:
        return WORDS[language].some_time
    locale = Locale.parse({ENGLISH: "en_GB", UNKNOWN: "en_GB"}.get(language, language))
    if style == "R" and now is not None:
        ago = format_timedelta(moment - now, add_direction=True, locale=locale)
        return _IN_BRACKETS.sub("", ago)
    date = format_date(moment, "long", locale=locale)
    clock = f"{format_time(moment, 'short', locale=locale)} UTC"  # people's zones only their Discord knows
    if style in "tT":
        return clock
    if style in "dDR":
        return date
    return _GLUE.get(language, str(locale.datetime_formats["long"])).format(clock, date)


MAX_HOST_CHARS: Final = 40
"""A longer domain is only called "a link"."""

_END_OF_URL = r"，。、！？；：（）「」『』【】《》〈〉“”…"  # a sentence goes on after them without a space
_URL = pattern(
    r"<?(?<![a-z0-9+.-])(?:[a-z][a-z0-9+.-]{0,20}://|www\.(?=[a-z0-9]))"
    rf"[^\s<>{_END_OF_URL}]*[^\s<>.,!?;:'\"()\[\]{{}}{_END_OF_URL}]>?",
    IGNORE_CASE,
)
_WEB = pattern(r"(?:(?:https?|ftps?|sftp|wss?|git|ssh)://|(?![a-z][a-z0-9+.-]{0,20}://))", IGNORE_CASE)
_OPAQUE = pattern(
    # addresses without a host: what follows is for machines
    rf"(?<![\w.-])(?:data|magnet|blob|urn|javascript|spotify|bitcoin|ethereum|about|view-source|intent):"
    rf"(?=[^\s<>{_END_OF_URL}]{{6}})[^\s<>{_END_OF_URL}]++",
    IGNORE_CASE,
)
_TO_A_PERSON = pattern(r"(?<![\w.-])(?:mailto|tel|sms):(?=\S)", IGNORE_CASE)
_AUTHORITY = pattern(
    r"\A(?:[a-z][a-z0-9+.-]{0,20}://)?(?:[^/?#@]*+@)?(?:www\.)?(?P<host>[^/?#:]*+)", IGNORE_CASE
)
_HOST = pattern(r"[\p{L}\p{N}](?:[\p{L}\p{M}\p{N}.-]*[\p{L}\p{M}\p{N}])?")
_LATIN = pattern(r"\p{Latin}")
_IMAGE = pattern(r"\.(?:png|jpe?g|gif|webp|avif|heic)\Z", IGNORE_CASE)
_VIDEO = pattern(r"\.(?:mp4|mov|webm|mkv)\Z", IGNORE_CASE)
_EMAIL = pattern(
    r"(?<![\w.+-])(?P<local>[\w.+-]{1,64})@(?P<domain>(?:[a-z0-9-]{1,63}\.){1,5}[a-z]{2,24})\b", IGNORE_CASE
)
_PATH_AT_DOMAIN = pattern(
    # A domain with a path, in any country (two letters) or in one of the commonest endings of others.
    r"(?<![\w.@/-])(?:[\w-]{1,63}\.){0,3}(?:[\w-]{2,63}\.[a-z]{2}|t\.(?:me|co)|[\w-]{1,63}\."
    r"(?:com|org|net|edu|gov|dev|app|wiki|info|biz|xyz|online|site|shop|store|blog|page|link|live|club|cloud"
    r"|games|media|news|space|tech|chat))(?::\d{1,5})?"
    rf"/[^\s<>{_END_OF_URL}]*[^\s<>.,!?;:'\"()\[\]{{}}{_END_OF_URL}]",
    IGNORE_CASE,
)
_DOTTED = pattern(
    # Bare domains and file names. No ending here is a word or slang: "the end.so I left" is two sentences.
    r"(?<![\w.-])(?:[\w-]{1,63}\.){1,4}"
    r"(?:com|org|net|edu|gov|dev|app|wiki|tv|uk|jp"
    r"|txt|pdf|docx?|xlsx?|pptx?|csv|json|ya?ml|toml|xml|html?|css|js|ts|py|rs|cpp|md|sh|exe|dll|zip|rar|7z|gz"
    r"|png|jpe?g|gif|webp|svg|mp3|mp4|wav|ogg|flac|webm|mov)(?![\w-]|\.\w)",
    IGNORE_CASE,
)


def say_addresses(text: str, language: str = ENGLISH) -> str:
    """Return ``text`` with addresses, e-mail addresses, bare domains and file names in words."""
    words = WORDS[language]
    text = _URL.sub(lambda match: f" {_link(match[0], words)} ", text)
    text = _TO_A_PERSON.sub("", _OPAQUE.sub(f" {words.link} ", text))
    text = _EMAIL.sub(
        lambda match: f"{_dots(match['local'], words)} {words.at} {_dots(match['domain'], words)}", text
    )
    text = _PATH_AT_DOMAIN.sub(lambda match: f" {_link(match[0], words)} ", text)
    return _DOTTED.sub(lambda match: _dots(match[0], words), text)


def _link(url: str, words: OurWords) -> str:
    url = url.strip("<>")
    path = url.partition("?")[0].partition("#")[0]
    if _IMAGE.search(path):
        return words.image
    if _VIDEO.search(path):
        return words.video
    match = _AUTHORITY.match(url)
    host = match["host"].rstrip(".") if match and _WEB.match(url) else ""
    if len(host) > MAX_HOST_CHARS or "xn--" in host.lower() or not _HOST.fullmatch(host):
        return words.link
    if not _LATIN.search(words.link):  # a voice would have to change the language in the middle
        return words.link
    return words.link_to.format(_dots(host, words))


def _dots(name: str, words: OurWords) -> str:
    return f" {words.dot} ".join(part for part in name.split(".") if part)
