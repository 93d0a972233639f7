from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest

from benchmarks.far_line import SILENT_BYTES, FarLine, far_line

RECORDING = bytes(range(256)) * 200


@pytest.fixture
async def line(tmp_path: Path) -> AsyncIterator[FarLine]:
    (tmp_path / "speech.wav").write_bytes(RECORDING)
    async with far_line(tmp_path) as line:
        yield line


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


async def address_of_sound(session: aiohttp.ClientSession, base_url: str) -> str:
    async with session.post(f"{base_url}/text-to-speech", json={"text": "Hello"}) as response:
        address: str = (await response.json())["output"]
        return address


def send(line: FarLine, ssrc: int, size: int) -> None:
    packet = bytes(8) + ssrc.to_bytes(4, "big") + bytes(size - 12)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.sendto(packet, line.voice_address)


async def test_a_recording_arrives_whole_and_never_sooner_than_its_line_allows(line, session):
    address = await address_of_sound(session, line.base_url(2, "speech"))
    began = time.monotonic()

    async with session.get(address) as response:
        body = await response.read()

    assert body == RECORDING
    assert time.monotonic() - began >= 8 * (len(RECORDING) - 2 * 1_448) / 2e6


async def test_the_far_end_tells_when_it_answered(line, session):
    before = time.monotonic()

    await address_of_sound(session, line.base_url(10, "speech"))

    assert before <= await line.answered() <= time.monotonic()


async def test_an_arrival_is_told_from_silence_and_from_what_others_send(line):
    before = time.monotonic()
    send(line, 7, SILENT_BYTES)
    send(line, 8, 200)
    await asyncio.sleep(0.02)
    between = time.monotonic()
    send(line, 7, 200)

    arrival = await line.arrival(7)

    assert before <= arrival.first_packet < arrival.first_sound <= time.monotonic()
    assert between <= arrival.first_sound


async def test_the_far_end_forgets_what_came_before_it_was_quiet(line):
    send(line, 7, 200)
    await line.quiet(7)
    before = time.monotonic()
    send(line, 7, 200)

    arrival = await line.arrival(7)

    assert arrival.first_packet >= before
