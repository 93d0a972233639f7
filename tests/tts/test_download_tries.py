"""Redirects and repeated tries of downloads."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import TTSFetchError
from bot.models import SpeechRequest
from bot.tts.client import TTSClient
from bot.tts.download import Downloader
from rehearsal.faulty_tts_gateway.faults import Redirect, Reset, Respond
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.raw_server import answer, saying, serving
from tests.fakes.tone_engine import TONE
from tests.tts.downloading import GOOD, refused


def hopping(hops: int, to: str = "/next") -> raw_server.Script:
    left = [hops]

    async def script(writer: asyncio.StreamWriter, request: bytes) -> None:
        left[0] -= 1
        writer.write(GOOD if left[0] < 0 else answer(b"", f"Location: {to}", status="302 Found"))
        writer.close()

    return script


@pytest.mark.parametrize(
    ("hops", "arrives"), [(0, True), (1, True), (2, True), (3, False), (5, False), (99, False)]
)
async def test_two_redirects_are_followed_and_no_more(downloader: Downloader, hops: int, arrives: bool):
    async with serving(hopping(hops)) as server:
        if arrives:
            assert await downloader.download(f"{server.url}/a.wav").read() == TONE
        else:
            await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) == min(hops, 2) + 1


@pytest.mark.parametrize(
    "to",
    [
        "http://10.0.0.1/a.wav",
        "https://10.0.0.1/a.wav",
        "https://169.254.169.254/latest",
        "http://pub-1.r2.dev/a.wav",
        "file:///etc/passwd",
        "https://user:pass@pub-1.r2.dev/a.wav",
        "https://[::1",
        "https://pub-1.r2.dev/" + "a" * 4_000,
    ],
)
async def test_every_hop_is_checked_again(downloader: Downloader, to: str):
    async with serving(hopping(1, to)) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) == 1


async def test_a_redirect_without_a_place_ends(downloader: Downloader):
    async with serving(saying(answer(b"", status="302 Found"))) as server:
        await refused(downloader, f"{server.url}/a.wav")


@pytest.mark.slow
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_every_kind_of_redirect_is_followed(
    client: TTSClient, faults: FaultScript, tts_base_url: str, status: int
):
    await client.synthesize(SpeechRequest("Hello"))
    faults.on_download(Redirect(status, faults.downloads[0].path))

    assert await client.synthesize(SpeechRequest("Hello")) == TONE
    assert len(faults.downloads) == 3


@pytest.mark.parametrize("status", [403, 404, 408, 429, 500, 502, 503, 504])
async def test_what_may_be_there_in_a_moment_is_asked_for_four_times(
    client: TTSClient, faults: FaultScript, status: int
):
    faults.on_download(*[Respond(status)] * 4)

    with pytest.raises(TTSFetchError, match=f"status {status}, 4 tries"):
        await client.synthesize(SpeechRequest("Hello"))

    assert (len(faults.requests), len(faults.downloads)) == (1, 4)


async def test_the_fourth_try_may_bring_it(client: TTSClient, faults: FaultScript):
    faults.on_download(Respond(404), Reset(), Respond(429, b"", {"Retry-After": "0.01"}))

    assert await client.synthesize(SpeechRequest("Hello")) == TONE
    assert (len(faults.requests), len(faults.downloads)) == (1, 4)


@pytest.mark.parametrize("status", [204, 206, 304, 400, 401, 410, 416])
async def test_any_other_status_is_final(client: TTSClient, faults: FaultScript, status: int):
    faults.on_download(Respond(status, content_type=None))

    with pytest.raises(TTSFetchError):
        await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 1


async def test_a_long_wait_that_the_network_names_ends_it(client: TTSClient, faults: FaultScript):
    faults.on_download(Respond(429, b"", {"Retry-After": "300"}))

    with pytest.raises(TTSFetchError):
        await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 1


async def test_a_refused_connection_is_tried_four_times(
    downloader: Downloader, unused_tcp_port: int, caplog: pytest.LogCaptureFixture
):
    error = await refused(downloader, f"http://127.0.0.1:{unused_tcp_port}/a.wav")

    assert "4 tries" in str(error)
    assert caplog.text.count("next in") == 3


async def test_a_reset_before_the_answer_counts_as_one_try(client: TTSClient, faults: FaultScript):
    faults.on_download(*[Reset()] * 4)

    with pytest.raises(TTSFetchError):
        await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 4  # aiohttp by itself would repeat every one of them
