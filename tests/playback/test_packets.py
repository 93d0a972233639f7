"""Our packets are the library's packets, byte for byte, in every state that it can be in."""

from __future__ import annotations

import _socket
import asyncio
import contextlib
import ctypes
import errno
import os
import resource
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import Any

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from nacl import _sodium

from benchmarks.voice_channels import connect
from bot.playback.queue import SILENCE
from bot.playback.transmitter import (
    MODE,
    SEAL,
    KeepingPacket,
    Packet,
    PacketWriter,
    ReleasingPacket,
    find_native_calls,
    native_calls,
    new_packet,
)
from rehearsal.voice.protocol import RTPHeader, TransportKey

SODIUM: str = _sodium.__file__
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


def way(name: str) -> Packet:
    """Return room for a packet that is sent in this way."""
    if name == "releasing":
        return ReleasingPacket()
    calls = native_calls()
    if calls is None:
        pytest.skip("nothing here keeps the GIL")
    return KeepingPacket(calls)


@pytest.fixture(params=["keeping", "releasing"])
def writer(client: Any, request: pytest.FixtureRequest) -> PacketWriter:
    """What writes packets, in each of our ways."""
    return PacketWriter(client, way(request.param))


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


async def test_the_bytes_are_those_of_the_library(client: Any, wire: Wire, writer: PacketWriter) -> None:

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


