"""The queue of joins: who goes first, how far apart, and how many a minute on a shard."""

import asyncio

import pytest

from bot.errors import MemberError
from bot.playback.voice_joiner import JoinQueue, Urgency

DEADLINE = 30.0
MEMBER, LISTENERS, NOBODY = Urgency


async def order_of(queue: JoinQueue, *wanted: tuple[str, int, Urgency]) -> list[str]:
    """Return the names in the order in which they have their turn; all ask at once."""
    order: list[str] = []

    async def one(name: str, shard_id: int, urgency: Urgency) -> None:
        await queue.turn(shard_id, urgency)
        order.append(name)

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*(one(*each) for each in wanted))
    return order


async def test_a_member_goes_before_listeners_and_those_before_nobody() -> None:
    queue = JoinQueue(patience=DEADLINE, spacing=0.01)

    order = await order_of(
        queue,
        ("first", 0, NOBODY),
        ("restart", 0, NOBODY),
        ("lost", 0, LISTENERS),
        ("asked", 0, MEMBER),
        ("asked later", 0, MEMBER),
    )

    assert order == ["first", "asked", "asked later", "lost", "restart"]


async def test_joins_are_apart_but_the_first_waits_for_nothing() -> None:
    queue, loop = JoinQueue(patience=DEADLINE, spacing=0.01), asyncio.get_running_loop()
    began = loop.time()

    assert len(await order_of(queue, *[(str(number), number, MEMBER) for number in range(10)])) == 10

    assert loop.time() - began >= 0.09


async def test_a_shard_gets_no_more_than_its_window_and_another_goes_on() -> None:
    queue = JoinQueue(patience=DEADLINE, spacing=0.0, per_window=2, reserved=0, window=0.5)
    loop = asyncio.get_running_loop()
    began = loop.time()

    order = await order_of(queue, ("a", 0, MEMBER), ("b", 0, MEMBER), ("c", 0, MEMBER), ("other", 1, MEMBER))

    assert order == ["a", "b", "other", "c"]
    assert loop.time() - began >= 0.5


async def test_what_is_reserved_is_left_for_members() -> None:
    queue = JoinQueue(patience=DEADLINE, spacing=0.0, per_window=3, reserved=2, window=0.5)

    order = await order_of(queue, ("a", 0, NOBODY), ("b", 0, NOBODY), ("member", 0, MEMBER))

    assert order == ["a", "member", "b"]


async def test_leaving_counts_and_waits_for_nothing() -> None:
    queue = JoinQueue(patience=0.1, spacing=0.0, per_window=2, reserved=0)
    queue.note(0)
    queue.note(0)

    with pytest.raises(MemberError, match="as many voice channels as Discord allows"):
        await queue.turn(0, MEMBER)
    await queue.turn(1, MEMBER)


async def test_of_many_at_once_those_who_would_wait_too_long_are_told_at_once() -> None:
    queue = JoinQueue(patience=0.5, spacing=0.0, per_window=5, reserved=0)

    async with asyncio.timeout(DEADLINE):
        turns = [queue.turn(0, MEMBER) for _ in range(1_000)]
        ended = await asyncio.gather(*turns, return_exceptions=True)

    assert sum(one is None for one in ended) == 5
    assert sum(isinstance(one, MemberError) for one in ended) == 995


async def test_whoever_leaves_the_queue_takes_no_turn() -> None:
    queue = JoinQueue(patience=DEADLINE, spacing=0.05, per_window=2, reserved=0)
    await queue.turn(0, MEMBER)
    gone = asyncio.create_task(queue.turn(0, MEMBER))
    await asyncio.sleep(0)

    gone.cancel()
    await asyncio.wait({gone})

    async with asyncio.timeout(DEADLINE):
        await queue.turn(0, MEMBER)
