"""Kept speech on the disk: what is in its files, and that nothing else is ever taken for one."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from bot.audio.maker import Maker
from bot.audio.sound import SpeechSound
from bot.errors import AudioError, LibraryError
from bot.library.cached_speeches import KEPT_FOR, CachedSpeeches, Keeping
from bot.library.database import Database
from bot.models import Speech
from bot.speech.cache import CacheFolder, SpeechCache
from tests.library.consents import Clock
from tests.library.statements import statements
from tests.scenes import until

A, B, C, D = "a" * 64, "b" * 64, "c" * 64, "d" * 64
NOW = Clock().now


def kept(seed: int = 1, kilobytes: int = 10) -> Speech:
    pcm = bytes((seed * number) % 251 for number in range(kilobytes * 1_024))
    frames = tuple(bytes([seed, number]) * (number + 1) for number in range(7))
    return Speech(frames, sound=SpeechSound(pcm))


def same(one: Speech | None, other: Speech | None) -> bool:
    return one is not None and other is not None and (one, one.sound) == (other, other.sound)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def index(database: Database, clock: Clock) -> CachedSpeeches:
    return CachedSpeeches(database, now=clock)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache"


def cache_in(path: Path, index: CachedSpeeches, max_bytes: int = 1_000_000) -> SpeechCache:
    return SpeechCache(index, CacheFolder(path), Maker(), max_bytes=max_bytes)


async def put(cache: SpeechCache, key: str, speech: Speech) -> None:
    await cache.put(speech, cache.keeping(key, ["somebody"]))


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


async def written(path: Path, speech: Speech, made_at: datetime = NOW) -> bytes:
    """Write ``speech`` to a new file, and return what is in it."""
    size = await Maker().write(speech, path, made_at)
    data = await asyncio.to_thread(path.read_bytes)
    assert len(data) == size
    return data


class TestFiles:
    async def test_what_is_written_comes_back(self, path: Path):
        await written(path / A, kept())

        assert same(await Maker().read(path / A, NOW), kept())

    async def test_what_has_no_frame_is_not_read(self, path: Path):
        await written(path / A, Speech((), sound=SpeechSound(b"\1\2")))

        assert await Maker().read(path / A, NOW) is None

    async def test_any_damage_is_noticed(self, path: Path):
        whole = await written(path / A, kept(kilobytes=1))

        async def read_again(data: bytes) -> Speech | None:
            (path / A).write_bytes(data)
            return await Maker().read(path / A, NOW)

        for place in [*range(40), *range(40, len(whole), 97), *range(len(whole) - 40, len(whole))]:
            broken = bytearray(whole)
            broken[place] ^= 1 << place % 8
            assert await read_again(bytes(broken)) is None
        for length in (0, 1, 7, 24, 100, len(whole) - 1):
            assert await read_again(whole[:length]) is None
        assert await read_again(whole + b"\0") is None
        assert await read_again(whole) is not None

    async def test_speech_that_was_made_at_another_time_is_another(self, path: Path):
        await written(path / A, kept())

        assert await Maker().read(path / A, NOW + timedelta(microseconds=1)) is None

    async def test_what_is_there_already_is_not_overwritten(self, path: Path):
        whole = await written(path / A, kept())

        with pytest.raises(AudioError):
            await Maker().write(kept(2), path / A, NOW)

        assert (path / A).read_bytes() == whole


async def test_what_is_kept_comes_back_also_in_another_run(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept(1))
        await put(cache, B, kept(2))

        assert same(await cache.get(A), kept(1))
        assert same(await cache.get(B), kept(2))
        assert await cache.get(C) is None

    async with cache_in(path, index) as cache:
        assert same(await cache.get(A), kept(1))


async def test_what_is_just_being_kept_is_there_already(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        putting = asyncio.create_task(put(cache, A, kept()))
        await asyncio.sleep(0)

        assert same(await cache.get(A), kept())
        await putting


async def test_a_hit_is_one_statement_before_its_sound_and_one_transaction_behind_it(
    path: Path, index: CachedSpeeches
):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        with statements() as counted:
            assert await cache.get(A, cache.keeping(A, ["another"])) is not None
            assert (len(counted.sent), counted.transactions) == (1, 1)
            await cache.__aexit__(None, None, None)

    assert counted.transactions == 2


async def test_after_a_day_it_is_gone_from_the_disk(path: Path, index: CachedSpeeches, clock: Clock):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        clock.now += KEPT_FOR - timedelta(seconds=1)
        await put(cache, B, kept())
        assert await cache.get(A) is not None
        clock.forward(seconds=1)
        assert await cache.get(A) is None

    async with cache_in(path, index):
        assert files(path) == [B]


async def test_without_a_request_what_is_too_old_goes_all_the_same(
    path: Path, index: CachedSpeeches, clock: Clock
):
    async with SpeechCache(
        index, CacheFolder(path), Maker(), max_bytes=1_000_000, tidy_seconds=0.01
    ) as cache:
        await put(cache, A, kept())
        assert files(path) == [A]
        clock.now += KEPT_FOR
        await until(lambda: not files(path))


async def test_the_least_recently_used_goes_first_and_the_bound_is_kept_to(
    path: Path, index: CachedSpeeches, clock: Clock
):
    async with cache_in(path, index, max_bytes=25_000) as cache:
        for key in (A, B):
            await put(cache, key, kept())
            clock.forward(seconds=1)
        await cache.get(A)

    async with cache_in(path, index, max_bytes=25_000) as cache:
        clock.forward(seconds=1)
        await put(cache, C, kept())

        assert await cache.get(B) is None
        assert same(await cache.get(A), kept())
        assert same(await cache.get(C), kept())
        assert files(path) == [A, C]
        assert size(path) <= 25_000
        await put(cache, B, kept(kilobytes=25))
        assert await cache.get(A) is not None

    async with cache_in(path, index, max_bytes=15_000):
        assert len(files(path)) == 1


async def test_a_damaged_file_is_not_given_and_replaced_by_what_is_made_instead(
    path: Path, index: CachedSpeeches
):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        (path / A).write_bytes((path / A).read_bytes()[:-1])

        assert await cache.get(A) is None
        await put(cache, A, kept(2))

        assert same(await cache.get(A), kept(2))


async def test_what_is_not_ours_is_thrown_away_and_folders_and_what_links_lead_to_are_not(
    path: Path, index: CachedSpeeches, tmp_path: Path
):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        await put(cache, C, kept())
        await put(cache, D, kept())
    outside = tmp_path / "outside"
    outside.write_text("precious")
    (path / "notes.txt").write_text("hello")
    (path / D).unlink()
    await written(path / B, kept())
    await written(path / D, kept(), NOW - timedelta(seconds=1))
    (path / f"{A}.1234abcd").write_bytes((path / A).read_bytes()[:50])
    (path / C).unlink()
    (path / C).symlink_to(outside)
    (path / "folder").mkdir()

    async with cache_in(path, index) as cache:
        assert files(path) == [A, "folder"]
        assert outside.read_text() == "precious"
        assert same(await cache.get(A), kept())
        assert [await cache.get(key) for key in (B, C, D)] == [None] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="the mode of a file says nothing there")
async def test_the_cache_folder_is_read_by_our_own_user_alone(path: Path):
    await written(path / A, kept())

    modes = [await asyncio.to_thread(one.stat) for one in (path, path / A)]
    assert [mode.st_mode & 0o777 for mode in modes] == [0o700, 0o600]


@contextmanager
def full_disk() -> Iterator[None]:
    """Let no file grow beyond 2,000 bytes inside."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
