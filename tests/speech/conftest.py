"""A speech maker in front of a real TTS gateway whose misbehaviour can be scripted."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.library.cached_speeches import CachedSpeeches
from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from tests.fakes.voice_access import Shelf
from tests.scenes import Studio, open_studio


@pytest.fixture
async def database(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Database]:
    """A fresh database with all tables."""
    shutil.copy(sqlite_template, tmp_path / DATABASE_FILE)
    async with await Database.open(None, tmp_path) as database:
        yield database


@pytest.fixture
def speeches(database: Database) -> CachedSpeeches:
    """The index of kept speech, in a database of its own."""
    return CachedSpeeches(database)


@pytest.fixture
async def studio(tmp_path: Path, speeches: CachedSpeeches) -> AsyncIterator[Studio]:
    async with open_studio(tmp_path / "cache", speeches) as studio:
        yield studio


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        yield shelf
