"""Packets: how a frame is sealed and sent, without letting go of the GIL where the platform allows it.

The scheduler's thread sends up to hundreds of packets in a row. Sealing one takes two microseconds, handing
it to the kernel as well, and neither waits; yet PyNaCl and `socket.send` release the GIL for it. Any other
thread that wants it takes it then, and may keep it for 5 ms, twice per packet. The same two C functions,
called through `ctypes.PyDLL`, keep it.
"""

from __future__ import annotations

import ctypes
import errno
import functools
import logging
import os
import socket
import struct
import sys
from dataclasses import dataclass
from typing import Any, Final, Protocol

import davey
import discord

try:
    from nacl import _sodium as sodium
    from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as seal_as_reference
except ImportError:  # another build of PyNaCl: every packet takes the library's way
    sodium = None

log = logging.getLogger(__name__)

MODE: Final = "aead_xchacha20_poly1305_rtpsize"
"""The transport encryption that every voice server offers (Discord's voice documentation)."""

FRAME_SAMPLES: Final = 960
"""How far the RTP clock of 48 kHz goes on in 20 ms."""

SEAL: Final = "crypto_aead_xchacha20poly1305_ietf_encrypt"
"""The function of libsodium behind `MODE`."""

_VERSION_AND_TYPE: Final = 0x8078
_NONCE_BYTES: Final = 24
_HEADER_BYTES: Final = 12
_BEFORE_PAYLOAD: Final = _NONCE_BYTES + _HEADER_BYTES
_TAG_BYTES: Final = 16
_COUNTER_BYTES: Final = 4
_AROUND_PAYLOAD: Final = _HEADER_BYTES + _TAG_BYTES + _COUNTER_BYTES
_KEY_BYTES: Final = 32
_MAX_PAYLOAD: Final = 1400
"""The largest Opus frame has 1275 bytes (RFC 6716 §3.2.1), end-to-end encryption adds about 12."""

_ROOM: Final = _NONCE_BYTES + _AROUND_PAYLOAD + _MAX_PAYLOAD
_LAST_SEQUENCE: Final = 0xFFFF
_LAST_TIMESTAMP: Final = 0xFFFF_FFFF
_LAST_NONCE: Final = 0xFFFF_FFFF

_put: Final = struct.Struct(">I20xHHII").pack_into
"""The nonce, which is a counter and zeros, and behind it the RTP header."""

_put_counter: Final = struct.Struct(">I").pack_into


class Packet(Protocol):
    """Room for one packet.

    The nonce comes first, but is not sent: of it the packet has the counter, at its end.
    """

    buffer: bytearray

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt the ``size`` bytes of ``frame`` to behind the header, which is authenticated with them."""

    def send(self, connection: socket.socket, size: int) -> None:
        """Send the ``size`` bytes behind the nonce. Raises `OSError` if the socket does not take them now."""


class ReleasingPacket:
    """A packet that PyNaCl seals and Python sends. Each lets other threads take the GIL."""

    def __init__(self) -> None:
        self.buffer = bytearray(_ROOM)
        self._view = memoryview(self.buffer)
        self._seal = getattr(sodium.lib, SEAL)
        self._null = sodium.ffi.NULL
        self._nonce = sodium.ffi.from_buffer(self.buffer)
        self._header = self._nonce + _NONCE_BYTES
        self._payload = self._nonce + _BEFORE_PAYLOAD

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt ``frame`` to behind the header."""
        null = self._null  # no length wanted, no secret nonce
        self._seal(self._payload, null, frame, size, self._header, _HEADER_BYTES, null, self._nonce, key)

    def send(self, connection: socket.socket, size: int) -> None:
        """Send ``size`` bytes."""
        connection.send(self._view[_NONCE_BYTES : _NONCE_BYTES + size])


class _Descriptor:
    """Turns a socket into the number that C knows it by, at the moment of the call.

    No other thread runs Python code between this and the call, because ctypes goes from one to the other in
    C and with the GIL. A number that was asked for before could be that of another connection by now: a
    closed socket's is given to the next one that is opened. Of a closed socket it is -1.
    """

    from_param = socket.socket.fileno


@dataclass(frozen=True, slots=True)
class NativeCalls:
    """libsodium's function that seals and the C library's that sends, called with the GIL held."""

    seal: Any
    send: Any

    def __post_init__(self) -> None:
        """Declare what they take."""
        pointer, length = ctypes.c_void_p, ctypes.c_ulonglong
        # Output, its length, message, associated data, an unused secret nonce, nonce, key.
        message, key = (ctypes.c_char_p, length), ctypes.c_char_p
        self.seal.argtypes = [pointer, pointer, *message, pointer, length, pointer, pointer, key]
        self.seal.restype = ctypes.c_int
        self.send.argtypes = [_Descriptor, pointer, ctypes.c_size_t, ctypes.c_int]
        self.send.restype = ctypes.c_ssize_t


class KeepingPacket:
    """A packet that is sealed and sent without a moment at which another thread could take the GIL."""

    def __init__(self, calls: NativeCalls) -> None:
        self.buffer = bytearray(_ROOM)
        # As long as this lives, the buffer stays where it is.
        self._pinned = (ctypes.c_char * _ROOM).from_buffer(self.buffer)
        begin = ctypes.addressof(self._pinned)
        self._seal, self._send = calls.seal, calls.send
        self._nonce = ctypes.c_void_p(begin)
        self._header = ctypes.c_void_p(begin + _NONCE_BYTES)
        self._payload = ctypes.c_void_p(begin + _BEFORE_PAYLOAD)

    def seal(self, frame: bytes, size: int, key: bytes) -> None:
        """Encrypt ``frame`` to behind the header."""
        self._seal(self._payload, None, frame, size, self._header, _HEADER_BYTES, None, self._nonce, key)

    def send(self, connection: socket.socket, size: int) -> None:
        """Send ``size`` bytes."""
        if self._send(connection, self._header, size, socket.MSG_DONTWAIT) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))


