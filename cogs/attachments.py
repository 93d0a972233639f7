"""Recordings in Discord: the attachment of a command, of a message, or behind a link to one."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final

import discord

from bot.errors import MemberError
from bot.limits import MAX_REFERENCE_BYTES, MAX_URL_CHARS, REFERENCE_EXTENSIONS
from bot.models import ReferenceAudio

_LINK: Final = re.compile(
    r"https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/channels/(?P<guild>\d{15,20}|@me)"
    r"/(?P<channel>\d{15,20})/(?P<message>\d{15,20})/?"
)
_CDN_HOSTS: Final = ("cdn.discordapp.com", "media.discordapp.net")

_LOOK_SECONDS: Final = 2.0
"""The longest that a member waits for a message behind a link."""

_BY_MENU: Final = "Right-click the message and choose Apps, Clone this voice."
_HOW_TO_LINK: Final = "Copy a link with right-click on the message, then Copy Message Link."


RECORDING_OPTIONS: Final = {
    "message": "Or a link to a message with such a recording",
    "of": "Whose voice it is, if it is not yours; they are asked first",
    "transcript": "What is said in the recording, word for word; makes the voice more alike",
}
"""Descriptions of the options that every command with a recording has."""


def reference_from(attachment: discord.Attachment) -> ReferenceAudio:
    """Return ``attachment`` as reference audio: its signed Discord address.

    Raises `MemberError` if it cannot be a recording. Only its name and size are looked at: what the
    bytes are is judged by the TTS gateway, and the content type follows from the name anyway.
    """
    if not _is_recording(attachment):
        kinds = ", ".join(extension.removeprefix(".").upper() for extension in REFERENCE_EXTENSIONS[:6])
        raise MemberError(f"That file is not a recording I know. Use one of: {kinds}.")
    if attachment.size > MAX_REFERENCE_BYTES:
        limit = MAX_REFERENCE_BYTES // 1024**2
        raise MemberError(f"That recording is larger than {limit} MB. Cut it to the best 10 seconds.")
    url = attachment.url
    host = url.removeprefix("https://").split("/", 1)[0]
    if host not in _CDN_HOSTS or len(url) > MAX_URL_CHARS:
        raise MemberError("That recording does not come from Discord. Upload it here.")
    return ReferenceAudio(url)


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """Recording, and whose voice is said to be heard in it."""

    attachment: discord.Attachment
    speaker: discord.abc.User


async def recording_from(
    interaction: discord.Interaction,
    attachment: discord.Attachment | None,
    link: str | None,
    speaker: discord.abc.User | None,
) -> FoundRecording:
    """Return the one recording that a member gave: a file, or behind a link to a message.

    The voice is that of ``speaker`` where one is named; otherwise of who wrote the message, or of who
    uploaded the file. Nobody can name themselves for somebody else's message. Raises `MemberError`.
    """
    if (attachment is None) == (link is None):
        raise MemberError("Add one recording: either a file, or a link to a message with one.")
    author: discord.abc.User = interaction.user
    if attachment is None:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                message = await message_behind(link or "", interaction)
        except TimeoutError:
            raise MemberError("Discord did not show me that message in time. Try again.") from None
        attachment, author = recording_in(message), message.author
    reference_from(attachment)
    is_claimed = speaker is not None and speaker.id == interaction.user.id and author.id != speaker.id
    return FoundRecording(attachment, author if speaker is None or is_claimed else speaker)


def recording_in(message: discord.Message) -> discord.Attachment:
    """Return the first recording of ``message``; raises `MemberError` if it has none."""
    for attachment in message.attachments:
        if _is_recording(attachment):
            return attachment
    raise MemberError(
        "There is no recording in that message. Choose one with a voice message or an audio file."
    )


async def message_behind(link: str, interaction: discord.Interaction) -> discord.Message:
    """Return the message that ``link`` leads to.

    Raises `MemberError` if it is no such link, leads out of this conversation's server, to a channel the
    member cannot read, or to a message that is gone.
    """
    match = _LINK.fullmatch(link.strip())
    if match is None:
        raise MemberError(f"That is not a link to a message. {_HOW_TO_LINK}")
    channel = _readable_channel(interaction, match["guild"], int(match["channel"]))
    try:
        message = await channel.fetch_message(int(match["message"]))
    except discord.NotFound:
        raise MemberError("That message is gone. Upload the recording instead.") from None
    except discord.Forbidden:
        raise MemberError(f"I cannot read that channel. {_BY_MENU}") from None
    if _is_hidden(message):
        raise MemberError(f"Discord does not show me what is in that message. {_BY_MENU}")
    return message


def _readable_channel(
    interaction: discord.Interaction, guild_id: str, channel_id: int
) -> discord.abc.Messageable:
    """Return a channel that both the member and the bot can read: nobody hears what they may not see."""
    refusal = MemberError("I can use only messages of this server that you can read yourself.")
    guild = interaction.guild
    if guild is None or not interaction.is_guild_integration():
        if guild_id == "@me" and channel_id == interaction.channel_id:
            return interaction.client.get_partial_messageable(channel_id)
        raise MemberError("I can use a link only in a server. Here, upload the recording.")
    channel = guild.get_channel_or_thread(channel_id) if guild_id == str(guild.id) else None
    if channel is None or not isinstance(channel, discord.abc.Messageable):
        raise refusal
    if not isinstance(interaction.user, discord.Member):
        raise refusal
    allowed = channel.permissions_for(interaction.user)
    if not (allowed.view_channel and allowed.read_message_history):
        raise refusal
    return channel


def _is_hidden(message: discord.Message) -> bool:
    """Return whether Discord has emptied ``message``, as it does without the Message Content intent,

    unless the message is from the app, mentions it, or is part of a conversation with it.
    """
    return not (message.content or message.attachments or message.embeds or message.stickers)


def _is_recording(attachment: discord.Attachment) -> bool:
    return PurePosixPath(attachment.filename.lower()).suffix in REFERENCE_EXTENSIONS
