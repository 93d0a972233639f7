from __future__ import annotations

import asyncio
import socket
import struct
import time
from collections.abc import Iterator

import pytest

from benchmarks.voice_watch import VoiceWatch, voice_watch

NOBODY = 9
NEAR = 0.001
"""Two clocks of one machine, read one after the other."""


def packet(ssrc: int, sequence: int, size: int = 200) -> bytes:
    return struct.pack(">HHII", 0x8078, sequence, 960 * sequence, ssrc).ljust(size, b"\0")


@pytest.fixture
def sender() -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        yield sender


async def all_came(watch: VoiceWatch, count: int) -> None:
    while sum(one.count for one in (await watch.newest()).values()) < count:
        pass


@pytest.mark.slow
async def test_packets_are_told_apart_by_connection_with_their_times_and_numbers(sender):
    async with voice_watch(NOBODY) as watch:
        before = time.monotonic()
        for number in range(3):
            sender.sendto(packet(7, number), watch.address)
        between = time.monotonic()
        sender.sendto(packet(8, 40, size=60), watch.address)
        await all_came(watch, 4)
        seven, eight = await watch.take(7), await watch.take(8)

    assert [one.sequence for one in seven] == [0, 1, 2]
    assert [one.timestamp for one in seven] == [0, 960, 1920]
    assert all(before - NEAR <= one.at <= between + NEAR for one in seven)
    assert [(one.sequence, one.size) for one in eight] == [(40, 60)]
    assert between - NEAR <= eight[0].at


@pytest.mark.slow
async def test_what_was_taken_is_not_told_again(sender):
    async with voice_watch(NOBODY) as watch:
        sender.sendto(packet(7, 0), watch.address)
        await all_came(watch, 1)

        assert len(await watch.take(7)) == 1
        assert await watch.take(7) == []
        assert await watch.newest() == {}


@pytest.mark.slow
async def test_ip_discovery_is_answered_as_by_a_voice_server(sender):
    async with voice_watch(NOBODY) as watch:
        sender.bind(("127.0.0.1", 0))
        sender.sendto(struct.pack(">HHI66x", 1, 70, 7), watch.address)
        sender.setblocking(False)
        answer = await asyncio.get_running_loop().sock_recv(sender, 100)

    kind, length, ssrc, address, port = struct.unpack(">HHI64sH", answer)
    assert (kind, length, ssrc) == (2, 70, 7)
    assert address.rstrip(b"\0") == b"127.0.0.1"
    assert port == sender.getsockname()[1]


@pytest.mark.slow
async def test_only_what_is_listened_to_is_passed_on(sender):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as listener:
        listener.bind(("127.0.0.1", 0))
        listener.setblocking(False)
        async with voice_watch(listener.getsockname()[1]) as watch:
            sender.sendto(packet(7, 0), watch.address)
            await all_came(watch, 1)
            await watch.listen(7)
            sender.sendto(packet(8, 1), watch.address)
            sender.sendto(packet(7, 2), watch.address)
            heard = await asyncio.get_running_loop().sock_recv(listener, 2048)

    assert heard == packet(7, 2)
