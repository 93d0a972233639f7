"""The names behind mentions, so that they can be spoken."""

from __future__ import annotations

import discord

from bot.text.names import Names


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