async def test_without_end_to_end_encryption_they_are_the_same(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    client._connection.dave_session = None

    library, ours = both(client, wire, writer, b"frame")

    assert ours == library
    assert ours[:2] == b"\x80\x78"


@pytest.mark.parametrize("mode", ["xsalsa20_poly1305", "xsalsa20_poly1305_lite"])
async def test_in_another_mode_the_library_sends(
    client: Any, wire: Wire, mode: str, writer: PacketWriter
) -> None:
    client._connection.dave_session = None
    client._connection.mode = mode

    library, ours = both(client, wire, writer, b"frame")

    assert ours == library


async def test_without_a_key_the_library_says_what_is_wrong(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    client._connection.secret_key = discord.utils.MISSING

    with pytest.raises(TypeError):
        writer.send(b"frame", None)

    assert wire.is_empty()


async def test_another_key_counts_from_the_next_packet_on(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    client._connection.dave_session = None
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


async def test_both_ways_can_take_turns(client: Any, wire: Wire, writer: PacketWriter) -> None:
    client._connection.dave_session = None
    key = TransportKey(bytes(client.secret_key))

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


async def test_a_packet_that_the_socket_refuses_is_dropped(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    client._connection.socket.close()

    writer.send(b"frame", session_of(client))

    assert counters(client) == (1, 960, 1)
    assert wire.is_empty()


async def test_what_is_longer_than_a_frame_can_be_is_refused(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    with pytest.raises(ValueError, match="bytes"):
        writer.send(bytes(3000), None)

    assert wire.is_empty()


async def test_a_packet_for_a_socket_that_is_full_is_dropped(client: Any, writer: PacketWriter) -> None:
    near, far = socket.socketpair(type=socket.SOCK_DGRAM)
    client._connection.dave_session = None
    client._connection.socket.close()
    client._connection.socket = near
    with near, far:
        near.setblocking(False)
        far.setblocking(False)
        filled = fill(near)

        writer.send(b"does not fit", None)

        assert [len(far.recv(4096)) for _ in range(filled)] == [1] * filled
        with pytest.raises(BlockingIOError):
            far.recv(4096)
    assert counters(client) == (1, 960, 1)


def fill(near: socket.socket) -> int:
    """Send single bytes until the kernel takes no more; return how many it took."""
    filled = 0
    with contextlib.suppress(BlockingIOError):
        while True:
            near.send(b".", socket.MSG_DONTWAIT)
            filled += 1
    return filled


async def test_nobody_at_the_other_end_costs_one_packet_and_no_more(
    client: Any, wire: Wire, writer: PacketWriter
) -> None:
    client._connection.dave_session = None
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as gone:
        gone.bind(("127.0.0.1", 0))
        nobody = gone.getsockname()
    client._connection.socket.connect(nobody)
    writer.send(b"unheard", None)
    client._connection.socket.connect(wire.address)  # the kernel still has the refusal to tell

    writer.send(b"refused", None)
    writer.send(b"heard", None)

    header = RTPHeader.of(packet := wire.next())
    assert TransportKey(bytes(client.secret_key)).open(packet, header) == b"heard"
    assert header.sequence == 3
    assert wire.is_empty()


async def test_a_number_given_to_another_socket_gets_no_packet(client: Any, writer: PacketWriter) -> None:
    near, far = socket.socketpair(type=socket.SOCK_DGRAM)
    client._connection.dave_session = None
    with near, far:
        old = client._connection.socket
        writer.send(b"so that it knows the socket", None)
        number = old.fileno()
        old.close()
        os.dup2(near.fileno(), number)  # as the next connection that is opened would get it
        try:
            writer.send(b"not for you", None)
        finally:
            os.close(number)

        far.setblocking(False)
        with pytest.raises(BlockingIOError):
            far.recv(4096)


@pytest.mark.parametrize("name", ["keeping", "releasing"])
def test_a_number_that_changes_hands_while_we_send_gets_no_packet(name: str) -> None:
    packet = way(name)
    moments = [HandOver(moment) for moment in range(20)]

    received = [hand_over.while_sending(packet) for hand_over in moments]

    assert received == [b""] * len(moments)
    assert [hand_over.happened for hand_over in moments[:2]] == [True, True]
    assert not moments[-1].happened  # every moment had its turn


class HandOver:
    """Closes our socket, and gives its number to somebody else, in one of the moments of sending.

    They are those in which Python tells a profiler something, which are those between its own steps: another
    thread can come in at each.
    """

    def __init__(self, moment: int) -> None:
        self.happened = False
        self._left = moment
        self._ours = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._number = self._ours.fileno()
        self._near, self._far = socket.socketpair(type=socket.SOCK_DGRAM)

    def while_sending(self, packet: Packet) -> bytes:
        """Send, and return what came to the new owner of the number."""
        self._far.setblocking(False)
        sys.setprofile(self._profile)
        try:
            with contextlib.suppress(OSError):
                packet.send(self._ours, 40)
        finally:
            sys.setprofile(None)
        try:
            return self._far.recv(4096)
        except BlockingIOError:
            return b""
        finally:
            self._close()

    def _profile(self, _frame: object, _event: str, _argument: object) -> None:
        if self._left == 0:
            self.happened = True
            self._ours.close()
            os.dup2(self._near.fileno(), self._number)
        self._left -= 1

    def _close(self) -> None:
        if self.happened:
            os.close(self._number)
        for each in (self._ours, self._near, self._far):
            each.close()


@pytest.mark.parametrize("frame", [3, None, "text", bytearray(b"bytes"), memoryview(b"bytes")])
async def test_what_is_no_frame_is_refused_and_sent_to_nobody(
    client: Any, wire: Wire, writer: PacketWriter, frame: Any
) -> None:
    client._connection.dave_session = None

    with pytest.raises((TypeError, ctypes.ArgumentError)):
        writer.send(frame, None)

    assert wire.is_empty()


def test_a_blocking_socket_that_is_full_does_not_hold_the_clock_up() -> None:
    calls = native_calls()
    if calls is None:
        pytest.skip("nothing here keeps the GIL")
    near, far = socket.socketpair(type=socket.SOCK_DGRAM)
    with near, far:
        fill(near)

        with pytest.raises(BlockingIOError):
            KeepingPacket(calls).send(near, 40)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what one thread waited for")
async def test_a_thread_that_sends_never_waits_for_the_one_that_computes(
    client: Any, long_switches: None
) -> None:
    client._connection.dave_session = None
    writer = PacketWriter(client, way("keeping"))
    waits: list[int] = []

    def sends() -> None:
        before = resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw
        for _ in range(2000):
            writer.send(b"frame", None)
        waits.append(resource.getrusage(resource.RUSAGE_THREAD).ru_nvcsw - before)

    thread = threading.Thread(target=sends)
    thread.start()
    while thread.is_alive():  # from here on, this one wants the GIL
        pass

    assert waits == [0]


@pytest.fixture
def long_switches() -> Iterator[None]:
    """Let nobody take the GIL from a thread that does not release it, however slow the machine is."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1.0)
    yield
    sys.setswitchinterval(before)


def test_where_the_gil_can_be_kept_it_is() -> None:
    if sys.platform != "linux":
        pytest.skip("elsewhere it depends on how PyNaCl was built")

    assert isinstance(new_packet(), KeepingPacket)


@pytest.mark.parametrize(
    ("library", "name"),
    [
        (SODIUM, "crypto_aead_of_another_release"),
        (_socket.__file__, SEAL),
        ("/nowhere/_sodium.abi3.so", SEAL),
        (__file__, SEAL),
    ],
)
def test_a_function_that_is_missing_is_not_used(library: str, name: str) -> None:
    assert find_native_calls(library, seal=name) is None


def test_a_function_that_seals_otherwise_is_not_used() -> None:
    # It takes the same arguments, and twelve bytes of the nonce.
    other = "crypto_aead_chacha20poly1305_ietf_encrypt"

    assert find_native_calls(SODIUM, seal=other) is None


@pytest.mark.parametrize("other", ["recv", "shutdown", "no_such_function"])
def test_a_function_that_sends_otherwise_is_not_used(other: str) -> None:
    assert find_native_calls(SODIUM, send=other) is None


def test_the_error_is_the_one_of_the_system() -> None:
    calls = native_calls()
    if calls is None:
        pytest.skip("nothing here keeps the GIL")
    closed = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    closed.close()

    with pytest.raises(OSError, match="descriptor") as caught:
        KeepingPacket(calls).send(closed, 40)

    assert caught.value.errno == errno.EBADF


@pytest.mark.parametrize(
    ("before", "kind"),
    [
        ("import nacl._sodium; nacl._sodium.__file__ = '/nowhere'", "ReleasingPacket"),
        ("import ctypes; del ctypes.PyDLL", "ReleasingPacket"),
        ("import sys; sys.modules['nacl._sodium'] = None", "NoneType"),
    ],
)
def test_on_a_system_without_them_packets_go_out_as_well_as_they_can(before: str, kind: str) -> None:
    lines = (before, "from bot.playback.transmitter import new_packet", "print(type(new_packet()).__name__)")
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{kind}\n"


async def test_the_mode_is_one_that_the_library_offers() -> None:
    assert discord.VoiceClient.supported_modes[0] == MODE
