"""The queue in front of the TTS gateway, in virtual time: how many at once, whose turn, and how long."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import pytest

from bot.errors import TTSUnreachableError
from bot.tts.call_queue import AdaptiveLimit, CallDeadlines, CallPriority, CallQueue
from tests.fakes.virtual_time import run

MAKING = 0.5
"""What the TTS gateways here take for a text."""


class Model:
    """A TTS gateway in virtual time that makes ``takes`` texts at once; the others wait, or are refused."""

    def __init__(self, takes: int, *, others_wait: bool = False) -> None:
        self._takes = takes
        self._others_wait = others_wait
        self._engine = asyncio.Semaphore(takes)
        self._under_way = 0
        self.refusals = 0

    async def accepts(self) -> bool:
        """Make a text, and return whether it was taken."""
        await asyncio.sleep(0.02)
        if not self._others_wait and self._under_way >= self._takes:
            self.refusals += 1
            return False
        self._under_way += 1
        async with self._engine:
            await asyncio.sleep(MAKING)
        self._under_way -= 1
        return True


async def served(queue: CallQueue, model: Model, turn: CallPriority, *, seconds: float = 2.0) -> float:
    """Make one call, as often as need be, and return when it was answered."""
    delay = 0.0
    while True:
        slot = await queue.take(turn, delay=delay)
        assert slot is not None
        with slot:
            slot.begin()
            if await model.accepts():
                slot.answered(seconds)
                return asyncio.get_running_loop().time()
            slot.refused()
        delay = 0.45


def listener(
    number: int, *, account: int | None = None, due: float = 0.0, first: bool = True
) -> CallPriority:
    return CallPriority(number if account is None else account, number, due, first)


def on_file(number: int, account: int) -> CallPriority:
    return CallPriority(account, number)


# how many at once


async def hundred_servers(model: Model, queue: CallQueue) -> list[float]:
    """Have 100 servers say two parts each within a second; return how long each waited for its first."""
    loop = asyncio.get_running_loop()

    async def utterance(number: int) -> float:
        await asyncio.sleep(number / 100)
        asked = loop.time()
        heard = await served(queue, model, listener(number)) - asked
        await served(queue, model, listener(number, due=loop.time() + 3.0, first=False))
        return heard

    return sorted(await asyncio.gather(*(utterance(number) for number in range(100))))


@pytest.mark.parametrize(
    ("takes", "others_wait", "median", "longest", "refusals"),
    [(500, False, 1.0, 1.3, 0), (40, False, 1.1, 2.0, 10), (8, True, 3.7, 6.7, 0), (8, False, 4.0, 7.4, 10)],
)
def test_a_hundred_servers_at_once_hear_something_soon_whatever_the_tts_gateway_takes(
    takes: int, others_wait: bool, median: float, longest: float, refusals: int
) -> None:
    async def simulate() -> tuple[list[float], int]:
        model = Model(takes, others_wait=others_wait)
        return await hundred_servers(model, CallQueue()), model.refusals

    waits, refused = run(simulate())

    assert waits[50] <= median
    assert waits[-1] <= longest
    assert refused <= refusals


@pytest.mark.parametrize("takes", [8, 12, 15])
def test_two_hundred_calls_in_one_moment_are_refused_ten_times_at_most(takes: int) -> None:
    async def simulate() -> int:
        model, queue = Model(takes), CallQueue()
        await asyncio.gather(*(served(queue, model, listener(number)) for number in range(200)))
        return model.refusals

    assert run(simulate()) <= 10


# whose turn


async def order_of(turns: list[CallPriority], *, held: int = 1) -> list[CallPriority]:
    """Return in which order ``turns`` get the one slot for which they wait together."""
    queue = CallQueue(AdaptiveLimit(held, held))
    occupied = [await queue.take(CallPriority(-1, -1)) for _ in range(held)]
    order: list[CallPriority] = []

    async def call(turn: CallPriority) -> None:
        slot = await queue.take(turn)
        assert slot is not None
        with slot:
            order.append(turn)
            await asyncio.sleep(1.0)

    calls = [asyncio.create_task(call(turn)) for turn in turns]
    await asyncio.sleep(0.1)
    for slot in occupied:
        assert slot is not None
        queue.leave(slot)
    await asyncio.gather(*calls)
    return order


def test_first_sounds_come_before_later_parts_and_those_by_when_their_listener_hears_silence() -> None:
    later = [listener(number, due=1_000 + due, first=False) for number, due in enumerate((30, 4, 300, 2))]
    files = [on_file(10, 10), on_file(11, 11)]
    firsts = [listener(20), listener(21)]

    order = run(order_of([*files, *later, *firsts]))

    assert order == [*firsts, later[3], later[1], *files, later[0], later[2]]


@pytest.mark.parametrize("make", [lambda n, account: listener(n, account=account), on_file])
def test_accounts_take_turns_and_members_within_them(make: Any) -> None:
    crowd = [make(1, 100) for _ in range(6)] + [make(2, 100) for _ in range(3)]
    stranger = make(3, 200)

    order = run(order_of([*crowd, stranger]))

    assert order.index(stranger) <= 1
    assert [turn.member_id for turn in order if turn.account == 100] == [1, 2, 1, 2, 1, 2, 1, 1, 1]


def test_a_thousand_calls_of_one_server_delay_a_strangers_first_sound_by_one_call() -> None:
    crowd = [listener(number % 50, account=1) for number in range(1_000)]

    order = run(order_of([*crowd, listener(9_999, account=2)]))

    assert [turn.account for turn in order].index(2) <= 1


def test_whoever_waits_behind_first_sounds_is_not_forgotten() -> None:
    firsts = [listener(number) for number in range(60)]
    dry = [listener(100 + number, due=1_000.0, first=False) for number in range(3)]
    files = [on_file(200 + number, 200 + number) for number in range(3)]

    order = run(order_of([*firsts, *dry, *files]))

    places = [order.index(turn) for turn in (*dry, *files)]
    assert max(places) < 50
    assert sorted(slot % 8 for slot in places) == [places[0] % 8] * 6, "one in eight, and no more"


def test_one_server_gets_at_most_half_of_the_places_while_another_waits() -> None:
    async def simulate() -> tuple[int, int]:
        queue = CallQueue(AdaptiveLimit(10, 10))
        crowd = [asyncio.create_task(queue.take(listener(n, account=1))) for n in range(40)]
        await asyncio.sleep(0.1)
        alone = sum(task.done() for task in crowd)
        others = [asyncio.create_task(queue.take(on_file(n, 2))) for n in range(40)]  # and less urgent
        await asyncio.sleep(0.1)
        for task in crowd[:10]:
            slot = await task
            assert slot is not None
            queue.leave(slot)
            await asyncio.sleep(0)
        await asyncio.sleep(0.1)
        held = sum(task.done() for task in others)
        for task in (*crowd, *others):
            task.cancel()
        return alone, held

    assert run(simulate()) == (10, 5)


def test_who_leaves_before_the_call_starts_frees_the_turn_and_leaves_nothing_behind() -> None:
    async def simulate() -> list[str]:
        queue = CallQueue(AdaptiveLimit(1, 1))
        holder = await queue.take(CallPriority(0, 0))
        assert holder is not None
        order: list[str] = []

        async def call(name: str, turn: CallPriority, delay: float = 0.0) -> None:
            slot = await queue.take(turn, delay=delay)
            assert slot is not None
            with slot:
                order.append(name)

        gone = [asyncio.create_task(call("gone", listener(n))) for n in range(50)]
        gone += [asyncio.create_task(call("gone", listener(n, due=n, first=False))) for n in range(90)]
        gone += [asyncio.create_task(call("gone", on_file(n, 1), delay=5.0)) for n in range(50)]
        staying = [asyncio.create_task(call(str(n), listener(n, due=n, first=False))) for n in range(3)]
        await asyncio.sleep(0.1)
        for task in gone:
            task.cancel()
        await asyncio.sleep(0.1)
        queue.leave(holder)
        await asyncio.gather(*staying)
        free = await queue.take(CallPriority(1, 1))  # the slot is there again
        assert free is not None
        return order

    assert run(simulate()) == ["0", "1", "2"]


@pytest.mark.slow
def test_thousands_who_leave_are_not_remembered() -> None:
    async def leaves(queue: CallQueue, number: int) -> None:
        waiting = asyncio.create_task(
            queue.take(listener(number, account=number % 7, due=number, first=False))
        )
        await asyncio.sleep(0.1)
        waiting.cancel()
        with suppress(asyncio.CancelledError):
            await waiting

    async def simulate() -> int:
        queue = CallQueue(AdaptiveLimit(1, 1))
        await queue.take(CallPriority(0, 0))
        for number in range(2_000):
            await leaves(queue, number)
        gc.collect()
        return sum(type(found).__name__ == "_WaitingCall" for found in gc.get_objects())

    assert run(simulate()) < 100


@pytest.mark.parametrize("is_cancelled_first", [False, True])
def test_a_slot_that_is_given_in_the_moment_of_leaving_is_given_back(is_cancelled_first: bool) -> None:
    async def simulate() -> None:
        queue = CallQueue(AdaptiveLimit(1, 1))
        holder = await queue.take(CallPriority(0, 0))
        assert holder is not None
        leaving = asyncio.create_task(queue.take(listener(1)))
        await asyncio.sleep(0)
        if is_cancelled_first:
            leaving.cancel()
        queue.leave(holder)
        leaving.cancel()
        await asyncio.gather(leaving, return_exceptions=True)
        async with asyncio.timeout(1.0):
            assert await queue.take(listener(2)) is not None

    run(simulate())


def test_a_named_wait_holds_everybody_back_until_it_is_over_or_somebody_is_served() -> None:
    async def simulate(*, answered: bool) -> float:
        loop = asyncio.get_running_loop()
        queue, began = CallQueue(AdaptiveLimit(8)), loop.time()
        refused, other = await queue.take(listener(1)), await queue.take(listener(2))
        assert refused is not None
        assert other is not None
        with refused:
            refused.refused(20.0)
        waiting = asyncio.create_task(queue.take(listener(3)))
        await asyncio.sleep(1.0)
        assert not waiting.done()
        with other:
            if answered:
                other.answered(2.0)
        assert await waiting is not None
        return loop.time() - began

    assert run(simulate(answered=False)) == pytest.approx(20.0)
    assert run(simulate(answered=True)) == pytest.approx(1.0)


def test_closed_it_sends_everybody_away_and_takes_nobody() -> None:
    async def simulate() -> None:
        queue = CallQueue(AdaptiveLimit(1, 1))
        await queue.take(listener(0))
        waiting = [asyncio.create_task(queue.take(listener(n), delay=n % 2)) for n in range(1, 20)]
        await asyncio.sleep(0.1)
        await queue.aclose()
        assert await asyncio.gather(*waiting) == [None] * 19
        with pytest.raises(TTSUnreachableError):
            await queue.take(listener(1))

    run(simulate())


# how long


DEADLINES = CallDeadlines(known=20.0, unknown=90.0, times=4.0)


async def longest(queue: CallQueue, expected: float | None) -> float:
    slot = await queue.take(listener(1))
    assert slot is not None
    with slot:
        slot.begin(expected)
        return slot.ends - slot.began


def test_a_call_may_take_long_while_nothing_is_known_and_later_a_multiple_of_what_is_usual() -> None:
    async def simulate() -> list[float]:
        queue = CallQueue(deadlines=DEADLINES)
        found = [await longest(queue, None), await longest(queue, 2.0), await longest(queue, 9.0)]
        for took in (12.0, 1.0, 80.0):
            slot = await queue.take(listener(1))
            assert slot is not None
            with slot:
                slot.begin()
                await asyncio.sleep(took)
                slot.answered(2.0)
        return [*found, await longest(queue, None), await longest(queue, 1.0)]

    assert run(simulate()) == pytest.approx([90.0, 20.0, 36.0, 48.0, 48.0])


@pytest.mark.parametrize("making", [0.5, 3.0, 15.0])
def test_where_calls_wait_for_each_other_at_the_tts_gateway_none_is_ended(making: float) -> None:
    async def simulate() -> int:
        queue, model = CallQueue(AdaptiveLimit(40), deadlines=DEADLINES), asyncio.Semaphore(1)
        ended = 0
        for _ in range(40):  # all is quiet at first
            slot = await queue.take(listener(1))
            assert slot is not None
            with slot:
                slot.begin(making)
                await asyncio.sleep(making)
                slot.answered(2.0)

        async def call(number: int) -> None:
            nonlocal ended
            slot = await queue.take(listener(number))
            assert slot is not None
            with slot:
                slot.begin(making)
                try:
                    async with asyncio.timeout_at(slot.ends) as slot.timeout, model:
                        await asyncio.sleep(making)
                    slot.answered(2.0)
                except TimeoutError:
                    ended += 1

        await asyncio.gather(*(call(number) for number in range(40)))
        return ended

    assert run(simulate()) == 0, "the last one takes forty times as long as is expected"


def test_a_call_without_an_answer_ends_and_frees_its_place_for_a_stranger() -> None:
    async def simulate() -> float:
        loop = asyncio.get_running_loop()
        queue, began = CallQueue(AdaptiveLimit(2, 2), deadlines=DEADLINES), loop.time()

        async def hang(member: int) -> None:
            slot = await queue.take(listener(member, account=1))
            assert slot is not None
            with slot:
                slot.begin(1.0)
                try:
                    async with asyncio.timeout_at(slot.ends) as slot.timeout:
                        await asyncio.Event().wait()
                except TimeoutError:
                    slot.unanswered()

        hanging = [asyncio.create_task(hang(n)) for n in (1, 1, 2, 2)]
        await asyncio.sleep(1.0)
        assert await queue.take(listener(3, account=2)) is not None
        waited = loop.time() - began
        for task in hanging:
            task.cancel()
        return waited

    assert run(simulate()) == pytest.approx(20.0), "one call, although four hang"


# how much it costs


@contextmanager
def timed() -> Iterator[list[float]]:
    """Give a list that has the seconds in it afterwards, without those of the garbage collector."""
    took: list[float] = []
    gc.collect()
    gc.disable()
    began = time.perf_counter()
    try:
        yield took
        took.append(time.perf_counter() - began)
    finally:
        gc.enable()


def cost(waiting: int, *, late: bool) -> float:
    """Return the seconds per call when so many wait, of the better of two."""

    async def simulate() -> float:
        queue, rng = CallQueue(AdaptiveLimit(10, 10)), random.Random(1)
        turns = [
            CallPriority(rng.randrange(waiting // 9), rng.randrange(waiting), rng.random(), not late)
            for _ in range(waiting)
        ]

        async def call(turn: CallPriority) -> None:
            slot = await queue.take(turn)
            assert slot is not None
            with slot:
                await asyncio.sleep(0.1)

        with timed() as took:
            await asyncio.gather(*map(call, turns))
        return took[0] / waiting

    return min(run(simulate()) for _ in range(2))


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["first sounds", "later parts"])
def test_a_call_costs_about_the_same_whether_a_thousand_wait_or_ten_thousand(late: bool) -> None:
    assert cost(10_000, late=late) < 6 * cost(1_000, late=late), "ten times would be each looking at all"


@pytest.mark.slow
def test_ten_thousand_of_a_server_that_has_its_share_cost_the_others_nothing() -> None:
    async def simulate(crowd: int) -> float:
        queue = CallQueue(AdaptiveLimit(4, 4))
        crowding = [
            asyncio.create_task(queue.take(listener(n, account=1, due=n, first=False))) for n in range(crowd)
        ]
        await asyncio.sleep(0.1)

        async def other(number: int) -> None:
            slot = await queue.take(listener(number, account=2, due=1e9, first=False))
            assert slot is not None
            with slot:
                await asyncio.sleep(0.1)

        others = [asyncio.create_task(other(number)) for number in range(500)]
        await asyncio.sleep(0.1)
        with timed() as took:
            for task in crowding[:2]:
                slot = await task
                assert slot is not None
                queue.leave(slot)
            await asyncio.gather(*others)
        for task in crowding:
            task.cancel()
        await asyncio.gather(*crowding, return_exceptions=True)
        return took[0]

    small, large = (min(run(simulate(crowd)) for _ in range(2)) for crowd in (1_000, 10_000))
    assert large < 6 * small
