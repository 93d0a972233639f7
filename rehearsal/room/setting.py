"""The place people find in the room: two servers, their channels, and who can be acted as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rehearsal.guilds import Guild, World
from rehearsal.people import Person
from rehearsal.permissions import ALL, Overwrite, Permission
from rehearsal.records import Channel

_POWERS = (
    Permission.MUTE_MEMBERS
    | Permission.MOVE_MEMBERS
    | Permission.MANAGE_MESSAGES
    | Permission.MANAGE_GUILD
    | Permission.CREATE_GUILD_EXPRESSIONS
)
"""What moderators may do."""


class RoomStanding(StrEnum):
    """What somebody is in the servers of the room."""

    MEMBER = "member"
    MODERATOR = "moderator"
    NEWCOMER = "newcomer"


@dataclass(frozen=True)
class Character:
    """Somebody to act as, and what that means in a sentence."""

    person: Person
    standing: RoomStanding
    about: str


class Setting:
    """The Rookery and the Tide Pool, with Maud, Robin, Wren and Jay; both have just invited the bot."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.characters = [
            Character(
                world.add_person("Maud"),
                RoomStanding.MODERATOR,
                "invited Myna a moment ago. Decides for the server, and sees #keepers",
            ),
            Character(world.add_person("Robin"), RoomStanding.MEMBER, "sees and does what most members do"),
            Character(
                world.add_person("Wren"),
                RoomStanding.NEWCOMER,
                "new here: can't speak in Nest, can't see #workshop",
            ),
            Character(world.add_person("Jay"), RoomStanding.MEMBER, "another regular member"),
        ]
        self.rookery = self._rookery()
        self.tide_pool = self._tide_pool()
        for character in self.characters:
            world.dm(character.person)

    @property
    def guilds(self) -> list[Guild]:
        """Return the servers, in the order of the page."""
        return [self.rookery, self.tide_pool]

    @property
    def people(self) -> list[Person]:
        """Return everybody who can be acted as."""
        return [character.person for character in self.characters]

    def channels(self, person: Person) -> list[Channel]:
        """Return every channel ``person`` can see, the conversation with the bot included."""
        seen = [
            channel
            for guild in self.guilds
            for channel in guild.channels.values()
            if guild.permissions_of(person.id, channel) & Permission.VIEW_CHANNEL
        ]
        return [*seen, self.world.dm(person)]

    def _with_standing(self, *standings: RoomStanding) -> list[Person]:
        return [character.person for character in self.characters if character.standing in standings]

    def _rookery(self) -> Guild:
        guild = self._guild("The Rookery")
        keepers = guild.add_role("Keepers", _POWERS, *self._with_standing(RoomStanding.MODERATOR))
        settled = guild.add_role(
            "Settled", 0, *self._with_standing(RoomStanding.MEMBER, RoomStanding.MODERATOR)
        )
        guild.add_text_channel("general")
        _only_for(guild, guild.add_text_channel("workshop"), Permission.VIEW_CHANNEL, settled.id)
        _only_for(guild, guild.add_text_channel("keepers"), Permission.VIEW_CHANNEL, keepers.id)
        guild.add_voice_channel("Perch")
        _only_for(guild, guild.add_voice_channel("Nest", user_limit=2), Permission.CONNECT, settled.id)
        return guild

    def _tide_pool(self) -> Guild:
        guild = self._guild("The Tide Pool")
        guild.add_text_channel("shallows")
        guild.add_role("Wardens", _POWERS, *self._with_standing(RoomStanding.MODERATOR))
        guild.add_voice_channel("Rock")
        guild.add_stage_channel("Speakers' Rock")
        return guild

    def _guild(self, name: str) -> Guild:
        guild = self.world.add_guild(name, with_bot=False)
        guild.add_bot()
        for person in self.people:
            guild.add_member(person)
        return guild


def _only_for(guild: Guild, channel: Channel, permission: Permission, role_id: int) -> None:
    """Keep ``permission`` in ``channel`` for one role, and for the bot."""
    channel.overwrites[guild.id] = Overwrite(deny=int(permission), of_role=True)
    channel.overwrites[role_id] = Overwrite(allow=int(permission), of_role=True)
    for member in guild.members.values():
        if member.user.bot:
            channel.overwrites[member.user.id] = Overwrite(allow=int(permission) & ALL)
