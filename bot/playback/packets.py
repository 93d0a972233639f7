"""Voice packets of one connection: RTP, end-to-end and transport encryption, with nothing rebuilt for each.

Leans on private names of discord.py==2.7.1 (`VoiceClient._connection`, `_incr_nonce`) and of PyNaCl==1.6.2
(`nacl._sodium`, which its own bindings are made of: they allocate and copy five times for every packet).
"""

from __future__ import annotations

import logging
import struct
from typing import Any, Final

import discord

try:
    from nacl._sodium import ffi, lib  # type: ignore[import-not-found]
except ImportError:  # another build of PyNaCl: every packet takes the library's way
    ffi = lib = None

log = logging.getLogger(__name__)

MODE: Final = "aead_xchacha20_poly1305_rtpsize"
"""The transport encryption that every voice server offers (Discord's voice documentation)."""

FRAME_SAMPLES: Final = 960
"""How far the RTP clock of 48 kHz goes on in 20 ms."""

_VERSION_AND_TYPE: Final = b"\x80\x78"
_HEADER_BYTES: Final = 12
_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 24
_KEY_BYTES: Final = 32
_MAX_PAYLOAD: Final = 1400
"""The largest Opus frame has 1275 bytes (RFC 6716 §3.2.1), end-to-end encryption adds about 12."""

_LAST_SEQUENCE: Final = 0xFFFF
_LAST_TIMESTAMP: Final = 0xFFFF_FFFF
_LAST_NONCE: Final = 0xFFFF_FFFF

_put_header: Final = struct.Struct(">HII").pack_into
_put_counter: Final = struct.Struct(">I").pack_into
_seal: Any = getattr(lib, "crypto_aead_xchacha20poly1305_ietf_encrypt", None)
_NULL: Final = ffi.NULL if _seal is not None else None


class PacketWriter:
    """Sends frames as `discord.VoiceClient.send_audio_packet` does, the same bytes at a tenth of the work.

    The counters stay in the client, and the keys and the socket in its connection state, so that a
    reconnect, another key or an epoch of the end-to-end encryption count from the next frame on, and the
    library's own way can be taken at any moment. It is taken for whatever this does not know.
    """

    def __init__(self, client: discord.VoiceClient) -> None:
        self._client = client
        self._state = client._connection
        self._packet = bytearray(_HEADER_BYTES + _MAX_PAYLOAD + _TAG_BYTES + 4)
        self._packet[:2] = _VERSION_AND_TYPE
        self._view = memoryview(self._packet)
        self._nonce = bytearray(_NONCE_BYTES)
        self._key_numbers: object = None
        self._key = None
        if _seal is not None:
            self._header_pointer = ffi.from_buffer(self._packet)
            self._payload_pointer = self._header_pointer + _HEADER_BYTES
            self._nonce_pointer = ffi.from_buffer(self._nonce)

    def send(self, frame: bytes) -> None:
        """Send one Opus frame of 20 ms; if the socket does not take it now, it is dropped.

        Raises what the encryption raises, and `ValueError` when ``frame`` is longer than Opus allows.
        """
        client, state = self._client, self._state
        if state.secret_key is not self._key_numbers:
            self._take_key()
        if self._key is None or state.mode != MODE:
            client.send_audio_packet(frame, encode=False)
            return
        sequence = client.sequence
        client.sequence = sequence = sequence + 1 if sequence < _LAST_SEQUENCE else 0
        session = state.dave_session
        if session is not None and state.dave_protocol_version and session.ready:
            frame = session.encrypt_opus(frame)
        timestamp = client.timestamp
        end = self._write(frame, sequence, timestamp)
        try:
            state.socket.send(self._view[:end])
        except OSError as error:
            log.debug("voice packet %d was dropped: %s", sequence, error)
        following = timestamp + FRAME_SAMPLES
        client.timestamp = following if following <= _LAST_TIMESTAMP else 0

    def _write(self, payload: bytes, sequence: int, timestamp: int) -> int:
        """Fill the packet and return its length."""
        size = len(payload)
        if size > _MAX_PAYLOAD:  # libsodium writes without asking how much room there is
            raise ValueError(f"a voice packet of {size} bytes")
        client, packet = self._client, self._packet
        counter = client._incr_nonce
        client._incr_nonce = counter + 1 if counter < _LAST_NONCE else 0
        _put_header(packet, 2, sequence, timestamp, self._state.ssrc)
        _put_counter(self._nonce, 0, counter)
        # Output, its length, message, associated data, an unused secret nonce, nonce, key.
        header, nonce = self._header_pointer, self._nonce_pointer
        _seal(self._payload_pointer, _NULL, payload, size, header, _HEADER_BYTES, _NULL, nonce, self._key)
        end = _HEADER_BYTES + size + _TAG_BYTES
        _put_counter(packet, end, counter)
        return end + 4

    def _take_key(self) -> None:
        """Take the key of the present connection, which every session description replaces."""
        numbers = self._state.secret_key
        self._key = None
        if _seal is not None and isinstance(numbers, list) and len(numbers) == _KEY_BYTES:
            self._key = ffi.from_buffer(bytes(numbers))
        self._key_numbers = numbers
