"""Whether those whose voices are cloned are still members of the server."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import discord

from bot.library.library import Library

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 600.0
"""So long it is believed. Discord tells of members who leave only to bots with the intent for members,
which needs its approval from 100 servers on; so we ask when somebody's voice is used."""

_ASK_SECONDS: Final = 1.0
"""Somebody waits for speech meanwhile; the speakers of a dialogue are looked up together."""

_FEW: Final = 10_000


class Presence:
    """Lets the voices of people who have left a server rest there, until they are back."""

    def __init__(self, library: Library, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._library = library
        self._clock = clock
        self._looked: dict[tuple[int, int], float] = {}

    async def look(self, guild: discord.Guild | None, voice_id: str, asker_id: int) -> None:
        """Bring the consent behind this voice up to date: does its speaker still belong to ``guild``?

        Where Discord does not answer, what was known before still holds.
        """
        speaker_id = None if guild is None else await self._speaker_of(voice_id)
        if guild is None or speaker_id is None:
            return
        key = (guild.id, speaker_id)
        if self._clock() < self._looked.get(key, float("-inf")) + LOOK_SECONDS:
            return
        is_here = speaker_id == asker_id or await _is_member(guild, speaker_id)
        if is_here is None:
            return
        if len(self._looked) >= _FEW:
            self._looked.clear()
        if is_here:
            self._looked[key] = self._clock()
            await self._library.consents.speaker_returned(*key)
        else:
            await self._library.consents.speaker_left(*key)

    async def _speaker_of(self, voice_id: str) -> int | None:
        voice = await self._library.voices.unscoped(voice_id)
        return voice.speaker_id if voice else await self._library.consents.speaker_of_likeness(voice_id)


async def _is_member(guild: discord.Guild, user_id: int) -> bool | None:
    """Return whether they are a member; None where Discord does not say."""
    try:
        async with asyncio.timeout(_ASK_SECONDS):
            await guild.fetch_member(user_id)
    except discord.NotFound:
        return False
    except (discord.HTTPException, OSError, TimeoutError) as error:
        log.warning("whether a speaker is still here could not be asked: %s", type(error).__name__)
        return None
    return True
