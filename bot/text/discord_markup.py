"""Discord's own notation: what is hidden, what is code; and mentions, times, links, as they are said aloud.

Discord goes through a text from left to right, and what begins first wins: bars inside code are no spoiler,
and a backtick inside a spoiler begins no code. The rules are those of simple-markdown, with Discord's own for
spoilers, quotes and headings.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from itertools import product
from typing import Final

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta

from bot.text.characters import IGNORE_CASE, LINES, clean_characters, has_words, pattern
from bot.text.languages import ENGLISH, UNKNOWN
from bot.text.pictures import drop_faces
from bot.text.words import WORDS, OurWords


class PieceKind(Enum):
    """What a piece of a text is."""

    PLAIN = auto()
    CODE = auto()
    CODE_BLOCK = auto()
    SPOILER = auto()


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a text. ``text`` is without the marks around it; in `pieces` hidden ones have none."""

    kind: PieceKind
    text: str = ""


_MASKED_LINK = pattern(
    r"\[(?P<text>[^\[\]]++)\]"
    r"\(\s*+<?[a-z][a-z0-9+.-]{0,20}://[^\s<>()]*+(?:\([^\s<>()]*+\)[^\s<>()]*+)*+>?(?:\s++\"[^\"]*+\")?\s*+\)",
    IGNORE_CASE,
)
_LIST_MARK = r"(?:[-*•+]|\d{1,9}+[.)])[^\S\n]++"

_TOKEN = pattern(r"\\[^A-Za-z0-9\s]|`++|\|\||\[|<?https?://|\*|_|~~|\n", IGNORE_CASE)
_ADDRESS = pattern(r"<?https?://[^\s<>]++>?", IGNORE_CASE)
_LANGUAGE_OF_CODE = pattern(r"[\w+.#-]{1,40}+\n")
_BLOCK_START = pattern(r"^[^\S\n]*+[>#*•+\d-]", LINES)
_QUOTE_REST = pattern(r"^[^\S\n]*+>>>[^\S\n]", LINES)
_QUOTE = pattern(r"^(?:[^\S\n]*+>[^\S\n][^\n]*+(?:\n|\Z))++", LINES)
_HEADING = pattern(r"^(?:[^\S\n]*+>[^\S\n])?+[^\S\n]*+(?:\#{1,3}|-\#)[^\S\n]++[^\n]++", LINES)
_ITEM = pattern(
    # with the lines under it that are indented and begin no item of their own
    rf"^(?:[^\S\n]*+>[^\S\n])?+[^\S\n]*+{_LIST_MARK}[^\n]*+"
    rf"(?:\n(?![^\S\n]*+{_LIST_MARK})[^\S\n]++[^\n]*+)*+",
    LINES,
)
_STRONG_END = pattern(r"(?<=[^\\])(?:\*\*(?!\*)|__(?!_))")
_WEAK_END = pattern(r"(?<=[^\\\s*]|\*\*)\*(?!\*)|(?<=[^\\_]|__)_(?!\w)")
_STRUCK_END = pattern(r"(?<=.)~~")
_BARS = pattern(r"(?=(\|\|))")
_FENCE = pattern(r"(?=(```))")
_TICKS = pattern(r"`++")

_TOP, _IN_QUOTE, _IN_LINE = range(3)


@dataclass(frozen=True, slots=True)
class _Span:
    kind: PieceKind
    start: int
    end: int
    ticks: int = 0  # of code


class _Marks:
    """Where in a text something can end."""

    def __init__(self, text: str) -> None:
        self.ends: dict[str, list[int]] = {}
        for expression in (_BARS, _FENCE):
            for match in expression.finditer(text):
                self.ends.setdefault(match[1], []).append(match.start())
        for expression in (_STRONG_END, _WEAK_END, _STRUCK_END):
            for match in expression.finditer(text):
                self.ends.setdefault(match[0], []).append(match.start())
        self.ticks: dict[int, list[int]] = {}
        for match in _TICKS.finditer(text):
            self.ticks.setdefault(len(match[0]), []).append(match.start())


