"""Trouble that the TTS gateway tells: the right error after the right number of requests."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSError,
    TTSQuotaError,
    TTSReferenceError,
    TTSRejectedError,
    TTSServerError,
)
from bot.models import ReferenceAudio, SpeechRequest
from bot.tts.client import TTSClient
from bot.tts.http import RetryPolicy
from rehearsal.faulty_tts_gateway.catalog import AZURE_ERRORS, azure
from rehearsal.faulty_tts_gateway.faults import Cut, Encoded, Endless, Respond, Success
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.error_answers import RETRY_AFTER, error_bodies
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import CLONE, HELLO, TIMEOUTS, Clock, MakeClient, failure

OK = Success('{"output": "{url}"}')


# this text, this recording


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_refused_text_is_not_sent_again(client: TTSClient, faults: FaultScript, status: int):
    forms = error_bodies(status, "The text is too long.")
    for sent, form in enumerate(forms.values(), 1):
        faults.on_post(form)

        error = await failure(client)

        assert type(error) is TTSRejectedError
        assert error.status == status
        assert len(faults.requests) == sent


@pytest.mark.parametrize(
    "reason",
    [
        "reference_audio_url cannot be reached",
        "The reference audio is too short.",
        "Could not download the recording",
        "invalid URL",
        "Failed to fetch audio file: 404",
    ],
)
async def test_a_refusal_that_speaks_of_the_recording_is_about_the_recording(
    client: TTSClient, faults: FaultScript, reason: str
):
    faults.on_post(azure(400, reason), azure(400, reason))

    cloning, speaking = await failure(client, CLONE), await failure(client)

    assert type(cloning) is TTSReferenceError
    assert type(speaking) is TTSRejectedError
    assert len(faults.requests) == 2


async def test_cloning_with_a_refused_text_is_about_the_text(client: TTSClient, faults: FaultScript):
    faults.on_post(azure(400, "text must not be blank"))

    assert type(await failure(client, CLONE)) is TTSRejectedError


async def test_a_recording_that_cannot_be_reached_is_told_by_our_own_tts_gateway(
    client: TTSClient, faults: FaultScript, unused_tcp_port: int
):
    reference = ReferenceAudio(f"http://127.0.0.1:{unused_tcp_port}/r.wav")

    error = await failure(client, SpeechRequest("Hello", reference=reference))

    assert type(error) is TTSReferenceError
    assert len(faults.requests) == 1


# key, credit, quota


@pytest.mark.parametrize("name", ["missing key", "invalid key", "unauthorized inside 200"])
async def test_a_refused_key_shuts_the_latch(client: TTSClient, faults: FaultScript, name: str):
    faults.on_post(AZURE_ERRORS[name])

    errors = [await failure(client) for _ in range(5)]

    assert {type(error) for error in errors} == {TTSDeniedError}
    assert len(faults.requests) == 1


async def test_used_up_credit_shuts_the_latch_and_a_probe_opens_it(
    make_client: MakeClient, faults: FaultScript, clock: Clock
):
    client = make_client(clock=clock)
    faults.on_post(Respond(402, {"error": "Insufficient balance"}), Respond(402), None)

    first = [type(await failure(client)) for _ in range(3)]
    clock.now += 900
    second = [type(await failure(client)) for _ in range(3)]
    clock.now += 900
    wavs = [await client.synthesize(HELLO) for _ in range(2)]

    assert first + second == [TTSCreditError] * 6
    assert wavs == [TONE, TONE]
    assert len(faults.requests) == 4


async def test_a_probe_is_tried_again_like_any_other_call(
    make_client: MakeClient, faults: FaultScript, clock: Clock
):
    client = make_client(clock=clock)
    faults.on_post(Respond(402), Respond(429), Respond(429))
    await failure(client)
    clock.now += 900

    wav = await client.synthesize(HELLO)

    assert wav == TONE
    assert len(faults.requests) == 4


async def test_a_plain_403_shuts_the_latch_at_the_third(client: TTSClient, faults: FaultScript):
    faults.every_post = AZURE_ERRORS["forbidden"]

    errors = [await failure(client) for _ in range(6)]

    assert {type(error) for error in errors} == {TTSDeniedError}
    assert len(faults.requests) == 3


@pytest.mark.parametrize(
    ("name", "seconds"),
    [("quota hours", 25_280.0), ("quota days", 1_763_935.0), ("quota days in words", 183_168.0)],
)
async def test_used_up_quota_is_back_at_the_time_it_names(
    make_client: MakeClient, faults: FaultScript, clock: Clock, name: str, seconds: float
):
    client = make_client(clock=clock)
    faults.on_post(AZURE_ERRORS[name])

    first = await failure(client)
    clock.now += seconds - 10
    second = await failure(client)
    clock.now += 10
    wav = await client.synthesize(HELLO)

    assert isinstance(first, TTSQuotaError)
    assert isinstance(second, TTSQuotaError)
    assert [first.retry_after, second.retry_after] == pytest.approx([seconds, 10])
    assert wav == TONE
    assert len(faults.requests) == 2


async def test_a_403_that_names_a_time_means_later(client: TTSClient, faults: FaultScript):
    faults.on_post(Respond(403, b"", {"Retry-After": "30"}))

    assert type(await failure(client)) is TTSQuotaError


# too many requests


@pytest.mark.parametrize(
    ("form", "requests"),
    [
        ("zero", 2),
        ("past date", 2),
        ("negative", 2),
        ("word", 2),
        ("not a number", 2),
        ("missing", 2),
        ("huge", 1),
        ("future date", 1),
    ],
)
async def test_a_busy_answer_is_tried_again_unless_the_wait_is_long(
    client: TTSClient, faults: FaultScript, form: str, requests: int
):
    faults.on_post(Respond(429, b"", RETRY_AFTER[form]), OK)

    if requests == 2:
        assert await client.synthesize(HELLO) == TONE
    else:
        error = await failure(client)
        assert isinstance(error, TTSBusyError)
        assert error.retry_after is not None
        assert error.retry_after > 900_000
    assert len(faults.requests) == requests


@pytest.mark.parametrize("headers", [{"Retry-After": "0.2"}, {"retry-after-ms": "200"}], ids=str)
async def test_a_named_wait_is_waited(client: TTSClient, faults: FaultScript, headers):
    loop = asyncio.get_running_loop()
    faults.on_post(Respond(429, b"", headers), OK)
    started = loop.time()

    await client.synthesize(HELLO)

    assert loop.time() - started >= 0.19


@pytest.mark.parametrize("name", ["rate limit", "rate limit, text only"])
async def test_a_wait_longer_than_our_deadline_is_in_the_error(
    make_client: MakeClient, faults: FaultScript, name: str
):
    client = make_client(retry=RetryPolicy(base_delay=0, max_retry_after=20))
    faults.on_post(AZURE_ERRORS[name])

    error = await failure(client)

    assert isinstance(error, TTSBusyError)
    assert error.retry_after == pytest.approx(26.0)
    assert len(faults.requests) == 1


async def test_a_tts_gateway_that_stays_busy_is_asked_three_times(client: TTSClient, faults: FaultScript):
    faults.every_post = Respond(429)

    assert type(await failure(client)) is TTSBusyError
    assert len(faults.requests) == 3


# server errors


@pytest.mark.parametrize(
    ("status", "error", "requests"),
    [
        (500, TTSServerError, 1),
        (501, TTSServerError, 1),
        (502, TTSServerError, 1),
        (503, TTSBusyError, 1),
        (504, TTSServerError, 1),
        (599, TTSServerError, 1),
    ],
)
async def test_a_server_error_may_have_been_carried_out_so_it_is_not_asked_again(
    client: TTSClient, faults: FaultScript, status: int, error: type[TTSError], requests: int
):
    faults.every_post = Respond(status, {"message": "trouble"})

    assert type(await failure(client)) is error
    assert len(faults.requests) == requests


@pytest.mark.parametrize("headers", [{"Retry-After": "0"}, {"retry-after-ms": "1"}], ids=str)
async def test_a_503_that_names_a_time_was_not_carried_out_so_it_is_asked_again(
    client: TTSClient, faults: FaultScript, headers
):
    faults.on_post(Respond(503, b"", headers))

    assert await client.synthesize(HELLO) == TONE
    assert len(faults.requests) == 2


async def test_a_failure_whose_text_does_not_come_is_still_that_failure(make_client: MakeClient):
    head = b"HTTP/1.1 402 Payment Required\r\nContent-Length: 99\r\n\r\n{"
    async with raw_server.serving(raw_server.saying(head, every=30)) as server:
        client = make_client(server.url, timeouts=replace(TIMEOUTS, first_byte=0.2))

        assert type(await failure(client)) is TTSCreditError


async def test_a_failure_whose_text_is_cut_off_is_still_that_failure(client: TTSClient, faults: FaultScript):
    faults.on_post(Cut(0.5, Respond(402, {"message": "Insufficient balance"})))

    assert type(await failure(client)) is TTSCreditError


@pytest.mark.parametrize(
    "fault",
    [Endless(None, Respond(400, "x")), Encoded("br", Respond(400, "x")), Encoded("gzip", Respond(400, "x"))],
    ids=str,
)
async def test_a_failure_with_a_monstrous_text_is_still_that_failure(
    client: TTSClient, faults: FaultScript, fault
):
    faults.on_post(fault)

    assert type(await failure(client)) is TTSRejectedError
