"""The outer layer of a packet: RTP, and the encryption between a client and the voice server."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import Aead

_FIXED_HEADER: Final = 12
_COUNTER_BYTES: Final = 4
_TAG_BYTES: Final = 16
_NONCE_BYTES: Final = 24
_SHORTEST: Final = _FIXED_HEADER + _TAG_BYTES + _COUNTER_BYTES


@dataclass(frozen=True, slots=True)
class RTPHeader:
    """The fields of RTP (RFC 3550) that a listener needs, and the length of the clear part."""

    sequence: int
    timestamp: int
    ssrc: int
    clear_bytes: int
    extension_bytes: int

    @classmethod
    def of(cls, packet: bytes) -> RTPHeader:
        """Return the header of ``packet``; `ValueError` when this is no RTP packet."""
        if len(packet) < _SHORTEST or packet[0] >> 6 != 2:
            raise ValueError("not an RTP packet")
        sequence, timestamp, ssrc = struct.unpack_from(">HII", packet, 2)
        clear = _FIXED_HEADER + 4 * (packet[0] & 0x0F)
        extension = 0
        if packet[0] & 0x10:
            if len(packet) < clear + 4 + _TAG_BYTES + _COUNTER_BYTES:
                raise ValueError("the RTP extension is cut short")
            extension = 4 * struct.unpack_from(">H", packet, clear + 2)[0]
            clear += 4
        return cls(sequence, timestamp, ssrc, clear, extension)


class TransportKey:
    """Opens the packets of one connection (`aead_xchacha20_poly1305_rtpsize`)."""

    def __init__(self, secret_key: bytes) -> None:
        self._box = Aead(secret_key)

    def open(self, packet: bytes, header: RTPHeader) -> bytes:
        """Return the payload of ``packet``; `ValueError` when it was not sealed with this key."""
        nonce = packet[-_COUNTER_BYTES:].ljust(_NONCE_BYTES, b"\0")
        sealed = packet[header.clear_bytes : -_COUNTER_BYTES]
        try:
            payload = self._box.decrypt(sealed, packet[: header.clear_bytes], nonce)
        except (CryptoError, ValueError) as error:
            raise ValueError("the packet was not sealed with the key of its connection") from error
        return payload[header.extension_bytes :]
