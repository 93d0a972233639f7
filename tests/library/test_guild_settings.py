from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.errors import LibraryError, MemberError
from bot.library.database import Database
from bot.library.generations import Generation
from bot.library.guild_settings import AnswerRules, GuildSettings
from bot.library.library import Library
from bot.library.tables import Base, GuildSettingsRow
from bot.library.voice import Kind, NewVoice, Scope, Sharing
from bot.library.withdrawal import RecordingPost, Withdrawal
from bot.limits import LEFT_GUILD_DAYS, MAX_VOLUME
from tests.library.shelves import ADA, AVIARY, BEN, ROOKERY, a_voice, ada, ben, completed, moderator, stranger


async def test_what_was_kept_is_there_after_a_restart(database: Database) -> None:
    async with GuildSettings(database) as settings:
        settings.remember_volume(AVIARY, 150)
        settings.remember_channel(AVIARY, 77)
        settings.remember_channel(ROOKERY, 88)
        settings.remember_channel(5, 5)
        settings.remember_channel(5, None)
        assert settings.channels() == {AVIARY: 77, ROOKERY: 88}

    async with GuildSettings(database) as settings:
        assert settings.channels() == {AVIARY: 77, ROOKERY: 88}
        assert settings.volumes() == {AVIARY: 150}
        settings.remember_volume(AVIARY, 100)
        assert settings.volumes() == {}


async def test_many_changes_at_once_are_few_writes_and_the_last_one_counts(database: Database) -> None:
    async with GuildSettings(database) as settings:
        for channel_id in range(1, 2000):
            settings.remember_channel(AVIARY, channel_id)

    async with GuildSettings(database) as settings:
        assert settings.channels() == {AVIARY: 1999}


