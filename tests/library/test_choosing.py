from __future__ import annotations

import asyncio

import pytest

from bot.errors import MemberError
from bot.library.database import Database
from bot.library.recordings import Recordings
from bot.library.tables import VoiceRow
from bot.library.voice import NOBODY, Kind, NewVoice, Scope, Sharing, Voice
from bot.library.voices import NO_SUCH_VOICE, Voices
from tests.library.shelves import ADA, AVIARY, a_voice, ada, ben, moderator, singer, stranger


async def cast(voices: Voices, recordings: Recordings, scope: Scope, name: str = "House") -> Voice:
    recording = await recordings.keep(name.encode())
    return await voices.cast(scope, NewVoice(name, Kind.CAST, recording, 3.0, transcript="Hello."))


async def test_mine_here_wins_over_the_servers_and_there_may_be_none(
    voices: Voices, recordings: Recordings
) -> None:
    mine = await a_voice(voices, recordings, "Mine")
    house = await a_voice(voices, recordings, "House", moderator, sharing=Sharing.SERVER)

    assert await voices.voice_for(ada) is None
    await voices.set_default(moderator, house.id)
    assert await voices.voice_for(ada) == house
    await voices.choose(ada, mine.id)
    await voices.choose(ada, mine.id)
    assert await voices.voice_for(ada) == mine
    assert await voices.voice_for(ben) == house
    assert await voices.voice_for(stranger) is None
    await voices.choose(ada, None)
    assert await voices.voice_for(ada) == house
    await voices.set_default(moderator, None)
    assert await voices.voice_for(ada) is await voices.default_of(ada) is None


async def test_a_choice_that_one_may_not_use_any_more_counts_as_none(
    database: Database, voices: Voices, recordings: Recordings
) -> None:
    shared = await a_voice(voices, recordings, "Shared", sharing=Sharing.SERVER)
    await voices.choose(ben, shared.id)
    await voices.set_default(moderator, shared.id)

    await voices.share(ada, shared.id, Sharing.ME)
    assert await voices.voice_for(ben) is None
    await voices.share(ada, shared.id, Sharing.SERVER)
    assert await voices.voice_for(ben) is not None
    async with database.session() as session:
        (await session.get_one(VoiceRow, shared.id)).is_frozen = True
    assert await voices.voice_for(ben) is None
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


async def test_of_many_first_uses_at_once_one_casts_the_house_voice(
    voices: Voices, recordings: Recordings
) -> None:
    scopes = [Scope(AVIARY, member_id) for member_id in range(1, 31)]

    results = await asyncio.gather(
        *(cast(voices, recordings, scope, f"House {scope.member_id}") for scope in scopes)
    )

    assert len({voice.id for voice in results}) == 1
    assert (results[0].owner_id, results[0].kind, results[0].sharing) == (NOBODY, Kind.CAST, Sharing.SERVER)
    assert await voices.voice_for(ben) == results[0]
    assert len(voices.complete(ben, "")) == 1


async def test_a_house_voice_belongs_to_the_moderators_and_makes_way_for_another(
    voices: Voices, recordings: Recordings
) -> None:
    await a_voice(voices, recordings, "house")
    house = await cast(voices, recordings, ada)
    assert house.name == "House 2"

    with pytest.raises(MemberError):
        await voices.delete(ada, house.id)
    assert (await voices.rename(moderator, house.id, "The house")).name == "The house"
    await voices.share(moderator, house.id, Sharing.ME)
    assert await voices.voice_for(singer) is None
    other = await cast(voices, recordings, ben, "New")
    assert await voices.voice_for(singer) == other
    await voices.delete(moderator, other.id)
    assert await voices.voice_for(singer) is None


async def test_outside_servers_the_cast_voice_is_ones_own(voices: Voices, recordings: Recordings) -> None:
    alone = Scope.alone(ADA)
    voice = await cast(voices, recordings, alone)

    assert voice.owner_id == ADA
    assert await voices.voice_for(alone) == voice
    await voices.set_default(alone, None)
    assert await voices.voice_for(alone) is None
    await voices.set_default(alone, voice.id)
    assert await voices.voice_for(alone) == voice
    assert await voices.voice_for(ada) is None
