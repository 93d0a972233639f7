"""Who gets the engine, who waits, who is sent away."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from rehearsal.faulty_tts_gateway.faults import Exchange, PlannedAnswer
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import DEADLINE
from tests.tts_gateway.conftest import StartServer
from tts_gateway.server import EngineQueue, ServerOptions
from tts_gateway.wire import RequestRefused

NARROW = ServerOptions(engine_places=2, waiting_places=1)


async def test_a_full_line_is_429_at_once_with_a_time_to_come_back(
    start: StartServer, engine: ToneEngine, faults: FaultScript
):
    caller = await start(NARROW, faults)
    inside = [asyncio.create_task(caller.speak("wait")) for _ in range(3)]
    await _until(engine.started, faults, posts=3)

    answer = await caller.speak("late")
    engine.released.set()

    assert answer.status == 429
    seconds = int(answer.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert answer.message == f"Rate limit is exceeded. Try again in {seconds} seconds."
    assert [(await task).status for task in inside] == [200, 200, 200]
    assert engine.most_at_once == 2
    assert (await caller.speak("late")).status == 200


async def test_a_caller_who_goes_away_gives_the_engine_back(
    start: StartServer, engine: ToneEngine, faults: FaultScript
):
    caller = await start(ServerOptions(engine_places=1, waiting_places=1), faults)
    call = asyncio.create_task(caller.speak("wait"))
    await _until(engine.started, faults, posts=1)

    call.cancel()

    async with asyncio.timeout(DEADLINE):
        await engine.gone.wait()
    assert engine.cancelled == 1
    assert (await caller.speak("next")).status == 200


async def test_a_caller_who_goes_away_while_waiting_never_costs_the_engine_anything(
    start: StartServer, engine: ToneEngine, faults: FaultScript
):
    caller = await start(ServerOptions(engine_places=1, waiting_places=1), faults)
    watched = Watched()
    faults.on_post(None, watched)
    first = asyncio.create_task(caller.speak("wait"))
    await _until(engine.started, faults, posts=1)
    second = asyncio.create_task(caller.speak("never made"))
    await _until(watched.entered, faults, posts=2)

    second.cancel()
    async with asyncio.timeout(DEADLINE):
        await watched.left.wait()
    engine.released.set()

    assert (await first).status == 200
    assert (await caller.speak("last")).status == 200
    assert [call[0] for call in engine.calls] == ["wait", "last"]


@dataclass(frozen=True)
class Watched:
    """A fault that spoils nothing; it tells when a request comes in and when its work is dropped."""

    entered: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        self.entered.set()
        try:
            return await exchange.right_answer()
        except asyncio.CancelledError:
            self.left.set()
            raise


async def test_nobody_is_told_to_stay_away_for_more_than_a_minute():
    queue = EngineQueue(places=1, waiting=200)

    full = asyncio.Event()

    async with asyncio.TaskGroup() as group:
        for _ in range(201):
            group.create_task(_stand(queue, full))
        await asyncio.sleep(0)  # each takes its place
        with pytest.raises(RequestRefused) as refused:
            async with queue.admit():
                pass
        full.set()

    assert refused.value.headers == {"Retry-After": "60"}


async def _stand(queue: EngineQueue, until: asyncio.Event) -> None:
    async with queue.admit():
        await until.wait()


async def _until(started: asyncio.Event, faults: FaultScript, *, posts: int) -> None:
    async with asyncio.timeout(DEADLINE):
        await started.wait()
        await faults.received(posts=posts)
