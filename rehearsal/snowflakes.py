"""Discord's ids: unique numbers that carry the time they were made."""

from __future__ import annotations

import datetime
import time
from typing import Final

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
