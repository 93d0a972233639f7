from __future__ import annotations

import asyncio
import json
from dataclasses import replace

import pytest
from yarl import URL

from bot.errors import (
    TTSDeniedError,
    TTSError,
    TTSNoAnswerError,
    TTSPayloadError,
    TTSServerError,
    TTSStatusError,
)
from bot.models import SpeechRequest
from bot.settings import Secret
from bot.tts.client import TTSClient
from bot.tts.http import Transport
from rehearsal.faulty_tts_gateway.faults import Accepted202
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.raw_server import answer, serving
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import KEY, TIMEOUTS, MakeClient

HELLO = SpeechRequest("Hello")


@pytest.mark.parametrize("status", [200, 202])
@pytest.mark.parametrize("polling_url", [None, ""], ids=["polling_url", "request_id only"])
async def test_speech_made_later_is_asked_for_until_it_is_there(
    client: TTSClient, faults: FaultScript, status: int, polling_url: str | None
):
    faults.on_post(Accepted202(polls=3, status=status, polling_url=polling_url))

    assert await client.synthesize(HELLO) == TONE
    assert (len(faults.requests), len(faults.polls)) == (1, 4)
    assert {poll.headers["Ocp-Apim-Subscription-Key"] for poll in faults.polls} == {KEY}


@pytest.mark.parametrize("outcome", ["FAILED", "ERROR"])
async def test_speech_that_failed_later_is_a_server_error(
    client: TTSClient, faults: FaultScript, outcome: str
):
    faults.on_post(Accepted202(outcome=outcome))

    with pytest.raises(TTSServerError, match="The model stopped"):
        await client.synthesize(HELLO)

    assert len(faults.requests) == 1


async def test_speech_that_never_comes_is_silence_and_not_asked_for_again(
    make_client: MakeClient, faults: FaultScript
):
    faults.on_post(Accepted202(outcome="NEVER"))
    client = make_client(timeouts=replace(TIMEOUTS, polling=0.3))

    with pytest.raises(TTSNoAnswerError):
        await client.synthesize(HELLO)

    assert len(faults.requests) == 1
    assert len(faults.polls) > 2


async def test_another_server_is_never_asked_and_gets_no_key(client: TTSClient, faults: FaultScript):
    async with serving(raw_server.saying(answer(TONE))) as other:
        places = [
            f"{other.url}/status/1",
            f"http://localhost:{other.port}/status/1",
            f"//127.0.0.1:{other.port}/status/1",
            f"https://127.0.0.1:{other.port}/status/1",
            "file:///etc/passwd",
            "http://[::1",
        ]
        for place in places:
            faults.on_post(Accepted202(polling_url=place))

            with pytest.raises(TTSPayloadError):
                await client.synthesize(HELLO)

        assert other.connections == 0
    assert (len(faults.requests), faults.polls) == (len(places), [])


async def test_the_transport_itself_speaks_to_nobody_else():
    async with serving(raw_server.saying(answer(b"{}"))) as home, serving(raw_server.saying(b"")) as other:
        transport = Transport(URL(home.url).origin(), Secret(KEY), TIMEOUTS)

        received = await transport.send("GET", URL(home.url) / "a")
        with pytest.raises(TTSPayloadError):
            await transport.send("GET", URL(other.url) / "a")

        await transport.aclose()
        assert received.status == 200
        assert other.connections == 0


def promising(*looks: bytes) -> raw_server.Script:
    """Return a script that promises speech, and then gives these answers to those who ask; b"": none."""
    left = list(looks)

    async def script(writer: asyncio.StreamWriter, request: bytes) -> None:
        if request.startswith(b"POST"):
            writer.write(answer(json.dumps({"polling_url": "/later"}).encode(), status="202 Accepted"))
            return
        look = left.pop(0) if len(left) > 1 else left[0]
        writer.write(look)
        if not look:
            writer.close()

    return script


async def test_a_poll_that_fails_is_tried_again(make_client: MakeClient):
    looks = (
        answer(b"", status="500 Oops"),
        b"",
        b"",  # aiohttp repeats a GET that was hung up on, once
        answer(b"", status="503 Busy"),
        answer(b"", "Retry-After: 999999", status="429 Too many"),
        answer(b'{"status": "PROCESSING", "request_id": "1"}', status="202 Accepted"),
        answer(TONE),
    )
    async with serving(promising(*looks)) as server:
        assert await make_client(server.url).synthesize(HELLO) == TONE

        assert sum(request.startswith(b"POST") for request in server.requests) == 1


@pytest.mark.parametrize(
    ("look", "error"),
    [
        (answer(b"", status="404 Not Found"), TTSStatusError),
        (answer(b"", status="401 Unauthorized"), TTSDeniedError),
        (answer(b"rubbish"), TTSPayloadError),
        (answer(b"", "Location: /elsewhere", status="302 Found"), TTSStatusError),
    ],
    ids=["404", "401", "rubbish", "302"],
)
async def test_an_answer_that_time_does_not_mend_ends_it(
    make_client: MakeClient, look: bytes, error: type[TTSError]
):
    async with serving(promising(look)) as server:
        with pytest.raises(error):
            await make_client(server.url).synthesize(HELLO)

        assert len(server.requests) == 2


@pytest.mark.parametrize(
    "look",
    [b"", answer(b"", status="503 Busy"), answer(b'{"statusCode": 429}')],
    ids=["hung up", "503", "429 inside 200"],
)
async def test_polls_that_fail_for_ever_are_silence_and_not_asked_for_again(
    make_client: MakeClient, look: bytes
):
    async with serving(promising(look)) as server:
        client = make_client(server.url, timeouts=replace(TIMEOUTS, polling=0.3))

        with pytest.raises(TTSNoAnswerError):
            await client.synthesize(HELLO)

        assert sum(request.startswith(b"POST") for request in server.requests) == 1
