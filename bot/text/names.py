"""Discord's own notation: mentions, channels, roles, times, commands, and links to messages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from bot.text.characters import clean_characters, has_words
from bot.text.patterns import pattern

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


def mentioned_ids(text: str) -> set[int]:
    """Return the ids of the members, roles and channels named in ``text``: what `Names` should know."""
    found = {int(match["id"]) for match in _MENTION.finditer(text)}
    return found | {int(match["id"]) for match in _CHANNEL_LINK.finditer(text)}


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
