"""Accounts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rehearsal.wire import Json

TEAM_PSEUDO_USER: Final = 1 << 10
"""The flag of the account that stands as the owner of a team's application (User Flags)."""


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


@dataclass(frozen=True)
class Team:
    """People to whom an application belongs together; the first of ``members`` owns the team."""

    id: int
    name: str
    members: tuple[User, ...]

    def payload(self) -> Json:
        """Return Discord's JSON of it."""
        return {
            "id": str(self.id),
            "icon": None,
            "name": self.name,
            "owner_user_id": str(self.members[0].id),
            "members": [
                {"membership_state": 2, "team_id": str(self.id), "role": "admin", "user": user.payload()}
                for user in self.members
            ],
        }

    def pseudo_user(self) -> Json:
        """Return the account that an application of a team names as its owner: nobody can write to it."""
        account = User(self.id, f"team{self.id}").payload()
        return account | {"global_name": None, "flags": TEAM_PSEUDO_USER, "public_flags": TEAM_PSEUDO_USER}