class _Reader:
    """One way to read a text: with or without lists, emphasis and addresses that bars may stand in."""

    def __init__(self, text: str, marks: _Marks, lists: bool, emphasis: bool, addresses: bool) -> None:
        self.found: list[_Span] = []
        self._text = text
        self._marks = marks
        self._lists = lists
        self._emphasis = emphasis
        self._addresses = addresses
        self._read(0, len(text), _TOP)

    def _next(self, places: list[int], start: int, end: int, length: int) -> int | None:
        """Return the first of ``places`` from ``start`` on, if what is there ends by ``end``."""
        found = bisect_left(places, start)
        return places[found] if found < len(places) and places[found] + length <= end else None

    def _read(self, start: int, end: int, level: int) -> None:
        """Read a stretch. It cannot nest deeper than there are kinds of marks: none holds its own end."""
        start = self._read_blocks(start, end, level)
        while (match := _TOKEN.search(self._text, start, end)) is not None:
            start = self._after(match[0], match.start(), end, level)

    def _after(self, sign: str, start: int, end: int, level: int) -> int:
        """Read what begins with ``sign`` and return where to go on."""
        after = start + len(sign)
        if sign == "\n":
            return self._read_blocks(after, end, level)
        if sign[0] == "`":
            return self._code(start, len(sign), end) or after
        if sign == "||":
            closing = self._next(self._marks.ends["||"], start + 3, end, 2)
            return after if closing is None else self._hide(PieceKind.SPOILER, start, closing + 2)
        if sign == "[":
            return (self._masked_link(start, end, level) if self._addresses else None) or after
        if sign[0] in "*_~":
            return (self._emphasised(sign, start, end, level) if self._emphasis else None) or after
        if sign[0] != "\\" and self._addresses and (match := _ADDRESS.match(self._text, start, end)):
            return match.end()
        return after

    def _hide(self, kind: PieceKind, start: int, end: int, ticks: int = 0) -> int:
        self.found.append(_Span(kind, start, end, ticks))
        return end

    def _code(self, start: int, ticks: int, end: int) -> int | None:
        if ticks >= 3:
            named = _LANGUAGE_OF_CODE.match(self._text, start + 3, end)
            for begin in (named.end() if named else None, start + 3):
                content = None if begin is None else self._first_of_line(begin, end)
                closing = (
                    None if content is None else self._next(self._marks.ends["```"], content + 1, end, 3)
                )
                if closing is not None:
                    return self._hide(PieceKind.CODE_BLOCK, start, closing + 3)
        for count in range(ticks, 0, -1):
            closing = self._next(self._marks.ticks.get(count, []), start + ticks, end, count)
            if closing is not None:
                return self._hide(PieceKind.CODE, start, closing + count, count)
        return None

    def _first_of_line(self, start: int, end: int) -> int | None:
        while start < end and self._text[start] == "\n":
            start += 1
        return start if start < end else None

    def _masked_link(self, start: int, end: int, level: int) -> int | None:
        match = _MASKED_LINK.match(self._text, start, end)
        if match is None:
            return None
        self._read(*match.span("text"), max(level, _IN_LINE))
        return match.end()

    def _emphasised(self, sign: str, start: int, end: int, level: int) -> int | None:
        """Read what is emphasised from ``start`` on, and return where it ends, if it does."""
        marks = (sign,) if sign == "~~" else (sign * 2, sign)
        for mark in marks:
            begin = start + len(mark)
            if not self._text.startswith(mark, start) or (len(mark) == 1 and not self._may_open(start, end)):
                continue
            closing = self._next(self._marks.ends.get(mark, []), begin + 1, end, len(mark))
            if closing is not None:
                self._read(begin, closing, max(level, _IN_LINE))
                return closing + len(mark)
        return None

    def _may_open(self, start: int, end: int) -> bool:
        if self._text[start] == "_":
            return not (start and (self._text[start - 1].isalnum() or self._text[start - 1] == "_"))
        return start + 1 < end and not self._text[start + 1].isspace()

    def _read_blocks(self, start: int, end: int, level: int) -> int:
        """Read the quotes, headings and list items that begin at ``start``, where a line begins."""
        while level < _IN_LINE and _BLOCK_START.match(self._text, start, end):
            if level == _TOP and _QUOTE_REST.match(self._text, start, end):
                self._read(start, end, _IN_QUOTE)
                return end
            quote = _QUOTE.match(self._text, start, end) if level == _TOP else None
            line = _HEADING.match(self._text, start, end)
            if line is None and self._lists:
                line = _ITEM.match(self._text, start, end)
            if quote is not None:
                self._read(start, quote.end(), _IN_QUOTE)
            elif line is not None:
                self._read(start, line.end(), _IN_LINE)
            else:
                break
            start = (quote or line).end()  # type: ignore[union-attr]
            if line is not None and quote is None:
                start += start < end  # the line feed
        return start


