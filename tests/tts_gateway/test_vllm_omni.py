"""The relay to vLLM-Omni, before servers that misbehave in every way that was reported of them."""

from __future__ import annotations

import asyncio
import io
import socket
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack

import aiohttp
import pytest

from tests.fakes.tts_gateway_caller import Caller
from tests.fakes.vllm_omni_double import VllmOmniDouble, recording, vllm_omni
from tests.scenes import until
from tts_gateway.__main__ import main
from tts_gateway.engines.base import EngineBusy, EngineError, EngineMissing, ReferenceRefused, TextRefused
from tts_gateway.engines.vllm_omni import VllmOmniEngine
from tts_gateway.server import ServerOptions, create_app, serving

TEXT = "Hello there, how are you today?"
DEADLINE = 30.0
Start = Callable[..., Awaitable[tuple[VllmOmniEngine, list[VllmOmniDouble]]]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start a relay and a server for each list of manners."""
    async with AsyncExitStack() as stack:

        async def start_relay(*manners: list[str], key: str | None = None, look: float = 60.0):
            doubles = [
                await stack.enter_async_context(vllm_omni(VllmOmniDouble(manners=list(each))))
                for each in manners
            ]
            engine = VllmOmniEngine([double.url for double in doubles], key, look_seconds=look)
            await engine.start()
            stack.push_async_callback(engine.aclose)
            return engine, doubles

        async with asyncio.timeout(DEADLINE):
            yield start_relay


def seconds_of(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        return float(file.getnframes() / file.getframerate())


def is_asked(engine: VllmOmniEngine, double: VllmOmniDouble) -> bool:
    return bool(engine.load[f'tts_upstream_healthy{{upstream="{double.url}"}}'])


async def test_a_text_goes_out_in_their_fields_with_its_description(start: Start) -> None:
    engine, (double,) = await start(["well"], key="secret")

    wav = await engine.speak(f"(an old man){TEXT}", cfg_value=3.0, dit_steps=20)
    again = await engine.speak(f"(an old man){TEXT}")

    first, second = double.asked
    assert first["input"] == f"(an old man){TEXT}"
    assert first["seed"] == second["seed"]
    assert not {"voice", "ref_audio", "ref_text"} & set(first)
    assert double.keys == ["Bearer secret"] * 2
    assert seconds_of(wav) == seconds_of(again) > 1


@pytest.mark.parametrize(
    ("text", "seconds", "transcript"),
    [(TEXT, 5.0, "A hum."), (f"(angry){TEXT}", 5.0, None), (TEXT, 60.0, None)],
    ids=["with a transcript", "a description keeps it at home", "as does a cut"],
)
async def test_a_recording_goes_out_itself_and_at_most_ten_seconds_of_it(
    start: Start, text: str, seconds: float, transcript: str | None
) -> None:
    engine, (double,) = await start(["well"])

    await engine.clone(text, recording(seconds), prompt_text="A hum.")

    ((rate, sent),) = double.references
    assert (rate, round(sent)) == (24_000, min(10, round(seconds)))
    assert double.asked[0].get("ref_text") == transcript


@pytest.mark.parametrize("seconds", [0.0, 0.5])
async def test_a_recording_that_is_too_short_is_refused_before_anybody_is_asked(
    start: Start, seconds: float
) -> None:
    engine, (double,) = await start(["well"])

    with pytest.raises(ReferenceRefused):
        await engine.clone(TEXT, recording(seconds), prompt_text=None)
    with pytest.raises(TextRefused):
        await engine.speak("...")
    assert double.asked == []


@pytest.mark.parametrize(
    "manner", ["blank", "silent", "endless", pytest.param("320 s", marks=pytest.mark.slow)]
)
async def test_a_bad_sound_is_made_once_again_with_another_seed(start: Start, manner: str) -> None:
    engine, (double,) = await start([manner, "well"])

    await engine.speak(TEXT)

    first, second = double.asked
    assert first["seed"] != second["seed"]


@pytest.mark.parametrize(
    "manner", ["blank", "silent", "endless", pytest.param("320 s", marks=pytest.mark.slow)]
)
async def test_two_bad_sounds_are_an_error_and_little_of_an_endless_one_is_read(
    start: Start, manner: str
) -> None:
    engine, (double,) = await start([manner])

    with pytest.raises(EngineError, match="2 tries"):
        await engine.speak(TEXT)
    assert len(double.asked) == 2
    assert double.sent < 2 * 30 * 96_000


@pytest.mark.parametrize("manner", ["sse", "html", "json", "500", "502", "die", "stereo", "429", "503"])
async def test_what_one_server_fails_at_is_asked_of_another_once(start: Start, manner: str) -> None:
    engine, doubles = await start([manner], [manner])
    with pytest.raises(EngineError) as failed:
        await engine.speak(TEXT)
    assert [len(double.asked) for double in doubles] == [1, 1]
    assert isinstance(failed.value, EngineBusy) is (manner in ("429", "503"))
    assert TEXT not in str(failed.value)

    doubles[0].manners = doubles[1].manners = ["well"]
    assert await engine.speak(TEXT)


@pytest.mark.parametrize("manner", ["400", "401", "403", "404", "422", "redirect"])
async def test_a_refusal_is_an_error_at_once(start: Start, manner: str) -> None:
    engine, doubles = await start([manner], ["well"])
    doubles[1].manners = [manner]

    with pytest.raises(EngineError):
        await engine.speak(TEXT)
    assert sum(len(double.asked) for double in doubles) == 1


async def test_their_word_on_a_recording_is_the_caller_s(start: Start) -> None:
    engine, _ = await start(["bad reference"])

    with pytest.raises(ReferenceRefused, match="cannot use this recording"):
        await engine.clone(TEXT, recording(3.0), prompt_text=None)


async def test_a_wav_is_understood_too(start: Start) -> None:
    engine, _ = await start(["wav"])

    assert 2 < seconds_of(await engine.speak(TEXT)) < 6


async def test_the_least_busy_is_asked_and_one_that_failed_twice_no_more_until_it_is_well(
    start: Start,
) -> None:
    engine, (first, second) = await start(["hang"], ["well"], look=0.02)
    hanging = asyncio.create_task(engine.speak(TEXT))
    await until(lambda: bool(first.asked))
    await engine.speak(TEXT)
    assert (len(first.asked), len(second.asked)) == (1, 1)
    hanging.cancel()
    await first.hung_up.wait()

    first.is_healthy = False
    await until(lambda: not is_asked(engine, first))
    first.manners = ["well"]
    for _ in range(3):
        await engine.speak(TEXT)
    assert len(first.asked) == 1
    first.is_healthy = True
    await until(lambda: is_asked(engine, first))
    await asyncio.gather(*(engine.speak(TEXT) for _ in range(4)))
    assert len(first.asked) > 1


async def test_a_hang_up_of_the_caller_ends_the_work_behind(start: Start) -> None:
    engine, (double,) = await start(["hang"])
    asking = asyncio.create_task(engine.speak(TEXT))
    await until(lambda: bool(double.asked))

    asking.cancel()
    await double.hung_up.wait()

    assert set(engine.load.values()) <= {0.0, 1.0}


async def test_a_server_that_dies_with_requests_in_it_loses_none(start: Start) -> None:
    engine, (first, second) = await start(["die"], ["well"])

    sounds = await asyncio.gather(*(engine.speak(f"{TEXT} {n}") for n in range(8)))

    assert all(sounds)
    assert first.asked
    assert len(second.asked) == 8


async def test_nobody_at_the_address_is_an_error_of_the_contract_and_the_queue_goes_on() -> None:
    bound = socket.socket()  # nobody listens there, and nobody else comes to
    bound.bind(("127.0.0.1", 0))
    engine = VllmOmniEngine([f"http://127.0.0.1:{bound.getsockname()[1]}"], look_seconds=60.0)
    await engine.start()
    app = create_app(engine, options=ServerOptions(about=engine.description))
    async with aiohttp.ClientSession() as session, serving(app) as base_url:
        caller = Caller(session, base_url)
        failed, metrics = await caller.speak(TEXT), (await caller.get("/metrics")).body.decode()
        async with vllm_omni(VllmOmniDouble(), bound):
            well = await caller.speak(TEXT)

    assert (failed.status, well.status) == (500, 200)
    assert failed.json["message"] == "Internal server error"
    assert "tts_upstream_healthy" in metrics
    assert well.headers["X-TTS-Engine"] == "vllm-omni"


async def test_a_full_server_is_a_429_of_the_contract(start: Start) -> None:
    engine, _ = await start(["429"])
    async with aiohttp.ClientSession() as session, serving(create_app(engine)) as base_url:
        answer = await Caller(session, base_url).speak(TEXT)

    assert (answer.status, answer.headers["Retry-After"]) == (429, "5")


@pytest.mark.parametrize("address", ["", "ftp://a", "127.0.0.1:8000", "http://a@b/", "http://[::1"])
def test_an_address_that_is_none_is_told(address: str) -> None:
    with pytest.raises(EngineMissing, match="--upstream"):
        VllmOmniEngine([address])


def test_without_a_server_the_command_says_what_to_type(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--engine", "vllm-omni"]) == 2
    assert "--upstream http" in capsys.readouterr().err
