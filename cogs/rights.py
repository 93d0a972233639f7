"""Who asks, which player it is about, and who decides for everybody."""

from __future__ import annotations

import discord

from bot.errors import MemberError
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers


def asked(players: GuildPlayers, interaction: discord.Interaction) -> tuple[GuildPlayer, discord.Member]:
    """Return the player of this server and who asks. Raises `MemberError` when we are in no voice channel."""
    player = players.get(interaction.guild_id or 0)
    if player is None or not isinstance(interaction.user, discord.Member):
        raise MemberError("I am not in a voice channel. Join one and type /join.")
    return player, interaction.user


def decides(member: discord.Member, player: GuildPlayer) -> bool:
    """Return whether ``member`` decides for everybody: a moderator, or the only person listening."""
    channel = player.channel
    if channel is None:
        return False
    listeners = [other for other in channel.members if not other.bot]
    return channel.permissions_for(member).mute_members or listeners == [member]
