"""Permissions in voice channels: who listens there, and why the bot cannot be heard, in words."""

from __future__ import annotations

import discord

VoiceChannelLike = discord.VoiceChannel | discord.StageChannel
"""Where the bot can speak."""


def listeners_in(channel: VoiceChannelLike) -> list[int]:
    """Return the ids of the people in ``channel``.

    Without the members intent a person may be unknown to us; only who is known as a bot is none.
    """
    guild = channel.guild
    return [member_id for member_id in channel.voice_states if not _is_bot(guild, member_id)]


def _is_bot(guild: discord.Guild, member_id: int) -> bool:
    member = guild.get_member(member_id)
    return member is not None and member.bot


def speak_permission_error(channel: VoiceChannelLike, me: discord.Member) -> str | None:
    """Return the sentence for the member, or None when ``me`` can speak in ``channel``."""
    rights = channel.permissions_for(me)
    if not rights.view_channel:
        return missing_permission("View Channel", channel.id)
    if not rights.connect:
        return missing_permission("Connect", channel.id)
    if channel == channel.guild.afk_channel:
        return "Nobody can be heard in the AFK channel. Join another voice channel."
    if _is_full(channel, me, rights):
        return (
            f"{channel.mention} is full. Ask someone to leave, raise its user limit, or give me "
            'the permission "Move Members".'
        )
    if isinstance(channel, discord.StageChannel):
        return _why_not_on_stage(channel, me, rights)
    if not rights.speak:
        return missing_permission("Speak", channel.id)
    if _is_inside(channel, me) and me.voice is not None and me.voice.mute:
        return f"I'm server-muted in {channel.mention}. A moderator can unmute me."
    return None


def hearing_permission_error_in(channel: VoiceChannelLike, me: discord.Member) -> str | None:
    """Return the sentence for the member, or None when ``me``, who is in ``channel``, is heard there."""
    voice = me.voice
    if isinstance(channel, discord.StageChannel) and voice is not None and voice.suppress:
        return f"I'm only in the audience of the stage {channel.mention}. A moderator can invite me to speak."
    return speak_permission_error(channel, me)


def missing_permission(permission: str, channel_id: int) -> str:
    """Return the sentence for a permission that the bot lacks in a channel of a server."""
    return (
        f'I need the permission "{permission}" in <#{channel_id}>. A moderator can give it to my role '
        "in the channel's settings."
    )


def _is_inside(channel: VoiceChannelLike, me: discord.Member) -> bool:
    return me.id in channel.voice_states


def _is_full(channel: VoiceChannelLike, me: discord.Member, rights: discord.Permissions) -> bool:
    if not channel.user_limit or rights.move_members or _is_inside(channel, me):
        return False
    return len(channel.voice_states) >= channel.user_limit


def _why_not_on_stage(
    channel: discord.StageChannel, me: discord.Member, rights: discord.Permissions
) -> str | None:
    invited = _is_inside(channel, me) and me.voice is not None and not me.voice.suppress
    if invited or rights.mute_members:
        return None
    return (
        f"I'm only in the audience of the stage {channel.mention}. Give me the permission \"Mute "
        'Members" there, or join a voice channel.'
    )
