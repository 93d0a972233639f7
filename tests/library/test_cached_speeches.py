"""The index of kept speech, on both databases."""

from __future__ import annotations

import asyncio
import random
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from bot.errors import LibraryError
from bot.library.cached_speeches import KEPT_FOR, CachedSpeeches, member_label, recording_label, voice_label
from bot.library.database import Database
from bot.library.tables import CachedSpeechLabelRow, CachedSpeechRow
from tests.library.consents import Clock
from tests.library.statements import statements

A, B, C = "a" * 64, "b" * 64, "c" * 64
ADA, BOB, VOICE = member_label(1), member_label(2), voice_label("v")
MOST = 1_000


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def speeches(database: Database, clock: Clock) -> CachedSpeeches:
    return CachedSpeeches(database, now=clock)


async def note(speeches: CachedSpeeches, key: str, *labels: str, size: int = 10) -> list[str] | None:
    keeping = speeches.keeping(key, labels)
    return await speeches.note(keeping, size, speeches.now(), most_bytes=MOST)


async def kept(database: Database) -> dict[str, set[str]]:
    """Return the labels of all speech that is kept, by key."""
    found: dict[str, set[str]] = {}
    async with database.reading() as session:
        rows = await session.execute(
            select(CachedSpeechRow.key, CachedSpeechLabelRow.label).outerjoin(CachedSpeechLabelRow)
        )
        for key, label in rows:
            found.setdefault(key, set()).add(label)
        labels = await session.scalar(select(func.count()).select_from(CachedSpeechLabelRow))
        assert labels == sum(len(one - {None}) for one in found.values())
    return found


async def test_noted_speech_is_found_for_a_day(speeches: CachedSpeeches, clock: Clock):
    made_at = clock.now
    assert await note(speeches, A, ADA) == []

    assert await speeches.find(A) == made_at
    assert await speeches.find(B) is None
    clock.now = made_at + KEPT_FOR - timedelta(seconds=1)
    assert await speeches.find(A) == made_at
    clock.now = made_at + KEPT_FOR
    assert await speeches.find(A) is None
    assert await speeches.tidy(most_bytes=MOST) == {}


async def test_speech_of_the_future_is_neither_found_nor_kept_for_ever(
    speeches: CachedSpeeches, clock: Clock
):
    await note(speeches, A, ADA)
    clock.forward(days=-10)

    assert await speeches.find(A) is None
    assert await speeches.tidy(most_bytes=MOST) == {}


async def test_speech_without_room_takes_that_of_the_least_recently_used(
    speeches: CachedSpeeches, database: Database, clock: Clock
):
    for key in (A, B):
        await note(speeches, key, ADA, size=400)
        clock.forward(seconds=1)
    await speeches.used(A)
    clock.forward(seconds=1)

    assert await note(speeches, C, ADA, size=300) == [B]

    assert set(await kept(database)) == {A, C}
    assert await note(speeches, B, ADA, size=MOST + 1) is None
    assert set(await kept(database)) == {A, C}
    assert await speeches.tidy(most_bytes=300) == {C: clock.now}
    assert await speeches.tidy(most_bytes=0) == {}


async def test_speech_made_anew_concerns_only_whom_it_was_made_for_and_counts_once(
    speeches: CachedSpeeches, database: Database, clock: Clock
):
    await note(speeches, A, BOB, VOICE, size=900)
    clock.forward(seconds=1)

    assert await note(speeches, A, ADA, VOICE, size=800) == []

    assert await kept(database) == {A: {ADA, VOICE}}
    assert await speeches.find(A) == clock.now


async def test_whoever_uses_kept_speech_is_named_too_in_one_transaction(
    speeches: CachedSpeeches, database: Database
):
    await note(speeches, A, BOB, VOICE)

    with statements() as counted:
        assert await speeches.find(A) is not None
    assert (len(counted.sent), counted.transactions) == (1, 1)
    for _ in range(2):
        with statements() as counted:
            await speeches.used(A, speeches.keeping(A, [ADA, VOICE]))
        assert (len(counted.sent), counted.transactions) == (2, 1)

    assert await kept(database) == {A: {ADA, BOB, VOICE}}
    await speeches.used(B, speeches.keeping(B, [ADA]))
    assert set(await kept(database)) == {A}


