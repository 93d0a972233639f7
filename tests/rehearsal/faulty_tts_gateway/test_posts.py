"""Every fault of a POST, as a client sees it."""

from __future__ import annotations

import asyncio
import json

import aiohttp
import pytest

from rehearsal.faulty_tts_gateway import catalog
from rehearsal.faulty_tts_gateway.faults import (
    Accepted202,
    Cut,
    Delay,
    Drip,
    Encoded,
    Fault,
    Hold,
    Information,
    Length,
    Redirect,
    Reset,
    Respond,
    SoundItself,
    Success,
    WrongType,
)
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import error_answers
from tests.fakes.tone_engine import ToneEngine
from tests.fakes.tts_gateway_caller import DEADLINE, Caller

STATUSES = (400, 401, 402, 403, 404, 429, 500, 502, 503, 504)


def as_sent(body: object) -> bytes:
    """The body of a fault, as its client reads it."""
    if isinstance(body, bytes):
        return body
    return (body if isinstance(body, str) else json.dumps(body)).encode()


@pytest.mark.parametrize("status", STATUSES)
async def test_every_status_comes_with_every_form_of_body(
    faulty: Caller, faults: FaultScript, engine: ToneEngine, status: int
):
    forms = error_answers.error_bodies(status, "That went wrong.")

    for fault in forms.values():
        faults.on_post(fault)
        answer = await faulty.speak()

        assert answer.status == status
        assert answer.body == as_sent(fault.body)
        content_type = fault.content_type or "application/octet-stream"
        assert answer.headers.get("Content-Type", "application/octet-stream").startswith(content_type)
    assert len(forms) == 10
    assert engine.calls == []


@pytest.mark.parametrize("name", catalog.AZURE_ERRORS)
async def test_azures_errors_come_in_azures_words(faulty: Caller, faults: FaultScript, name: str):
    fault = catalog.AZURE_ERRORS[name]
    faults.on_post(fault)

    answer = await faulty.speak()

    assert (answer.status, answer.json) == (fault.status, fault.body)
    assert {header: answer.headers[header] for header in fault.headers} == fault.headers


@pytest.mark.parametrize("name", error_answers.RETRY_AFTER)
async def test_retry_after_comes_in_every_form(faulty: Caller, faults: FaultScript, name: str):
    headers = error_answers.RETRY_AFTER[name]
    faults.on_post(Respond(429, {"message": "busy"}, headers))

    answer = await faulty.speak()

    assert answer.status == 429
    assert {header: answer.headers[header] for header in headers} == headers
    assert ("Retry-After" in answer.headers) == ("Retry-After" in headers)


@pytest.mark.parametrize("name", catalog.OTHER_SHAPES)
async def test_other_success_shapes_carry_sound_that_is_really_there(
    faulty: Caller, faults: FaultScript, name: str
):
    fault = catalog.OTHER_SHAPES[name]
    faults.on_post(fault)

    answer = await faulty.speak()

    if isinstance(fault, SoundItself):
        assert answer.headers["Content-Type"] == fault.content_type
        sound = answer.body
    else:
        url = faulty.origin + answer.body.decode().partition(faulty.origin)[2].partition('"')[0]
        assert answer.body.decode() == fault.body.replace("{url}", url)
        sound = (await faulty.get(url)).body
    assert sound.startswith(b"RIFF")


@pytest.mark.parametrize("name", catalog.BROKEN_SUCCESSES)
async def test_broken_successes_come_as_they_are_written(faulty: Caller, faults: FaultScript, name: str):
    fault = catalog.BROKEN_SUCCESSES[name]
    faults.on_post(fault)

    answer = await faulty.speak()

    assert answer.status == fault.status
    if isinstance(fault, Respond):
        assert answer.body == as_sent(fault.body)
    else:
        assert f"{faulty.origin}/files/".encode() in answer.body


