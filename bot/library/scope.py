"""Who asks, and where: nothing is read or changed without one."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Scope:
    """A member in a server. Outside servers it is a shelf of one's own, see `Scope.alone`."""

    guild_id: int
    member_id: int
    role_ids: frozenset[int] = frozenset()
    is_moderator: bool = False

    @classmethod
    def alone(cls, member_id: int) -> Scope:
        """Return the scope of somebody outside servers: their own shelf, and all rights on it."""
        return cls(guild_id=member_id, member_id=member_id, is_moderator=True)

    @property
    def is_private(self) -> bool:
        """Whether this is somebody's own shelf, not a server."""
        return self.guild_id == self.member_id
