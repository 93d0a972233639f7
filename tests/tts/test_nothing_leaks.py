"""The key, a canary here, through every fault: in no log line, no error, no traceback, no task."""

from __future__ import annotations

import asyncio
import base64
import gc
import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import pytest

from bot.errors import TTSError
from bot.models import ReferenceAudio, SpeechRequest
from bot.tts.client import TTSClient
from bot.tts.http import RetryPolicy
from rehearsal.faulty_tts_gateway.catalog import AZURE_ERRORS, BROKEN_SUCCESSES
from rehearsal.faulty_tts_gateway.faults import (
    Accepted202,
    Cut,
    Delay,
    Encoded,
    Fault,
    Information,
    Redirect,
    Reset,
    Respond,
)
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.error_answers import error_bodies
from tests.tts.conftest import KEY, TIMEOUTS, MakeClient

BASE64 = base64.b64encode(KEY.encode()).decode()
CANARIES = (KEY, BASE64, BASE64[:16], quote(KEY), quote(KEY, safe=""), KEY[:12], quote(KEY[:12], safe=""))
CLONE = SpeechRequest("Hello", reference=ReferenceAudio("https://cdn.example/r.wav"))
ECHOES = [
    body
    for said in (KEY, BASE64, quote(KEY, safe=""), KEY[:12])
    for status in (200, 400, 403, 429, 500)
    for body in error_bodies(status, f"bad key {said}").values()
]
FAULTS: list[Fault] = [
    *AZURE_ERRORS.values(),
    *BROKEN_SUCCESSES.values(),
    *ECHOES,
    Reset(),
    Reset(5),
    Cut(0.5),
    Encoded("br"),
    Information(3),
    Redirect(307, f"http://127.0.0.1:9/?key={quote(KEY, safe='')}"),
    Respond(200, {"output": f"https://127.0.0.1:9/{quote(KEY, safe='')}.wav"}),
    Respond(200, {"output": f"https://{KEY[:12]}.invalid:9x/"}),
    Accepted202(polling_url=f"https://127.0.0.1:9/{quote(KEY, safe='')}"),
    Respond(200, {"status": f"error {KEY}", "StatusCode": 500, "message": KEY}),
    Respond(429, KEY, {"Retry-After": KEY}),
]


def everything_about(error: BaseException) -> str:
    """Return all that a logger, a crash reporter or a debugger would show of ``error``."""
    shown = traceback.TracebackException.from_exception(error, capture_locals=True, compact=False)
    behind = [other for other in (error.__cause__, error.__context__) if other is not None]
    parts = [repr(error), str(error), repr(vars(error)), *shown.format()]
    return "\n".join([*parts, *map(everything_about, behind)])


def assert_clean(text: str) -> None:
    lines = [line for line in text.splitlines() if any(canary in line for canary in CANARIES)]
    assert lines == []


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.DEBUG):
        yield caplog


async def error_of(client: TTSClient, request: SpeechRequest) -> BaseException | None:
    try:
        await client.synthesize(request)
    except TTSError as error:
        return error
    return None


@pytest.mark.slow
async def test_no_fault_shows_the_key(
    make_client: MakeClient, faults: FaultScript, everything_logged: pytest.LogCaptureFixture
):
    seen = 0
    for fault in FAULTS:
        faults.clear()
        faults.on_post(fault, fault, fault)
        client = make_client(retry=RetryPolicy(tries=2, base_delay=0, max_retry_after=0.01))
        error = await error_of(client, CLONE)
        await client.aclose()
        assert_clean(repr(client))
        if error is not None:
            seen += 1
            assert_clean(everything_about(error))

    assert seen > 200
    assert_clean(everything_logged.text)
    assert_clean("\n".join(repr(vars(record)) for record in everything_logged.records))


@pytest.mark.slow
async def test_no_broken_connection_shows_the_key(
    make_client: MakeClient, unused_tcp_port: int, everything_logged: pytest.LogCaptureFixture
):
    fast = replace(TIMEOUTS, connect=0.2, first_byte=0.1)
    errors = [await error_of(make_client(f"http://127.0.0.1:{unused_tcp_port}"), CLONE)]
    for script in (raw_server.silence, raw_server.saying(b""), raw_server.saying(b"rubbish\r\n\r\n")):
        async with raw_server.serving(script) as server:
            errors += [
                await error_of(make_client(url, timeouts=fast), CLONE)
                for url in (server.url, server.url.replace("http", "https"))
            ]
    closed = make_client()
    await closed.aclose()
    errors.append(await error_of(closed, CLONE))

    for error in errors:
        assert error is not None
        assert_clean(everything_about(error))
        assert error.__context__ is None
    assert_clean(everything_logged.text)


async def test_a_call_cut_short_by_its_caller_does_not_show_the_key(
    client: TTSClient, faults: FaultScript, everything_logged: pytest.LogCaptureFixture
):
    faults.every_post = Delay(30)

    with pytest.raises(TimeoutError) as raised:
        async with asyncio.timeout(0.2):
            await client.synthesize(CLONE)

    assert raised.value.__cause__ is not None
    assert_clean(everything_about(raised.value))
    assert_clean(everything_logged.text)


@pytest.mark.slow
async def test_a_task_whose_error_nobody_reads_does_not_show_the_key(
    client: TTSClient, faults: FaultScript, everything_logged: pytest.LogCaptureFixture
):
    faults.every_post = Reset()
    task = asyncio.create_task(client.synthesize(CLONE))
    shown = repr(task)
    await asyncio.wait([task])
    shown += repr(task)

    del task
    gc.collect()
    await asyncio.sleep(0)

    assert "never retrieved" in everything_logged.text
    assert_clean(shown + everything_logged.text)
