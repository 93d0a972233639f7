"""Membership: whether the speaker of a voice is still in the server where it is heard."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Final

import discord

from bot.library.library import Library

log = logging.getLogger(__name__)

MEMBERSHIP_SECONDS: Final = 600.0
"""How long an answer holds. Discord tells of members who leave only to bots with the intent for members,
which needs its approval from 100 servers on; so we ask when somebody's voice is used."""

_ASK_SECONDS: Final = 1.0
"""Somebody waits for speech meanwhile; the speakers of a dialogue are looked up together."""

_FEW: Final = 10_000


class Membership:
    """Membership of speakers: whoever has left a server is not heard there until they return."""

    def __init__(self, library: Library, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._library = library
        self._clock = clock
        self._confirmed_at: dict[tuple[int, int], float] = {}

    async def refresh_membership(
        self, guild: discord.Guild | None, speaker_id: int | None, asker_id: int
    ) -> bool:
        """Ask whether this speaker is still in ``guild``, and note it in their consents.

        Returns whether anything was noted. Where Discord does not answer, what was known before still holds.
        """
        if guild is None or speaker_id is None:
            return False
        key = (guild.id, speaker_id)
        if self._clock() < self._confirmed_at.get(key, float("-inf")) + MEMBERSHIP_SECONDS:
            return False
        is_here = speaker_id == asker_id or await _is_member(guild, speaker_id)
        if is_here is None:
            return False
        if len(self._confirmed_at) >= _FEW:
            self._confirmed_at.clear()
        if is_here:
            self._confirmed_at[key] = self._clock()
            await self._library.consents.speaker_returned(*key)
        else:
            await self._library.consents.speaker_left(*key)
        return True


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
