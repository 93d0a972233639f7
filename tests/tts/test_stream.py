"""A generation is read while it is still being sent, and a download that breaks off goes on where it was."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

import pytest

from bot.errors import TTSFetchError
from bot.models import SpeechRequest
from bot.tts.client import TTSCall, TTSClient
from rehearsal.faulty_tts_gateway.faults import Cut, Fault, Reset, Respond, SoundItself
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes.raw_server import RawServer, Script, answer, saying, serving
from tests.fakes.tone_engine import TONE, tone
from tests.tts.conftest import DOWNLOADS, MakeClient

HELLO = SpeechRequest("Hello")
LONG = tone(2.0)
DEADLINE = 20.0


async def all_of(chunks: AsyncGenerator[bytes]) -> bytes:
    return b"".join([chunk async for chunk in chunks])


def at(server: RawServer) -> Respond:
    """Return the answer that names a sound on ``server``."""
    return Respond(200, {"output": f"{server.url}/secret-take.wav"})


def in_turn(*scripts: Script) -> Script:
    """Return a script that treats each request differently; the last one serves all further requests."""
    left = list(scripts)

    async def script(writer: asyncio.StreamWriter, request: bytes) -> None:
        await (left.pop(0) if len(left) > 1 else left[0])(writer, request)

    return script


def broken_off(body: bytes, after: int) -> Script:
    return saying(answer(body)[: len(answer(body)) - len(body) + after])


async def test_the_beginning_is_read_while_the_rest_is_not_sent_yet(client: TTSClient, faults: FaultScript):
    released = asyncio.Event()

    async def held(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(answer(LONG)[:-100_000])
        await writer.drain()
        await released.wait()
        writer.write(LONG[-100_000:])

    async with serving(held) as server:
        faults.on_post(at(server))
        download = await client.open(TTSCall(HELLO))
        received = b""
        async with asyncio.timeout(DEADLINE), aclosing(download.chunks()) as chunks:
            async for chunk in chunks:
                received += chunk
                if len(received) == len(LONG) - 100_000:
                    released.set()

    assert received == LONG


@pytest.mark.parametrize("fault", [Cut, lambda part: Reset(int(len(TONE) * part))], ids=["cut", "reset"])
@pytest.mark.parametrize("twentieth", range(20))
async def test_what_broke_off_goes_on_behind_what_was_read(
    client: TTSClient, faults: FaultScript, fault: type[Cut], twentieth: int
):
    part: Fault = fault(twentieth / 20)
    faults.on_download(part, part, part)

    download = await client.open(TTSCall(HELLO))

    assert await all_of(download.chunks()) == TONE
    assert (len(faults.requests), len(faults.downloads)) == (1, 4)


async def test_every_try_may_come_further_than_the_last(client: TTSClient, faults: FaultScript):
    faults.on_download(Cut(0.2), Cut(0.6), Cut(0.4))

    assert await all_of((await client.open(TTSCall(HELLO))).chunks()) == TONE


async def test_after_four_tries_it_ends_with_what_was_read(client: TTSClient, faults: FaultScript):
    faults.every_download = Cut(0.5)
    received = b""

    with pytest.raises(TTSFetchError, match="4 tries"):
        async for chunk in (await client.open(TTSCall(HELLO))).chunks():
            received += chunk

    assert TONE.startswith(received)
    assert len(received) == len(TONE) // 2
    assert len(faults.downloads) == 4


@pytest.mark.parametrize(
    ("second", "why"),
    [(LONG[:5_000] + b"\x55" + LONG[5_001:], "another"), (TONE, "shorter")],
    ids=["one byte is another", "it is shorter"],
)
async def test_another_recording_at_the_same_address_is_not_put_behind_the_first(
    client: TTSClient, faults: FaultScript, second: bytes, why: str
):
    script = in_turn(broken_off(LONG, 60_000), saying(answer(second)))
    async with serving(script) as server:
        faults.on_post(at(server))
        received = b""

        with pytest.raises(TTSFetchError, match=why):
            async for chunk in (await client.open(TTSCall(HELLO))).chunks():
                received += chunk

    assert received == LONG[:60_000]


async def test_the_address_is_known_and_never_shown(
    client: TTSClient, faults: FaultScript, caplog: pytest.LogCaptureFixture
):
    async with serving(broken_off(LONG, 60_000)) as server:
        faults.on_post(at(server))
        download = await client.open(TTSCall(HELLO))

        with pytest.raises(TTSFetchError) as raised:
            await download.read()

        assert download.url == f"{server.url}/secret-take.wav"
    assert "secret-take" not in f"{download!r} {download} {raised.value} {caplog.text}"
    assert raised.value.__context__ is None


async def test_a_sound_in_the_answer_itself_has_no_address(client: TTSClient, faults: FaultScript):
    faults.on_post(SoundItself())

    download = await client.open(TTSCall(HELLO))

    assert download.url is None
    assert await download.read() == TONE


async def test_who_reads_slowly_is_not_blamed_on_the_sender(make_client: MakeClient, faults: FaultScript):
    strict = replace(DOWNLOADS, rate_grace=0.8, min_rate=100_000_000)
    async with serving(saying(answer(LONG))) as server:
        faults.on_post(at(server))
        received = b""
        async for chunk in (await make_client(downloads=strict).open(TTSCall(HELLO))).chunks():
            if not received:
                await asyncio.sleep(1.0)  # the reader's own time is the subject
            received += chunk

    assert received == LONG


async def test_who_stops_reading_hangs_up(client: TTSClient, faults: FaultScript):
    gone = asyncio.Event()

    async def endless(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n" + LONG)
        try:
            while True:
                writer.write(bytes(4_096))
                await writer.drain()
                await asyncio.sleep(0.01)
        except OSError:
            gone.set()

    async with serving(endless) as server:
        faults.on_post(at(server))
        async with aclosing((await client.open(TTSCall(HELLO))).chunks()) as chunks:
            await anext(chunks)

        await asyncio.wait_for(gone.wait(), DEADLINE)
