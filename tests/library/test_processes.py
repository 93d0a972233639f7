"""Several processes of one bot on one PostgreSQL: each library here stands for a process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.errors import OtherDatabaseError
from bot.library.cached_speeches import member_label
from bot.library.consent_rules import POLICY_VERSION
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.tables import ChangeRow, GenerationRow, GuildSettingsRow
from bot.library.voice import Kind, NewVoice, Voice, utc_now
from bot.library.withdrawal import Withdrawal
from bot.limits import GENERATION_DAYS, LEFT_GUILD_DAYS
from bot.models import Shards
from tests.library.shelves import ADA, AVIARY, BEN, ada, moderator
from tests.scenes import until

SOON = 10.0
_FIRST, _SECOND = Shards(frozenset({0}), 2), Shards(frozenset({1}), 2)
ON_FIRST, ON_SECOND = 2 << 22, 3 << 22


@pytest.fixture
def kind() -> str:
    """SQLite has one process."""
    return "postgresql"


class Heard:
    """What a process was told of withdrawals."""

    def __init__(self, library: Library) -> None:
        self.all: list[Withdrawal] = []
        self._came = asyncio.Event()
        library.withdrawals.subscribe(self._hear)

    async def _hear(self, withdrawal: Withdrawal) -> None:
        self.all.append(withdrawal)
        self._came.set()

    async def next(self) -> Withdrawal:
        async with asyncio.timeout(SOON):
            await self._came.wait()
        self._came.clear()
        return self.all[-1]


@asynccontextmanager
async def processes(url: str | None, tmp_path: Path, count: int = 2) -> AsyncIterator[list[Library]]:
    """Have so many libraries on one database, each with a folder of its own."""
    async with AsyncExitStack() as stack:
        opened = [Library(url, tmp_path / str(number)) for number in range(count)]
        yield [await stack.enter_async_context(one) for one in opened]


async def test_servers_of_other_shards_are_not_taken_for_left(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path, 1) as (one,):
        for guild_id in (ON_FIRST, ON_SECOND):
            one.settings.remember_volume(guild_id, 50)

    async with processes(url, tmp_path) as (first, second):
        await first.settings.present([], _FIRST)
        await second.settings.present([ON_SECOND], _SECOND)

        async with first.database.reading() as session:
            were_left = select(GuildSettingsRow.guild_id).where(GuildSettingsRow.left_at.is_not(None))
            assert list(await session.scalars(were_left)) == [ON_FIRST]


async def test_servers_left_long_ago_are_deleted_by_whose_shard_they_are_on(
    url: str | None, tmp_path: Path
) -> None:
    async with processes(url, tmp_path) as (first, second):
        long_ago = utc_now() - timedelta(days=LEFT_GUILD_DAYS + 1)
        async with first.database.session() as session:
            session.add_all(
                GuildSettingsRow(guild_id=guild_id, left_at=long_ago, cloning_on=False)
                for guild_id in (ON_FIRST, ON_SECOND)
            )
        await first.settings.present([], _FIRST)  # it doesn't know whether the other has come back
        await first.tidy()
        await second.settings.present([ON_SECOND], _SECOND)
        await second.tidy()

        async with first.database.reading() as session:
            assert list(await session.scalars(select(GuildSettingsRow.guild_id))) == [ON_SECOND]


async def test_one_tidies_for_all_and_another_does_when_it_is_gone(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path, 1) as (second,):
        async with Library(url, tmp_path / "first") as first:
            assert await first.processes.leads()
            assert not await second.processes.leads()
            assert await first.processes.leads()
            old = utc_now() - timedelta(days=GENERATION_DAYS + 1)
            await first.generations.keep(
                Generation("t", AVIARY, ADA, ("words",), None, None, None, (), None, None, old)
            )
            await second.tidy()
            assert await _generations(second) == ["t"]
        assert await second.processes.leads()
        await second.tidy()
        assert await _generations(second) == []


async def _generations(library: Library) -> list[str]:
    async with library.database.reading() as session:
        return list(await session.scalars(select(GenerationRow.id)))


async def test_a_leader_whose_connection_broke_is_none_any_more(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path) as (first, second):
        assert await first.processes.leads()
        await _cut_off(second)
        assert await second.processes.leads()
        assert not await first.processes.leads()


async def _cut_off(library: Library) -> None:
    """End every connection to the database but the one that this takes."""
    everybody = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    async with library.database.session() as session:
        await session.execute(text(f"{everybody} AND datname = current_database()"))


async def test_the_database_of_one_application_is_refused_to_another(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path) as (first, second):
        await first.processes.claim(123)
        await second.processes.claim(123)
        with pytest.raises(OtherDatabaseError, match=r"belongs to the application 123, and .* 456"):
            await second.processes.claim(456)


async def test_commands_are_registered_by_one_after_the_other_with_what_it_knows(
    url: str | None, tmp_path: Path
) -> None:
    records = [tmp_path / "first.json", tmp_path / "second.json"]
    async with processes(url, tmp_path) as libraries:
        for library in libraries:
            await library.processes.claim(123)
        seen: list[str] = []

        async def register(number: int) -> None:
            async with libraries[number].processes.registering(records[number]):
                seen.append(records[number].read_text() if records[number].exists() else "nothing")
                await asyncio.sleep(0)
                records[number].write_text(f"{len(seen)}")

        await asyncio.gather(register(0), register(1))
    assert seen == ["nothing", "1"]


async def a_clone(library: Library) -> Voice:
    """Have the voice of Ben cloned by Ada, with his consent."""
    await library.settings.set_cloning(moderator, True, policy=POLICY_VERSION)
    recording = await library.recordings.keep(b"the recording of Ben")
    request = await library.consents.ask(ada, BEN, recording=recording, name="Ben")
    await library.consents.answer(request.id, BEN, True)
    new = NewVoice("Ben", Kind.CLONED, recording, 6.5, speaker_id=BEN, consent_id=request.id)
    return await library.voices.save(ada, new)


async def test_what_is_revoked_in_one_falls_silent_in_the_others(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path, 3) as (first, *others):
        voice = await a_clone(first)
        heard = [Heard(other) for other in others]
        await first.consents.revoke(BEN, voice.id)

        for one in heard:
            told = await one.next()
            assert voice.id in told.silent_ids
            assert (told.is_final, told.posts) == (True, ())
            assert voice.recording in told.recordings


async def test_what_is_deleted_of_a_member_is_told_without_who_it_was(
    url: str | None, tmp_path: Path
) -> None:
    async with processes(url, tmp_path) as (first, second):
        heard = Heard(second)
        await first.privacy.delete(ADA)

        assert list((await heard.next()).members) == [member_label(ADA)]
        async with first.database.reading() as session:
            assert str(ADA) not in str([row.body for row in await session.scalars(select(ChangeRow))])


async def test_what_was_told_is_deleted_an_hour_later(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path, 1) as (one,):
        await one.privacy.delete(ADA)
        async with one.database.session() as session:
            assert await session.scalar(select(func.count()).select_from(ChangeRow)) == 1
            await session.execute(text("UPDATE changes SET made_at = made_at - interval '61 minutes'"))
        await one.tidy()

        async with one.database.reading() as session:
            assert await session.scalar(select(func.count()).select_from(ChangeRow)) == 0


async def test_each_hears_of_its_own_changes_once(url: str | None, tmp_path: Path) -> None:
    async with processes(url, tmp_path) as (first, second):
        mine, others = Heard(first), Heard(second)
        await first.withdrawals.announce(Withdrawal((), likenesses=["a"]))
        await others.next()
        await second.withdrawals.announce(Withdrawal((), likenesses=["b"]))
        await until(lambda: len(mine.all) >= 2, within=SOON)  # each of them may be told twice

    assert [one.likenesses for one in mine.all] == [["a"], ["b"]]
    assert [one.likenesses for one in others.all] == [["a"], ["b"]]


async def test_what_was_withdrawn_while_the_connection_was_away_is_read_afterwards(
    url: str | None, tmp_path: Path
) -> None:
    async with processes(url, tmp_path) as (first, second):
        heard = Heard(second)
        await _cut_off(first)
        await first.withdrawals.announce(Withdrawal((), likenesses=["a"]))
        assert (await heard.next()).likenesses == ["a"]
        await first.withdrawals.announce(Withdrawal((), likenesses=["b"]))
        assert (await heard.next()).likenesses == ["b"]


async def test_while_nobody_can_say_what_was_withdrawn_nothing_cloned_is_heard(
    url: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.library.withdrawal._BLIND_SECONDS", 0.2)
    async with processes(url, tmp_path) as (first, second):
        heard = Heard(second)
        async with first.database.session() as session:
            await session.execute(text("ALTER TABLE changes RENAME TO away"))
        try:
            await _cut_off(first)
            assert (await heard.next()).is_blind
        finally:
            async with first.database.session() as session:
                await session.execute(text("ALTER TABLE away RENAME TO changes"))
