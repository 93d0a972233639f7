"""Leases of shards: who has which, who takes over, and when shards may identify themselves."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from itertools import chain, pairwise
from pathlib import Path

import pytest
from sqlalchemy import text

from bot.library import processes
from bot.library.database import Database
from bot.library.processes import ShardLeases, Turn, process_id_of
from bot.library.tables import IdentifyBucketRow
from bot.library.voice import new_id

_LONG = timedelta(seconds=processes.LEASE_SECONDS + 1)


@pytest.fixture
def kind() -> str:
    """SQLite has one process."""
    return "postgresql"


async def leases(database: Database, *names: str, shards: int = 4) -> list[ShardLeases]:
    """Return leases for processes with these names, which know how many shards there are."""
    made = [ShardLeases(database, name) for name in names]
    for one in made:
        assert await one.open(shards) == shards
    return made


async def forward(database: Database, by: timedelta = _LONG, *but: str) -> None:
    """Let time pass, but for processes ``but``, which go on to say that they live."""
    back = f"- interval '{by.total_seconds()} seconds'"
    names = ", ".join(f"'{name}'" for name in ("", *but))
    async with database.session() as session:
        for table, who in (("processes", "id"), ("shards", "holder")):
            await session.execute(
                text(f"UPDATE {table} SET until = until {back} WHERE {who} NOT IN ({names})")
            )
        await session.execute(text(f"UPDATE shards SET heir_until = heir_until {back}"))


async def settle(*those: ShardLeases) -> list[Turn]:
    """Let everybody have turns, and open the sessions that they are to open, until nothing changes."""
    turns: list[Turn] = []
    for _ in range(8):
        turns = [await one.turn() for one in those]
        for one, turn in zip(those, turns, strict=True):
            for shard_id in turn.inherits:
                assert await one.inherit(shard_id)
    return turns


def held(turns: list[Turn]) -> list[list[int]]:
    return [sorted(turn.held) for turn in turns]


async def test_one_process_has_all_shards_and_shares_them_with_those_that_come(database: Database) -> None:
    first, second, third = await leases(database, "a", "b", "c")

    assert held(await settle(first)) == [[0, 1, 2, 3]]
    turn = await second.turn()
    assert (turn.held, len(turn.inherits)) == (frozenset(), 2)
    assert (await first.turn()).held == {0, 1, 2, 3}  # until the sessions are there
    shared = held(await settle(first, second))
    assert [len(one) for one in shared] == [2, 2]
    assert sorted(chain(*shared)) == [0, 1, 2, 3]
    shared = held(await settle(first, second, third))
    assert sorted(len(one) for one in shared) == [1, 1, 2]
    assert sorted(chain(*shared)) == [0, 1, 2, 3]


async def test_the_shards_of_a_dead_process_are_taken_when_its_lease_is_over_and_not_before(
    database: Database,
) -> None:
    first, second = await leases(database, "a", "b")
    await settle(first, second)

    assert len((await second.turn()).held) == 2
    await forward(database, _LONG, "b")
    turn = await second.turn()

    assert turn.held == {0, 1, 2, 3}
    assert all(idle is not None and idle >= 1 for idle in turn.taken.values())
    assert len(turn.taken) == 2
    assert (await first.turn()).held == frozenset()  # it was not dead: it hears so with its next turn


async def test_a_process_that_comes_back_has_its_shards_at_once(database: Database, tmp_path: Path) -> None:
    name = process_id_of(tmp_path)
    (first,) = await leases(database, name)
    await first.turn()

    again, other = await leases(database, process_id_of(tmp_path), "other")
    assert (await again.turn()).held == {0, 1, 2, 3}
    assert (await other.turn()).held == frozenset()


async def test_after_the_database_was_away_nobody_takes_what_others_have(database: Database) -> None:
    first, second = await leases(database, "a", "b")
    before = held(await settle(first, second))

    await forward(database)

    assert sorted((await first.turn()).held) == before[0]
    assert sorted((await second.turn()).held) == before[1]


async def test_a_process_that_leaves_hands_its_shards_over_one_by_one_and_has_them_until_then(
    database: Database,
) -> None:
    first, second = await leases(database, "a", "b")
    await settle(first, second)

    await first.leave()
    turn = await second.turn()
    assert len(turn.inherits) == 2
    assert len((await first.turn()).held) == 2
    one, other = turn.inherits
    assert await second.inherit(one)
    assert (await first.turn()).held == {other}
    assert await second.inherit(other)
    assert (await first.turn()).held == frozenset()
    assert (await second.turn()).held == {0, 1, 2, 3}


async def test_a_process_that_leaves_takes_nothing_over_any_more(database: Database) -> None:
    first, second = await leases(database, "a", "b")
    await first.turn()
    wanted = (await second.turn()).inherits

    await second.leave()
    assert (await second.turn()).inherits == frozenset()
    for shard_id in wanted:
        assert not await second.inherit(shard_id)
    assert len((await first.turn()).held) == 4


async def test_shards_that_are_released_are_taken_at_once(database: Database) -> None:
    first, second = await leases(database, "a", "b")
    await settle(first, second)

    await first.release()

    assert (await second.turn()).held == {0, 1, 2, 3}


async def test_a_shard_is_not_inherited_by_two(database: Database) -> None:
    first, second, third = await leases(database, "a", "b", "c")
    await first.turn()
    (shard_id, *_) = (await second.turn()).inherits

    assert shard_id not in (await third.turn()).inherits
    assert not await third.inherit(shard_id)
    assert await second.inherit(shard_id)
    assert not await first.inherit(shard_id)


async def test_whoever_was_to_inherit_and_died_is_not_waited_for(database: Database) -> None:
    first, second, third = await leases(database, "a", "b", "c")
    await first.turn()
    wanted = (await second.turn()).inherits
    await forward(database, _LONG, "a", "c")

    assert len((await third.turn()).inherits & wanted) > 0


async def test_many_turns_at_once_leave_each_shard_with_one(database: Database) -> None:
    everybody = await leases(database, *(f"p{number}" for number in range(8)), shards=20)

    turns = await asyncio.gather(*(one.turn() for one in everybody for _ in range(3)))
    final = await settle(*everybody)

    assert len(turns) == 24
    assert sorted(chain(*held(final))) == list(range(20))
    assert {len(turn.held) for turn in final} == {2, 3}


async def test_the_number_of_shards_changes_only_when_nobody_else_runs(database: Database) -> None:
    first, second = ShardLeases(database, "a"), ShardLeases(database, "b")
    assert await first.open(4) == 4
    await first.turn()
    assert await second.open(6) == 4
    await first.release()
    assert await second.open(6) == 6
    assert len((await second.turn()).held) == 6


async def test_shards_of_one_bucket_identify_themselves_in_turn_whichever_process_they_are_in(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(processes, "IDENTIFY_SECONDS", 0.2)
    monkeypatch.setattr(processes, "_SPARE", timedelta(0))
    everybody = await leases(database, "a", "b", "c")
    loop, times = asyncio.get_running_loop(), []

    async def identify(one: ShardLeases, bucket: int) -> None:
        await one.wait_to_identify(bucket)
        times.append((bucket, loop.time()))

    await asyncio.gather(*(identify(one, bucket) for one in everybody for bucket in (0, 1)))

    for bucket in (0, 1):
        mine = [at for of, at in times if of == bucket]
        assert all(after - before > 0.15 for before, after in pairwise(mine))


async def test_a_process_killed_right_after_it_identified_itself_still_counts(database: Database) -> None:
    (first,) = await leases(database, "a")
    await first.wait_to_identify(0)

    async with database.reading() as session:
        row = await session.get(IdentifyBucketRow, 0)
        assert row is not None
    assert await ShardLeases(database, new_id())._time_of(0) > 3


def test_the_id_of_a_process_is_that_of_its_folder(tmp_path: Path) -> None:
    assert process_id_of(tmp_path) == process_id_of(tmp_path) != process_id_of(tmp_path / "other")
    (tmp_path / processes.PROCESS_FILE).write_text("damaged\n")
    assert len(process_id_of(tmp_path)) == 22
