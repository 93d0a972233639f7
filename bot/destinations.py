"""Where speech can go from where a member asks: the conversation, their voice channel, or both."""

from __future__ import annotations

import discord

from bot.errors import MemberError
from bot.models import Destination
from bot.playback.audience import VoiceRoom
from bot.playback.permissions import why_not_speak_in

_HEARD = (Destination.VOICE_CHANNEL, Destination.BOTH)


def destination_of(
    interaction: discord.Interaction, wish: Destination | None
) -> tuple[Destination, VoiceRoom | None]:
    """Return where the speech goes, and the voice channel if it is heard in one.

    Raises `MemberError` where the wish cannot be fulfilled.
    """
    channel = None
    if wish is None or wish in _HEARD:
        channel = voice_channel_of(interaction)
        reason = why_not_voice(interaction, channel)
        if reason is not None:
            if wish is not None:
                raise MemberError(reason)
            channel = None
    to = wish or (Destination.BOTH if channel else Destination.HERE)
    if to is not Destination.VOICE_CHANNEL and not interaction.app_permissions.attach_files:
        raise MemberError("I may not send files here: I need the permission Attach Files.")
    return to, channel


def shelf_of(interaction: discord.Interaction) -> int:
    """Return whose voices are meant here: the server's id, or outside servers the member's own."""
    guild_id = interaction.guild_id
    is_in_server = guild_id is not None and interaction.is_guild_integration()
    return guild_id if guild_id is not None and is_in_server else interaction.user.id


def may_write(interaction: discord.Interaction) -> bool:
    """Return whether the bot may send messages of its own where ``interaction`` happens, in a server."""
    allowed = interaction.app_permissions
    if isinstance(interaction.channel, discord.Thread):
        return allowed.view_channel and allowed.send_messages_in_threads
    return allowed.view_channel and allowed.send_messages


def voice_channel_of(interaction: discord.Interaction) -> VoiceRoom | None:
    """Return the voice channel in which the member is, if the bot can know of it."""
    user = interaction.user
    if not interaction.is_guild_integration() or not isinstance(user, discord.Member):
        return None
    return user.voice.channel if user.voice else None


def why_not_voice(interaction: discord.Interaction, channel: VoiceRoom | None) -> str | None:
    """Return why the bot cannot be heard in ``channel``, the member's own, as a sentence; None: it can."""
    if interaction.guild is None or not interaction.is_guild_integration():
        return "I can speak in a voice channel only in servers I have been added to. Try to: here."
    if channel is None:
        return "Join a voice channel first, or choose to: here."
    return why_not_speak_in(channel, interaction.guild.me)
