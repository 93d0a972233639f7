"""Places for what is large and held at once: few, and nobody waits for one for good."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import ClassVar

from bot.audio.maker import Maker, Places
from bot.audio.wav import write_wav
from tests.fakes.babble_engine import babble
from tests.scenes import DEADLINE

TEXT = "The kettle is on the table, and the cat sleeps beside the stove all day long. "
LONG = write_wav(babble(TEXT))


class Holder:
    """Somebody who holds a place until they are let go."""

    def __init__(self, places: Places) -> None:
        self.is_in = asyncio.Event()
        self._may_go = asyncio.Event()
        self._task = asyncio.create_task(self._hold(places))

    async def _hold(self, places: Places) -> None:
        async with places.one():
            self.is_in.set()
            await self._may_go.wait()

    async def go(self) -> None:
        self._may_go.set()
        await self._task

    async def cancel(self) -> None:
        self._task.cancel()
        await asyncio.wait([self._task])


async def within(holder: Holder) -> None:
    async with asyncio.timeout(DEADLINE):
        await holder.is_in.wait()


async def test_so_many_are_in_at_once_and_the_next_comes_when_one_goes():
    places = Places(3, wait_seconds=DEADLINE)
    holders = [Holder(places) for _ in range(5)]
    await asyncio.gather(*map(within, holders[:3]))
    assert [holder.is_in.is_set() for holder in holders] == [True, True, True, False, False]

    await holders[1].go()
    await within(holders[3])
    assert not holders[4].is_in.is_set()

    await holders[3].cancel()
    await within(holders[4])
    for holder in (holders[0], holders[2], holders[4]):
        await holder.go()


async def test_who_is_cancelled_while_waiting_takes_no_place():
    places = Places(1, wait_seconds=DEADLINE)
    first, second, third = (Holder(places) for _ in range(3))
    await within(first)

    await second.cancel()
    await first.go()

    await within(third)
    await third.go()


async def test_behind_lines_that_stand_still_one_waits_a_moment_and_goes_all_the_same():
    places = Places(1, wait_seconds=0.01)
    slow, *others = (Holder(places) for _ in range(4))

    for holder in (slow, *others):
        await within(holder)
    for holder in (*others, slow):
        await holder.go()

    last = Holder(places)
    await within(last)
    await last.go()


class Counted:
    """A source that notes when half of it was read, and when all of it was."""

    far: ClassVar[list[int]] = []
    under_way = 0
    fraction = None

    async def chunks(self) -> AsyncGenerator[bytes]:
        is_far = False
        for start in range(0, len(LONG), 32_768):
            if not is_far and start > len(LONG) / 2:
                is_far = True
                Counted.under_way += 1
                Counted.far.append(Counted.under_way)
            yield LONG[start : start + 32_768]
        Counted.under_way -= is_far


async def test_of_many_who_are_far_ahead_few_go_on_at_once_and_all_come_to_their_end():
    maker = Maker()

    async def made() -> int:
        frames = 0
        async for batch in maker.start(Counted(), text=TEXT, is_live=True, buffered=10 * DEADLINE):
            frames += len(batch)
        return frames

    async with asyncio.timeout(DEADLINE):
        made_of_each = await asyncio.gather(*(made() for _ in range(12)))

    assert len(set(made_of_each)) == 1
    assert len(Counted.far) == 12
    assert max(Counted.far) <= 8
