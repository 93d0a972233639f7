"""Turns at what is done for every request: in order of asking, few at once, and nobody waits for long."""

from __future__ import annotations

import asyncio
import random

import pytest

from bot.delivery.delivery import Turns
from tests.scenes import DEADLINE, until


class Crowd:
    """Members with a turn each; one ends when it is let go."""

    def __init__(self, turns: Turns) -> None:
        self.turns = turns
        self.came: list[int] = []
        self.at_once = 0
        self.most_at_once = 0
        self.go_on = asyncio.Event()

    async def ask(self, number: int) -> None:
        async with self.turns.one(number):
            self.came.append(number)
            self.at_once += 1
            self.most_at_once = max(self.most_at_once, self.at_once)
            await self.go_on.wait()
            self.at_once -= 1


async def test_who_asked_first_has_the_next_turn_however_many_wait() -> None:
    crowd = Crowd(Turns(2, wait_seconds=DEADLINE))
    numbers = random.sample(range(1_000), 40)
    tasks = [asyncio.create_task(crowd.ask(number)) for number in numbers]
    await until(lambda: crowd.at_once == 2)
    crowd.go_on.set()
    await asyncio.gather(*tasks)

    assert crowd.came == numbers[:2] + sorted(numbers[2:])
    assert crowd.most_at_once == 2


async def test_nobody_waits_for_who_is_held_up_and_their_turn_is_free_afterwards() -> None:
    crowd = Crowd(Turns(1, wait_seconds=0.05))
    held_up = asyncio.create_task(crowd.ask(1))
    await until(lambda: crowd.at_once == 1)
    others = [asyncio.create_task(crowd.ask(number)) for number in (2, 3)]
    await until(lambda: crowd.at_once == 3)  # without a turn
    crowd.go_on.set()
    await asyncio.gather(held_up, *others)

    crowd.go_on.clear()
    crowd.most_at_once = 0
    patient = Crowd(crowd.turns)
    patient.turns._wait_seconds = DEADLINE
    last = [asyncio.create_task(patient.ask(number)) for number in (4, 5)]
    await until(lambda: patient.came == [4])
    patient.go_on.set()
    await asyncio.gather(*last)
    assert patient.most_at_once == 1


@pytest.mark.parametrize("is_granted", [False, True])
async def test_who_is_cancelled_takes_no_turn_along(is_granted: bool) -> None:
    crowd = Crowd(Turns(1, wait_seconds=DEADLINE))
    first, second = (asyncio.create_task(crowd.ask(number)) for number in (1, 2))
    await until(lambda: crowd.came == [1])
    if is_granted:
        crowd.turns._release()  # the turn is the second one's, who has not noticed yet
        crowd.turns._free -= 1
    second.cancel()
    await asyncio.wait({second})
    crowd.go_on.set()
    await first
    async with asyncio.timeout(DEADLINE):
        await crowd.ask(3)

    assert crowd.came == [1, 3]
