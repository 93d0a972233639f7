"""Where everything in the world is found by its id."""

from __future__ import annotations

from collections.abc import Callable

from rehearsal.channels import Channel, ChannelKind
from rehearsal.errors import unknown
from rehearsal.guild_record import GuildRecord
from rehearsal.messages import Message
from rehearsal.users import Team, User


class Directory:
    """All guilds, channels and users."""

    def __init__(self, bot: User) -> None:
        self.bot = bot
        self.guilds: dict[int, GuildRecord] = {}
        self.channels: dict[int, Channel] = {}
        self.users: dict[int, User] = {bot.id: bot}
        self.privileged_intents = 0
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
