"""Voice packets of one connection: RTP, end-to-end and transport encryption, with nothing rebuilt for each.

Leans on private names of discord.py==2.7.1 (`VoiceClient._connection`, `_incr_nonce`) and of PyNaCl==1.6.2
(`nacl._sodium`, which its own bindings are made of: they allocate and copy five times for every packet).
"""

from __future__ import annotations

import logging
import struct
from typing import Any, Final

import davey
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

_VERSION_AND_TYPE: Final = 0x8078
_NONCE_BYTES: Final = 24
_HEADER_BYTES: Final = 12
_BEFORE_PAYLOAD: Final = _NONCE_BYTES + _HEADER_BYTES
_TAG_BYTES: Final = 16
_AROUND_PAYLOAD: Final = _BEFORE_PAYLOAD + _TAG_BYTES
_COUNTER_BYTES: Final = 4
_KEY_BYTES: Final = 32
_MAX_PAYLOAD: Final = 1400
"""The largest Opus frame has 1275 bytes (RFC 6716 §3.2.1), end-to-end encryption adds about 12."""

_LAST_SEQUENCE: Final = 0xFFFF
_LAST_TIMESTAMP: Final = 0xFFFF_FFFF
_LAST_NONCE: Final = 0xFFFF_FFFF

_put: Final = struct.Struct(">I20xHHII").pack_into
"""The nonce, which is a counter and zeros, and behind it the RTP header."""

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
        # The nonce comes first, but is not sent: of it the packet has the counter, at its end.
        self._buffer = bytearray(_BEFORE_PAYLOAD + _MAX_PAYLOAD + _TAG_BYTES + _COUNTER_BYTES)
        self._view = memoryview(self._buffer)
        self._key_numbers: object = None
        self._key = None
        if _seal is not None:
            self._nonce = ffi.from_buffer(self._buffer)
            self._header = self._nonce + _NONCE_BYTES
            self._payload = self._nonce + _BEFORE_PAYLOAD

    def send(self, frame: bytes, session: davey.DaveSession | None) -> None:
        """Send one Opus frame of 20 ms, encrypted by ``session``, which is the connection's if that is ready.

        If the socket does not take it now, it is dropped. Raises what the encryption raises, and
        `ValueError` when ``frame`` is longer than Opus allows.
        """
        client, state = self._client, self._state
        if state.secret_key is not self._key_numbers:
            self._take_key()
        if self._key is None or state.mode != MODE:
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
        _put(self._buffer, 0, counter, _VERSION_AND_TYPE, sequence, timestamp, state.ssrc)
        # Output, its length, message, associated data, an unused secret nonce, nonce, key.
        _seal(self._payload, _NULL, frame, size, self._header, _HEADER_BYTES, _NULL, self._nonce, self._key)
        _put_counter(self._buffer, size + _AROUND_PAYLOAD, counter)
        try:
            state.socket.send(self._view[_NONCE_BYTES : size + _AROUND_PAYLOAD + _COUNTER_BYTES])
        except OSError as error:
            log.debug("voice packet %d was dropped: %s", sequence, error)
        client.timestamp = timestamp + FRAME_SAMPLES if timestamp <= _LAST_TIMESTAMP - FRAME_SAMPLES else 0

    def _take_key(self) -> None:
        """Take the key of the present connection, which every session description replaces."""
        numbers = self._state.secret_key
        self._key = None
        if _seal is not None and isinstance(numbers, list) and len(numbers) == _KEY_BYTES:
            self._key = ffi.from_buffer(bytes(numbers))
        self._key_numbers = numbers
