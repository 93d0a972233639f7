"""Voices and people for the tests of the library."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from bot.errors import MemberError
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents
from bot.library.database import Database
from bot.library.generations import Generations
from bot.library.recordings import Recordings
from bot.library.starters import starters_with
from bot.library.voice import Clock, Kind, NewVoice, Scope, Sharing, Voice, VoiceName, utc_now
from bot.library.voices import Voices
from bot.library.withdrawal import Withdrawals

AVIARY, ROOKERY = 101, 202
ADA, BEN, CAT, MOD = 11, 12, 13, 14
SINGERS = 77
"""A role in the aviary."""

ada = Scope(AVIARY, ADA)
ben = Scope(AVIARY, BEN)
singer = Scope(AVIARY, CAT, frozenset({SINGERS}))
moderator = Scope(AVIARY, MOD, is_moderator=True)
stranger = Scope(ROOKERY, ADA, frozenset({SINGERS}), is_moderator=True)
"""The owner herself and a moderator, but in another server."""


async def a_voice(
    voices: Voices,
    recordings: Recordings,
    name: str,
    scope: Scope = ada,
    *,
    sharing: Sharing = Sharing.ME,
    role_id: int | None = None,
    member_ids: frozenset[int] = frozenset(),
    speaker_id: int | None = None,
) -> Voice:
    """Save a voice with a recording of its own and return it."""
    recording = await recordings.keep(f"the recording of {name} {scope.guild_id}".encode())
    new = NewVoice(
        name,
        Kind.DESIGNED if speaker_id is None else Kind.CLONED,
        recording,
        6.5,
        sharing=sharing,
        role_id=role_id,
        member_ids=member_ids,
        speaker_id=speaker_id,
    )
    return await voices.save(scope, new)


def voices_in(database: Database, recordings: Recordings) -> Voices:
    """Return the voices of a database, as a process that has just started finds them."""
    withdrawals = Withdrawals()
    consents = Consents(database, CachedSpeeches(database), withdrawals)
    return Voices(database, recordings, consents, withdrawals)


async def completed(voices: Voices, scope: Scope, typed: str, limit: int = 25) -> list[VoiceName]:
    """Return the saved voices that completion proposes behind the starters."""
    starters = starters_with(typed)
    found = await voices.complete(scope, typed, limit + len(starters))
    assert found[: len(starters)] == starters
    return found[len(starters) :]


async def voice_for(voices: Voices, scope: Scope) -> Voice | None:
    """Return what this member speaks with when they name no voice."""
    chosen = await voices.chosen_voices(scope)
    found = chosen.mine or chosen.default
    return None if found is None else found.voice


def generations_in(database: Database, *, now: Clock = utc_now) -> Generations:
    """Return the generations of a database."""
    speeches = CachedSpeeches(database)
    return Generations(database, speeches, Consents(database, speeches, Withdrawals()), now=now)


async def refusal(doing: Awaitable[object]) -> str:
    """Return the sentence with which it is refused."""
    with pytest.raises(MemberError) as caught:
        await doing
    return str(caught.value)
