"""Workers: processes with a model, which are cancelled, die and are replaced."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import numpy as np
import pytest

from tts_gateway.engines.base import EngineError, EngineMissing, TextRefused
from tts_gateway.engines.workers import WorkerPool

DEADLINE = 60.0
StartPool = Callable[..., Awaitable[WorkerPool]]


@pytest.fixture
async def start() -> AsyncIterator[StartPool]:
    async with AsyncExitStack() as stack:

        async def start_pool(count: int = 1, grace: float = 0.05, **settings: object) -> WorkerPool:
            pool = WorkerPool("tests.fakes.worker_child", settings, count, grace_seconds=grace)
            stack.push_async_callback(pool.aclose)
            await pool.start()
            return pool

        async with asyncio.timeout(DEADLINE):
            yield start_pool


async def test_a_worker_answers_refuses_fails_and_is_the_same_after_it(start: StartPool) -> None:
    pool = await start()

    answer, sound = await pool.call({"order": ""}, np.ones(3, np.float32))
    with pytest.raises(TextRefused, match="nothing to say"):
        await pool.call({"order": "refuse"})
    with pytest.raises(EngineError, match="RuntimeError") as failed:
        await pool.call({"order": "fail"})
    chatter, _ = await pool.call({"order": "chatter"})

    assert sound.tolist() == [2, 2, 2]
    assert "secret" not in str(failed.value)
    assert chatter["process"] == answer["process"]


async def test_a_worker_that_dies_costs_one_call_and_is_replaced(start: StartPool) -> None:
    pool = await start(2)
    hanging = asyncio.create_task(pool.call({"order": "hang"}))
    await asyncio.sleep(0)

    with pytest.raises(EngineError, match="ended"):
        await pool.call({"order": "die"})
    answer, _ = await pool.call({"order": ""})

    assert not hanging.done()
    assert answer["process"] in pool.process_ids
    hanging.cancel()


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGKILL there")
async def test_a_worker_killed_from_outside_is_started_again_for_the_next_call(start: StartPool) -> None:
    pool = await start()
    (before,) = pool.process_ids
    working = asyncio.create_task(pool.call({"order": "hang"}))
    await asyncio.sleep(0)

    os.kill(before, signal.SIGKILL)
    with pytest.raises(EngineError):
        await working

    answer, _ = await pool.call({"order": ""})
    assert answer["process"] != before


async def test_a_call_that_is_cancelled_ends_its_process(start: StartPool) -> None:
    pool = await start()
    (before,) = pool.process_ids

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await pool.call({"order": "hang"})

    answer, _ = await pool.call({"order": ""})
    assert answer["process"] != before
    with pytest.raises(ProcessLookupError):
        os.kill(before, 0)


async def test_a_call_that_is_cancelled_shortly_before_its_end_keeps_its_process(start: StartPool) -> None:
    pool = await start(grace=DEADLINE)
    (before,) = pool.process_ids
    calls = [asyncio.create_task(pool.call({"order": "doze"})) for _ in range(2)]
    await asyncio.sleep(0)

    calls[0].cancel()
    answer, _ = await calls[1]

    assert calls[0].cancelled()
    assert answer["process"] == before


@pytest.mark.parametrize(
    ("settings", "said"), [({"broken": True}, "another version"), ({"dies": True}, "ended")]
)
async def test_a_model_that_does_not_load_is_told_at_the_start(
    start: StartPool, settings: dict[str, bool], said: str
) -> None:
    with pytest.raises(EngineMissing, match=said):
        await start(**settings)
