"""Voice protocol: the numbers of its websocket (version 8), its RTP packets, and what can go wrong there."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from nacl.exceptions import CryptoError
from nacl.secret import Aead

TRANSPORT_MODE: Final = "aead_xchacha20_poly1305_rtpsize"
"""The one transport encryption that Discord requires every client to know."""

HEARTBEAT_SECONDS: Final = 13.75
"""What Discord's HELLO asks for."""

DAVE_VERSION: Final = 1
"""The end-to-end encryption protocol spoken here (DAVE whitepaper 1.1)."""


class Opcode(IntEnum):
    """What a frame of the voice websocket is about."""

    IDENTIFY = 0
    SELECT_PROTOCOL = 1
    READY = 2
    HEARTBEAT = 3
    SESSION_DESCRIPTION = 4
    SPEAKING = 5
    HEARTBEAT_ACK = 6
    RESUME = 7
    HELLO = 8
    RESUMED = 9
    CLIENTS_CONNECT = 11
    CLIENT_DISCONNECT = 13
    PREPARE_TRANSITION = 21
    EXECUTE_TRANSITION = 22
    TRANSITION_READY = 23
    PREPARE_EPOCH = 24
    EXTERNAL_SENDER = 25
    KEY_PACKAGE = 26
    PROPOSALS = 27
    COMMIT_WELCOME = 28
    ANNOUNCE_COMMIT = 29
    WELCOME = 30
    INVALID_COMMIT_WELCOME = 31


class CloseCode(IntEnum):
    """Why the voice server ends a websocket."""

    UNKNOWN_OPCODE = 4001
    FAILED_TO_DECODE = 4002
    NOT_AUTHENTICATED = 4003
    AUTHENTICATION_FAILED = 4004
    ALREADY_AUTHENTICATED = 4005
    SESSION_NO_LONGER_VALID = 4006
    SESSION_TIMEOUT = 4009
    SERVER_NOT_FOUND = 4011
    UNKNOWN_PROTOCOL = 4012
    DISCONNECTED = 4014
    SERVER_CRASHED = 4015
    UNKNOWN_ENCRYPTION_MODE = 4016
    DAVE_REQUIRED = 4017
    RATE_LIMITED = 4021
    CALL_TERMINATED = 4022


@dataclass(slots=True, kw_only=True)
class VoiceFaults:
    """The misbehaviour asked of a `VoiceServer`; the default is to behave.

    ``op4_version_zero_first``: SESSION_DESCRIPTION says end-to-end encryption version 0, and the call
    is upgraded ``upgrade_delay`` seconds later. ``mls_delay``: seconds between a key package and the
    proposal to add its sender. ``drop_every``: every n-th packet is lost (0: none). ``no_udp_answer``:
    IP discovery is not answered. ``no_session_description``: SELECT_PROTOCOL is not answered.
    ``invalid_commits``: how many of the next commits and welcomes reach the bot damaged.
    ``alone_version_zero``: when the last human leaves, the call falls back to version 0.
    ``moved_close_code``: how a websocket ends whose bot was moved (None: it is left open).
    ``identify_close_code``: how the websocket of a bot that identifies ends (None: it is let in).
    ``no_heartbeat_ack``: heartbeats are not answered.
    ``transition_seconds``: how long a transition waits for members who do not say they are ready.
    """

    op4_version_zero_first: bool = False
    upgrade_delay: float = 0.0
    mls_delay: float = 0.0
    drop_every: int = 0
    no_udp_answer: bool = False
    no_session_description: bool = False
    invalid_commits: int = 0
    alone_version_zero: bool = False
    moved_close_code: int | None = CloseCode.DISCONNECTED
    identify_close_code: int | None = None
    no_heartbeat_ack: bool = False
    transition_seconds: float = 2.0


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
