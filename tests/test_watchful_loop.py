from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest

TOUCHES: dict[str, Callable[[asyncio.AbstractEventLoop, asyncio.Future[None]], object]] = {
    "a callback": lambda loop, _: loop.call_soon(print),
    "a timer": lambda loop, _: loop.call_later(60, print),
    "a result that somebody waits for": lambda _, future: future.set_result(None),
}


@pytest.mark.parametrize("name", TOUCHES)
async def test_touching_the_loop_from_another_thread_is_an_error(name: str):
    loop = asyncio.get_running_loop()
    future = loop.create_future()
    future.add_done_callback(lambda _: None)

    with pytest.raises(RuntimeError, match="another thread"):
        await asyncio.to_thread(TOUCHES[name], loop, future)


async def test_a_thread_may_ask_the_loop_as_threads_should():
    loop = asyncio.get_running_loop()
    told = asyncio.Event()

    await asyncio.to_thread(loop.call_soon_threadsafe, told.set)

    await asyncio.wait_for(told.wait(), 30)
