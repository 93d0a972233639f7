"""Opcodes and close codes of the main socket (Discord's documentation, Opcodes and Status Codes)."""

from __future__ import annotations

from enum import IntEnum


class Op(IntEnum):
    """What a frame is."""

    HEARTBEAT = 1
    IDENTIFY = 2
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Closed(IntEnum):
    """Why a connection is closed."""

    UNDECODABLE = 4002
    NOT_AUTHENTICATED = 4003
    BAD_TOKEN = 4004
    ALREADY_AUTHENTICATED = 4005
    RATE_LIMITED = 4008
    BAD_SHARD = 4010
    BAD_INTENTS = 4014
