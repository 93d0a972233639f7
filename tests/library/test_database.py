from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, delete, select, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import DamagedDatabaseError, LibraryBusyError, LibraryError, LibraryFullError, MemberError
from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from bot.library.migrations import OURS
from bot.library.tables import Base, ChosenVoiceRow, GenerationRow, GuildSettingsRow, NeverCloneRow
from tests.library.first_edition import first_revisions

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("myna.db*"))


def modes(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}


async def count(database: Database) -> int:
    async with database.reading() as session:
        return len((await session.scalars(select(NeverCloneRow))).all())


async def test_what_was_committed_is_there_after_reopening(
    database: Database, url: str | None, tmp_path: Path
) -> None:
    async with database.session() as session:
        session.add(NeverCloneRow(member_id=2**63 - 1, since=NOW))
    await database.aclose()

    async with await Database.open(url, tmp_path) as again, again.reading() as session:
        row = (await session.scalars(select(NeverCloneRow))).one()
    assert (row.member_id, row.since) == (2**63 - 1, NOW)


@pytest.mark.slow
@pytest.mark.filterwarnings(
    "ignore:Skipped unsupported reflection of expression-based index",
    "ignore:autogenerate skipping metadata-specified expression-based index",
)
@pytest.mark.parametrize("how", ["at once", "by all migrations"])
async def test_the_tables_of_a_new_database_are_those_the_code_knows(
    empty_url: str | None, tmp_path: Path, how: str
) -> None:
    migrations = OURS
    if how == "by all migrations":
        migrations = first_revisions(tmp_path / "migrations")

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, Base.metadata))

    async with (
        await Database.open(empty_url, tmp_path, migrations=migrations) as database,
        database.reading() as session,
    ):
        assert await (await session.connection()).run_sync(differences) == []
        assert "coalesce(last_used_at, created_at), name_key" in await definition_of_last_seen(
            database, session
        )
        assert await session.scalar(text("SELECT version_num FROM alembic_version")) == OURS.newest


async def definition_of_last_seen(database: Database, session: AsyncSession) -> str:
    """Return the index that no comparison sees, as the database made it."""
    on_sqlite = "SELECT sql FROM sqlite_master WHERE name = :index"
    on_postgresql = "SELECT indexdef FROM pg_indexes WHERE indexname = :index"
    wanted = text(on_sqlite if database.is_sqlite else on_postgresql)
    return str(await session.scalar(wanted, {"index": "ix_voices_guild_id_last_seen"})).lower()


def test_the_revisions_are_listed_as_alembic_finds_them() -> None:
    script = ScriptDirectory(str(OURS.folder))

    assert tuple(one.revision for one in reversed(list(script.walk_revisions()))) == OURS.revisions


async def test_an_error_undoes_the_whole_transaction(database: Database) -> None:
    with pytest.raises(MemberError):
        async with database.session() as session:
            session.add(NeverCloneRow(member_id=1, since=NOW))
            await session.flush()
            raise MemberError("no")

    assert await count(database) == 0


async def test_foreign_keys_are_kept(database: Database) -> None:
    with pytest.raises(IntegrityError):
        async with database.session() as session:
            session.add(ChosenVoiceRow(guild_id=1, member_id=1, voice_id="no such voice"))


async def test_moments_come_back_in_utc_and_none_without_a_zone_goes_in(database: Database) -> None:
    async with database.session() as session:
        session.add(NeverCloneRow(member_id=1, since=NOW.astimezone()))
    with pytest.raises(LibraryError):
        async with database.session() as session:
            session.add(NeverCloneRow(member_id=2, since=NOW.replace(tzinfo=None)))

    async with database.reading() as session:
        found = (await session.scalars(select(NeverCloneRow))).one().since
    assert found == NOW
    assert found.tzinfo is UTC


async def test_text_that_no_database_takes_is_kept_without_what_it_does_not_take(database: Database) -> None:
    said = "a\0b\ud800c 👩‍👩‍👧 ﷺ"
    async with database.session() as session:
        kept = GenerationRow(id="1", member_id=1, lines=[said], style=said, voice_ids=[], created_at=NOW)
        session.add(kept)

    async with database.reading() as session:
        generation = (await session.scalars(select(GenerationRow))).one()
    assert generation.style == "ab?c 👩‍👩‍👧 ﷺ"
    assert generation.lines == [said]  # as JSON it can be kept


