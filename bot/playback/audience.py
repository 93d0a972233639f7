"""Who is in a voice channel."""

from __future__ import annotations

import discord

VoiceRoom = discord.VoiceChannel | discord.StageChannel
"""Where the bot can speak."""


def humans_in(channel: VoiceRoom) -> list[int]:
    """Return the ids of the people in ``channel``.

    Without the members intent a person may be unknown to us; only who is known as a bot is none.
    """
    guild = channel.guild
    return [member_id for member_id in channel.voice_states if not _is_bot(guild, member_id)]


def _is_bot(guild: discord.Guild, member_id: int) -> bool:
    member = guild.get_member(member_id)
    return member is not None and member.bot
