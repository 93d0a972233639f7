"""The threads for sound: few, and what is listened to never waits for a file."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from bot.audio.workers import THREADS, Deadline, Pieces, run_batch, run_batch_pieces, run_realtime
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


async def test_the_first_second_of_everybody_comes_before_the_tenth_of_anybody():
    """Ten sounds of ten seconds are made at once, while the thread is busy: all of their work waits."""
    is_busy, end = threading.Event(), threading.Event()
    done: list[tuple[int, int]] = []

    def busy() -> None:
        is_busy.set()
        end.wait(DEADLINE)

    async def made(sound: int) -> None:
        deadline = Deadline()
        for second in range(1, 11):
            await deadline.run(done.append, (second, sound))
            deadline.add(1.0)

    blocking = asyncio.create_task(run_realtime(busy))
    assert await asyncio.to_thread(is_busy.wait, DEADLINE)
    making = [asyncio.create_task(made(sound)) for sound in range(10)]
    await asyncio.sleep(0)  # until each of them has work that waits
    end.set()
    await asyncio.gather(blocking, *making)

    place = {work: number for number, work in enumerate(done)}
    assert max(place[1, sound] for sound in range(10)) < min(place[10, sound] for sound in range(10))
    assert max(place[1, sound] for sound in range(10)) < min(place[3, sound] for sound in range(10))


async def test_a_file_gives_way_between_its_pieces():
    """A file of three pieces is under way when somebody begins to listen: they are served before its end."""
    begun, go_on, done = threading.Event(), threading.Event(), []

    def file() -> Pieces[str]:
        begun.set()
        go_on.wait(DEADLINE)
        yield
        done.append("file")
        yield
        return "whole"

    async def listened() -> None:
        deadline = Deadline()
        for _ in range(5):
            await deadline.run(done.append, "heard")

    making = asyncio.create_task(run_batch_pieces(file))
    assert await asyncio.to_thread(begun.wait, DEADLINE)
    hold = threading.Event()
    holding = asyncio.create_task(run_realtime(hold.wait, DEADLINE))
    await asyncio.sleep(0)
    listening = asyncio.create_task(listened())
    await asyncio.sleep(0)
    hold.set()
    await asyncio.gather(holding, listening)
    go_on.set()

    assert await making == "whole"
    assert done == [*["heard"] * 5, "file"]


async def test_work_that_nobody_wants_any_more_is_left_out():
    begun, go_on, done = threading.Event(), threading.Event(), []

    def pieces() -> Pieces[None]:
        begun.set()
        go_on.wait(DEADLINE)
        yield
        done.append("second piece")

    making = asyncio.create_task(Deadline().run_pieces(pieces))
    assert await asyncio.to_thread(begun.wait, DEADLINE)
    making.cancel()
    await asyncio.wait([making])
    go_on.set()
    await run_realtime(done.append, "other work")
    await run_realtime(done.append, "more work")

    assert done == ["other work", "more work"]


async def test_what_becomes_a_file_goes_where_files_go():
    end = threading.Event()
    holding = asyncio.create_task(run_realtime(end.wait, DEADLINE))

    assert await Deadline(math.inf).run(sum, [1, 2]) == 3

    end.set()
    assert await holding