def find_native_calls(library: str, *, seal: str = SEAL, send: str = "send") -> NativeCalls | None:
    """Return the calls that keep the GIL: ``seal`` of a shared ``library``, and ``send`` of the C library.

    None where there are none, or where they do other than PyNaCl and Python do: on Windows, and with builds
    of PyNaCl that show libsodium's functions to nobody else.
    """
    if sys.platform == "win32":
        return None
    try:
        calls = NativeCalls(
            getattr(ctypes.PyDLL(library), seal), getattr(ctypes.PyDLL(None, use_errno=True), send)
        )
        if _works(KeepingPacket(calls)):
            return calls
        log.warning("%s of %s, or %s, does other than PyNaCl and Python: not used", seal, library, send)
    except (AttributeError, OSError) as error:
        log.debug("no calls that keep the GIL: %s", error)
    return None


def _works(packet: KeepingPacket) -> bool:
    """Return whether ``packet`` is sealed as PyNaCl does, sent, and refused by a closed socket."""
    frame, key = b"a frame\0of sound", bytes(range(_KEY_BYTES))
    size = len(frame) + _AROUND_PAYLOAD
    _put(packet.buffer, 0, 1, _VERSION_AND_TYPE, 2, 3, 4)
    packet.seal(frame, len(frame), key)
    nonce, sent = bytes(packet.buffer[:_NONCE_BYTES]), bytes(packet.buffer[_NONCE_BYTES:][:size])
    header, behind = sent[:_HEADER_BYTES], bytes(_COUNTER_BYTES)
    if sent != header + seal_as_reference(frame, header, nonce, key) + behind:
        return False
    near, far = socket.socketpair(type=socket.SOCK_DGRAM)
    with near, far:
        far.setblocking(False)
        packet.send(near, size)
        if far.recv(_ROOM) != sent:
            return False
    try:
        packet.send(near, size)
    except OSError as error:
        return error.errno == errno.EBADF
    return False


@functools.cache
def native_calls() -> NativeCalls | None:
    """Return this process's calls that keep the GIL, tried once; None if packets are sent without them."""
    calls = None if sodium is None else find_native_calls(sodium.__file__)
    log.debug("voice packets are sent %s the GIL", "keeping" if calls else "releasing")
    return calls


def new_packet() -> Packet | None:
    """Return room for a packet of the best kind there is here; None: only the library can send."""
    calls = native_calls()
    if calls is not None:
        return KeepingPacket(calls)
    return None if sodium is None else ReleasingPacket()


class PacketWriter:
    """Sends frames as `discord.VoiceClient.send_audio_packet` does, the same bytes at a tenth of the work.

    The counters stay in the client, and the keys and the socket in its connection state, so that a
    reconnect, another key or an epoch of the end-to-end encryption count from the next frame on, and the
    library's own way can be taken at any moment. It is taken for whatever this does not know.
    """

    def __init__(self, client: discord.VoiceClient, packet: Packet | None = None) -> None:
        self._client = client
        self._state = client._connection
        self._packet = packet or new_packet()
        self._key_numbers: object = None
        self._key: bytes | None = None

    def send(self, frame: bytes, session: davey.DaveSession | None) -> None:
        """Send one Opus frame of 20 ms, encrypted by ``session``, which is the connection's if that is ready.

        If the socket does not take it now, it is dropped. Raises what the encryption raises, and
        `ValueError` when ``frame`` is longer than Opus allows.
        """
        client, state, packet = self._client, self._state, self._packet
        if state.secret_key is not self._key_numbers:
            self._take_key()
        key = self._key
        if packet is None or key is None or state.mode != MODE:
            client.send_audio_packet(frame, encode=False)
            return
        sequence, timestamp, counter = client.sequence, client.timestamp, client._incr_nonce
        client.sequence = sequence = sequence + 1 if sequence < _LAST_SEQUENCE else 0
        if session is not None:
            frame = session.encrypt_opus(frame)
        size = len(frame)
        if size > _MAX_PAYLOAD:  # libsodium writes without asking how much room there is
            raise ValueError(f"a voice packet of {size} bytes")
        client._incr_nonce = counter + 1 if counter < _LAST_NONCE else 0
        _put(packet.buffer, 0, counter, _VERSION_AND_TYPE, sequence, timestamp, state.ssrc)
        packet.seal(frame, size, key)
        size += _AROUND_PAYLOAD
        _put_counter(packet.buffer, size + _NONCE_BYTES - _COUNTER_BYTES, counter)
        try:
            packet.send(state.socket, size)
        except OSError as error:
            log.debug("voice packet %d was dropped: %s", sequence, error)
        client.timestamp = timestamp + FRAME_SAMPLES if timestamp <= _LAST_TIMESTAMP - FRAME_SAMPLES else 0

    def _take_key(self) -> None:
        """Take the key of the present connection, which every session description replaces."""
        numbers = self._state.secret_key
        is_key = isinstance(numbers, list) and len(numbers) == _KEY_BYTES
        self._key = bytes(numbers) if is_key else None
        self._key_numbers = numbers
