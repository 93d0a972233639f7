from __future__ import annotations

import asyncio

import pytest

from bot.errors import MemberError
from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.tables import VoiceRow
from bot.library.voice import NOBODY, Kind, NewVoice, Scope, Sharing, Voice
from bot.library.voices import NO_SUCH_VOICE, ChosenVoices, Voices
from tests.library.shelves import (
    ADA,
    AVIARY,
    SINGERS,
    a_voice,
    ada,
    ben,
    moderator,
    singer,
    stranger,
    voice_for,
)


async def created(voices: Voices, recordings: Recordings, scope: Scope, name: str = "House") -> Voice:
    recording = await recordings.keep(name.encode())
    new = NewVoice(name, Kind.DEFAULT, recording, 3.0, transcript="Hello.")
    return await voices.create_default_voice(scope, new)


async def test_mine_here_wins_over_the_servers_and_there_may_be_none(
    voices: Voices, recordings: Recordings
) -> None:
    mine = await a_voice(voices, recordings, "Mine")
    house = await a_voice(voices, recordings, "House", moderator, sharing=Sharing.SERVER)

    assert await voice_for(voices, ada) is None
    await voices.set_default(moderator, house.id)
    assert await voice_for(voices, ada) == house
    await voices.choose(ada, mine.id)
    await voices.choose(ada, mine.id)
    assert await voice_for(voices, ada) == mine
    assert await voice_for(voices, ben) == house
    assert await voice_for(voices, stranger) is None
    await voices.choose(ada, None)
    assert await voice_for(voices, ada) == house
    await voices.set_default(moderator, None)
    assert await voices.chosen_voices(ada) == ChosenVoices(None, None)


async def test_a_choice_that_one_may_not_use_any_more_counts_as_none(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    shared = await a_voice(voices, recordings, "Shared", sharing=Sharing.SERVER)
    await voices.choose(ben, shared.id)
    await voices.set_default(moderator, shared.id)

    await voices.share(ada, shared.id, Sharing.ME)
    assert await voice_for(voices, ben) is None
    await voices.share(ada, shared.id, Sharing.SERVER)
    assert await voice_for(voices, ben) is not None
    async with database.session() as session:
        (await session.get_one(VoiceRow, shared.id)).is_frozen = True
    assert await voice_for(voices, ben) is None
    with pytest.raises(MemberError, match="frozen"):
        await voices.choose(ben, shared.id)


async def test_the_servers_voice_is_chosen_by_moderators_among_those_shared_with_all(
    voices: Voices, recordings: Recordings
) -> None:
    private = await a_voice(voices, recordings, "Private")

    with pytest.raises(MemberError, match="Only moderators"):
        await voices.set_default(ada, private.id)
    with pytest.raises(MemberError, match="whole server first"):
        await voices.set_default(moderator, private.id)
    with pytest.raises(MemberError, match=NO_SUCH_VOICE.replace("/", "/")):
        await voices.set_default(stranger, private.id)


async def test_of_many_first_uses_at_once_one_creates_the_default_voice(
    voices: Voices, recordings: Recordings
) -> None:
    scopes = [Scope(AVIARY, member_id) for member_id in range(1, 31)]

    results = await asyncio.gather(
        *(created(voices, recordings, scope, f"House {scope.member_id}") for scope in scopes)
    )

    assert len({voice.id for voice in results}) == 1
    first = results[0]
    assert (first.owner_id, first.kind, first.sharing) == (NOBODY, Kind.DEFAULT, Sharing.SERVER)
    assert await voice_for(voices, ben) == results[0]
    assert len(await voices.complete(ben, "")) == 1


async def test_a_default_voice_belongs_to_the_moderators_and_makes_way_for_another(
    voices: Voices, recordings: Recordings
) -> None:
    await a_voice(voices, recordings, "house", sharing=Sharing.ROLE, role_id=SINGERS)
    house = await created(voices, recordings, ada)
    assert house.name == "House 2"

    with pytest.raises(MemberError):
        await voices.delete(ada, house.id)
    assert (await voices.rename(moderator, house.id, "The house")).name == "The house"
    await voices.share(moderator, house.id, Sharing.ME)
    assert await voice_for(voices, singer) is None
    other = await created(voices, recordings, ben, "New")
    assert await voice_for(voices, singer) == other
    await voices.delete(moderator, other.id)
    assert await voice_for(voices, singer) is None


async def test_outside_servers_the_default_voice_is_ones_own(voices: Voices, recordings: Recordings) -> None:
    alone = Scope.alone(ADA)
    voice = await created(voices, recordings, alone)

    assert voice.owner_id == ADA
    assert await voice_for(voices, alone) == voice
    await voices.set_default(alone, None)
    assert await voice_for(voices, alone) is None
    await voices.set_default(alone, voice.id)
    assert await voice_for(voices, alone) == voice
    assert await voice_for(voices, ada) is None
