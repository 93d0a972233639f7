"""Every fault of a download, as a client sees it."""

from __future__ import annotations

import asyncio

import aiohttp
import pytest

from rehearsal.faulty_tts_gateway import odd_wav
from rehearsal.faulty_tts_gateway.faults import (
    BadWav,
    Cut,
    Drip,
    Encoded,
    Endless,
    Redirect,
    Reset,
    Respond,
    WrongType,
)
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.tts_gateway_caller import DEADLINE, Caller


@pytest.fixture
async def url(faulty: Caller) -> str:
    return str((await faulty.speak()).json["output"])


@pytest.mark.parametrize("status", [403, 404, 408, 410, 429, 500, 502, 503])
async def test_the_download_can_fail_and_then_succeed(
    faulty: Caller, faults: FaultScript, url: str, status: int
):
    faults.on_download(Respond(status, "<Error/>", content_type="application/xml"))

    first, second = await faulty.get(url), await faulty.get(url)

    assert (first.status, second.status) == (status, 200)


async def test_the_download_can_be_cut_or_reset_anywhere(faulty: Caller, faults: FaultScript, url: str):
    size = len((await faulty.get(url)).body)

    for twentieth in range(20):
        after = int(size * (twentieth / 20))
        for fault in (Cut(twentieth / 20), Reset(after)):
            faults.on_download(fault)
            with pytest.raises((aiohttp.ClientPayloadError, aiohttp.ClientOSError)) as lost:
                await faulty.get(url)

            assert f"received {after} of {size} bytes" in str(lost.value)


async def test_the_download_can_drip(faulty: Caller, faults: FaultScript, url: str):
    whole = await faulty.get(url)
    faults.on_download(Drip(4_096, 0.001))

    dripped = await faulty.get(url)

    assert dripped.body == whole.body


async def test_the_download_can_be_larger_than_anybody_wants(faulty: Caller, faults: FaultScript, url: str):
    faults.on_download(Endless(5_000_000), Endless(100))

    large, short = await faulty.get(url), await faulty.get(url)

    assert (len(large.body), large.headers["Content-Length"]) == (5_000_000, "5000000")
    assert large.body.startswith(b"RIFF")
    assert len(short.body) == 100


async def test_an_endless_download_ends_when_its_reader_goes(faulty: Caller, faults: FaultScript, url: str):
    faults.on_download(Endless())

    async with (
        asyncio.timeout(DEADLINE),
        aiohttp.ClientSession() as session,
        session.get(url) as response,
    ):
        got = await response.content.readexactly(3_000_000)

    assert response.content_length is None
    assert got.startswith(b"RIFF")
    assert (await faulty.get(url)).status == 200


async def test_the_download_can_be_mislabelled_or_encoded(faulty: Caller, faults: FaultScript, url: str):
    whole = await faulty.get(url)
    faults.on_download(WrongType("text/html"), Encoded("gzip"), Encoded("deflate"))

    answers = [await faulty.get(url) for _ in range(3)]

    assert [answer.headers["Content-Type"] for answer in answers] == ["text/html", "audio/wav", "audio/wav"]
    assert [answer.headers.get("Content-Encoding") for answer in answers] == [None, "gzip", "deflate"]
    assert [answer.body for answer in answers] == [whole.body] * 3


async def test_downloads_can_be_sent_in_circles(faulty: Caller, faults: FaultScript, url: str):
    faults.every_download = Redirect(302, url)

    answers = [await faulty.get(url) for _ in range(3)]

    assert [(answer.status, answer.headers["Location"]) for answer in answers] == [(302, url)] * 3


@pytest.mark.parametrize("kind", odd_wav.KINDS)
async def test_the_download_can_be_any_odd_file(faulty: Caller, faults: FaultScript, url: str, kind: str):
    faults.on_download(BadWav(kind))

    answer = await faulty.get(url)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "audio/wav")
    assert answer.body == odd_wav.KINDS[kind]()
