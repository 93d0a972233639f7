"""Voices of those who are read: what each speaks with, and what may be made of it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass, replace
from typing import Final

import discord

from bot.delivery.history import GenerationHistory
from bot.delivery.reference_uploads import PlaceAccess, VoiceAccesses
from bot.delivery.request import SpeakRequest, spoken, with_recordings
from bot.delivery.voice_creation import StarterMaker
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.starters import STARTERS, recorded
from bot.library.voice import Kind, Scope, Voice
from bot.limits import MAX_SPEED
from bot.models import Asker, SpeechRequest
from bot.reading.backlog import ReadMessage


@dataclass(frozen=True, slots=True)
class VoicedMessage:
    """What is asked of the synthesizer for one message: the request, who asks, and the access to voices."""

    request: SpeakRequest
    asker: Asker
    access: PlaceAccess
    scope: Scope


_STARTERS: Final = len(STARTERS)


def starter_for(member_id: int) -> str:
    """Return the id of the starter voice that somebody has who chose none: always the same."""
    return STARTERS[zlib.crc32(str(member_id).encode()) % _STARTERS].id


class ReadingVoices:
    """Voices of those who are read, by the same rules as for /speak."""

    def __init__(
        self, library: Library, accesses: VoiceAccesses, starters: StarterMaker, history: GenerationHistory
    ) -> None:
        self._library = library
        self._accesses = accesses
        self._starters = starters
        self._history = history

    async def reading_of(
        self, message: ReadMessage, text: str, guild: discord.Guild, tempo: float, *, of_server: bool = False
    ) -> VoicedMessage:
        """Return the reading of ``text``, which ``message`` says, at ``tempo`` times the author's own.

        ``of_server``: it is nobody's, and has the server's voice. Raises `MemberError`, also where moderators
        have turned the bot off for its author meanwhile, and `LibraryError`.
        """
        scope = Scope(guild.id, message.author_id, message.role_ids)
        access = self._accesses.of(scope, guild)
        usage = await self._library.settings.usage_rules(guild.id)
        asker = Asker(message.author_id, guild.id, usage.allowance_of(scope))
        voice, own_tempo = await self._voice_of(scope, access, of_server=of_server)
        fast = min(MAX_SPEED, own_tempo * tempo)
        request = SpeakRequest(
            SpeechRequest(text, voice=spoken(voice), tempo=fast), voices=(voice,), is_named=False
        )
        if voice.kind is Kind.STARTER:
            found = await self._starters.find(voice)
            if found is None:
                found = recorded(voice, await self._starters.make(voice, asker).recording())
            request = with_recordings(request, {voice.id: found})
        return VoicedMessage(await self._accesses.reachable(request), asker, access, scope)

    async def _voice_of(self, scope: Scope, access: PlaceAccess, *, of_server: bool) -> tuple[Voice, float]:
        """Return the voice of whoever is read: their choice, if it may be heard; else their starter."""
        voices = self._library.voices
        chosen = await voices.chosen_voices(scope)
        first = chosen.default if of_server else chosen.mine
        if first is not None and await access.permission_error_of(first) is None:
            return first.voice, chosen.tempo
        if of_server and chosen.starter is not None:
            return chosen.starter.voice, 1.0
        return (await voices.find_standing(scope, starter_for(scope.member_id))).voice, chosen.tempo

    async def check(self, reading: VoicedMessage) -> None:
        """Raise `MemberError` if a voice in it may not be heard any more."""
        for voice in reading.request.request.voices:
            refusal = await self._library.consents.permission_error(voice, reading.scope.guild_id)
            if refusal is not None:
                raise MemberError(refusal)

    async def note(self, reading: VoicedMessage, message: ReadMessage, seconds: float) -> None:
        """Write down that its voices were heard. Raises `LibraryError` where that must not be left out."""
        await self._history.note_read(
            reading.scope, reading.request, seconds, channel_id=message.channel_id, message_id=message.id
        )


def at_tempo(reading: VoicedMessage, tempo: float) -> VoicedMessage:
    """Return the same reading at another tempo."""
    request = replace(reading.request.request, tempo=tempo)
    return replace(reading, request=replace(reading.request, request=request))
