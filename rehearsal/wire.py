"""The names and ids of Discord's JSON: what every file that speaks it shares."""

from __future__ import annotations

import datetime
import time
from typing import Any, Final

DISCORD_EPOCH_MS: Final = 1_420_070_400_000
"""The first second of 2015, in milliseconds since 1970."""

_YEAR_MS: Final = 365 * 24 * 3600 * 1000


class Snowflakes:
    """Hands out ids, each larger than the last."""

    def __init__(self) -> None:
        self._last = 0
        self._old = time.time_ns() // 1_000_000 - DISCORD_EPOCH_MS - _YEAR_MS
        self._guild = self._old - _YEAR_MS

    def new(self) -> int:
        """Return an id of now."""
        now = time.time_ns() // 1_000_000 - DISCORD_EPOCH_MS
        self._last = max(now << 22, self._last + 1)
        return self._last

    def old(self) -> int:
        """Return an id of a year ago, for a user."""
        self._old += 1
        return self._old << 22

    def guild(self) -> int:
        """Return an id of two years ago, a millisecond after the one before: guilds lie evenly on shards."""
        self._guild += 1
        return self._guild << 22


def time_of(snowflake: int) -> datetime.datetime:
    """Return when ``snowflake`` was made."""
    seconds = ((snowflake >> 22) + DISCORD_EPOCH_MS) / 1000
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


Json = dict[str, Any]
"""One JSON object as Discord writes it."""

LOADING: Final = 1 << 7
EPHEMERAL: Final = 1 << 6
SUPPRESS_EMBEDS: Final = 1 << 2
SUPPRESS_NOTIFICATIONS: Final = 1 << 12
VOICE_MESSAGE: Final = 1 << 13
COMPONENTS_V2: Final = 1 << 15
"""Message flags (Discord's documentation, Message Flags)."""

INTENT_GUILDS: Final = 1 << 0
INTENT_MEMBERS: Final = 1 << 1
INTENT_EXPRESSIONS: Final = 1 << 3
INTENT_VOICE_STATES: Final = 1 << 7
INTENT_PRESENCES: Final = 1 << 8
INTENT_GUILD_MESSAGES: Final = 1 << 9
INTENT_DIRECT_MESSAGES: Final = 1 << 12
INTENT_MESSAGE_CONTENT: Final = 1 << 15
PRIVILEGED_INTENTS: Final = INTENT_MEMBERS | INTENT_PRESENCES | INTENT_MESSAGE_CONTENT
"""Intents of the Discord Gateway; the privileged ones must be switched on for the application."""

MEBIBYTE: Final = 1024 * 1024
UPLOAD_LIMITS: Final = (10 * MEBIBYTE, 10 * MEBIBYTE, 50 * MEBIBYTE, 100 * MEBIBYTE)
"""Largest file by a guild's boost tier."""
NITRO_UPLOAD_LIMIT: Final = 500 * MEBIBYTE
