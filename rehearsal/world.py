"""The world of a rehearsal: guilds and people."""

from __future__ import annotations

from collections.abc import Sequence

from rehearsal.backstage import Backstage
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.records import Channel, ChannelKind, Team, User


class World:
    """Makes guilds, people, and conversations outside of guilds."""

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self.guilds: list[Guild] = []
        self.people: list[Person] = []
        self._owner: User | None = None

    def add_guild(self, name: str, *, with_bot: bool = True, premium_tier: int = 0) -> Guild:
        """Add a guild; the bot hears of it at once if it is a member and connected."""
        guild = Guild(self._backstage, name, self._owner_id(), with_bot=with_bot)
        guild.premium_tier = premium_tier
        self._backstage.directory.guilds[guild.id] = guild
        self.guilds.append(guild)
        guild.announce()
        return guild

    def add_person(self, name: str, *, has_installed_app: bool = False, nitro: bool = False) -> Person:
        """Add a person. With ``has_installed_app`` the bot's commands follow them everywhere."""
        user = User(self._backstage.snowflakes.old(), name)
        self._backstage.directory.users[user.id] = user
        person = Person(self._backstage, user, has_installed_app=has_installed_app, nitro=nitro)
        self.people.append(person)
        if has_installed_app:
            self._backstage.directory.app_users.add(user.id)
        return person

    def give_application_to(self, *people: Person, team: str | None = None) -> None:
        """Let the application belong to one person, or to a ``team`` that the first of ``people`` owns.

        The bot learns of it when it logs in.
        """
        users = tuple(person.user for person in people)
        directory = self._backstage.directory
        directory.owner = users[0] if team is None else Team(self._backstage.snowflakes.old(), team, users)

    def dm(self, person: Person) -> Channel:
        """Return the bot's conversation with ``person``."""
        return self._backstage.directory.dm(person.user, self._backstage.snowflakes.new)

    def add_group(self, name: str, people: Sequence[Person]) -> Channel:
        """Add a group conversation; the bot is not part of it."""
        return self._add_conversation(name, ChannelKind.GROUP, people)

    def add_private_chat(self, one: Person, other: Person) -> Channel:
        """Add a conversation of two people; the bot is not part of it."""
        return self._add_conversation(other.name, ChannelKind.DM, (one, other))

    def _add_conversation(self, name: str, kind: ChannelKind, people: Sequence[Person]) -> Channel:
        recipients = [person.user for person in people]
        channel = Channel(self._backstage.snowflakes.new(), name, kind, recipients=recipients)
        self._backstage.directory.channels[channel.id] = channel
        return channel

    def _owner_id(self) -> int:
        # Guilds belong to somebody who never acts, so that nobody has an owner's powers by accident.
        if self._owner is None:
            self._owner = User(self._backstage.snowflakes.old(), "Owner")
        return self._owner.id
