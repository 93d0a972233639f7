"""Names of people: behind mentions, so that they can be spoken; and for their voices."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Final

import discord

from bot.errors import MemberError
from bot.library.names import check_name
from bot.text.names import Names

_UNUSABLE: Final = re.compile(r"[^\w\s'-]")


def names_in(interaction: discord.Interaction, message: discord.Message | None = None) -> Names:
    """Return the names known where ``interaction`` happens, and those ``message`` mentions."""
    members: dict[int, str] = {interaction.user.id: interaction.user.display_name}
    roles: dict[int, str] = {}
    channels: dict[int, str] = {}
    guild = interaction.guild
    if guild is not None and interaction.is_guild_integration():
        members |= {member.id: member.display_name for member in guild.members}
        roles = {role.id: role.name for role in guild.roles}
        channels = {channel.id: channel.name for channel in guild.channels}
    if message is not None:
        members |= {user.id: user.display_name for user in message.mentions}
    return Names(members=members, roles=roles, channels=channels, now=discord.utils.utcnow())


def name_of(person: discord.abc.User) -> str:
    """Return a name for the voice of ``person``: theirs, without the characters that no voice may have."""
    for candidate in (person.display_name, _UNUSABLE.sub(" ", person.display_name)[:32], person.name):
        with suppress(MemberError):
            return check_name(candidate)
    return "Voice"