async def test_sixty_writers_at_once_do_not_hinder_each_other(database: Database) -> None:
    async def write(member_id: int) -> None:
        async with database.session() as session:
            await session.scalars(select(NeverCloneRow))  # reads first: a deadlock if it had to upgrade
            session.add(NeverCloneRow(member_id=member_id, since=NOW))

    await asyncio.gather(*(write(number) for number in range(60)))

    assert await count(database) == 60


async def test_who_gives_up_waiting_leaves_the_database_usable(database: Database) -> None:
    async def write(member_id: int) -> None:
        async with database.session() as session:
            session.add(NeverCloneRow(member_id=member_id, since=NOW))

    tasks = [asyncio.create_task(write(number)) for number in range(60)]
    for number, task in enumerate(tasks):
        await asyncio.sleep(0)
        if number % 3:
            task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await write(1000)

    assert {type(result) for result in results} <= {type(None), asyncio.CancelledError}
    assert await count(database) >= 21


async def test_a_database_that_is_not_there_is_one_sentence_for_the_operator(tmp_path: Path) -> None:
    with pytest.raises(LibraryError) as caught:
        await Database.open("postgresql://someone:canary-password@127.0.0.1:9/none", tmp_path)

    assert str(caught.value).startswith("The database cannot be opened: ")
    assert "DATABASE_URL" in str(caught.value)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize("url", ["mysql://a@b/c", "sqlite://", "nonsense", "postgresql+psycopg2://a@b/c"])
async def test_another_kind_of_database_is_refused(url: str, tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match=r"^DATABASE_URL .*\.$"):
        await Database.open(url, tmp_path)


async def test_a_server_that_restarts_is_found_again(database: Database, kind: str) -> None:
    if kind == "sqlite":
        pytest.skip("a file does not restart")
    await count(database)
    async with database.reading() as session:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
        await session.execute(text(f"{others} AND datname = current_database()"))

    assert await count(database) == 0