async def test_a_fault_that_needs_sound_leaves_a_wrong_request_its_right_answer(
    faulty: Caller, faults: FaultScript
):
    spoiled = (Success("{url}"), SoundItself(), Accepted202())
    faults.on_post(*spoiled)

    answers = [await faulty.speak("") for _ in spoiled]

    assert [answer.message for answer in answers] == ["text is blank."] * 3


async def test_a_reset_before_the_head_sends_nothing(faulty: Caller, faults: FaultScript):
    faults.on_post(Reset())

    with pytest.raises(ConnectionResetError):
        await faulty.raw_post()


@pytest.mark.parametrize("after", [0, 1, 20])
async def test_a_reset_in_the_body_comes_after_so_many_bytes(faulty: Caller, faults: FaultScript, after: int):
    faults.on_post(Reset(after, Respond(200, "x" * 50)))

    with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)) as lost:
        await faulty.speak()

    assert f"received {after} of 50 bytes" in str(lost.value)
    assert "reset" in str(lost.value).lower()


@pytest.mark.parametrize(
    ("fault", "promised", "sent"),
    [
        (Cut(0.5, Respond(200, "0123456789")), 10, b"01234"),
        (Cut(0.0, Respond(200, "0123456789")), 10, b""),
        (Length(25, Respond(200, "0123456789")), 25, b"0123456789"),
        (Length(4, Respond(200, "0123456789")), 4, b"0123456789"),
    ],
)
async def test_the_promised_length_is_not_what_comes(
    faulty: Caller, faults: FaultScript, fault: Fault, promised: int, sent: bytes
):
    faults.on_post(fault)

    head, _, body = (await faulty.raw_post()).partition(b"\r\n\r\n")

    assert f"Content-Length: {promised}".encode() in head
    assert body == sent


async def test_a_dripping_answer_comes_whole_in_the_end(faulty: Caller, faults: FaultScript):
    faults.on_post(Drip(3, 0.001))

    answer = await faulty.speak()

    assert (await faulty.get(answer.json["output"])).status == 200


async def test_informational_heads_come_before_the_answer(faulty: Caller, faults: FaultScript):
    faults.on_post(Information(100))

    raw = await faulty.raw_post()

    assert raw.startswith(b"HTTP/1.1 102 Processing\r\n\r\n" * 100 + b"HTTP/1.1 200 OK\r\n")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_point_where_they_are_told(faulty: Caller, faults: FaultScript, status: int):
    faults.on_post(Redirect(status, "http://127.0.0.1:9/stolen"))

    answer = await faulty.speak()

    assert (answer.status, answer.headers["Location"]) == (status, "http://127.0.0.1:9/stolen")


async def test_type_and_encoding_can_be_wrong(faulty: Caller, faults: FaultScript):
    faults.on_post(WrongType("text/html"), Encoded("gzip"), Encoded("snappy", Respond(200, "plain")))

    mislabelled = await faulty.speak()
    compressed = await faulty.speak()
    untrue = await faulty.speak()

    assert (mislabelled.headers["Content-Type"], list(mislabelled.json)) == ("text/html", ["output"])
    assert (compressed.headers["Content-Encoding"], list(compressed.json)) == ("gzip", ["output"])
    assert (untrue.headers["Content-Encoding"], untrue.body) == ("snappy", b"plain")


async def test_delays_stack_with_other_faults(faulty: Caller, faults: FaultScript):
    loop = asyncio.get_running_loop()
    faults.on_post(Delay(0.2, Respond(503)))
    started = loop.time()

    answer = await faulty.speak()

    assert answer.status == 503
    assert loop.time() - started >= 0.2


async def test_a_held_answer_comes_when_it_is_released(faulty: Caller, faults: FaultScript):
    hold = Hold()
    faults.on_post(hold)
    call = asyncio.create_task(faulty.speak())
    async with asyncio.timeout(DEADLINE):
        await faults.received(posts=1)
    other = await faulty.speak()

    waiting = not call.done()
    hold.released.set()

    assert waiting
    assert (other.status, (await call).status) == (200, 200)
