"""Views of voices: completion, previews, and the voice a button is about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import discord
from discord.app_commands import Choice

from bot.delivery.offer import Upload
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.library import Library
from bot.library.voice import NO_VOICE, Scope, Voice, VoiceName, may_hear, name_key
from bot.library.voices import NO_SUCH_VOICE
from bot.text.labels import file_stem, one_line
from cogs.ui import bot_of

GONE: Final = "That voice is gone. /voice list shows the ones you can use."
"""For a button whose voice is gone, belongs to another server, or must not be known to who presses."""


async def pressed_voice(library: Library, scope: Scope, voice_id: str) -> Voice:
    """Return the voice that a button is about. Raises `MemberError` if it is gone for this member."""
    try:
        return await library.voices.find_to_manage(scope, voice_id)
    except MemberError as error:
        raise MemberError(GONE if str(error) == NO_SUCH_VOICE else str(error)) from None


_NOT_SHARED = "Its owner hasn't shared this voice with you, so you can't hear its recording."


async def hearing_permission_error(library: Library, scope: Scope, voice: Voice) -> str | None:
    """Return why this member may not hear the recording now, as a sentence, or None.

    A voice that must be silent is silent here too, but for its owner and for who is heard in it.
    """
    if not may_hear(scope, voice):
        return _NOT_SHARED
    if scope.member_id in (voice.owner_id, voice.speaker_id):
        return None
    return await library.consents.permission_error(voice, scope.guild_id)


async def preview(library: Library, voice: Voice) -> Upload:
    """Return the recording as a file. Raises `LibraryError`."""
    return Upload(f"{file_stem(voice.name)}.wav", await library.recordings.read(voice.recording))


NONE: Final = "-"
"""Stands for no voice; no voice can be called so."""

_MAX_CHOICES: Final = 25
_MAX_CHARS: Final = 100  # of a choice, at Discord


async def usable(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may speak with."""
    return _choices(await bot_of(interaction).library.voices.complete(scope_of(interaction), typed))


async def usable_or_none(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may speak with, and none."""
    found = await usable(interaction, typed)
    if not NO_VOICE.startswith(name_key(typed)):
        return found
    return [Choice(name=NO_VOICE, value=NONE), *found[: _MAX_CHOICES - 1]]


async def known(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices this member may know of: also those they look after, or are heard in."""
    voices = bot_of(interaction).library.voices
    return _choices(await voices.complete(scope_of(interaction), typed, to_manage=True))


async def spoken_by_member(interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
    """Propose the voices of every server in which this member is heard."""
    voices = bot_of(interaction).library.voices
    return _choices(await voices.complete_spoken_by(interaction.user.id, typed))


def _choices(voices: Iterable[VoiceName]) -> list[Choice[str]]:
    return [Choice(name=_in_words(voice), value=voice.id) for voice in voices]


def _in_words(voice: VoiceName) -> str:
    """Return the name of a voice, and of a starter a word about it."""
    return one_line(" · ".join(filter(None, (voice.name, voice.word))), _MAX_CHARS)


def is_none(name: str | None) -> bool:
    """Return whether what was typed means no voice at all."""
    return name is None or name_key(name) in (NONE, NO_VOICE)
