"""The numbers of the voice websocket, version 8, as Discord's documentation lists them."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

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