async def test_a_label_takes_exactly_its_speech(speeches: CachedSpeeches, database: Database):
    await note(speeches, A, ADA, VOICE)
    await note(speeches, B, BOB, recording_label("0" * 64))
    await note(speeches, C, BOB)

    assert await speeches.forget_now() == []
    assert await speeches.forget_now([voice_label("another"), member_label(12)]) == []
    assert await speeches.forget_now([ADA]) == [A]
    assert await speeches.forget_now([ADA]) == []
    assert await speeches.forget_now([recording_label("0" * 64)], [A]) == [B]
    assert await speeches.forget_now(keys=[C]) == [C]
    assert await kept(database) == {}


async def test_a_deletion_that_fails_later_leaves_speech_and_labels(
    speeches: CachedSpeeches, database: Database
):
    await note(speeches, A, ADA)

    with pytest.raises(LibraryError, match="cut off"):
        async with database.session() as session:
            assert await speeches.forget(session, [ADA]) == [A]
            raise LibraryError("cut off")

    assert await kept(database) == {A: {ADA}}


async def test_what_is_being_made_while_it_is_forgotten_may_not_be_kept(
    speeches: CachedSpeeches, database: Database
):
    hers, his = speeches.keeping(A, [ADA]), speeches.keeping(B, [BOB])
    joined, by_key = speeches.keeping(C, [BOB]), speeches.keeping("d" * 64, [BOB])
    joined.add([ADA])

    await speeches.forget_now([ADA], [by_key.key])

    for keeping in (hers, his, joined, by_key):
        await speeches.note(keeping, 10, speeches.now(), most_bytes=MOST)
    assert await kept(database) == {B: {BOB}}
    await note(speeches, A, ADA)
    assert set(await kept(database)) == {A, B}


async def test_what_somebody_has_just_used_goes_with_them_although_they_are_not_named_yet(
    speeches: CachedSpeeches, database: Database
):
    await note(speeches, A, BOB)
    use = speeches.keeping(A, [ADA])

    assert await speeches.forget_now([ADA]) == [A]
    await speeches.used(A, use)
    await note(speeches, A, BOB)
    await speeches.used(A, use)

    assert await kept(database) == {A: {BOB}}


async def test_keeping_and_deleting_at_once_leave_nothing_whichever_comes_first(
    speeches: CachedSpeeches, database: Database
):
    for _ in range(20):
        keepings = [speeches.keeping(key, [ADA]) for key in (A, B, C)]
        noting = [speeches.note(one, 10, speeches.now(), most_bytes=MOST) for one in keepings]
        first, *others = map(asyncio.ensure_future, noting)
        await asyncio.sleep(0)
        async with database.session() as session:
            await speeches.forget(session, [ADA])
            await asyncio.sleep(0)
        await asyncio.gather(first, *others)

        assert await kept(database) == {}


async def test_a_deletion_under_way_holds_speech_back_until_it_is_over(
    speeches: CachedSpeeches, database: Database
):
    async with database.session() as session:
        await speeches.forget(session, [BOB])
        noting = asyncio.create_task(note(speeches, A, ADA))
        done, _ = await asyncio.wait({noting}, timeout=0.1)
        assert not done

    assert await noting == []
    assert set(await kept(database)) == {A}


async def test_many_at_once_get_in_each_others_way_nowhere(speeches: CachedSpeeches, database: Database):
    chance = random.Random(1)
    keys, labels = [letter * 64 for letter in "0123456"], [member_label(number) for number in range(5)]

    async def work() -> None:
        for _ in range(12):
            key, label = chance.choice(keys), chance.choice(labels)
            keeping = speeches.keeping(key, chance.sample(labels, 3))
            size = chance.randrange(100, 400)
            act = chance.randrange(6)
            if act < 2:
                await speeches.note(keeping, size, speeches.now(), most_bytes=MOST)
            elif act < 4:
                await speeches.used(key, keeping)
            elif act == 4:
                await speeches.forget_now([label], [key])
            else:
                await speeches.tidy(most_bytes=MOST)

    await asyncio.gather(*(work() for _ in range(8)))

    left = await kept(database)
    assert None not in set().union(*left.values())
    assert sorted(await speeches.forget_now(labels)) == sorted(left)
    assert await kept(database) == {}
