"""Voices in words: what kind, whose, for whom, how often."""

from __future__ import annotations

from datetime import datetime
from typing import Final

import discord

from bot.library.consent import Shares
from bot.library.voice import NOBODY
from bot.library.voices import Kind, Sharing, Voice
from bot.text.style import excerpt
from cogs.consent.words import who

_NAMED_MEMBERS: Final = 3
_EXCERPT_CHARS: Final = 300
_KINDS: Final = {Kind.CAST: "house", Kind.DESIGNED: "designed", Kind.CLONED: "cloned"}


def owner_of(voice: Voice) -> str:
    """Return who looks after a voice."""
    return "this server" if voice.owner_id == NOBODY else f"<@{voice.owner_id}>"


def kind_of(voice: Voice) -> str:
    """Return where a voice comes from."""
    if voice.kind is not Kind.CLONED:
        return f"{_KINDS[voice.kind]} voice"
    whose = "their own" if voice.speaker_id == voice.owner_id else f"<@{voice.speaker_id}>'s"
    return f"cloned voice, {whose}"


def may_use(voice: Voice) -> str:
    """Return who may use a voice, as the rest of a sentence."""
    if voice.guild_id == voice.owner_id:
        return "only you, outside servers"
    if voice.sharing is Sharing.MEMBERS and len(voice.member_ids) > _NAMED_MEMBERS:
        return f"{owner_of(voice)} and {len(voice.member_ids)} other members"
    return who(owner_of(voice), Shares(voice.sharing, voice.role_id, voice.member_ids))


def uses_of(voice: Voice) -> str:
    """Return how often a voice was used, and when last."""
    if voice.last_used_at is None:
        return "never used"
    times = "once" if voice.uses == 1 else f"{voice.uses:,} times"
    return f"used {times}, last {ago(voice.last_used_at)}"


def ago(moment: datetime) -> str:
    """Return a moment as Discord shows it to each reader: 2 hours ago."""
    return discord.utils.format_dt(moment, "R")


def line_of(voice: Voice, reader_id: int) -> str:
    """Return a voice as one line of a list, for one reader."""
    parts = [f"**{excerpt(voice.name)}**", _KINDS[voice.kind], _whose(voice, reader_id), uses_of(voice)]
    if voice.is_frozen:
        parts.append("frozen")
    return " · ".join(parts)


def _whose(voice: Voice, reader_id: int) -> str:
    """Return whose a voice is and for whom, in a few words."""
    if voice.owner_id == reader_id:
        return "yours alone" if voice.sharing is Sharing.ME else f"yours, {_for_whom(voice)}"
    owner = "the server's" if voice.owner_id == NOBODY else f"<@{voice.owner_id}>'s"
    return f"{owner}, {_for_whom(voice)}"


def _for_whom(voice: Voice) -> str:
    if voice.sharing is Sharing.SERVER:
        return "for everybody here"
    if voice.sharing is Sharing.ROLE:
        return f"for <@&{voice.role_id}>"
    return "for a few members" if voice.sharing is Sharing.MEMBERS else "for nobody else"


def all_about(voice: Voice, refusal: str | None) -> str:
    """Return everything a member may know of a voice; ``refusal`` is why it may not speak now."""
    lines = [
        f"**{excerpt(voice.name)}** · {kind_of(voice)} · {voice.seconds:.1f} s",
        f"Belongs to {owner_of(voice)}; who may use it: {may_use(voice)}.",
        f"Saved {ago(voice.created_at)}, {uses_of(voice)}.",
    ]
    if voice.description:
        lines.append(f"Designed as: {_quoted(voice.description)}")
    if voice.transcript:
        lines.append(f"What is said in the recording: {_quoted(voice.transcript)}")
    else:
        lines.append("It has no transcript; with one it comes out more alike: /voice transcript.")
    if refusal is not None:
        lines.append(f"It is silent now. {refusal}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return f"“{excerpt(text, _EXCERPT_CHARS)}”"
