from __future__ import annotations

import logging
import os
import sys
from pathlib import Path

import pytest

from bot.models import Speech
from bot.speech.cache import KEEP_SECONDS, CacheFolder, KeptSpeech, packed, unpacked

A, B, C = "a" * 64, "b" * 64, "c" * 64


def kept(seed: int = 1, kilobytes: int = 10) -> KeptSpeech:
    pcm = bytes((seed * number) % 251 for number in range(kilobytes * 1_024))
    return KeptSpeech(Speech(pcm), tuple(bytes([seed, number]) * (number + 1) for number in range(7)))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(path: Path, clock: Clock, max_bytes: int = 1_000_000) -> CacheFolder:
    folder = CacheFolder(path, max_bytes=max_bytes, clock=clock)
    folder.open()
    return folder


def test_what_is_kept_comes_back(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path / "cache", clock)

    folder.put(A, kept(1))
    folder.put(B, kept(2))

    assert folder.get(A) == kept(1)
    assert folder.get(B) == kept(2)
    assert folder.get(C) is None


def test_a_speech_without_a_frame_comes_back_too():
    silent = KeptSpeech(Speech(b"\1\2"), ())

    assert unpacked(packed(silent, 1.0)) == silent


def test_another_run_finds_it(tmp_path: Path, clock: Clock):
    opened(tmp_path, clock).put(A, kept())

    assert opened(tmp_path, clock).get(A) == kept()


def test_after_a_day_it_is_gone_from_the_disk(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock)
    folder.put(A, kept())
    clock.now += KEEP_SECONDS - 1
    folder.put(B, kept())

    assert folder.get(A) is not None
    clock.now += 2
    folder.purge()

    assert folder.get(A) is None
    assert [path.name for path in tmp_path.iterdir()] == [B]


def test_what_grew_old_while_nothing_ran_is_gone_at_the_start(tmp_path: Path, clock: Clock):
    opened(tmp_path, clock).put(A, kept())
    clock.now += KEEP_SECONDS + 1

    opened(tmp_path, clock)

    assert list(tmp_path.iterdir()) == []


def test_what_was_made_in_the_future_is_not_kept_for_ever(tmp_path: Path, clock: Clock):
    opened(tmp_path, clock).put(A, kept())
    clock.now -= 10 * KEEP_SECONDS

    assert opened(tmp_path, clock).get(A) is None


def test_the_least_recently_used_goes_first(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock, max_bytes=25_000)
    folder.put(A, kept())
    folder.put(B, kept())
    folder.get(A)

    folder.put(C, kept())

    assert folder.get(B) is None
    assert folder.get(A) == folder.get(C) == kept()
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) == folder.size <= 25_000


def test_the_next_run_knows_what_was_used_last(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock, max_bytes=25_000)
    folder.put(A, kept())
    folder.put(B, kept())
    os.utime(tmp_path / B, (1, 1))

    folder = opened(tmp_path, clock, max_bytes=25_000)
    folder.put(C, kept())

    assert folder.get(B) is None
    assert folder.get(A) is not None


def test_a_smaller_bound_than_before_is_kept_to(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock)
    for key in (A, B, C):
        folder.put(key, kept())

    folder = opened(tmp_path, clock, max_bytes=15_000)

    assert folder.size <= 15_000
    assert len(list(tmp_path.iterdir())) == 1


def test_what_is_larger_than_the_whole_cache_is_not_kept(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock, max_bytes=15_000)
    folder.put(A, kept())

    folder.put(B, kept(kilobytes=20))

    assert folder.get(A) is not None
    assert folder.get(B) is None


def test_any_damage_is_noticed(tmp_path: Path, clock: Clock):
    whole = packed(kept(), clock.now)

    for place in [*range(40), *range(40, len(whole), 97), *range(len(whole) - 40, len(whole))]:
        broken = bytearray(whole)
        broken[place] ^= 1 << place % 8
        assert unpacked(bytes(broken)) is None
    for length in (0, 1, 7, 24, 100, len(whole) - 1):
        assert unpacked(whole[:length]) is None
    assert unpacked(whole + b"\0") is None


def test_a_damaged_file_is_thrown_away(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path, clock)
    folder.put(A, kept())
    path = tmp_path / A
    path.write_bytes(path.read_bytes()[:-1])

    assert folder.get(A) is None
    assert not path.exists()
    assert folder.size == 0


def test_what_is_not_ours_is_thrown_away_and_folders_and_what_links_lead_to_are_not(
    tmp_path: Path, clock: Clock
):
    outside = tmp_path / "outside"
    outside.write_text("precious")
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "notes.txt").write_text("hello")
    (cache / A).write_bytes(b"not what it seems")
    (cache / f"{B}.1234abcd").write_bytes(packed(kept(), clock.now)[:50])
    (cache / C).symlink_to(outside)
    (cache / "folder").mkdir()

    folder = opened(cache, clock)

    assert [path.name for path in cache.iterdir()] == ["folder"]
    assert outside.read_text() == "precious"
    assert folder.size == 0


@pytest.mark.skipif(sys.platform == "win32", reason="the mode of a file says nothing there")
def test_only_we_can_read_it(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path / "cache", clock)

    folder.put(A, kept())

    assert (tmp_path / "cache").stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "cache" / A).stat().st_mode & 0o777 == 0o600


@pytest.mark.skipif(sys.platform == "win32", reason="needs a limit on the size of files")
def test_a_full_disk_means_nothing_is_kept_and_one_line_in_the_log(
    tmp_path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
):
    import resource

    folder = opened(tmp_path, clock)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2_000, hard))
    try:
        with caplog.at_level(logging.WARNING):
            folder.put(A, kept())
            folder.put(B, kept())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    folder.put(C, kept())

    assert len(caplog.records) == 1
    assert folder.get(A) is folder.get(B) is None
    assert [path.name for path in tmp_path.iterdir()] == [C]


def test_a_folder_that_was_deleted_meanwhile_is_made_again(tmp_path: Path, clock: Clock):
    folder = opened(tmp_path / "cache", clock)
    folder.put(A, kept())
    (tmp_path / "cache" / A).unlink()
    (tmp_path / "cache").rmdir()

    assert folder.get(A) is None
    folder.put(B, kept())

    assert folder.get(B) == kept()