_MADE_BY: Final = (_BLOCK_START, pattern(r"[*_~]"), pattern("://"))
"""Without these a text has no list, no emphasis, no address: it is read alike with them and without."""


def pieces(text: str) -> Iterator[Piece]:
    """Yield ``text`` in pieces: what is plain, what is code, and what is hidden, without its words.

    Whether a spoiler that was begun in a list, in emphasis or in an address goes on after it, only Discord's
    own program knows in every case. So the text is read in each way, and where they do not agree all is
    hidden from the first mark to the last.
    """
    for piece in opened_pieces(text):
        yield piece if piece.kind in (PieceKind.PLAIN, PieceKind.CODE) else Piece(piece.kind)


def opened_pieces(text: str) -> Iterator[Piece]:
    """Yield ``text`` in the same pieces, each with its words, also what is hidden."""
    if "||" not in text and "`" not in text:
        yield Piece(PieceKind.PLAIN, text)
        return
    spans = _spans(text)
    index = 0
    for span in spans:
        if span.start > index:
            yield Piece(PieceKind.PLAIN, text[index : span.start])
        words = text[span.start + span.ticks : span.end - span.ticks]
        yield Piece(span.kind, words if span.kind is PieceKind.CODE else words.strip(_MARKS_AROUND))
        index = span.end
    if index < len(text):
        yield Piece(PieceKind.PLAIN, text[index:])


_MARKS_AROUND: Final = "|`"


def _spans(text: str) -> list[_Span]:
    marks = _Marks(text)
    choices = [(True, False) if made_by.search(text) else (True,) for made_by in _MADE_BY]
    readings = (_Reader(text, marks, *choice).found for choice in product(*choices))
    first = next(readings)
    hidden = [span for span in first if span.kind is not PieceKind.CODE]
    for found in readings:
        if [span for span in found if span.kind is not PieceKind.CODE] != hidden:
            return [_tangle(text)]
    return first


def _tangle(text: str) -> _Span:
    """Return all that any reading could hide: it begins and ends with bars, or with three backticks."""
    marks = [match.span(1) for expression in (_BARS, _FENCE) for match in expression.finditer(text)]
    return _Span(PieceKind.SPOILER, min(marks)[0], max(end for _, end in marks))


def cover(text: str) -> str:
    """Return ``text`` with its spoilers and code blocks emptied: ``||…||`` and a block of ``…``."""
    empty = {PieceKind.SPOILER: "||…||", PieceKind.CODE_BLOCK: "```…```"}
    return "".join(
        empty.get(piece.kind, f"`{piece.text}`" if piece.kind is PieceKind.CODE else piece.text)
        for piece in pieces(text)
    )


_HEADING_LINE = pattern(r"^(?:[^\S\n]*+>)*+[^\S\n]*+#{1,3}[^\S\n]++[^\n]++", LINES)
_LINE_START = pattern(
    # quote, heading, small print, list item: as often as they are nested
    r"^[^\S\n]*+(?:(?:>{1,3}|\#{1,3}|-\#|[-*•])[^\S\n]++)++",
    LINES,
)


def drop_layout(text: str) -> str:
    """Return ``text`` with masked links as their words, and plain lines; a heading is a paragraph."""
    text = _MASKED_LINK.sub(r"\g<text>", text)
    return _LINE_START.sub("", _HEADING_LINE.sub("\n\\g<0>\n", text))


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
