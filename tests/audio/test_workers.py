"""The threads for sound: few, and what is listened to never waits for a file."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.audio.workers import THREADS, run_batch, run_realtime
from bot.errors import AudioError

DEADLINE = 30.0
KINDS: dict[str, Callable[..., Coroutine[Any, Any, object]]] = {"piece": run_realtime, "whole": run_batch}


async def test_a_piece_is_worked_on_while_long_work_fills_its_own_threads():
    end = threading.Event()
    long = [asyncio.create_task(run_batch(end.wait, DEADLINE)) for _ in range(THREADS + 1)]

    async with asyncio.timeout(DEADLINE):
        assert await run_realtime(sum, [1, 2]) == 3

    assert not any(task.done() for task in long)
    end.set()
    assert await asyncio.gather(*long) == [True] * (THREADS + 1)


@pytest.mark.parametrize("kind", KINDS)
async def test_no_more_is_worked_on_at_once_than_there_are_threads(kind: str):
    full, end, at_work = threading.Semaphore(0), threading.Event(), []

    def work(number: int) -> None:
        at_work.append(number)
        full.release()
        end.wait(DEADLINE)

    tasks = [asyncio.create_task(KINDS[kind](work, number)) for number in range(THREADS + 2)]
    for _ in range(THREADS):
        assert await asyncio.to_thread(full.acquire, timeout=DEADLINE)
    begun = list(at_work)
    end.set()
    await asyncio.gather(*tasks)

    assert begun == list(range(THREADS))
    assert sorted(at_work) == list(range(THREADS + 2))


@pytest.mark.parametrize("kind", KINDS)
async def test_an_error_in_a_thread_is_raised_to_the_caller(kind: str):
    def work() -> None:
        raise AudioError("no sound")

    with pytest.raises(AudioError, match="no sound"):
        await KINDS[kind](work)
