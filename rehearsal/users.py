"""Accounts."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.wire import Json


@dataclass(frozen=True)
class User:
    """A person's or a bot's account."""

    id: int
    name: str
    bot: bool = False

    def payload(self) -> Json:
        """Return Discord's JSON of it."""
        return {
            "id": str(self.id),
            "username": self.name.lower().replace(" ", "_"),
            "global_name": None if self.bot else self.name,
            "discriminator": "0000" if self.bot else "0",
            "avatar": None,
            "bot": self.bot,
            "public_flags": 0,
        }
