"""Kept speech on the disk: what is in its files, and that nothing else is ever taken for one."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from bot.errors import LibraryError
from bot.library.cached_speeches import KEPT_FOR, CachedSpeeches, Keeping
from bot.library.database import Database
from bot.speech.cache import CacheFolder, KeptSpeech, SpeechCache, packed, unpacked
from tests.library.consents import Clock
from tests.library.statements import statements
from tests.scenes import until

A, B, C, D = "a" * 64, "b" * 64, "c" * 64, "d" * 64
NOW = Clock().now


def kept(seed: int = 1, kilobytes: int = 10) -> KeptSpeech:
    pcm = bytes((seed * number) % 251 for number in range(kilobytes * 1_024))
    return KeptSpeech(pcm, tuple(bytes([seed, number]) * (number + 1) for number in range(7)))


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
    return SpeechCache(index, CacheFolder(path), max_bytes=max_bytes)


async def put(cache: SpeechCache, key: str, speech: KeptSpeech) -> None:
    await cache.put(speech, cache.keeping(key, ["somebody"]))


def files(path: Path) -> list[str]:
    return sorted(file.name for file in path.iterdir())


def size(path: Path) -> int:
    return sum(file.stat().st_size for file in path.iterdir())


class TestPacking:
    @pytest.mark.parametrize("speech", [kept(), KeptSpeech(b"\1\2", ())], ids=["whole", "no frame"])
    def test_what_is_packed_comes_back(self, speech: KeptSpeech):
        assert unpacked(packed(speech, NOW), NOW) == speech

    def test_any_damage_is_noticed(self):
        whole = packed(kept(), NOW)

        for place in [*range(40), *range(40, len(whole), 97), *range(len(whole) - 40, len(whole))]:
            broken = bytearray(whole)
            broken[place] ^= 1 << place % 8
            assert unpacked(bytes(broken), NOW) is None
        for length in (0, 1, 7, 24, 100, len(whole) - 1):
            assert unpacked(whole[:length], NOW) is None
        assert unpacked(whole + b"\0", NOW) is None

    def test_speech_that_was_made_at_another_time_is_another(self):
        assert unpacked(packed(kept(), NOW), NOW + timedelta(microseconds=1)) is None


async def test_what_is_kept_comes_back_also_in_another_run(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept(1))
        await put(cache, B, kept(2))

        assert await cache.get(A) == kept(1)
        assert await cache.get(B) == kept(2)
        assert await cache.get(C) is None

    async with cache_in(path, index) as cache:
        assert await cache.get(A) == kept(1)


async def test_what_is_just_being_kept_is_there_already(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        putting = asyncio.create_task(put(cache, A, kept()))
        await asyncio.sleep(0)

        assert await cache.get(A) == kept()
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
    async with SpeechCache(index, CacheFolder(path), max_bytes=1_000_000, tidy_seconds=0.01) as cache:
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
        assert await cache.get(A) == await cache.get(C) == kept()
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

        assert await cache.get(A) == kept(2)


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
    (path / B).write_bytes(packed(kept(), NOW))
    (path / D).write_bytes(packed(kept(), NOW - timedelta(seconds=1)))
    (path / f"{A}.1234abcd").write_bytes(packed(kept(), NOW)[:50])
    (path / C).unlink()
    (path / C).symlink_to(outside)
    (path / "folder").mkdir()

    async with cache_in(path, index) as cache:
        assert files(path) == [A, "folder"]
        assert outside.read_text() == "precious"
        assert await cache.get(A) == kept()
        assert [await cache.get(key) for key in (B, C, D)] == [None] * 3


@pytest.mark.skipif(sys.platform == "win32", reason="the mode of a file says nothing there")
def test_the_cache_folder_is_read_by_our_own_user_alone(path: Path):
    assert CacheFolder(path).write(Keeping(A, ()), packed(kept(), NOW))

    assert path.stat().st_mode & 0o777 == 0o700
    assert (path / A).stat().st_mode & 0o777 == 0o600


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
def test_a_full_disk_means_nothing_is_kept_and_one_line_in_the_log(
    path: Path, caplog: pytest.LogCaptureFixture
):
    folder, data = CacheFolder(path), packed(kept(), NOW)
    keepings = [Keeping(key, ()) for key in (A, B, C)]

    with caplog.at_level(logging.WARNING), full_disk():
        written = [folder.write(keeping, data) for keeping in keepings[:2]]

    assert written == [False, False]
    assert folder.write(keepings[2], data)
    assert len(caplog.records) == 1
    assert folder.read(A, NOW) is folder.read(B, NOW) is None
    assert files(path) == [C]


def test_speech_that_is_forgotten_before_it_is_written_leaves_no_file(path: Path):
    folder, keeping = CacheFolder(path), Keeping(A, ())
    keeping.is_forgotten = True

    assert folder.write(keeping, packed(kept(), NOW))

    assert files(path) == []


async def test_a_folder_that_was_deleted_meanwhile_is_made_again(path: Path, index: CachedSpeeches):
    async with cache_in(path, index) as cache:
        await put(cache, A, kept())
        await asyncio.to_thread(shutil.rmtree, path)

        assert await cache.get(A) is None
        await put(cache, B, kept())
        assert await cache.get(B) == kept()


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