async def test_a_full_disk_means_nothing_is_kept_and_one_line_in_the_log(
    path: Path, index: CachedSpeeches, database: Database, caplog: pytest.LogCaptureFixture
):
    async with cache_in(path, index) as cache:
        await put(cache, C, kept(kilobytes=1))
        with caplog.at_level(logging.WARNING), full_disk():
            for key in (A, B):
                await put(cache, key, kept())

        assert len(caplog.records) == 1
        assert await cache.get(A) is await cache.get(B) is None
        assert files(path) == [C]
        await put(cache, A, kept())
        assert files(path) == [A, C]


async def test_speech_that_is_forgotten_before_it_is_written_leaves_no_file(path: Path):
    folder, keeping = CacheFolder(path), Keeping(A, ())
    draft = folder.draft_of(A)
    await written(draft, kept())
    keeping.is_forgotten = True

    assert folder.take_over(draft, keeping)

    assert files(path) == []


async def test_a_folder_that_was_deleted_meanwhile_is_made_again(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        await asyncio.to_thread(shutil.rmtree, path)

        assert await cache.get(A) is None
        await put(cache, B, kept())
        assert same(await cache.get(B), kept())


async def test_a_file_in_place_of_the_folder_means_nothing_is_kept(tmp_path: Path, index: CachedSpeeches):
    blocked = tmp_path / "blocked"
    await asyncio.to_thread(blocked.touch)

    async with cache_in(blocked, index) as cache:
        await put(cache, A, kept())
        assert await cache.get(A) is None
    assert await index.find(A) is None


async def test_without_its_database_nothing_is_kept_and_only_forgetting_says_so(
    path: Path, index: CachedSpeeches, database: Database
):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        await database.aclose()

        await put(cache, B, kept())
        assert await cache.get(A) is await cache.get(B) is None
        with pytest.raises(LibraryError):
            await cache.forget(["somebody"])

    assert files(path) == [A]