async def test_what_cannot_be_written_now_is_written_later(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    away = "ALTER TABLE guild_settings RENAME TO away"
    back = "ALTER TABLE away RENAME TO guild_settings"
    async with GuildSettings(database) as settings:
        await _execute(database, away)
        settings.remember_channel(AVIARY, 77)
        async with asyncio.timeout(30):
            while "not written yet" not in caplog.text:  # noqa: ASYNC110 - the log has no event
                await asyncio.sleep(0.01)
        await _execute(database, back)

    async with GuildSettings(database) as settings:
        assert settings.channels() == {AVIARY: 77}


async def _execute(database: Database, statement: str) -> None:
    async with database.session() as session:
        await session.execute(text(statement))


async def test_a_volume_from_the_database_stays_within_its_limits(database: Database) -> None:
    async with database.session() as session:
        session.add(GuildSettingsRow(guild_id=AVIARY, volume=99999))

    async with GuildSettings(database) as settings:
        assert settings.volumes() == {AVIARY: MAX_VOLUME}


async def test_cloning_is_off_until_a_moderator_switches_it_on(database: Database) -> None:
    async with GuildSettings(database) as settings:
        settings.remember_volume(AVIARY, 150)
        assert not await settings.cloning_is_on(AVIARY)
        with pytest.raises(MemberError, match="Only moderators"):
            await settings.set_cloning(ada, True, policy=1)
        await settings.set_cloning(moderator, True, policy=3)
        assert await settings.cloning_is_on(AVIARY)
        assert not await settings.cloning_is_on(ROOKERY)

    async with database.reading() as session:
        row = await session.get_one(GuildSettingsRow, AVIARY)
    assert (row.cloning_policy, row.cloning_by) == (3, moderator.member_id)
    assert row.cloning_at is not None
    async with GuildSettings(database) as settings:
        assert await settings.cloning_is_on(AVIARY)
        assert settings.volumes() == {AVIARY: 150}
        await settings.set_cloning(moderator, False, policy=3)
        assert not await settings.cloning_is_on(AVIARY)


async def test_a_server_left_long_ago_is_deleted_with_everything_and_no_other_is(
    url: str | None, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    withdrawn: list[Withdrawal] = []

    async def hear(withdrawal: Withdrawal) -> None:
        withdrawn.append(withdrawal)

    async with Library(url, tmp_path, now=lambda: now) as library:
        library.withdrawals.subscribe(hear)
        gone = await a_voice(library.voices, library.recordings, "Alice", sharing=Sharing.SERVER)
        stays = await a_voice(library.voices, library.recordings, "Alice", stranger)
        private = await a_voice(library.voices, library.recordings, "Alice", Scope.alone(BEN))
        await library.voices.choose(ben, gone.id)
        await library.posts.remember(RecordingPost(gone.id, 5, 6, 7, "https://cdn.example/x", now))
        await library.generations.keep(
            Generation("t", AVIARY, ADA, ("words",), None, None, None, (), None, None, now)
        )
        await library.settings.set_cloning(moderator, True, policy=1)
        await library.audit.freeze_likeness(moderator, BEN, True)

        await library.settings.present([ROOKERY])
        now += timedelta(days=LEFT_GUILD_DAYS - 1)
        await library.tidy()
        assert await library.voices.unscoped(gone.id) == gone
        now += timedelta(days=2)
        await library.tidy()

        assert [await library.voices.unscoped(one.id) for one in (gone, stays, private)] == [
            *(None, stays, private)
        ]
        assert await completed(library.voices, ada, "") == []
        assert not await library.settings.cloning_is_on(AVIARY)
        assert [(one.voices, [post.message_id for post in one.posts]) for one in withdrawn] == [
            ((gone,), [6])
        ]
        with pytest.raises(LibraryError):
            await library.recordings.read(gone.recording)
        async with library.database.reading() as session:
            for table in Base.metadata.sorted_tables:
                if "guild_id" in table.columns:
                    here = select(func.count()).select_from(table).where(table.c.guild_id == AVIARY)
                    assert await session.scalar(here) == 0, table.name


async def test_nothing_of_a_server_goes_before_it_is_known_where_the_bot_is(
    url: str | None, tmp_path: Path
) -> None:
    now = datetime.now(UTC)
    async with Library(url, tmp_path, now=lambda: now) as library:
        voice = await a_voice(library.voices, library.recordings, "Alice")
        await library.settings.left(AVIARY)
        now += timedelta(days=LEFT_GUILD_DAYS + 1)

    async with Library(url, tmp_path, now=lambda: now) as library:
        await library.tidy()  # the servers are not known yet; this one has taken the bot back meanwhile
        await library.settings.present([AVIARY])
        await library.tidy()

        assert await library.voices.find(ada, "alice") == voice
        assert await library.recordings.read(voice.recording)


async def test_a_server_that_comes_back_in_time_loses_nothing(url: str | None, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    async with Library(url, tmp_path, now=lambda: now) as library:
        recording = await library.recordings.keep(b"RIFF")
        voice = await library.voices.save(ada, NewVoice("Alice", Kind.DESIGNED, recording, 1.0))
        await library.settings.left(AVIARY)
        now += timedelta(days=LEFT_GUILD_DAYS - 1)

    async with Library(url, tmp_path, now=lambda: now) as library:
        await library.settings.present([AVIARY])
        now += timedelta(days=2)
        await library.tidy()

        assert await library.voices.find(ada, "alice") == voice


async def test_a_server_is_welcomed_once_even_by_two_processes_at_once(database: Database) -> None:
    async with GuildSettings(database) as one, GuildSettings(database) as other:
        begun = await asyncio.gather(*(settings.begin_welcome(AVIARY) for settings in (one, other) * 10))

        assert begun.count(True) == 1
        assert await one.begin_welcome(ROOKERY)


async def test_a_welcome_that_could_not_be_said_may_be_tried_again(database: Database) -> None:
    async with GuildSettings(database) as settings:
        await settings.begin_welcome(AVIARY)
        await settings.undo_welcome(AVIARY)

        assert await settings.begin_welcome(AVIARY)


async def test_a_welcome_changes_nothing_else_that_is_kept_of_a_server(database: Database) -> None:
    async with GuildSettings(database) as settings:
        await settings.set_cloning(moderator, True, policy=1)
        settings.remember_volume(AVIARY, 150)

    async with GuildSettings(database) as settings:
        await settings.begin_welcome(AVIARY)
        assert await settings.cloning_is_on(AVIARY)
        assert settings.volumes() == {AVIARY: 150}


async def test_moderators_rule_how_answers_look_and_nobody_else_does(database: Database) -> None:
    async with GuildSettings(database) as settings:
        assert (await settings.rules(AVIARY))[1] == AnswerRules()
        with pytest.raises(MemberError, match="Only moderators"):
            await settings.set_answer_rules(ada, quotes_text=False)

        await settings.set_usage_rules(moderator, seconds_a_day=60)
        assert await settings.set_answer_rules(moderator, quotes_text=False) == AnswerRules(quotes_text=False)
        await settings.set_answer_rules(moderator, sends_ogg=True)

    async with GuildSettings(database) as settings:
        usage, answers = await settings.rules(AVIARY)
        assert (usage.seconds_a_day, answers) == (60, AnswerRules(quotes_text=False, sends_ogg=True))
        assert (await settings.rules(ROOKERY))[1] == AnswerRules()
