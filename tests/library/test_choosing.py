from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import select

from bot.errors import MemberError
from bot.library.database import Database
from bot.library.library import Library
from bot.library.recordings import Recordings
from bot.library.starters import DEFAULT_STARTER, STARTERS, StarterRecording, post_id
from bot.library.tables import VoiceRow
from bot.library.voice import Kind, NewVoice, Scope, Sharing
from bot.library.voices import NO_SUCH_VOICE, ChosenVoices, Voices
from tests.library.shelves import ADA, a_voice, ada, ben, moderator, stranger, voice_for

WIZARD, ROBOT = STARTERS[3], STARTERS[5]


async def in_turn(voices: Voices, scope: Scope) -> list[str]:
    """Return the names of what speaks for this member, should what stands before it be silent."""
    chosen = await voices.chosen_voices(scope)
    found = (chosen.mine, chosen.default, chosen.starter)
    return [standing.voice.name for standing in found if standing is not None]


async def tempi(voices: Voices, *scopes: Scope) -> list[float]:
    """Return how fast each of these members is heard."""
    return [(await voices.chosen_voices(scope)).tempo for scope in scopes]


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
    assert await voices.chosen_voices(ada) == ChosenVoices(None, None, None)


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


async def test_where_nothing_is_chosen_a_starter_speaks_and_may_be_chosen(library: Library) -> None:
    voices = library.voices
    for scope in (ada, stranger, Scope.alone(ADA)):
        assert await in_turn(voices, scope) == [DEFAULT_STARTER.name]

    await voices.set_default(moderator, WIZARD.id)
    await voices.choose(ada, ROBOT.id)
    await voices.choose(Scope.alone(ADA), ROBOT.id)

    assert await in_turn(voices, ada) == ["Robot", "Wizard", DEFAULT_STARTER.name]
    assert await in_turn(voices, ben) == ["Wizard", DEFAULT_STARTER.name]
    assert await in_turn(voices, stranger) == [DEFAULT_STARTER.name]
    assert await in_turn(voices, Scope.alone(ADA)) == ["Robot", DEFAULT_STARTER.name]


async def test_a_default_voice_of_an_earlier_edition_stays(library: Library) -> None:
    recording = await library.recordings.keep(b"House")
    house = NewVoice("House", Kind.DEFAULT, recording, 3.0, sharing=Sharing.SERVER)
    voice = await library.voices.save(moderator, house)
    await library.voices.set_default(moderator, voice.id)

    assert await in_turn(library.voices, ben) == ["House", DEFAULT_STARTER.name]
    await library.voices.delete(moderator, voice.id)
    assert await in_turn(library.voices, ben) == [DEFAULT_STARTER.name]


async def test_a_tempo_is_a_member_s_own_here_with_a_voice_or_without(library: Library) -> None:
    voices = library.voices

    await voices.set_tempo(ada, 1.37)
    assert await tempi(voices, ada, ben, stranger) == [1.37, 1.0, 1.0]
    await voices.choose(ada, ROBOT.id)
    assert await tempi(voices, ada) == [1.37]
    await voices.set_tempo(ada, 0.5)
    assert await in_turn(voices, ada) == ["Robot", DEFAULT_STARTER.name]
    assert await tempi(voices, ada) == [0.5]
    await voices.choose(ada, None)
    assert await tempi(voices, ada) == [1.0]


async def test_a_starter_is_found_by_name_and_id_everywhere_and_changed_nowhere(library: Library) -> None:
    voices = library.voices
    for scope in (ada, stranger, Scope.alone(ADA)):
        for name in ("wizard", "WIZARD", WIZARD.id):
            assert (await voices.find(scope, name)).kind is Kind.STARTER

    for change in (
        voices.find_to_manage(moderator, "Wizard"),
        voices.rename(moderator, WIZARD.id, "Gandalf"),
        voices.delete(moderator, WIZARD.id),
        voices.share(moderator, WIZARD.id, Sharing.ME),
        voices.set_transcript(moderator, WIZARD.id, "abracadabra"),
    ):
        with pytest.raises(MemberError):
            await change
    assert (await voices.page(moderator, 0, 8)).entries == ()
    assert await voices.complete(moderator, "", to_manage=True) == []


async def test_starters_that_are_described_anew_are_brought_up_to_date_and_choices_stay(
    library: Library,
) -> None:
    await library.voices.choose(ada, WIZARD.id)
    async with library.database.session() as session:
        wizard = await session.get_one(VoiceRow, WIZARD.id)
        wizard.name, wizard.description = "Old Wizard", "a wizard of an earlier edition"
        robot = await session.get_one(VoiceRow, ROBOT.id)
        await session.delete(robot)
        gone = {**wizard.__dict__, "id": "starter-gone", "name_key": "starter-gone"}
        session.add(VoiceRow(**{key: value for key, value in gone.items() if not key.startswith("_")}))

    await library.starters.bring_up_to_date()

    assert await in_turn(library.voices, ada) == ["Wizard", DEFAULT_STARTER.name]
    async with library.database.reading() as session:
        rows = {row.id: row for row in await session.scalars(select(VoiceRow))}
    assert rows.keys() == {starter.id for starter in STARTERS}
    assert rows[WIZARD.id].description == WIZARD.style


async def test_each_tts_gateway_has_recordings_of_its_own_which_nothing_tidies_away(library: Library) -> None:
    starters, recordings = library.starters, library.recordings
    for source in ("ours", "theirs"):
        assert await starters.find(WIZARD, source) is None
        recording = await recordings.keep(f"the wizard of {source}".encode())
        await starters.keep(WIZARD, source, StarterRecording(recording, 6.5))
        await starters.keep(WIZARD, source, StarterRecording(recording, 6.5))

    assert await recordings.drop_unused() == 0

    found = [await starters.find(WIZARD, source) for source in ("ours", "theirs")]
    wavs = [await recordings.read(one.recording) for one in found if one is not None]
    assert wavs == [b"the wizard of ours", b"the wizard of theirs"]
    assert await starters.find(ROBOT, "ours") is None
    assert await starters.find(replace(WIZARD, style="a young wizard"), "ours") is None


def test_the_posts_of_a_starter_are_those_of_its_recording() -> None:
    assert post_id(WIZARD.id, "a" * 64) != post_id(WIZARD.id, "b" * 64)
    assert post_id("a-voice-of-a-member-00", "a" * 64) == "a-voice-of-a-member-00"
