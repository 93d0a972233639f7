"""Our packets are the library's packets, byte for byte, in every state that it can be in."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.voice_channels import connect
from bot.playback.queue import SILENCE
from bot.playback.transmitter import MODE, PacketWriter
from rehearsal.voice.protocol import RTPHeader, TransportKey

SIXTEEN = st.one_of(st.sampled_from([0, 1, 0xFFFE, 0xFFFF]), st.integers(0, 0xFFFF))
THIRTY_TWO = st.one_of(
    st.sampled_from([0, 960, 0xFFFF_FFFF - 960, 0xFFFF_FFFF - 959, 0xFFFF_FFFF]), st.integers(0, 0xFFFF_FFFF)
)
FRAMES = st.one_of(st.just(SILENCE), st.binary(min_size=1, max_size=1275))
KEYS = st.binary(min_size=32, max_size=32)


class Wire:
    """A socket of the voice server that gives what came."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(10.0)
        self.address: tuple[str, int] = self._socket.getsockname()

    def next(self) -> bytes:
        return self._socket.recv(4096)

    def close(self) -> None:
        self._socket.close()

    def is_empty(self) -> bool:
        self._socket.setblocking(False)
        try:
            return not self._socket.recv(4096)
        except BlockingIOError:
            return True


class Envelope:
    """An end-to-end encryption that gives the same twice, which a real one must not."""

    ready = True

    def encrypt_opus(self, frame: bytes) -> bytes:
        return b"sealed " + frame[::-1]


@pytest.fixture
def wire() -> Iterator[Wire]:
    wire = Wire()
    yield wire
    wire.close()


@pytest.fixture
async def client(wire: Wire) -> Any:
    (client,) = await connect(1, discord.VoiceClient, wire.address)
    yield client
    client._connection._socket_reader.stop()
    client._connection.socket.close()
    await asyncio.to_thread(client._connection._socket_reader.join, 0.0)


def counters(client: Any) -> tuple[int, int, int]:
    return client.sequence, client.timestamp, client._incr_nonce


def set_counters(client: Any, sequence: int, timestamp: int, nonce: int) -> None:
    client.sequence, client.timestamp, client._incr_nonce = sequence, timestamp, nonce


def session_of(client: Any) -> Any:
    """Return what encrypts end to end, if the library would use it now."""
    return client._connection.dave_session if client._connection.can_encrypt else None


def both(client: Any, wire: Wire, writer: PacketWriter, frame: bytes) -> tuple[bytes, bytes]:
    """Send ``frame`` the library's way and ours from the same state; return both packets."""
    before = counters(client)
    client.send_audio_packet(frame, encode=False)
    after = counters(client)
    set_counters(client, *before)
    writer.send(frame, session_of(client))
    assert counters(client) == after
    return wire.next(), wire.next()


async def test_the_bytes_are_those_of_the_library(client: Any, wire: Wire) -> None:
    writer = PacketWriter(client)

    @settings(deadline=None, max_examples=300)
    @given(SIXTEEN, THIRTY_TWO, THIRTY_TWO, THIRTY_TWO, KEYS, FRAMES, st.booleans(), st.sampled_from([0, 1]))
    def check(
        sequence: int,
        timestamp: int,
        nonce: int,
        ssrc: int,
        key: bytes,
        frame: bytes,
        ready: bool,
        dave: int,
    ) -> None:
        state = client._connection
        state.ssrc, state.secret_key = ssrc, list(key)
        state.dave_session, state.dave_protocol_version = Envelope(), dave
        state.dave_session.ready = ready
        set_counters(client, sequence, timestamp, nonce)

        library, ours = both(client, wire, writer, frame)

        assert ours == library

    check()


async def test_without_end_to_end_encryption_they_are_the_same(client: Any, wire: Wire) -> None:
    client._connection.dave_session = None

    library, ours = both(client, wire, PacketWriter(client), b"frame")

    assert ours == library
    assert ours[:2] == b"\x80\x78"


@pytest.mark.parametrize("mode", ["xsalsa20_poly1305", "xsalsa20_poly1305_lite"])
async def test_in_another_mode_the_library_sends(client: Any, wire: Wire, mode: str) -> None:
    client._connection.dave_session = None
    client._connection.mode = mode

    library, ours = both(client, wire, PacketWriter(client), b"frame")

    assert ours == library


async def test_without_a_key_the_library_says_what_is_wrong(client: Any, wire: Wire) -> None:
    client._connection.secret_key = discord.utils.MISSING

    with pytest.raises(TypeError):
        PacketWriter(client).send(b"frame", None)

    assert wire.is_empty()


async def test_another_key_counts_from_the_next_packet_on(client: Any, wire: Wire) -> None:
    client._connection.dave_session = None
    writer = PacketWriter(client)
    writer.send(b"old", None)
    wire.next()
    key = os.urandom(32)

    client._connection.secret_key = list(key)
    client._connection.ssrc = 77
    writer.send(b"new", None)

    packet = wire.next()
    header = RTPHeader.of(packet)
    assert header.ssrc == 77
    assert TransportKey(key).open(packet, header) == b"new"


async def test_both_ways_can_take_turns(client: Any, wire: Wire) -> None:
    client._connection.dave_session = None
    key = TransportKey(bytes(client.secret_key))
    writer = PacketWriter(client)

    for number in range(4):
        if number % 2:
            client.send_audio_packet(b"%d" % number, encode=False)
        else:
            writer.send(b"%d" % number, None)

    packets = [wire.next() for _ in range(4)]
    headers = [RTPHeader.of(packet) for packet in packets]
    assert [key.open(*pair) for pair in zip(packets, headers, strict=True)] == [b"0", b"1", b"2", b"3"]
    assert [header.sequence for header in headers] == [1, 2, 3, 4]
    assert [header.timestamp for header in headers] == [0, 960, 1920, 2880]
    assert len({packet[-4:] for packet in packets}) == 4


async def test_a_packet_that_the_socket_refuses_is_dropped(client: Any, wire: Wire) -> None:
    writer = PacketWriter(client)
    client._connection.socket.close()

    writer.send(b"frame", session_of(client))

    assert counters(client) == (1, 960, 1)
    assert wire.is_empty()


async def test_what_is_longer_than_a_frame_can_be_is_refused(client: Any, wire: Wire) -> None:
    with pytest.raises(ValueError, match="bytes"):
        PacketWriter(client).send(bytes(3000), None)

    assert wire.is_empty()


async def test_the_mode_is_one_that_the_library_offers() -> None:
    assert discord.VoiceClient.supported_modes[0] == MODE
