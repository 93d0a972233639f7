"""From the address in a voice-cloning request to what the engine gets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.recording_server import RECORDING, Recordings, recordings
from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import DEADLINE, Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.fetch import CANNOT_BE_REACHED, FetchOptions
from tts_gateway.server import ServerOptions

OPEN = FetchOptions(allow_loopback=True)


@pytest.fixture
async def served() -> AsyncIterator[Recordings]:
    async with recordings() as server:
        yield server


async def test_the_engine_gets_the_recording_behind_the_address(
    start: StartServer, served: Recordings, engine: ToneEngine
):
    caller = await start(ServerOptions(fetch=OPEN))

    answer = await caller.clone(f"{served.origin}/voice.wav", "Hello", prompt_text="A hum.")

    assert answer.status == 200
    assert engine.calls == [("Hello", RECORDING, "A hum.")]


async def test_a_recording_the_engine_refuses_is_400_with_the_engines_reason(
    start: StartServer, served: Recordings
):
    caller = await start(ServerOptions(fetch=OPEN))

    answer = await caller.clone(f"{served.origin}/html")

    assert (answer.status, answer.message) == (400, "The recording is not sound.")


async def test_a_sound_of_our_own_is_a_reference_without_the_network(caller: Caller, engine: ToneEngine):
    url = (await caller.speak()).json["output"]

    answer = await caller.clone(url)

    assert answer.status == 200
    assert engine.calls[-1][1] == (await caller.get(url)).body


async def test_a_sound_of_our_own_is_known_by_the_name_we_are_called_and_by_our_address(
    caller: Caller, engine: ToneEngine
):
    name = {"Host": "voices.example"}
    named = (await caller.post("/text-to-speech", {"text": "a"}, headers=name)).json["output"]
    numbered = (await caller.speak("longer")).json["output"]

    for url in (named, numbered):
        body = {"text": "c", "reference_audio_url": url}
        answer = await caller.post("/voice-cloning", body, headers=name)

        assert answer.status == 200
    assert named.startswith("http://voices.example/")
    assert len({call[1] for call in engine.calls[2:]}) == 2


async def test_another_path_of_our_own_is_not_fetched(caller: Caller):
    answer = await caller.clone(f"{caller.origin}/health")

    assert (answer.status, answer.message) == (400, CANNOT_BE_REACHED)


async def test_of_many_recordings_only_two_are_fetched_and_held_at_once(
    start: StartServer, served: Recordings, engine: ToneEngine, faults: FaultScript
):
    caller = await start(ServerOptions(fetch=OPEN, engine_places=7), faults)
    calls = [asyncio.create_task(caller.clone(f"{served.origin}/voice.wav", "wait")) for _ in range(6)]
    async with asyncio.timeout(DEADLINE):
        await faults.received(posts=6)
        await engine.started.wait()
    await caller.speak()  # there and back, in which all six could have been fetched

    fetched = len(served.requests)
    engine.released.set()

    assert [(await call).status for call in calls] == [200] * 6
    assert fetched <= 2
    assert engine.most_at_once <= 2
    assert len(served.requests) == 6


@pytest.mark.parametrize("path", ["drip", "code/404", "size/20000000"])
async def test_a_recording_that_does_not_come_gives_its_place_back(
    start: StartServer, served: Recordings, faults: FaultScript, path: str
):
    fetch = FetchOptions(allow_loopback=True, total_seconds=0.3)
    caller = await start(ServerOptions(fetch=fetch, reference_places=1), faults)
    calls = [asyncio.create_task(caller.clone(f"{served.origin}/{path}")) for _ in range(3)]
    async with asyncio.timeout(DEADLINE):
        await faults.received(posts=3)
    calls.pop().cancel()

    assert [(await call).status for call in calls] == [400, 400]
    assert (await caller.clone(f"{served.origin}/voice.wav")).status == 200
