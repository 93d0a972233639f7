"""The sounds on a guild's soundboard."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from rehearsal.users import User
from rehearsal.wire import Json

SOUND_SLOTS: Final = (8, 24, 36, 48)
"""How many sounds a guild may have, by its boost tier."""


@dataclass
class Sound:
    """One sound. ``seconds`` is its length, ``maker`` who put it there, ``data`` MP3 or Ogg."""

    id: int
    guild_id: int
    name: str
    data: bytes = field(repr=False)
    content_type: str
    seconds: float
    maker: User
    volume: float = 1.0
    emoji_id: int | None = None
    emoji_name: str | None = None

    @property
    def path(self) -> str:
        """Return where Discord's store serves it, without a signature."""
        return f"/soundboard-sounds/{self.id}"

    def payload(self) -> Json:
        """Return Discord's JSON of it."""
        return {
            "sound_id": str(self.id),
            "guild_id": str(self.guild_id),
            "name": self.name,
            "volume": self.volume,
            "emoji_id": None if self.emoji_id is None else str(self.emoji_id),
            "emoji_name": self.emoji_name,
            "available": True,
            "user": self.maker.payload(),
        }
