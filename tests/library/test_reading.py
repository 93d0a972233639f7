"""What is kept for reading aloud: rules, channels, wishes of members, and the dictionary."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from bot.errors import MemberError
from bot.library.library import Library, purge_left_guilds
from bot.library.reading import DictionaryWord, ReadChannel, ReadingRules, ReadMember
from bot.library.voice import utc_now
from bot.limits import LEFT_GUILD_DAYS, MAX_DICTIONARY_WORDS, MAX_READ_CHANNELS, MAX_RULED
from bot.models import Shards
from tests.library.shelves import ADA, AVIARY, BEN, ROOKERY, SINGERS, ada, ben, moderator, singer

GG = DictionaryWord("gg", "GG", "good game")


async def test_rules_are_as_usual_until_a_moderator_changes_some(library: Library) -> None:
    reading = library.reading
    assert await reading.rules(AVIARY) == ReadingRules()

    changed = await reading.set_rules(
        moderator, longest_seconds=20, announces=True, silenced_members=frozenset({ADA, 2**63 - 1})
    )
    changed = await reading.set_rules(moderator, prefix="!")

    expected = ReadingRules(
        longest_seconds=20, announces=True, prefix="!", silenced_members=frozenset({ADA, 2**63 - 1})
    )
    assert changed == expected == await reading.rules(AVIARY)
    assert await reading.rules(ROOKERY) == ReadingRules()
    with pytest.raises(MemberError):
        await reading.set_rules(ada, announces=False)
    with pytest.raises(MemberError):
        await reading.set_rules(moderator, silenced_members=frozenset(range(MAX_RULED + 1)))


async def test_what_members_wish_is_read_with_the_rules(library: Library) -> None:
    await library.reading.set_member(AVIARY, ADA, is_muted=True)
    await library.reading.set_member(AVIARY, ADA, spoken_name="Aydah")
    await library.reading.set_member(ROOKERY, BEN, is_muted=True)

    rules, wishes = await library.reading.rules_and_wishes(AVIARY, [ADA, BEN])

    assert rules == ReadingRules()
    assert wishes == {ADA: ReadMember(is_muted=True, spoken_name="Aydah")}


async def test_channels_are_read_until_they_are_removed_and_not_too_many(library: Library) -> None:
    reading = library.reading
    for channel_id in range(MAX_READ_CHANNELS):
        await reading.add_channel(ReadChannel(channel_id, AVIARY))
    await reading.add_channel(ReadChannel(3, AVIARY, 77))  # bound now
    with pytest.raises(MemberError):
        await reading.add_channel(ReadChannel(1_000, AVIARY))
    await reading.add_channel(ReadChannel(1_000, ROOKERY))

    await reading.remove_channels(range(3))

    kept = {channel.channel_id: channel for channel in await reading.channels()}
    assert set(kept) == {*range(3, MAX_READ_CHANNELS), 1_000}
    assert kept[3] == ReadChannel(3, AVIARY, 77)


async def test_a_dictionary_is_changed_by_moderators_and_whom_they_allow(library: Library) -> None:
    reading = library.reading
    with pytest.raises(MemberError):
        await reading.add_words(singer, [GG])
    await reading.set_rules(moderator, dictionary_roles=frozenset({SINGERS}))

    assert await reading.add_words(singer, [GG, DictionaryWord("wp", "wp", "well played")]) == 2
    assert await reading.add_words(moderator, [replace(GG, spoken="great game")]) == 2
    await reading.set_presets(singer, frozenset({"en", "de"}))

    assert (await reading.words(AVIARY))[0].spoken == "great game"
    assert await reading.words(ROOKERY) == []
    rules = await reading.rules(AVIARY)
    assert (rules.presets, rules.words_changed) == (frozenset({"en", "de"}), 3)
    with pytest.raises(MemberError):
        await reading.remove_word(ben, "gg")
    assert (await reading.remove_word(singer, "gg")).word == "GG"
    with pytest.raises(MemberError):
        await reading.remove_word(singer, "gg")


async def test_a_dictionary_never_holds_too_many_words_also_when_several_add_at_once(
    library: Library,
) -> None:
    def words(begin: str, count: int) -> list[DictionaryWord]:
        return [DictionaryWord(f"{begin}{number}", f"{begin}{number}", "x") for number in range(count)]

    await library.reading.add_words(moderator, words("a", MAX_DICTIONARY_WORDS - 10))
    adding = [library.reading.add_words(moderator, words(begin, 6)) for begin in "bcd"]
    ended = await asyncio.gather(*adding, return_exceptions=True)

    assert sum(isinstance(end, MemberError) for end in ended) == 2
    assert len(await library.reading.words(AVIARY)) == MAX_DICTIONARY_WORDS - 4
    assert await library.reading.add_words(moderator, words("a", 5)) == MAX_DICTIONARY_WORDS - 4


async def test_everything_about_a_member_is_exported_and_deleted_but_a_moderators_word(
    library: Library,
) -> None:
    await library.reading.set_member(AVIARY, ADA, is_muted=True, spoken_name="Aydah")
    await library.reading.set_rules(moderator, silenced_members=frozenset({ADA}))

    exported = await library.privacy.export(ADA)
    await library.privacy.delete(ADA)

    assert exported["read_aloud"] == [
        {"guild_id": str(AVIARY), "member_id": str(ADA), "is_muted": True, "spoken_name": "Aydah"}
    ]
    assert exported["not_read_aloud_in"] == [str(AVIARY)]
    rules, wishes = await library.reading.rules_and_wishes(AVIARY, [ADA])
    assert wishes == {}
    assert rules.silenced_members == {ADA}


async def test_a_server_with_nothing_but_a_dictionary_is_known_and_so_forgotten_when_it_is_left(
    library: Library,
) -> None:
    await library.reading.add_words(moderator, [GG])
    await library.reading.add_channel(ReadChannel(5, AVIARY, 6))

    await library.settings.left(AVIARY)
    later = utc_now() + timedelta(days=LEFT_GUILD_DAYS + 1)
    purged = await purge_left_guilds(library.database, later, Shards())

    assert purged.guild_ids == (AVIARY,)
    assert await library.reading.words(AVIARY) == []
    assert await library.reading.channels() == []
    assert await library.reading.rules(AVIARY) == ReadingRules()
