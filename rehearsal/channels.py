"""Channels and what was written in them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

from rehearsal.changes import Changes
from rehearsal.messages import Message
from rehearsal.permissions import Overwrite
from rehearsal.users import User


class ChannelKind(IntEnum):
    """Discord's channel types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    GROUP = 3
    STAGE = 13


@dataclass(eq=False)
class Channel:
    """A channel of a guild, or a conversation of ``recipients`` outside of one."""

    id: int
    name: str
    kind: ChannelKind
    guild_id: int | None = None
    user_limit: int = 0
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipients: list[User] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict, repr=False)
    changes: Changes = field(default_factory=Changes, repr=False)

    @property
    def is_voice(self) -> bool:
        """Return whether people can talk in it."""
        return self.kind in (ChannelKind.VOICE, ChannelKind.STAGE)

    @property
    def history(self) -> list[Message]:
        """Return what is to be read in it, oldest first. Ephemeral messages are not part of it."""
        return [m for m in self.messages.values() if not m.ephemeral and not m.deleted]

    def add(self, message: Message) -> None:
        """Put ``message`` at the end."""
        self.messages[message.id] = message
        message.changes.listen(self.changes.notify)
        self.changes.notify()

    async def until_message(self, predicate: Callable[[Message], bool], *, timeout: float = 10) -> Message:
        """Return the newest message for which ``predicate`` holds, as soon as there is one."""

        def found() -> list[Message]:
            return [message for message in self.history if predicate(message)]

        await self.changes.until(
            lambda: bool(found()),
            timeout=timeout,
            story=lambda: f"no such message in {self.name}: {[m.content for m in self.history]}",
        )
        return found()[-1]
