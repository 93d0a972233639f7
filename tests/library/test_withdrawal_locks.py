"""Taking a voice back while others use the database: nobody waits for anybody."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import asyncpg
import pytest

from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.tables import Base
from tests.library.consents import agreed_voice, cloning_on, moderator, own_voice, owner, speaker

_FILES = """SELECT relname, relfilenode FROM pg_class
    WHERE relkind IN ('r', 'i') AND relnamespace = 'public'::regnamespace ORDER BY relname"""
_EXCLUSIVE = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND relation IS NOT NULL"

_DEAD = "SELECT dead_tuple_count FROM pgstattuple('voices')"


async def withdraw(library: Library, how: str) -> None:
    """Take one voice back, in one of the ways that there are, and wait for everything that follows."""
    await cloning_on(library)
    if how == "delete":
        voice = await own_voice(library, owner)
        await library.voices.delete(owner, voice.id)
    elif how == "revoke":
        await agreed_voice(library)
        assert await library.consents.revoke(speaker.member_id)
    elif how == "never clone":
        await agreed_voice(library)
        assert await library.consents.never_clone(speaker.member_id, True)
    else:
        await own_voice(library, owner)
        assert (await library.privacy.delete(owner.member_id)).voices
    await library.withdrawals.aclose()


WAYS = ("delete", "revoke", "never clone", "privacy delete")


class TestPostgreSQL:
    @pytest.fixture
    def kind(self) -> str:
        return "postgresql"

    @asynccontextmanager
    async def reader(self, url: str) -> AsyncIterator[asyncpg.Connection]:
        """Hold every table open for reading, as a backup does for minutes."""
        connection = await asyncpg.connect(url)
        tables = ", ".join(table.name for table in Base.metadata.sorted_tables)
        try:
            async with connection.transaction():
                await connection.execute(f"LOCK TABLE {tables} IN ACCESS SHARE MODE")
                yield connection
        finally:
            await connection.close()

    @pytest.mark.slow
    @pytest.mark.parametrize("how", WAYS)
    async def test_a_withdrawal_rewrites_no_table(self, library: Library, url: str, how: str) -> None:
        watcher = await asyncpg.connect(url)
        try:
            before = await watcher.fetch(_FILES)
            await withdraw(library, how)
            await library.tidy()
            assert await watcher.fetch(_FILES) == before
        finally:
            await watcher.close()

    @pytest.mark.parametrize("how", WAYS)
    async def test_a_withdrawal_ends_while_somebody_reads_every_table(
        self, library: Library, url: str, how: str
    ) -> None:
        async with self.reader(url) as reader:
            await withdraw(library, how)  # whatever waits for a lock fails here after `DATABASE_BUSY_SECONDS`
            await library.tidy()
            assert not library.database.needs_scrubbing
            assert await reader.fetchval(_EXCLUSIVE) == 0

    async def test_the_hourly_tidying_frees_the_room_of_deleted_rows(
        self, library: Library, url: str
    ) -> None:
        watcher = await asyncpg.connect(url)
        try:
            await watcher.execute("CREATE EXTENSION IF NOT EXISTS pgstattuple")
            await withdraw(library, "delete")
            assert await watcher.fetchval(_DEAD) > 0
            await library.tidy()
            assert await watcher.fetchval(_DEAD) == 0
        finally:
            await watcher.close()


class TestSQLite:
    @pytest.fixture
    def kind(self) -> str:
        return "sqlite"

    @pytest.mark.slow
    async def test_others_write_while_a_withdrawal_waits_for_a_long_reader(
        self, library: Library, tmp_path: Path
    ) -> None:
        await cloning_on(library)
        voice = await own_voice(library, owner)
        with closing(sqlite3.connect(tmp_path / DATABASE_FILE, isolation_level=None)) as reader:
            reader.execute("BEGIN")
            reader.execute("SELECT * FROM voices").fetchall()
            await library.voices.delete(owner, voice.id)
            scrubbing = asyncio.create_task(library.withdrawals.aclose())
            await library.settings.set_cloning(moderator, False, policy=1)

            assert not scrubbing.done()  # it has let the other one write between two tries
            assert library.database.needs_scrubbing
        await scrubbing
        assert not library.database.needs_scrubbing
        assert voice.id.encode() not in await asyncio.to_thread(on_disk, tmp_path)


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob(f"{DATABASE_FILE}*"))
