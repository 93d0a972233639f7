"""What downloads bring, and how fast."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from bot.errors import TTSFetchError
from bot.models import SpeechRequest
from bot.tts.client import TTSClient
from bot.tts.download import Downloader
from rehearsal.faulty_tts_gateway.faults import BadWav, Cut, Encoded, Reset, WrongType
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.raw_server import answer, repeating, saying, serving
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import DOWNLOADS, progress_of
from tests.tts.downloading import GOOD, MakeDownloader, refused


@pytest.mark.parametrize("twentieth", range(20))
async def test_a_download_cut_anywhere_is_made_again(client: TTSClient, faults: FaultScript, twentieth: int):
    faults.on_download(Cut(twentieth / 20), Reset(len(TONE) * twentieth // 20))

    assert await client.synthesize(SpeechRequest("Hello")) == TONE
    assert len(faults.downloads) == 3


@pytest.mark.parametrize("cut", [44, 45, 1_000, len(TONE) - 1])
async def test_without_a_length_the_wav_itself_tells_that_it_was_cut(downloader: Downloader, cut: int):
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n", TONE[:cut])) as server:
        error = await refused(downloader, f"{server.url}/a.wav")

        assert "cut" in str(error)
        assert len(server.requests) == 4


@pytest.mark.parametrize("size", [b"\x00\x00\x00\x00", b"\xff\xff\xff\xff"], ids=["zero", "all ones"])
async def test_a_stream_that_does_not_know_its_length_is_taken_as_it_is(downloader: Downloader, size: bytes):
    stream = b"RIFF" + size + TONE[8:]
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n", stream)) as server:
        assert await downloader.download(f"{server.url}/a.wav").read() == stream


async def test_rf64_is_a_wav_too(downloader: Downloader):
    sound = b"RF64" + TONE[4:]
    async with serving(saying(answer(sound))) as server:
        assert await downloader.download(f"{server.url}/a.wav").read() == sound


@pytest.mark.parametrize("kind", ["empty", "html", "json", "big-endian"])
async def test_what_is_no_wav_is_not_fetched_twice(client: TTSClient, faults: FaultScript, kind: str):
    faults.on_download(BadWav(kind))

    with pytest.raises(TTSFetchError, match="no WAV"):
        await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 1


@pytest.mark.parametrize("body", [b"R", b"RIFF", b"RIFFxxxxAVI ", b"RIFF\x00\x00\x00\x00WAV"], ids=repr)
async def test_a_beginning_alone_is_no_wav(downloader: Downloader, body: bytes):
    async with serving(saying(answer(body))) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) == 1


@pytest.mark.parametrize("content_type", ["text/html", "application/json", "audio/mpeg", "", "nonsense"])
async def test_the_content_type_of_a_download_does_not_matter(
    client: TTSClient, faults: FaultScript, content_type: str
):
    faults.on_download(WrongType(content_type))

    assert await client.synthesize(SpeechRequest("Hello")) == TONE


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
async def test_a_compressed_download_is_refused_unread(client: TTSClient, faults: FaultScript, encoding: str):
    faults.on_download(Encoded(encoding))

    with pytest.raises(TTSFetchError, match="encoding"):
        await client.synthesize(SpeechRequest("Hello"))

    assert len(faults.downloads) == 1


@pytest.mark.parametrize("compress", [gzip.compress, zlib.compress], ids=["gzip", "deflate"])
async def test_a_bomb_is_refused_before_it_goes_off(
    downloader: Downloader, compress: Callable[[bytes], bytes]
):
    name = "gzip" if compress is gzip.compress else "deflate"
    bomb = answer(compress(TONE + bytes(10_000_000)), f"Content-Encoding: {name}")
    async with serving(saying(bomb)) as server:
        await refused(downloader, f"{server.url}/a.wav")


async def test_the_largest_download_is_taken_and_one_byte_more_is_not(make_downloader: MakeDownloader):
    for allowed, fits in ((len(TONE), True), (len(TONE) - 1, False)):
        downloader = make_downloader(replace(DOWNLOADS, max_bytes=allowed))
        for head in (b"", f"Content-Length: {len(TONE)}\r\n".encode()):
            async with serving(saying(b"HTTP/1.1 200 OK\r\n" + head + b"\r\n", TONE)) as server:
                if fits:
                    assert await downloader.download(f"{server.url}/a.wav").read() == TONE
                else:
                    await refused(downloader, f"{server.url}/a.wav")
                assert len(server.requests) == 1


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 9999999999\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    ],
    ids=["no length", "too long", "negative", "no number"],
)
async def test_an_endless_download_is_dropped_and_not_fetched_again(
    make_downloader: MakeDownloader, head: bytes
):
    downloader = make_downloader(replace(DOWNLOADS, max_bytes=1_000_000))
    async with serving(repeating(head + TONE, bytes(64 * 1024))) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) == 1


async def test_more_than_was_promised_is_not_taken_for_sound(downloader: Downloader):
    async with serving(saying(GOOD + b"rubbish that follows")) as server:
        await refused(downloader, f"{server.url}/a.wav")


@pytest.mark.parametrize(
    "piece", [b"5\r\nRIFF\r\n", b"-5\r\nRIFF\r\n", b"ZZZ\r\n", b"FFFFFFFFFFFFFFFFF\r\n"], ids=repr
)
async def test_rubbish_between_chunks_is_no_download(make_downloader: MakeDownloader, piece: bytes):
    downloader = make_downloader(replace(DOWNLOADS, total=5))
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    async with serving(saying(head, piece, piece)) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) in (1, 4)


async def test_a_dripping_download_is_too_slow(make_downloader: MakeDownloader):
    downloader = make_downloader(replace(DOWNLOADS, rate_grace=0.2))
    drip = repeating(b"HTTP/1.1 200 OK\r\n\r\n" + TONE[:44], b"\x00", every=0.02)
    async with serving(drip) as server:
        error = await refused(downloader, f"{server.url}/a.wav")

        assert "too slow" in str(error)
        assert len(server.requests) == 1


@pytest.mark.parametrize("bound", ["gap", "total"])
async def test_a_download_that_stalls_ends_with_the_time(make_downloader: MakeDownloader, bound: str):
    short = replace(DOWNLOADS, gap=0.2) if bound == "gap" else replace(DOWNLOADS, total=0.2)
    downloader = make_downloader(short)
    stall = repeating(b"HTTP/1.1 200 OK\r\n\r\n" + TONE, b"", every=0.01)
    async with serving(stall) as server:
        await refused(downloader, f"{server.url}/a.wav")

        assert len(server.requests) == 1


async def test_a_network_that_never_answers_ends_with_the_time(make_downloader: MakeDownloader):
    async with serving(raw_server.silence) as server:
        await refused(make_downloader(replace(DOWNLOADS, gap=0.1)), f"{server.url}/a.wav")


async def test_fifty_slow_downloads_do_not_hold_up_a_call(client: TTSClient, make_downloader: MakeDownloader):
    slow = repeating(b"HTTP/1.1 200 OK\r\n\r\n" + TONE[:44], b"\x00", every=0.05)
    async with serving(slow) as server:
        others = make_downloader()
        tasks = [asyncio.create_task(others.download(f"{server.url}/a.wav").read()) for _ in range(50)]
        await asyncio.wait_for(server.asked.wait(), 20)

        wav = await client.synthesize(SpeechRequest("Hello"))
        unfinished = sum(not task.done() for task in tasks)

        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        assert (wav, unfinished) == (TONE, 50)


async def test_progress_is_a_fraction_where_the_length_is_known(downloader: Downloader):
    async with serving(saying(GOOD)) as server:
        download = downloader.download(f"{server.url}/a.wav")
        async with progress_of(download) as known:
            await download.read()
    async with serving(saying(b"HTTP/1.1 200 OK\r\n\r\n", TONE)) as server:
        download = downloader.download(f"{server.url}/a.wav")
        async with progress_of(download) as unknown:
            await download.read()

    assert (known[0], known[-1]) == (None, 1.0)
    assert unknown == [None]


async def test_a_closed_downloader_fails_in_our_words(downloader: Downloader):
    async with serving(saying(GOOD)) as server:
        await downloader.download(f"{server.url}/a.wav").read()
        await downloader.aclose()

        await refused(downloader, f"{server.url}/a.wav")
