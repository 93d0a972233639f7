"""Places: a channel in the eyes of one person, and what they and the app may do there."""

from __future__ import annotations

from dataclasses import dataclass

from rehearsal.backstage import Backstage
from rehearsal.errors import RehearsalError
from rehearsal.payloads import channel_payload, member_payload, partial_guild_payload
from rehearsal.permissions import BOT_DM, PRIVATE_CHANNEL, Permission
from rehearsal.records import Channel, ChannelKind, GuildRecord, User
from rehearsal.wire import NITRO_UPLOAD_LIMIT, UPLOAD_LIMITS, Json

IN_GUILD, IN_BOT_DM, IN_PRIVATE_CHANNEL = 0, 1, 2
GUILD_INSTALL, USER_INSTALL = 0, 1
"""Interaction contexts and integration types (Discord's documentation)."""


@dataclass(frozen=True)
class Place:
    """A channel in the eyes of one person. ``owners`` says by which installation the app is there."""

    user: User
    channel: Channel
    guild: GuildRecord | None
    context: int
    owners: dict[int, int]
    permissions: int
    app_permissions: int
    upload_limit: int

    @property
    def remote(self) -> bool:
        """Return whether the bot itself is not there, only the person's own installation."""
        return GUILD_INSTALL not in self.owners

    @property
    def only_ephemeral(self) -> bool:
        """Return whether what the app answers may only be seen by the person who asked."""
        return self.guild is not None and self.remote and not self.permissions & Permission.USE_EXTERNAL_APPS

    def offers(self, command: Json) -> bool:
        """Return whether Discord's app lists ``command`` here."""
        installs = command.get("integration_types") or [GUILD_INSTALL]
        contexts = command.get("contexts")
        if not any(install in self.owners for install in installs):
            return False
        if contexts is not None and self.context not in contexts:
            return False
        needed = command.get("default_member_permissions")
        if self.guild is None or needed is None:
            return True
        if self.permissions & Permission.ADMINISTRATOR:
            return True
        return self.permissions & int(needed) == int(needed) and int(needed) != 0

    def owners_for(self, installs: list[int]) -> Json:
        """Return `authorizing_integration_owners` of a command with these installation types."""
        return {str(kind): str(owner) for kind, owner in self.owners.items() if kind in installs}

    def payload(self) -> Json:
        """Return what an interaction says about its place and its person."""
        channel = channel_payload(self.channel) | {"permissions": str(int(self.permissions))}
        payload: Json = {
            "channel_id": str(self.channel.id),
            "channel": channel,
            "context": self.context,
            "app_permissions": str(int(self.app_permissions)),
            "attachment_size_limit": self.upload_limit,
            "entitlements": [],
            "locale": "en-US",
        }
        if self.guild is None:
            return payload | {"user": self.user.payload()}
        member = member_payload(self.guild.members[self.user.id], permissions=self.permissions)
        return payload | {
            "guild_id": str(self.guild.id),
            "guild": partial_guild_payload(self.guild),
            "guild_locale": self.guild.locale,
            "member": member,
        }


def place_of(
    backstage: Backstage, user: User, channel: Channel, *, has_installed_app: bool, nitro: bool
) -> Place:
    """Return ``channel`` in the eyes of ``user``. Raises `RehearsalError` when they cannot see it."""
    guild = backstage.directory.guild_of(channel)
    owners = {USER_INSTALL: user.id} if has_installed_app else {}
    own_limit = NITRO_UPLOAD_LIMIT if nitro else UPLOAD_LIMITS[0]
    if guild is None:
        if user not in channel.recipients:
            raise RehearsalError(f"{user.name} is not part of {channel.name}")
        with_bot = channel.kind is ChannelKind.DM and backstage.bot in channel.recipients
        if with_bot:
            owners = {GUILD_INSTALL: 0} | owners  # an app in its own DM is owned by guild 0
        context = IN_BOT_DM if with_bot else IN_PRIVATE_CHANNEL
        app = BOT_DM if with_bot else PRIVATE_CHANNEL
        return Place(user, channel, None, context, owners, 0, int(app), own_limit)
    permissions = guild.permissions_of(user.id, channel)
    if not permissions & Permission.VIEW_CHANNEL:
        raise RehearsalError(f"{user.name} cannot see {channel.name}")
    if backstage.bot.id in guild.members:
        owners = {GUILD_INSTALL: guild.id} | owners
        app_permissions = guild.permissions_of(backstage.bot.id, channel)
    else:
        app_permissions = permissions & int(BOT_DM)
    limit = max(own_limit, guild.upload_limit)
    return Place(user, channel, guild, IN_GUILD, owners, permissions, app_permissions, limit)
