"""Records: what Discord keeps of guilds, channels, messages, people and sounds, found by id."""

from __future__ import annotations

import datetime
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from rehearsal.cdn import StoredFile
from rehearsal.errors import unknown
from rehearsal.events import Changes
from rehearsal.permissions import ALL, Overwrite, Permission, effective
from rehearsal.rules.components import BUTTON, SELECTS, walk
from rehearsal.wire import (
    COMPONENTS_V2,
    EPHEMERAL,
    LOADING,
    SUPPRESS_NOTIFICATIONS,
    UPLOAD_LIMITS,
    VOICE_MESSAGE,
    Json,
)

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


@dataclass(eq=False)
class Message:
    """One message. ``seen_by`` is the only person who sees it when it is ephemeral.

    ``forwarded`` is a copy of the message that it forwards.
    """

    id: int
    channel_id: int
    author: User
    guild_id: int | None = None
    content: str = ""
    files: list[StoredFile] = field(default_factory=list)
    embeds: list[Json] = field(default_factory=list)
    components: list[Json] = field(default_factory=list)
    flags: int = 0
    edited_at: datetime.datetime | None = None
    pinged: set[int] = field(default_factory=set)
    pings_everyone: bool = False
    nonce: str | None = None
    seen_by: int | None = None
    interaction: Json | None = None
    reference: Json | None = None
    forwarded: Message | None = None
    stickers: tuple[str, ...] = ()
    poll: tuple[str, ...] = ()
    """A question and its answers."""
    deleted: bool = False
    allowed_mentions: Json | None = None
    changes: Changes = field(default_factory=Changes, repr=False)

    @property
    def ephemeral(self) -> bool:
        """Return whether only one person sees it."""
        return bool(self.flags & EPHEMERAL)

    @property
    def thinking(self) -> bool:
        """Return whether Discord shows "is thinking..." in its place."""
        return bool(self.flags & LOADING)

    @property
    def voice_message(self) -> bool:
        """Return whether it is shown as a voice message."""
        return bool(self.flags & VOICE_MESSAGE)

    @property
    def silent(self) -> bool:
        """Return whether nobody is notified of it."""
        return bool(self.flags & SUPPRESS_NOTIFICATIONS)

    @property
    def components_v2(self) -> bool:
        """Return whether it consists of components only."""
        return bool(self.flags & COMPONENTS_V2)

    @property
    def buttons(self) -> list[str]:
        """Return the labels of the buttons that can be pressed; the emoji of one without a label."""
        found = [c for c in walk(self.components) if c.get("type") == BUTTON and not c.get("disabled")]
        return [button.get("label") or str(button.get("emoji")) for button in found]

    @property
    def menus(self) -> dict[str, list[str]]:
        """Return the labels of the choices of each select menu, by its placeholder or custom id."""
        found = [c for c in walk(self.components) if c.get("type") in SELECTS and not c.get("disabled")]
        return {
            menu.get("placeholder") or menu["custom_id"]: [o["label"] for o in menu.get("options") or []]
            for menu in found
        }

    def mark_edited(self) -> None:
        """Note the time of an edit and tell who watches."""
        self.edited_at = datetime.datetime.now(datetime.UTC)
        self.changes.notify()

    def mark_deleted(self) -> None:
        """Note that it is gone and tell who watches."""
        self.deleted = True
        self.changes.notify()


class ChannelKind(IntEnum):
    """Discord's channel types."""

    TEXT = 0
    DM = 1
    VOICE = 2
    GROUP = 3
    PUBLIC_THREAD = 11
    PRIVATE_THREAD = 12
    STAGE = 13


@dataclass(eq=False)
class Channel:
    """A channel of a guild, or a conversation of ``recipients`` outside of one.

    A thread is in the channel ``parent_id``, and ``recipients`` are who has been added to it.
    """

    id: int
    name: str
    kind: ChannelKind
    guild_id: int | None = None
    user_limit: int = 0
    parent_id: int | None = None
    overwrites: dict[int, Overwrite] = field(default_factory=dict)
    recipients: list[User] = field(default_factory=list)
    messages: dict[int, Message] = field(default_factory=dict, repr=False)
    changes: Changes = field(default_factory=Changes, repr=False)

    @property
    def is_voice(self) -> bool:
        """Return whether people can talk in it."""
        return self.kind in (ChannelKind.VOICE, ChannelKind.STAGE)

    @property
    def is_thread(self) -> bool:
        """Return whether it is a thread."""
        return self.kind in (ChannelKind.PUBLIC_THREAD, ChannelKind.PRIVATE_THREAD)

    @property
    def send_permission(self) -> Permission:
        """Return what it takes to write in it: in a thread, Send Messages has no effect."""
        return Permission.SEND_MESSAGES_IN_THREADS if self.is_thread else Permission.SEND_MESSAGES

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


@dataclass
class Role:
    """A role and what it grants."""

    id: int
    name: str
    permissions: int
    position: int = 0
    managed: bool = False


@dataclass
class Member:
    """A user in a guild."""

    user: User
    role_ids: list[int] = field(default_factory=list)
    nick: str | None = None
    joined_at: datetime.datetime | None = None
    """None: with the account, long ago."""


