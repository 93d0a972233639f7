"""Answers of the TTS gateway of which no speech can be made."""

from __future__ import annotations

import gzip
import tracemalloc
import zlib
from dataclasses import replace

import pytest

from bot.errors import (
    TTSBusyError,
    TTSNoAnswerError,
    TTSPayloadError,
    TTSRejectedError,
    TTSServerError,
    TTSStatusError,
)
from bot.tts.client import TTSClient
from rehearsal.faulty_tts_gateway.catalog import BROKEN_SUCCESSES
from rehearsal.faulty_tts_gateway.faults import (
    Drip,
    Encoded,
    Endless,
    Information,
    Redirect,
    Respond,
    WrongType,
)
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.error_answers import error_bodies
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import HELLO, TIMEOUTS, MakeClient, failure

# answers that the contract does not know


@pytest.mark.parametrize("status", [301, 302, 303, 304, 305, 307, 308, 404, 405, 408, 418, 451])
async def test_any_other_status_is_an_error_of_its_own(client: TTSClient, faults: FaultScript, status: int):
    faults.on_post(Respond(status, b"", content_type=None))

    error = await failure(client)

    assert type(error) is TTSStatusError
    assert error.status == status
    assert len(faults.requests) == 1


@pytest.mark.parametrize("status", [204, 205, 206, 226])
async def test_a_success_without_a_body_is_no_speech(client: TTSClient, faults: FaultScript, status: int):
    faults.on_post(Respond(status, b"", content_type=None))

    assert type(await failure(client)) is TTSPayloadError
    assert len(faults.requests) == 1


async def test_a_page_of_html_is_an_error_with_its_text(client: TTSClient, faults: FaultScript):
    faults.on_post(error_bodies(500, "upstream has gone")["html"])

    error = await failure(client)

    assert type(error) is TTSServerError
    assert "upstream has gone" in str(error)


async def test_a_few_informational_answers_do_no_harm(client: TTSClient, faults: FaultScript):
    faults.on_post(Information(20))

    assert await client.synthesize(HELLO) == TONE


async def test_a_flood_of_informational_answers_ends_with_the_time(make_client: MakeClient):
    flood = raw_server.repeating(b"", b"HTTP/1.1 102 Processing\r\n\r\n" * 50, every=0.001)
    async with raw_server.serving(flood) as server:
        client = make_client(server.url, timeouts=replace(TIMEOUTS, total=0.5))

        assert type(await failure(client)) is TTSNoAnswerError
        assert len(server.requests) == 1


# successes of which nothing can be made


@pytest.mark.parametrize(
    "name", [name for name in BROKEN_SUCCESSES if name not in ("failed", "not modified")]
)
async def test_a_success_of_which_nothing_can_be_made_is_not_asked_twice(
    client: TTSClient, faults: FaultScript, name: str
):
    faults.on_post(BROKEN_SUCCESSES[name])

    assert type(await failure(client)) is TTSPayloadError
    assert len(faults.requests) == 1
    assert faults.downloads == []


async def test_a_success_that_says_it_failed_is_a_failure_of_the_server(
    client: TTSClient, faults: FaultScript
):
    faults.on_post(BROKEN_SUCCESSES["failed"])

    error = await failure(client)

    assert type(error) is TTSServerError
    assert "The model stopped." in str(error)


@pytest.mark.parametrize("content_type", ["text/html", "audio/wav", "application/octet-stream", "nonsense"])
async def test_the_content_type_of_an_answer_does_not_matter(
    client: TTSClient, faults: FaultScript, content_type: str
):
    faults.on_post(WrongType(content_type))

    assert await client.synthesize(HELLO) == TONE


async def test_an_endless_answer_is_dropped_at_its_cap(client: TTSClient, faults: FaultScript):
    faults.on_post(Endless(None, Respond(200, '{"output": "')))

    assert type(await failure(client)) is TTSPayloadError


async def test_a_compressed_answer_is_read_within_the_cap(client: TTSClient, faults: FaultScript):
    faults.on_post(Encoded("gzip"), Encoded("deflate"))

    assert [await client.synthesize(HELLO) for _ in range(2)] == [TONE, TONE]


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
@pytest.mark.parametrize("status", [200, 400])
async def test_a_bomb_takes_no_memory(client: TTSClient, faults: FaultScript, encoding: str, status: int):
    plain = b'{"output": "' + bytes(20_000_000)
    bomb = gzip.compress(plain) if encoding == "gzip" else zlib.compress(plain)
    faults.on_post(Respond(status, bomb, {"Content-Encoding": encoding}))
    tracemalloc.start()

    error = await failure(client)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert type(error) is (TTSPayloadError if status == 200 else TTSRejectedError)
    assert peak < 8_000_000


async def test_an_encoding_that_nobody_asked_for_is_refused(client: TTSClient, faults: FaultScript):
    faults.on_post(Encoded("br"))

    assert type(await failure(client)) is TTSPayloadError


async def test_a_dripping_answer_ends_with_the_time(make_client: MakeClient, faults: FaultScript):
    faults.on_post(Drip(1, 0.05))
    client = make_client(timeouts=replace(TIMEOUTS, total=0.5))

    assert type(await failure(client)) is TTSNoAnswerError
    assert len(faults.requests) == 1


# the key


async def test_service_is_normal_again_after_an_outage(client: TTSClient, faults: FaultScript):
    faults.on_post(*[Respond(503)] * 3)

    errors = [type(await failure(client)) for _ in range(3)]

    assert errors == [TTSBusyError] * 3
    assert await client.synthesize(HELLO) == TONE


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("to", ["other port", "other host", "https", "same host"])
async def test_a_redirect_takes_neither_key_nor_text_anywhere(
    client: TTSClient, faults: FaultScript, tts_base_url: str, status: int, to: str
):
    async with raw_server.serving(raw_server.saying(raw_server.answer(TONE))) as other:
        targets = {
            "other port": f"{other.url}/text-to-speech",
            "other host": f"http://localhost:{other.port}/text-to-speech",
            "https": f"https://127.0.0.1:{other.port}/text-to-speech",
            "same host": f"{tts_base_url}/text-to-speech",
        }
        faults.on_post(Redirect(status, targets[to]))

        error = await failure(client)

        assert type(error) is TTSStatusError
        assert (other.connections, len(faults.requests)) == (0, 1)
