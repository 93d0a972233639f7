"""Trouble with the connection to the TTS gateway: nothing was sent, or no whole answer came back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from bot.errors import (
    TTSNoAnswerError,
    TTSUnreachableError,
)
from bot.tts.client import TTSClient
from rehearsal.faulty_tts_gateway.faults import Cut, Delay, Length, Reset, Respond, Success
from rehearsal.faulty_tts_gateway.script import FaultScript
from tests.fakes import raw_server
from tests.fakes.certificates import certified
from tests.fakes.tone_engine import TONE
from tests.tts.conftest import TIMEOUTS, MakeClient, failure

OK = Success('{"output": "{url}"}')


# nothing was sent


async def test_a_refused_connection_is_tried_three_times(
    make_client: MakeClient, unused_tcp_port: int, caplog
):
    client = make_client(f"http://127.0.0.1:{unused_tcp_port}/voxcpm/v1")

    error = await failure(client)

    assert type(error) is TTSUnreachableError
    assert caplog.text.count("failed, next in") == 2


async def test_a_name_that_cannot_exist_is_unreachable(make_client: MakeClient):
    client = make_client(f"https://{'a' * 64}.example/voxcpm/v1")

    assert type(await failure(client)) is TTSUnreachableError


async def test_a_certificate_that_nobody_vouches_for_is_refused_three_times(
    make_client: MakeClient, tmp_path: Path
):
    async with raw_server.serving(
        raw_server.saying(raw_server.answer(TONE)), tls=certified("127.0.0.1", tmp_path)[0]
    ) as server:
        error = await failure(make_client(server.url))

        assert type(error) is TTSUnreachableError
        assert (server.requests, server.connections) == ([], 0)


async def test_tls_against_a_server_that_speaks_none_is_unreachable(make_client: MakeClient):
    async def greet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example ESMTP\r\n")
        await reader.read()
        writer.close()

    server = await asyncio.start_server(greet, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]

    error = await failure(make_client(f"https://127.0.0.1:{port}/v1"))
    server.close()

    assert type(error) is TTSUnreachableError


async def test_a_handshake_that_does_not_end_is_a_connect_timeout(make_client: MakeClient):
    accepted = []

    async def accept_only(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        accepted.append(writer)
        await reader.read()
        writer.close()

    server = await asyncio.start_server(accept_only, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    client = make_client(f"https://127.0.0.1:{port}/v1", timeouts=replace(TIMEOUTS, connect=0.1))

    error = await failure(client)
    server.close()

    assert type(error) is TTSUnreachableError
    assert len(accepted) == 3


# sent, and no whole answer


@pytest.mark.parametrize("bound", ["first_byte", "total"])
async def test_silence_is_not_asked_twice_because_it_may_have_been_billed(
    make_client: MakeClient, faults: FaultScript, bound: str
):
    faults.on_post(Delay(30))
    short = replace(TIMEOUTS, first_byte=0.2) if bound == "first_byte" else replace(TIMEOUTS, total=0.2)
    client = make_client(timeouts=short)

    assert type(await failure(client)) is TTSNoAnswerError
    assert len(faults.requests) == 1


async def test_a_reset_before_the_answer_is_not_asked_twice(client: TTSClient, faults: FaultScript):
    faults.on_post(Reset())

    assert type(await failure(client)) is TTSNoAnswerError
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    "fault",
    [Reset(5), Reset(0), Cut(0.5), Length(100_000), Cut(0.5, Respond(200, TONE, content_type="audio/wav"))],
    ids=str,
)
async def test_an_answer_cut_off_is_not_asked_twice(client: TTSClient, faults: FaultScript, fault):
    faults.on_post(fault)

    assert type(await failure(client)) is TTSNoAnswerError
    assert len(faults.requests) == 1


@pytest.mark.parametrize(
    "answer",
    [
        b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"out\r\n',
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n{}\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n{}",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        b"HTTP/1.1 2",
        b"",
    ],
    ids=range(8),
)
async def test_what_is_no_http_is_not_asked_twice(make_client: MakeClient, answer: bytes):
    async with raw_server.serving(raw_server.saying(answer)) as server:
        assert type(await failure(make_client(server.url))) is TTSNoAnswerError
        assert len(server.requests) == 1
