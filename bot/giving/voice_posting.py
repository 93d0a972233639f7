"""A voice message in a channel: Discord's bubble with a waveform, in a message of its own."""

from __future__ import annotations

from io import BytesIO
from typing import Any, Final

import discord
from discord.http import handle_message_parameters

from bot.audio.voice_message import VoiceMessage
from bot.destinations import may_write

_FILE: Final = "voice-message.ogg"


class _VoiceFile(discord.File):
    """A file with what makes it a voice message; discord.py 2.7.1 knows no such thing."""

    def __init__(self, message: VoiceMessage) -> None:
        super().__init__(BytesIO(message.ogg), _FILE)
        self._more = {"duration_secs": message.seconds, "waveform": message.waveform}

    def to_dict(self, index: int) -> dict[str, Any]:
        """Return what is said of the file beside its bytes."""
        return {**super().to_dict(index), **self._more}


def why_not_here(interaction: discord.Interaction) -> str | None:
    """Return why no voice message can be sent where ``interaction`` happens, in a few words; None: it can.

    They go into a channel in the bot's own name, so it has to be a member there.
    """
    if interaction.guild_id is None or not interaction.is_guild_integration():
        return "I can send voice messages only in servers I have been added to"
    allowed = interaction.app_permissions
    if not may_write(interaction):
        return "I may not write in this channel"
    if not (allowed.send_voice_messages and allowed.attach_files):
        return "I need the permission Send Voice Messages for voice messages"
    return None


async def send_voice_message(
    client: discord.Client, channel_id: int, message: VoiceMessage, *, reply_to: discord.Message | None = None
) -> None:
    """Send a voice message. It carries neither words nor buttons, and cannot be edited.

    Raises discord.HTTPException.
    """
    file = _VoiceFile(message)
    answered = reply_to.to_reference(fail_if_not_exists=False) if reply_to else None
    reference: Any = answered.to_message_reference_dict() if answered else discord.utils.MISSING
    with handle_message_parameters(
        file=file,
        flags=discord.MessageFlags(voice=True),
        allowed_mentions=discord.AllowedMentions.none(),
        message_reference=reference,
    ) as params:
        await client.http.send_message(channel_id, params=params)
