from __future__ import annotations

import asyncio

import pytest

from bot.errors import TTSDeniedError, TTSNoAnswerError, TTSServerError, TTSUnreachableError
from bot.models import ReferenceAudio, SpeechRequest, Stage
from bot.settings import Secret
from bot.tts.client import TTSCall, TTSClient
from rehearsal.faulty_tts_gateway.catalog import OTHER_SHAPES
from rehearsal.faulty_tts_gateway.faults import Delay, Respond
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import KEY, TIMEOUTS, MakeClient, progress_of

HELLO = SpeechRequest("Hello")


async def test_text_to_speech_brings_a_wav(client: TTSClient, faults: FaultScript):
    wav = await client.synthesize(SpeechRequest("Hello", guidance=1.5, steps=20))

    assert wav == TONE
    assert faults.requests[0].path == "/voxcpm/v1/text-to-speech"
    assert faults.requests[0].json == {"text": "Hello", "cfg_value": 1.5, "dit_steps": 20}


async def test_cloning_speaks_in_the_voice_of_a_recording(
    client: TTSClient, faults: FaultScript, tts_base_url: str
):
    await client.synthesize(HELLO)
    url = tts_base_url.replace("/voxcpm/v1", faults.downloads[0].path)

    wav = await client.synthesize(SpeechRequest("Again", reference=ReferenceAudio(url, "Hello")))

    assert wav == TONE
    assert faults.requests[1].path == "/voxcpm/v1/voice-cloning"
    assert faults.requests[1].json == {"text": "Again", "reference_audio_url": url, "prompt_text": "Hello"}


async def test_the_request_carries_the_documented_headers(client: TTSClient, faults: FaultScript):
    await client.synthesize(HELLO)

    headers = faults.requests[0].headers
    assert headers["Ocp-Apim-Subscription-Key"] == KEY
    assert headers["Content-Type"] == "application/json"
    assert headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("shape", OTHER_SHAPES)
async def test_every_shape_of_a_success_brings_the_wav(client: TTSClient, faults: FaultScript, shape: str):
    faults.on_post(OTHER_SHAPES[shape])

    wav = await client.synthesize(HELLO)

    assert wav == TONE
    assert len(faults.requests) == 1


async def test_progress_tells_of_making_waiting_and_fetching(client: TTSClient, faults: FaultScript):
    call = TTSCall(HELLO)
    faults.on_post(Respond(429, headers={"retry-after-ms": "20"}))

    async with progress_of(call) as stages:
        download = await client.open(call)
    async with progress_of(download) as fractions:
        await download.read()

    assert stages == [Stage.MAKING, Stage.WAITING, Stage.MAKING]
    known = [fraction for fraction in fractions if isinstance(fraction, float)]
    assert known == sorted(known)
    assert fractions[-1] == 1.0


async def test_without_a_key_no_key_header_is_sent(faults: FaultScript, tts_base_url: str):
    async with TTSClient(tts_base_url) as client:
        with pytest.raises(TTSDeniedError):
            await client.synthesize(HELLO)

    assert "Ocp-Apim-Subscription-Key" not in faults.requests[0].headers


async def test_the_probe_asks_for_no_speech(client: TTSClient, faults: FaultScript):
    await client.probe()

    assert faults.requests == []


async def test_the_probe_tells_if_nothing_answers(make_client: MakeClient, unused_tcp_port: int):
    client = make_client(f"http://127.0.0.1:{unused_tcp_port}/voxcpm/v1")

    with pytest.raises(TTSUnreachableError):
        await client.probe()


@pytest.mark.parametrize(
    ("status", "error"), [("401 Unauthorized", TTSDeniedError), ("502 Bad Gateway", TTSServerError)]
)
async def test_the_probe_tells_of_a_refused_key_and_of_a_broken_server(
    make_client: MakeClient, status, error
):
    async with raw_server.serving(raw_server.saying(raw_server.answer(b"", status=status))) as server:
        with pytest.raises(error):
            await make_client(server.url).probe()


async def test_a_client_may_be_closed_twice_and_then_fails_in_our_words(client: TTSClient):
    await client.synthesize(HELLO)

    await client.aclose()
    await client.aclose()

    with pytest.raises(TTSUnreachableError):
        await client.synthesize(HELLO)


async def test_closing_ends_a_call_under_way_with_our_own_error(make_client: MakeClient):
    async with raw_server.serving(raw_server.silence) as server:
        client = make_client(server.url)
        call = asyncio.create_task(client.synthesize(HELLO))
        await asyncio.wait_for(server.asked.wait(), 20)

        await client.aclose()

        with pytest.raises(TTSNoAnswerError):
            await call


async def test_a_client_can_be_built_before_the_event_loop_runs(tts_base_url: str):
    client = await asyncio.to_thread(TTSClient, tts_base_url, Secret(KEY), timeouts=TIMEOUTS)

    async with client:
        assert await client.synthesize(HELLO) == TONE


async def test_a_second_call_uses_the_line_of_the_first(make_client: MakeClient):
    async def script(writer, request):
        writer.write(raw_server.answer(TONE))

    async with raw_server.serving(script) as server:
        client = make_client(server.url)

        for _ in range(3):
            await client.synthesize(HELLO)

        assert (len(server.requests), server.connections) == (3, 1)


async def test_no_cookie_of_the_tts_gateway_comes_back(make_client: MakeClient):
    async def script(writer, request):
        writer.write(raw_server.answer(TONE, "Set-Cookie: session=1; Path=/"))

    async with raw_server.serving(script) as server:
        client = make_client(server.url)
        for _ in range(2):
            await client.synthesize(HELLO)

        assert b"cookie" not in b"".join(server.requests).lower()


async def test_a_slow_but_living_tts_gateway_is_waited_for(client: TTSClient, faults: FaultScript):
    faults.on_post(Delay(0.3))

    assert await client.synthesize(HELLO) == TONE
