"""How loud the bot speaks in each guild."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from bot.limits import FULL_VOLUME

Remember = Callable[[int, int], None]
"""Called with a guild's id and its volume whenever that changes; it must not block."""


def remember_nothing(_guild_id: int, _percent: int) -> None:
    """Let everything be forgotten with the process."""


class Volumes:
    """By guild, in percent. ``before`` is what was set before the restart."""

    def __init__(
        self, before: Mapping[int, int] | None = None, *, remember: Remember = remember_nothing
    ) -> None:
        self._percents = dict(before or {})
        self._remember = remember

    def get(self, guild_id: int | None) -> int:
        """Return the volume of a guild; the full one outside of guilds."""
        return FULL_VOLUME if guild_id is None else self._percents.get(guild_id, FULL_VOLUME)

    def set(self, guild_id: int, percent: int) -> None:
        """Speak at ``percent`` of the full volume, from the next sound that is made on."""
        self._percents[guild_id] = percent
        self._remember(guild_id, percent)
