"""Voice messages: Discord's bubble with a waveform, in a message of its own."""

from __future__ import annotations

import asyncio
import logging
import secrets
from typing import Any, Final

import discord
from discord.http import handle_message_parameters

from bot.audio.formats import VoiceMessage
from bot.delivery.offer import PASSING, MemoryFile
from bot.errors import MemberError

log = logging.getLogger(__name__)

_FILE: Final = "voice-message.ogg"
_PAUSES: Final = (1.0, 2.0, 4.0)
"""Seconds between the tries of sending one."""

_TRY_SECONDS: Final = 60.0


_NOT_TAKEN: Final = "Discord did not take the voice message. Try again in a minute."


class _VoiceFile(MemoryFile):
    """File with the fields of a voice message, which discord.py 2.7.1 does not know."""

    def __init__(self, message: VoiceMessage) -> None:
        super().__init__(message.ogg, _FILE)
        self._more = {"duration_secs": message.seconds, "waveform": message.waveform}

    def to_dict(self, index: int) -> dict[str, Any]:
        """Return the description of the file that goes with its bytes."""
        return {**super().to_dict(index), **self._more}


def voice_message_permission_error(interaction: discord.Interaction) -> str | None:
    """Return why no voice message can be sent where ``interaction`` happens, in a few words; None: it can.

    They are messages of the bot's own, so it has to be a member there.
    """
    if interaction.guild_id is None or not interaction.is_guild_integration():
        return "I can send voice messages only in servers I have been added to"
    allowed = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    may_send = allowed.send_messages_in_threads if in_thread else allowed.send_messages
    send = "Send Messages in Threads" if in_thread else "Send Messages"
    # Without the first ones there are no others either, so that the decisive one is named.
    needed = {
        "View Channel": allowed.view_channel,
        send: may_send,
        "Send Voice Messages": allowed.send_voice_messages,
    }
    for permission, is_given in needed.items():
        if not is_given:
            return f'I need the permission "{permission}" here for voice messages'
    return None


async def send_voice_message(
    client: discord.Client, channel_id: int, message: VoiceMessage, *, reply_to: discord.Message | None = None
) -> None:
    """Send a voice message, once however often that is tried. It carries neither words nor buttons.

    Raises `MemberError` if Discord does not take it.
    """
    answered = reply_to.to_reference(fail_if_not_exists=False) if reply_to else None
    reference: Any = answered.to_message_reference_dict() if answered else discord.utils.MISSING
    nonce = secrets.randbits(63)  # under one nonce Discord makes one message of all tries
    for pause in (*_PAUSES, None):
        with handle_message_parameters(
            file=_VoiceFile(message),
            flags=discord.MessageFlags(voice=True),
            allowed_mentions=discord.AllowedMentions.none(),
            message_reference=reference,
            nonce=nonce,
        ) as params:
            try:
                async with asyncio.timeout(_TRY_SECONDS):
                    await client.http.send_message(channel_id, params=params)
                return
            except (discord.HTTPException, *PASSING) as error:
                code = error.code if isinstance(error, discord.HTTPException) else type(error).__name__
                if pause is None or not isinstance(error, PASSING):
                    log.warning("Discord did not take a voice message: %s", code)
                    raise MemberError(_NOT_TAKEN) from None
        await asyncio.sleep(pause)
