from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import asyncpg
import pytest

from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.recordings import Recordings
from bot.library.tables import Base
from bot.library.voices import Voices
from tests.library.postgresql import PostgreSQL, programs
from tests.library.shelves import voices_in

TABLES = "tables"
"""The database on PostgreSQL that has all our tables."""

_OF_DATABASES: Final = ("test_database.py", "test_migrations.py")
"""Here the databases differ; in other files PostgreSQL must do as SQLite does, which can wait."""

_numbers = itertools.count()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Mark as slow what runs on PostgreSQL only for the second time."""
    parameters = getattr(item, "callspec", None)
    on_both = parameters is not None and parameters.params.get("kind") == "postgresql"
    if on_both and item.path.name not in _OF_DATABASES:
        item.add_marker("slow")


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A server with one database, `TABLES`, that has all our tables."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    with PostgreSQL(found) as server:
        _in_a_thread(_administer(server, "postgres", f"CREATE DATABASE {TABLES}"))
        _in_a_thread(_make_tables(server.url(TABLES), Path()))
        yield server


@asynccontextmanager
async def a_database(server: PostgreSQL) -> AsyncIterator[str]:
    """Have a database without tables on the server; the value is its address."""
    name = f"test_{next(_numbers)}"
    await _administer(server, "postgres", f"CREATE DATABASE {name}")
    yield server.url(name)
    await _administer(server, "postgres", f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(params=["sqlite", "postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    """Which database the test runs on: each test runs on both."""
    return str(request.param)


@pytest.fixture
async def empty_url(kind: str, request: pytest.FixtureRequest) -> AsyncIterator[str | None]:
    """The address of a database without tables; None: a file under ``tmp_path``."""
    if kind == "sqlite":
        yield None
        return
    async with a_database(request.getfixturevalue("postgresql")) as url:
        yield url


@pytest.fixture
async def url(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> str | None:
    """The address of a database with all tables and no rows; None: a file under ``tmp_path``."""
    if kind == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), tmp_path / DATABASE_FILE)
        return None
    server: PostgreSQL = request.getfixturevalue("postgresql")
    tables = reversed(Base.metadata.sorted_tables)  # emptied in a tenth of the time that a new database takes
    await _administer(server, TABLES, "; ".join(f"DELETE FROM {table.name}" for table in tables))
    return server.url(TABLES)


@pytest.fixture
async def database(url: str | None, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with all tables."""
    async with await Database.open(url, tmp_path) as database:
        yield database


@pytest.fixture
async def library(url: str | None, tmp_path: Path) -> AsyncIterator[Library]:
    """A whole library, empty."""
    async with Library(url, tmp_path) as library:
        yield library


@pytest.fixture
def recordings(database: Database, tmp_path: Path) -> Recordings:
    """An empty folder of recordings."""
    return Recordings(database, tmp_path / "recordings")


@pytest.fixture
def voices(database: Database, recordings: Recordings) -> Voices:
    """The voices of a fresh database."""
    return voices_in(database, recordings)


async def _administer(server: PostgreSQL, database: str, statements: str) -> None:
    connection = await asyncpg.connect(server.url(database))
    try:
        await connection.execute(statements)
    finally:
        await connection.close()


async def _make_tables(url: str | None, folder: Path) -> None:
    async with await Database.open(url, folder) as database:
        await database.scrub()


def _in_a_thread(work: object) -> None:
    """Run a coroutine although the tests have a loop of their own."""
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, work).result()  # type: ignore[arg-type]
