"""What happens in the world, on its way to the bot."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rehearsal.wire import Json


@dataclass(frozen=True)
class Event:
    """One event. ``build`` makes its data for a session's intents.

    A session hears of it when it has one of ``intents`` (0: always); the shard is the guild's.
    """

    name: str
    build: Callable[[int], Json]
    guild_id: int | None
    intents: int

    @property
    def reaches_strangers(self) -> bool:
        """Return whether a bot hears of it that is not a member of the guild."""
        return self.name in ("INTERACTION_CREATE", "GUILD_DELETE")


class Events:
    """Takes events from the world and hands them to the main socket."""

    def __init__(self) -> None:
        self.deliver: Callable[[Event], None] = lambda event: None

    def send(self, name: str, data: Json, *, guild_id: int | None = None, intents: int = 0) -> None:
        """Send an event whose data is the same for everyone."""
        self.deliver(Event(name, lambda _: data, guild_id, intents))

    def send_built(
        self, name: str, build: Callable[[int], Json], *, guild_id: int | None = None, intents: int = 0
    ) -> None:
        """Send an event whose data depends on what the listener may know."""
        self.deliver(Event(name, build, guild_id, intents))
