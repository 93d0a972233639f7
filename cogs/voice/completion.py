"""What is proposed while somebody types the name of a voice: from memory, last used first."""

from __future__ import annotations

from typing import Final

import discord
from discord.app_commands import Choice

from bot.library.names import name_key
from bot.text.style import one_line
from cogs.lasting import bot_of
from cogs.scopes import scope_of

NONE: Final = "-"
"""Stands for no voice; no voice can be called so."""

_NONE_WORD: Final = "none"
_MAX_CHOICES: Final = 25
_MAX_CHARS: Final = 100  # of a choice, at Discord


async def usable(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may speak with."""
    found = bot_of(interaction).library.voices.complete(scope_of(interaction), typed)
    return [Choice(name=one_line(voice.name, _MAX_CHARS), value=voice.id) for voice in found]


async def usable_or_none(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may speak with, and none."""
    found = await usable(interaction, typed)
    if not _NONE_WORD.startswith(name_key(typed)):
        return found
    return [Choice(name=_NONE_WORD, value=NONE), *found[: _MAX_CHOICES - 1]]


async def known(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may know of: also those they look after, or are heard in."""
    voices = bot_of(interaction).library.voices
    found = voices.complete(scope_of(interaction), typed, to_manage=True)
    return [Choice(name=one_line(voice.name, _MAX_CHARS), value=voice.id) for voice in found]


async def heard_in(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices of every server in which this member is heard."""
    found = bot_of(interaction).library.voices.heard_in(interaction.user.id, typed)
    return [Choice(name=one_line(voice.name, _MAX_CHARS), value=voice.id) for voice in found]


def is_none(name: str | None) -> bool:
    """Return whether what was typed means no voice at all."""
    return name is None or name_key(name) in (NONE, _NONE_WORD)
