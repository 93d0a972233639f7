"""How a benchmark reckons when playing runs dry, and notices that the event loop was held up."""

from __future__ import annotations

import asyncio
import time

import pytest

from benchmarks.long_text import Supply
from benchmarks.loop_watch import lags_of_loop
from bot.playback.queue import Utterance

FRAME = b"\xf8\xff\xfe"


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def supply(clock: Clock) -> Supply:
    utterance = Utterance(1, member_id=1, title="a minute", changed=lambda _utterance: None)
    return Supply(utterance, clock=clock)


async def test_sound_that_comes_before_it_is_needed_leaves_no_gap(supply, clock):
    supply.take([FRAME] * 100)
    clock.now += 2.1
    supply.take([FRAME] * 50)

    assert max(supply.gaps) == 0
    assert supply.seconds == pytest.approx(3.0)


async def test_sound_that_comes_late_leaves_a_gap_as_long_as_it_is_late(supply, clock):
    supply.take([FRAME] * 100)
    clock.now += 2.7
    supply.take([FRAME] * 50)
    clock.now += 1.0
    supply.take([FRAME])

    assert supply.gaps == [0, pytest.approx(0.5), 0]


async def test_a_held_up_loop_is_noticed():
    async with lags_of_loop() as lags:
        await asyncio.sleep(0.01)
        time.sleep(0.05)  # noqa: ASYNC251 - this is what shall be noticed
        await asyncio.sleep(0.01)

    assert max(lags) >= 0.04
