"""Permission bits, and what a member may do in a channel."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntFlag


class Permission(IntFlag):
    """The bits that matter to a bot that speaks (Discord's documentation, Permissions)."""

    ADMINISTRATOR = 1 << 3
    MANAGE_CHANNELS = 1 << 4
    MANAGE_GUILD = 1 << 5
    ADD_REACTIONS = 1 << 6
    VIEW_CHANNEL = 1 << 10
    SEND_MESSAGES = 1 << 11
    MANAGE_MESSAGES = 1 << 13
    EMBED_LINKS = 1 << 14
    ATTACH_FILES = 1 << 15
    READ_MESSAGE_HISTORY = 1 << 16
    MENTION_EVERYONE = 1 << 17
    USE_EXTERNAL_EMOJIS = 1 << 18
    CONNECT = 1 << 20
    SPEAK = 1 << 21
    MUTE_MEMBERS = 1 << 22
    DEAFEN_MEMBERS = 1 << 23
    MOVE_MEMBERS = 1 << 24
    USE_VOICE_ACTIVITY = 1 << 25
    MANAGE_ROLES = 1 << 28
    MANAGE_GUILD_EXPRESSIONS = 1 << 30
    USE_APPLICATION_COMMANDS = 1 << 31
    REQUEST_TO_SPEAK = 1 << 32
    MANAGE_THREADS = 1 << 34
    SEND_MESSAGES_IN_THREADS = 1 << 38
    USE_SOUNDBOARD = 1 << 42
    CREATE_GUILD_EXPRESSIONS = 1 << 43
    SEND_VOICE_MESSAGES = 1 << 46
    USE_EXTERNAL_APPS = 1 << 50


ALL = (1 << 53) - 1
EVERYONE = (
    Permission.ADD_REACTIONS
    | Permission.VIEW_CHANNEL
    | Permission.SEND_MESSAGES
    | Permission.EMBED_LINKS
    | Permission.ATTACH_FILES
    | Permission.READ_MESSAGE_HISTORY
    | Permission.MENTION_EVERYONE
    | Permission.USE_EXTERNAL_EMOJIS
    | Permission.CONNECT
    | Permission.SPEAK
    | Permission.USE_VOICE_ACTIVITY
    | Permission.USE_APPLICATION_COMMANDS
    | Permission.REQUEST_TO_SPEAK
    | Permission.SEND_MESSAGES_IN_THREADS
    | Permission.USE_SOUNDBOARD
    | Permission.SEND_VOICE_MESSAGES
    | Permission.USE_EXTERNAL_APPS
)
"""What the @everyone role of a new guild may do."""

BOT = EVERYONE | Permission.CREATE_GUILD_EXPRESSIONS
"""What the bot's own role may do when it has been invited."""

GUILD_WIDE = (
    Permission.ADMINISTRATOR | Permission.CREATE_GUILD_EXPRESSIONS | Permission.MANAGE_GUILD_EXPRESSIONS
)
"""What no channel can give or take."""

PRIVATE_CHANNEL = Permission.ATTACH_FILES | Permission.EMBED_LINKS | Permission.MENTION_EVERYONE
BOT_DM = PRIVATE_CHANNEL | Permission.USE_EXTERNAL_EMOJIS
"""What `app_permissions` says outside guilds (Discord's documentation, Interaction Object)."""


@dataclass
class Overwrite:
    """What a channel allows and denies one role or member, over what their roles say."""

    allow: int = 0
    deny: int = 0
    of_role: bool = False

    def applied_to(self, permissions: int) -> int:
        """Return ``permissions`` after this overwrite."""
        return (permissions & ~self.deny) | self.allow


def effective(
    granted: int, everyone: Overwrite | None, roles: Iterable[Overwrite], own: Overwrite | None
) -> int:
    """Return what somebody with ``granted`` from their roles may do under a channel's overwrites.

    Discord's order: @everyone, all roles together, the member. Who cannot see the channel can do nothing.
    """
    if granted & Permission.ADMINISTRATOR:
        return ALL
    permissions = everyone.applied_to(granted) if everyone else granted
    together = Overwrite()
    for overwrite in roles:
        together.allow |= overwrite.allow
        together.deny |= overwrite.deny
    permissions = together.applied_to(permissions)
    permissions = own.applied_to(permissions) if own else permissions
    return permissions if permissions & Permission.VIEW_CHANNEL else 0
