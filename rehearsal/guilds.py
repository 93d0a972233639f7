"""Guilds as a test arranges them, and the world they are in."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rehearsal.backstage import Backstage
from rehearsal.payloads import channel_payload, guild_payload, member_payload, role_payload
from rehearsal.people import Person
from rehearsal.permissions import ALL, BOT, EVERYONE, GUILD_WIDE, Overwrite, Permission
from rehearsal.records import Channel, ChannelKind, GuildRecord, Member, Role, Sound, Team, User
from rehearsal.wire import INTENT_EXPRESSIONS, INTENT_GUILDS, INTENT_MEMBERS, Json


class Guild(GuildRecord):
    """A guild that can be changed while the bot looks on.

    What is awaited returns once the bot has heard of it; after the rest, await `Rehearsal.caught_up`.
    """

    def __init__(self, backstage: Backstage, name: str, owner_id: int, *, with_bot: bool) -> None:
        super().__init__(backstage.snowflakes.guild(), name, owner_id, int(EVERYONE))
        self._backstage = backstage
        self._bot_id = backstage.bot.id
        self._exact_bot_permissions: Overwrite | None = None
        if with_bot:
            self._add_bot_member()

    def _add_bot_member(self, permissions: int = int(BOT)) -> None:
        role = Role(self._backstage.snowflakes.new(), self._backstage.bot.name, permissions, 1, managed=True)
        self.roles[role.id] = role
        self.members[self._bot_id] = Member(self._backstage.bot, [role.id])

    # -- channels ---------------------------------------------------------------------------------

    def add_text_channel(self, name: str) -> Channel:
        """Add a text channel."""
        return self._add_channel(name, ChannelKind.TEXT)

    def add_voice_channel(self, name: str, user_limit: int = 0) -> Channel:
        """Add a voice channel; ``user_limit`` 0 lets everybody in."""
        return self._add_channel(name, ChannelKind.VOICE, user_limit)

    def add_stage_channel(self, name: str) -> Channel:
        """Add a stage channel: no end-to-end encryption, and whoever joins is silent at first."""
        return self._add_channel(name, ChannelKind.STAGE)

    def _add_channel(self, name: str, kind: ChannelKind, user_limit: int = 0) -> Channel:
        channel = Channel(self._backstage.snowflakes.new(), name, kind, self.id, user_limit)
        if self._exact_bot_permissions is not None:
            channel.overwrites[self._bot_id] = self._exact_bot_permissions
        self.channels[channel.id] = self._backstage.directory.channels[channel.id] = channel
        self._tell_channel("CHANNEL_CREATE", channel)
        return channel

    def add_thread(self, parent: Channel, name: str, *people: Person, private: bool = False) -> Channel:
        """Let ``people`` begin a thread in a text channel; the first of them owns it."""
        kind = ChannelKind.PRIVATE_THREAD if private else ChannelKind.PUBLIC_THREAD
        thread = Channel(self._backstage.snowflakes.new(), name, kind, self.id, parent_id=parent.id)
        thread.recipients = [person.user for person in people]
        self.threads[thread.id] = self._backstage.directory.channels[thread.id] = thread
        self._tell_thread(thread)
        return thread

    def add_to_thread(self, thread: Channel, who: Person | User) -> None:
        """Add somebody to a thread; the bot hears of it when it is itself."""
        thread.recipients.append(who if isinstance(who, User) else who.user)
        if who.id == self._bot_id:
            self._tell_thread(thread)

    def _tell_thread(self, thread: Channel) -> None:
        if self.permissions_of(self._bot_id, thread) & Permission.VIEW_CHANNEL:
            self._tell_channel("THREAD_CREATE", thread)

    async def delete_channel(self, channel: Channel) -> None:
        """Delete a channel, with its threads; whoever is in it falls out."""
        await self._backstage.voice_desk.clear_channel(self, channel)
        for thread in [thread for thread in self.threads.values() if thread.parent_id == channel.id]:
            del self.threads[thread.id], self._backstage.directory.channels[thread.id]
        del self.channels[channel.id], self._backstage.directory.channels[channel.id]
        self._tell_channel("CHANNEL_DELETE", channel)
        await self._backstage.main_socket.caught_up()

    def _tell_channel(self, event: str, channel: Channel) -> None:
        if self._bot_id in self.members:
            data = channel_payload(channel)
            self._backstage.events.send(event, data, guild_id=self.id, intents=INTENT_GUILDS)

    # -- people -----------------------------------------------------------------------------------

    def add_member(self, person: Person) -> None:
        """Let a person join."""
        self.members[person.id] = Member(person.user)
        self._tell_member("GUILD_MEMBER_ADD", person.id)

    async def remove_member(self, person: Person) -> None:
        """Let a person leave or be kicked, out of voice too.

        Without the members intent the bot hears only that they have left voice.
        """
        await self._backstage.voice_desk.person_leaves(self, person.id)
        del self.members[person.id]
        data = {"guild_id": str(self.id), "user": person.user.payload()}
        self._backstage.events.send("GUILD_MEMBER_REMOVE", data, guild_id=self.id, intents=INTENT_MEMBERS)
        await self._backstage.main_socket.caught_up()

    def _tell_member(self, event: str, user_id: int) -> None:
        data = member_payload(self.members[user_id]) | {"guild_id": str(self.id)}
        # Of itself the bot hears in any case.
        intents = 0 if user_id == self._bot_id else INTENT_MEMBERS
        self._backstage.events.send(event, data, guild_id=self.id, intents=intents)

    # -- roles ------------------------------------------------------------------------------------

    def add_role(self, name: str, permissions: int, *people: Person) -> Role:
        """Add a role and give it to ``people``."""
        role = Role(self._backstage.snowflakes.new(), name, int(permissions), len(self.roles))
        self.roles[role.id] = role
        self._tell_role(role, "GUILD_ROLE_CREATE")
        for person in people:
            self.give_role(role, person)
        return role

    def give_role(self, role: Role, person: Person | User) -> None:
        """Give a role to a member, who may be the bot."""
        if role.id not in self.members[person.id].role_ids:
            self.members[person.id].role_ids.append(role.id)
            self._roles_changed(person.id)

    def take_role(self, role: Role, person: Person | User) -> None:
        """Take a role from a member, who may be the bot."""
        self.members[person.id].role_ids.remove(role.id)
        self._roles_changed(person.id)

    def _roles_changed(self, user_id: int) -> None:
        self._tell_member("GUILD_MEMBER_UPDATE", user_id)
        self._backstage.voice_desk.permissions_changed(self)

    def delete_role(self, role: Role) -> None:
        """Delete a role; whoever has it loses it."""
        for user_id, member in self.members.items():
            if role.id in member.role_ids:
                member.role_ids.remove(role.id)
                self._roles_changed(user_id)
        del self.roles[role.id]
        data = {"guild_id": str(self.id), "role_id": str(role.id)}
        self._backstage.events.send("GUILD_ROLE_DELETE", data, guild_id=self.id, intents=INTENT_GUILDS)

    def set_role_permissions(self, role: Role, permissions: int, channel: Channel | None = None) -> None:
        """Let ``role`` grant exactly ``permissions``, in ``channel`` or by itself."""
        if channel is None:
            role.permissions = int(permissions)
            self._tell_role(role, "GUILD_ROLE_UPDATE")
        else:
            channel.overwrites[role.id] = Overwrite(int(permissions), ALL & ~int(permissions), of_role=True)
            self._tell_channel("CHANNEL_UPDATE", channel)
        self._backstage.voice_desk.permissions_changed(self)

    # -- permissions ------------------------------------------------------------------------------

    def set_everyone_permissions(self, permissions: int, channel: Channel | None = None) -> None:
        """Let everyone have exactly ``permissions``, in ``channel`` or by the @everyone role."""
        self.set_role_permissions(self.roles[self.id], permissions, channel)

    def set_bot_permissions(self, permissions: int, channel: Channel | None = None) -> None:
        """Let the bot have exactly ``permissions``, in ``channel`` or in every channel of this guild."""
        exact = Overwrite(int(permissions), ALL & ~int(permissions))
        for changed in [channel] if channel else list(self.channels.values()):
            changed.overwrites[self._bot_id] = exact
            self._tell_channel("CHANNEL_UPDATE", changed)
        if channel is None:
            self._exact_bot_permissions = exact
            for role_id in self.members[self._bot_id].role_ids:
                self.roles[role_id].permissions = int(EVERYONE) | (int(permissions) & GUILD_WIDE)
                self._tell_role(self.roles[role_id], "GUILD_ROLE_UPDATE")
        self._backstage.voice_desk.permissions_changed(self)

    def deny_bot(self, permissions: int, channel: Channel | None = None) -> None:
        """Take ``permissions`` from the bot and leave it everything else."""
        self.set_bot_permissions(int(BOT) & ~int(permissions), channel)

    def _tell_role(self, role: Role, event: str) -> None:
        data = {"guild_id": str(self.id), "role": role_payload(role)}
        self._backstage.events.send(event, data, guild_id=self.id, intents=INTENT_GUILDS)

    # -- the soundboard ---------------------------------------------------------------------------

    def add_sound(self, name: str, person: Person) -> Sound:
        """Put a sound on the soundboard as ``person`` does in the app; nothing checks that it is one."""
        sound = Sound(self._backstage.snowflakes.new(), self.id, name, b"", "audio/mpeg", 1.0, person.user)
        self.sounds[sound.id] = sound
        self._backstage.cdn.sounds[sound.path] = (sound.data, sound.content_type)
        self._backstage.events.send(
            "GUILD_SOUNDBOARD_SOUND_CREATE", sound.payload(), guild_id=self.id, intents=INTENT_EXPRESSIONS
        )
        return sound

    # -- the bot ----------------------------------------------------------------------------------

    @property
    def bot_channel(self) -> Channel | None:
        """Return the voice channel the bot is in."""
        state = self.voice_states.get(self._bot_id)
        return self.channels[state.channel_id] if state else None

    def add_bot(self, permissions: int = int(BOT)) -> None:
        """Invite the bot; ``permissions`` are those that its own role gets, beside everyone's."""
        self._add_bot_member(permissions)
        self.members[self._bot_id].joined_at = datetime.now(UTC)
        self.announce()

    def announce(self) -> None:
        """Tell the bot of this guild, if it is a member.

        What comes after the login does not say whether the guild is available: it is new to the bot.
        """
        if self._bot_id in self.members:
            self._backstage.events.send_built(
                "GUILD_CREATE", self._as_new, guild_id=self.id, intents=INTENT_GUILDS
            )

    def _as_new(self, intents: int) -> Json:
        payload = guild_payload(self, intents, self._bot_id)
        return {key: value for key, value in payload.items() if key != "unavailable"}

    async def remove_bot(self) -> None:
        """Kick the bot out of the guild."""
        await self.kick_bot_from_voice()
        del self.members[self._bot_id]
        data = {"id": str(self.id)}
        self._backstage.events.send("GUILD_DELETE", data, guild_id=self.id, intents=INTENT_GUILDS)

    async def kick_bot_from_voice(self) -> None:
        """Disconnect the bot from its voice channel, as a moderator does."""
        await self._backstage.voice_desk.kick_bot(self)
        await self._backstage.main_socket.caught_up()

    async def move_bot(self, channel: Channel) -> None:
        """Drag the bot into another voice channel, as a moderator does."""
        await self._backstage.voice_desk.move_bot(self, channel)
        await self._backstage.main_socket.caught_up()

    async def mute_bot(self, muted: bool = True) -> None:
        """Mute the bot for everybody in this server, as a moderator does, or lift that."""
        await self._backstage.voice_desk.mute_bot(self, muted=muted)
        await self._backstage.main_socket.caught_up()

    async def change_voice_server(self) -> None:
        """Give the bot another voice server, as Discord does when a region changes."""
        await self._backstage.voice_desk.new_voice_server(self)
        await self._backstage.main_socket.caught_up()


class World:
    """Makes guilds, people, and conversations outside of guilds."""

    def __init__(self, backstage: Backstage) -> None:
        self._backstage = backstage
        self.guilds: list[Guild] = []
        self.people: list[Person] = []
        self._owner: User | None = None

    def add_guild(self, name: str, *, with_bot: bool = True) -> Guild:
        """Add a guild; the bot hears of it at once if it is a member and connected."""
        guild = Guild(self._backstage, name, self._owner_id(), with_bot=with_bot)
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