@dataclass
class VoiceState:
    """Where a member is in voice, and how."""

    user_id: int
    channel_id: int
    session_id: str = field(default_factory=lambda: secrets.token_hex(16))
    self_mute: bool = False
    self_deaf: bool = False
    mute: bool = False
    deaf: bool = False
    suppress: bool = False
    request_to_speak_at: datetime.datetime | None = None


class GuildRecord:
    """A guild. Its @everyone role has the guild's own id, as at Discord."""

    def __init__(self, guild_id: int, name: str, owner_id: int, everyone: int) -> None:
        self.id = guild_id
        self.name = name
        self.owner_id = owner_id
        self.premium_tier = 0
        self.locale = "en-US"
        self.roles = {guild_id: Role(guild_id, "@everyone", everyone)}
        self.members: dict[int, Member] = {}
        self.channels: dict[int, Channel] = {}
        self.threads: dict[int, Channel] = {}
        self.voice_states: dict[int, VoiceState] = {}
        self.sounds: dict[int, Sound] = {}
        self.system_channel: Channel | None = None
        """Where Discord itself writes, for example who has come."""

    @property
    def upload_limit(self) -> int:
        """Return the largest file, in bytes, that its boosts allow."""
        return UPLOAD_LIMITS[self.premium_tier]

    @property
    def sound_slots(self) -> int:
        """Return how many sounds its soundboard holds, which its boosts decide."""
        return SOUND_SLOTS[self.premium_tier]

    def permissions_of(self, user_id: int, channel: Channel | None = None) -> int:
        """Return what a member may do, in ``channel`` or in the guild as such; 0 for a stranger.

        A thread has the permissions of its channel, and a private one is only for who was added to it, or
        may manage threads (Discord's documentation, Threads).
        """
        if channel is not None and channel.parent_id is not None:
            permissions = self.permissions_of(user_id, self.channels[channel.parent_id])
            is_member = any(user.id == user_id for user in channel.recipients)
            is_open = channel.kind is ChannelKind.PUBLIC_THREAD or is_member
            return permissions if is_open or permissions & Permission.MANAGE_THREADS else 0
        member = self.members.get(user_id)
        if member is None:
            return 0
        if user_id == self.owner_id:
            return ALL
        granted = self.roles[self.id].permissions
        for role_id in member.role_ids:
            granted |= self.roles[role_id].permissions
        overwrites: dict[int, Overwrite] = channel.overwrites if channel else {}
        roles = [overwrites[role_id] for role_id in member.role_ids if role_id in overwrites]
        if channel is None:
            return ALL if granted & Permission.ADMINISTRATOR else granted
        return effective(granted, overwrites.get(self.id), roles, overwrites.get(user_id))

    def occupants(self, channel: Channel) -> list[int]:
        """Return who is in a voice channel."""
        return [state.user_id for state in self.voice_states.values() if state.channel_id == channel.id]


class Directory:
    """All guilds, channels and users."""

    def __init__(self, bot: User) -> None:
        self.bot = bot
        self.guilds: dict[int, GuildRecord] = {}
        self.channels: dict[int, Channel] = {}
        self.users: dict[int, User] = {bot.id: bot}
        self.privileged_intents = 0
        self.bot_is_public = True
        """Whether others than its owner may add the bot to their servers."""
        """The privileged intents that are switched on for the application; none, unless a test does."""
        self.refuses_dms: set[int] = set()
        """People who do not let the bot write to them."""
        self.owner: User | Team | None = None
        """To whom the application belongs; the first person there is, until somebody else is named."""
        self.app_users: set[int] = set()
        """People who have installed the app for themselves."""
        self._dms: dict[int, Channel] = {}

    def guild_of(self, channel: Channel) -> GuildRecord | None:
        """Return the guild of a channel."""
        return None if channel.guild_id is None else self.guilds[channel.guild_id]

    def channel(self, channel_id: int) -> Channel:
        """Return a channel. Raises `DiscordAPIError` 10003."""
        if channel_id not in self.channels:
            raise unknown("Channel", 10003)
        return self.channels[channel_id]

    def message(self, channel: Channel, message_id: int) -> Message:
        """Return a message. Raises `DiscordAPIError` 10008."""
        message = channel.messages.get(message_id)
        if message is None or message.deleted:
            raise unknown("Message", 10008)
        return message

    def dm(self, user: User, new_id: Callable[[], int]) -> Channel:
        """Return the bot's conversation with ``user``; it is opened when it is first asked for."""
        if user.id not in self._dms:
            channel = Channel(new_id(), user.name, ChannelKind.DM, recipients=[user, self.bot])
            self._dms[user.id] = self.channels[channel.id] = channel
        return self._dms[user.id]

    def is_within_reach(self, user_id: int) -> bool:
        """Return whether the bot shares a server with somebody, or they have installed the app."""
        return user_id in self.app_users or any(user_id in guild.members for guild in self.bot_guilds())

    def bot_guilds(self) -> list[GuildRecord]:
        """Return the guilds the bot is a member of."""
        return [guild for guild in self.guilds.values() if self.bot.id in guild.members]
