"""Kept speech that somebody wants gone: from the disk, also after a restart, and from what is being made."""

from __future__ import annotations

from pathlib import Path

import pytest

from bot.models import Speech
from bot.speech.cache import (
    HEAD_BYTES,
    MAX_LABELS,
    CacheFolder,
    KeptSpeech,
    SpeechCache,
    digests,
    head,
    labels_in,
    member_label,
    recording_label,
    voice_label,
)

A, B, C = "a" * 64, "b" * 64, "c" * 64
ADA, BOB = member_label(1), member_label(2)
KEPT = KeptSpeech(Speech(b"\1\2" * 500), (b"frame", b"another"))


def opened(path: Path, max_bytes: int = 1_000_000) -> CacheFolder:
    folder = CacheFolder(path, max_bytes=max_bytes)
    folder.open()
    return folder


def test_a_label_takes_exactly_its_speech_with_it(tmp_path: Path):
    folder = opened(tmp_path)
    folder.put(A, KEPT, [ADA, voice_label("v")])
    folder.put(B, KEPT, [BOB])

    assert folder.forget(ADA) == 1
    assert folder.forget(ADA) == 0

    assert folder.get(A) is None
    assert folder.get(B) == KEPT
    assert [path.name for path in tmp_path.iterdir()] == [B]


def test_the_next_run_still_knows_whose_it_is(tmp_path: Path):
    opened(tmp_path).put(A, KEPT, [ADA, recording_label("0" * 64)])

    folder = opened(tmp_path)

    assert folder.get(A) == KEPT
    assert folder.forget(recording_label("0" * 64)) == 1
    assert list(tmp_path.iterdir()) == []


def test_who_used_it_later_can_have_it_forgotten_too_and_it_grows_no_younger(tmp_path: Path):
    folder = opened(tmp_path)
    folder.put(A, KEPT, [ADA])
    before = (tmp_path / A).read_bytes()

    assert folder.get(A, [BOB]) == KEPT
    assert folder.size == (tmp_path / A).stat().st_size

    found = labels_in((tmp_path / A).read_bytes())
    assert found is not None
    assert (tmp_path / A).read_bytes()[found[1] :] == before[labels_in(before)[1] :]  # type: ignore[index]
    again = opened(tmp_path)
    assert again.forget(BOB) == 1
    assert again.get(A) is None


def test_speech_that_concerns_too_many_is_not_kept(tmp_path: Path):
    folder = opened(tmp_path)
    folder.put(A, KEPT, [str(number) for number in range(MAX_LABELS)])
    folder.put(B, KEPT, [str(number) for number in range(MAX_LABELS + 1)])

    assert folder.get(B) is None
    assert folder.get(A, ["one more"]) == KEPT
    assert folder.get(A) is None


def test_the_disk_names_nobody(tmp_path: Path):
    folder = opened(tmp_path)

    folder.put(A, KEPT, [member_label(123_456_789)])

    assert b"123456789" not in (tmp_path / A).read_bytes()


def test_a_file_whose_owner_cannot_be_read_is_thrown_away(tmp_path: Path):
    whole = head(digests([ADA, BOB]))

    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 1
        assert labels_in(bytes(broken) + b"speech") is None
    for length in range(len(whole)):
        assert labels_in(whole[:length]) is None
    assert labels_in(whole + b"speech") == (digests([ADA, BOB]), len(whole))
    assert len(head(digests(map(str, range(MAX_LABELS))))) == HEAD_BYTES

    opened(tmp_path).put(A, KEPT, [ADA])
    data = bytearray((tmp_path / A).read_bytes())
    data[12] ^= 1
    (tmp_path / A).write_bytes(data)

    assert opened(tmp_path).get(A) is None
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def folder(tmp_path: Path) -> CacheFolder:
    return CacheFolder(tmp_path / "cache", max_bytes=1_000_000)


async def test_what_is_being_made_while_it_is_forgotten_is_not_kept_afterwards(folder: CacheFolder):
    async with SpeechCache(folder) as cache:
        hers, his = cache.keeping([ADA]), cache.keeping([BOB])

        await cache.forget(ADA)
        await cache.put(A, KEPT, hers)
        await cache.put(B, KEPT, his)

        assert await cache.get(A) is None
        assert await cache.get(B) == KEPT


async def test_whoever_joins_a_making_counts_and_later_ones_begin_anew(folder: CacheFolder):
    async with SpeechCache(folder) as cache:
        shared = cache.keeping([BOB])
        shared.add([ADA])

        await cache.forget(ADA)
        await cache.put(A, KEPT, shared)
        assert await cache.get(A) is None
        await cache.put(A, KEPT, cache.keeping([ADA]))

        assert await cache.get(A) == KEPT


async def test_kept_speech_is_labelled_for_whoever_gets_it(folder: CacheFolder):
    async with SpeechCache(folder) as cache:
        await cache.put(A, KEPT, cache.keeping([BOB]))

        assert await cache.get(A, cache.keeping([ADA])) == KEPT
        await cache.forget(ADA)

        assert await cache.get(A) is None


async def test_without_a_cache_there_is_nothing_to_forget():
    async with SpeechCache(None) as cache:
        await cache.forget(ADA)

        assert await cache.get(A) is None
