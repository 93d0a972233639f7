"""Where speech can go from where a member asks: the conversation, their voice channel, or both."""

from __future__ import annotations

import discord

from bot.errors import MemberError
from bot.models import Destination
from bot.playback.audience import VoiceRoom
from bot.playback.permissions import why_not_speak_in


def destination_of(
    interaction: discord.Interaction, wish: Destination | None
) -> tuple[Destination, VoiceRoom | None]:
    """Return where the speech goes, and the voice channel if it is heard in one.

    Raises `MemberError` where the wish cannot be fulfilled.
    """
    channel = None
    if wish is not Destination.HERE:
        channel = _voice_channel_of(interaction.user) if interaction.is_guild_integration() else None
        reason = _why_not_voice(interaction, channel)
        if reason is not None:
            if wish is not None:
                raise MemberError(reason)
            channel = None
    to = wish or (Destination.BOTH if channel else Destination.HERE)
    if to is not Destination.VOICE_CHANNEL and not interaction.app_permissions.attach_files:
        raise MemberError("I may not send files here: I need the permission Attach Files.")
    return to, channel


def _voice_channel_of(user: discord.User | discord.Member) -> VoiceRoom | None:
    voice = user.voice if isinstance(user, discord.Member) else None
    return voice.channel if voice else None


def _why_not_voice(interaction: discord.Interaction, channel: VoiceRoom | None) -> str | None:
    if interaction.guild is None or not interaction.is_guild_integration():
        return "I can speak in a voice channel only in servers I have been added to. Try to: here."
    if channel is None:
        return "Join a voice channel first, or choose to: here."
    return why_not_speak_in(channel, interaction.guild.me)
