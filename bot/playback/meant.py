"""Which voice channel the bot means to be in, whatever becomes of the connection."""

from __future__ import annotations

from collections.abc import Callable, Mapping

Remember = Callable[[int, int | None], None]
"""Called with a guild's id and the channel's, or None, whenever it changes; it must not block."""


def remember_nothing(_guild_id: int, _channel_id: int | None) -> None:
    """Let everything be forgotten with the process."""


class MeantChannels:
    """By guild: where we were asked to be, or moved to, and have not been sent away from.

    ``before`` is what was meant before the restart.
    """

    def __init__(
        self, before: Mapping[int, int] | None = None, *, remember: Remember = remember_nothing
    ) -> None:
        self._channel_ids = dict(before or {})
        self._remember = remember

    def get(self, guild_id: int) -> int | None:
        """Return the channel's id; None when we mean to be nowhere."""
        return self._channel_ids.get(guild_id)

    def mean(self, guild_id: int, channel_id: int) -> None:
        """Mean to be in this channel from now on."""
        if self._channel_ids.get(guild_id) != channel_id:
            self._channel_ids[guild_id] = channel_id
            self._remember(guild_id, channel_id)

    def forget(self, guild_id: int) -> None:
        """Mean to be nowhere in this guild."""
        if self._channel_ids.pop(guild_id, None) is not None:
            self._remember(guild_id, None)
