"""Kept speech that somebody wants gone: with what it is of or not at all, whenever the process is killed."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from bot.library.cached_speeches import member_label
from bot.library.library import Library
from bot.speech.cache import SpeechCache
from tests.library.consents import OTHER, SPEAKER
from tests.scenes import until
from tests.speech.forgotten import (
    ALL,
    ANEW,
    GONE,
    KEPT,
    NEW,
    OF_VOICE,
    cache_of,
    files,
    plant,
    take_away,
)

ADA, BOB = member_label(SPEAKER), member_label(OTHER)
A, B = "1" * 64, "2" * 64

in_every_way = pytest.mark.parametrize("way", list(GONE))
where_processes_are_killed = pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")


@pytest.fixture
async def library(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Library]:
    async with Library(None, tmp_path) as library:
        yield library


@pytest.fixture
async def cache(library: Library, tmp_path: Path) -> AsyncIterator[SpeechCache]:
    async with cache_of(library, tmp_path) as cache:
        yield cache


def killed(folder: Path, way: str, at: str) -> None:
    """Let a process do it and be killed at the first such event in the cache."""
    program = [sys.executable, "-m", "tests.speech.forgotten", str(folder), way, at]
    assert subprocess.run(program, check=False, timeout=120).returncode == -signal.SIGKILL


async def served(folder: Path) -> set[str]:
    """Return what the next start gives of the speech that was kept, and of speech made meanwhile."""
    async with Library(None, folder) as library, cache_of(library, folder) as cache:
        found = {key: await cache.get(key) for key in (*ALL, NEW)}
        assert files(folder) == {key for key, kept in found.items() if kept is not None}
    assert {kept for kept in found.values() if kept is not None} == {KEPT}
    return {key for key, kept in found.items() if kept is not None}


@in_every_way
async def test_exactly_what_it_is_of_takes_kept_speech_with_it(
    library: Library, cache: SpeechCache, tmp_path: Path, way: str
):
    await plant(library, cache)
    assert files(tmp_path) == ALL

    await take_away(library, cache, way)

    assert files(tmp_path) == ALL - GONE[way]
    assert {key for key in ALL if await cache.get(key) is not None} == ALL - GONE[way]


@in_every_way
async def test_a_deletion_whose_commit_fails_leaves_the_speech_and_what_it_is_of(
    library: Library, cache: SpeechCache, tmp_path: Path, way: str
):
    await plant(library, cache)
    before = await everything(library)
    async with library.database.session() as session:
        for statement in _FAIL_AT_COMMIT:
            await session.execute(text(statement))

    with pytest.raises(IntegrityError):
        await take_away(library, cache, way)

    assert await everything(library) == before
    assert files(tmp_path) == ALL
    assert {key for key in ALL if await cache.get(key) is not None} == ALL


_FAIL_AT_COMMIT = (
    "CREATE TABLE nobody (id INTEGER PRIMARY KEY)",
    "CREATE TABLE late (id INTEGER REFERENCES nobody DEFERRABLE INITIALLY DEFERRED)",
    "CREATE TRIGGER too_late AFTER DELETE ON cached_speeches BEGIN INSERT INTO late VALUES (1); END",
)


async def everything(library: Library) -> list[object]:
    async with library.database.reading() as session:
        return [
            [tuple(row) for row in await session.execute(text(f"SELECT * FROM {name} ORDER BY 1, 2"))]
            for name in ("voices", "consents", "takes", "never_clone", "cached_speech_labels")
        ]


@pytest.mark.slow
@in_every_way
@where_processes_are_killed
async def test_killed_between_the_commit_and_its_files_nothing_is_served_and_the_start_deletes_them(
    tmp_path: Path, way: str
):
    killed(tmp_path, way, "os.remove")
    assert files(tmp_path) == ALL

    assert await served(tmp_path) == ALL - GONE[way]


@pytest.mark.parametrize("event", ["open", "os.rename"])
@where_processes_are_killed
async def test_killed_while_speech_is_kept_it_is_there_for_nobody(tmp_path: Path, event: str):
    killed(tmp_path, NEW, event)
    assert NEW not in files(tmp_path)

    assert await served(tmp_path) == ALL


@pytest.mark.slow
@pytest.mark.parametrize(("event", "gone"), [("open", set()), ("os.rename", {OF_VOICE})])
@where_processes_are_killed
async def test_killed_while_speech_is_made_anew_nobody_gets_one_with_the_row_of_the_other(
    tmp_path: Path, event: str, gone: set[str]
):
    killed(tmp_path, OF_VOICE, event)
    assert files(tmp_path) >= ALL  # the old sound is still there, and once its row is replaced it has none

    assert await served(tmp_path) == ALL - gone


async def test_what_is_being_made_while_it_is_forgotten_is_not_kept_afterwards(
    library: Library, cache: SpeechCache, tmp_path: Path
):
    hers, his = cache.keeping(A, [ADA]), cache.keeping(B, [BOB])

    await library.privacy.delete(SPEAKER)
    await cache.put(KEPT, hers)
    await cache.put(KEPT, his)

    assert await cache.get(A) is None
    assert files(tmp_path) == {B}


async def test_whoever_joins_a_making_counts_and_later_ones_begin_anew(cache: SpeechCache):
    shared = cache.keeping(A, [BOB])
    shared.add([ADA])

    await cache.forget([ADA])
    await cache.put(KEPT, shared)
    assert await cache.get(A) is None
    await cache.put(KEPT, cache.keeping(A, [ADA]))

    assert await cache.get(A) == KEPT


async def test_kept_speech_goes_with_whoever_got_it_also_at_once(cache: SpeechCache):
    for _ in range(2):
        await cache.put(KEPT, cache.keeping(A, [BOB]))
        hers = cache.keeping(A, [ADA])
        assert await cache.get(A, hers) == KEPT

        await cache.forget([ADA])

        assert await cache.get(A) is None
        assert await cache.get(A, hers) is None


async def test_written_while_it_is_forgotten_no_file_is_left(cache: SpeechCache, tmp_path: Path):
    await cache.put(KEPT, cache.keeping("3" * 64, [BOB]))
    for turns in range(30):
        keepings = [cache.keeping(key, [ADA]) for key in (A, B, NEW)]
        putting = [asyncio.create_task(cache.put(KEPT, keeping)) for keeping in keepings]
        for _ in range(turns):
            await asyncio.sleep(0)
        if turns % 2:
            putting[0].cancel()
        await cache.forget([ADA])
        await asyncio.gather(*putting, return_exceptions=True)
        await until(lambda: files(tmp_path) == {"3" * 64})  # a cancelled one may still be at its end
        assert [await cache.get(key) for key in (A, B, NEW)] == [None] * 3


async def test_the_disk_names_nobody(cache: SpeechCache, tmp_path: Path):
    await cache.put(ANEW, cache.keeping(A, [ADA]))

    data = (tmp_path / "cache" / A).read_bytes()
    assert str(SPEAKER).encode() not in data
    assert ADA.encode() not in data