class TestTheFile:
    """What only a file of SQLite has."""

    @pytest.fixture
    def kind(self) -> str:
        return "sqlite"

    @pytest.fixture
    async def impatient(self, url: None, tmp_path: Path) -> AsyncIterator[Database]:
        async with await Database.open(url, tmp_path, busy_seconds=0.05) as database:
            yield database

    async def test_a_database_file_keeps_what_was_committed_and_overwrites_what_was_deleted(
        self, database: Database
    ) -> None:
        for connections in (1, 2):
            async with database.session() as session:
                for pragma, value in {
                    "journal_mode": "wal",
                    "foreign_keys": 1,
                    "secure_delete": 1,
                    "synchronous": 2,
                    "busy_timeout": 5000,
                }.items():
                    assert await session.scalar(text(f"PRAGMA {pragma}")) == value, (pragma, connections)

    async def test_a_database_file_is_read_by_our_own_user_alone(
        self, empty_url: None, tmp_path: Path
    ) -> None:
        async with await Database.open(empty_url, tmp_path) as database:
            assert await count(database) == 0
            assert modes(tmp_path) == {"myna.db": 0o600, "myna.db-wal": 0o600, "myna.db-shm": 0o600}

    async def test_locked_by_another_program_it_says_so_and_saves_nothing(
        self, impatient: Database, tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(LibraryBusyError):
                async with impatient.session() as session:
                    session.add(NeverCloneRow(member_id=1, since=NOW))
            assert await count(impatient) == 0  # reading goes on
            other.execute("ROLLBACK")

        async with impatient.session() as session:
            session.add(NeverCloneRow(member_id=1, since=NOW))
        assert await count(impatient) == 1

    async def test_a_full_disk_is_an_error_with_nothing_half_saved_and_it_recovers(
        self, database: Database
    ) -> None:
        async def fill(pages: int) -> None:
            async with database.session() as session:
                await session.execute(text(f"PRAGMA max_page_count = {pages}"))
                for number in range(3):
                    generation = GenerationRow(
                        id=str(number), member_id=1, lines=["x" * 9000], voice_ids=[], created_at=NOW
                    )
                    session.add(generation)
                    await session.flush()

        async with database.reading() as session:
            pages = await session.scalar(text("PRAGMA page_count"))
        with pytest.raises(LibraryFullError):
            await fill(int(pages or 0) + 4)
        async with database.reading() as session:
            assert (await session.scalars(select(GenerationRow))).all() == []

        await fill(1_000_000)
        async with database.reading() as session:
            assert len((await session.scalars(select(GenerationRow))).all()) == 3

    async def test_deleted_rows_are_gone_from_the_file_and_from_its_log(
        self, database: Database, tmp_path: Path
    ) -> None:
        async with database.session() as session:
            session.add(
                GenerationRow(id="1", member_id=1, lines=["canary" * 2000], voice_ids=[], created_at=NOW)
            )
        assert b"canary" in on_disk(tmp_path)

        async with database.session() as session:
            await session.execute(delete(GenerationRow))
        await database.scrub()

        assert b"canary" not in on_disk(tmp_path)

    async def test_while_somebody_reads_scrubbing_fails_and_is_remembered(
        self, impatient: Database, tmp_path: Path
    ) -> None:
        with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as other:
            other.execute("BEGIN")
            other.execute("SELECT * FROM takes").fetchall()
            async with impatient.session() as session:
                session.add(GuildSettingsRow(guild_id=1))
            with pytest.raises(LibraryBusyError):
                await impatient.scrub()
            assert impatient.needs_scrubbing

        await impatient.scrub()
        assert not impatient.needs_scrubbing

    @pytest.mark.parametrize("content", [b"no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 4000])
    async def test_a_file_that_is_no_database_is_left_alone(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / DATABASE_FILE).write_bytes(content)

        with pytest.raises(LibraryError, match=r"^The database .* is damaged"):
            await Database.open(None, tmp_path)
        assert (tmp_path / DATABASE_FILE).read_bytes() == content

    async def test_damage_is_found(self, database: Database, url: None, tmp_path: Path) -> None:
        async with database.session() as session:
            for number in range(200):
                session.add(
                    GenerationRow(
                        id=str(number), member_id=number, lines=["x" * 900], voice_ids=[], created_at=NOW
                    )
                )
        assert await database.problem() is None
        await database.aclose()
        path = tmp_path / DATABASE_FILE
        content = bytearray(path.read_bytes())
        content[-40_000:-20_000] = bytes(20_000)
        path.write_bytes(content)

        with pytest.raises(DamagedDatabaseError):
            await Database.open(url, tmp_path)

    async def test_damage_that_comes_later_is_found_too(self, tmp_path: Path) -> None:
        async with await Database.open(None, tmp_path) as database:
            path = tmp_path / DATABASE_FILE
            await database.scrub()
            content = bytearray(path.read_bytes())
            content[4_096:] = b"\xff" * (len(content) - 4_096)
            path.write_bytes(content)

            assert await database.problem() is not None

    async def test_a_folder_that_cannot_be_made_is_one_sentence(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()

        with pytest.raises(LibraryError, match=r"cannot be written .*set DATA_DIR"):
            await Database.open(None, tmp_path / "file" / "data")

    async def test_a_database_file_may_stand_elsewhere(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere" / "voices.db"

        async with await Database.open(f"sqlite:///{elsewhere}", tmp_path / "data") as database:
            assert database.is_sqlite

        assert elsewhere.is_file()
        assert not (tmp_path / "data").exists()


async def test_a_closing_database_lets_waiting_transactions_end_and_takes_no_new_ones(
    database: Database,
) -> None:
    release, order = asyncio.Event(), []

    async def read(name: str) -> None:
        async with database.reading() as session:
            await session.execute(text("SELECT 1"))
            order.append(name)
            await release.wait()

    reading = [asyncio.create_task(read("early")) for _ in range(40)]  # far more than there are connections
    while not order:  # noqa: ASYNC110 - the first one says so, and there is no event of the database's
        await asyncio.sleep(0)
    closing_it = asyncio.create_task(database.aclose())
    await asyncio.sleep(0)
    with pytest.raises(LibraryError, match="closed"):
        await read("late")
    release.set()
    await asyncio.gather(*reading, closing_it)

    assert order == ["early"] * 40
