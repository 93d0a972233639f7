"""Recordings in Discord: the attachment of a command, of a message, or behind a link to one."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import discord

from bot.errors import MemberError
from bot.limits import MAX_REFERENCE_BYTES, MAX_URL_CHARS
from bot.models import ReferenceAudio

_LINK: Final = re.compile(
    r"https://(?:(?:ptb|canary)\.)?discord(?:app)?\.com/channels/(?P<guild>\d{15,20}|@me)"
    r"/(?P<channel>\d{15,20})/(?P<message>\d{15,20})/?"
)
_CDN_HOSTS: Final = ("cdn.discordapp.com", "media.discordapp.net")

_LOOK_SECONDS: Final = 2.0
"""The longest that a member waits for a message behind a link."""

CLONE_MENU: Final = "Clone this voice"
SAVE_MENU: Final = "Save this voice"
"""Message menus that do with a message's recording what a command does with an upload."""

_BY_MENU: Final = "Right-click the message and choose Apps, {}."
_NOT_THEIR_MESSAGE: Final = (
    "Someone else wrote that message, so I'll ask them whether it's their voice. Leave out "
    "`speaker`. Only members with Manage Messages there can name someone else; then I ask both."
)
_HOW_TO_LINK: Final = "Copy a link with right-click on the message, then Copy Message Link."
_BY_A_BOT: Final = (
    "A bot sent that, so it isn't anyone's own voice. To keep a take, press Save voice under it."
)


RECORDING_OPTIONS: Final = {
    "message": "Or a link to a message with such a recording",
    "speaker": "Whose voice it is, if it isn't yours; I ask them first",
    "transcript": "Exact words of the recording; improves the likeness",
}
"""Descriptions of the options that every command with a recording has."""


def reference_from(attachment: discord.Attachment) -> ReferenceAudio:
    """Return ``attachment`` as reference audio: its signed Discord address.

    Raises `MemberError` if it cannot be one. What it is, its bytes say, and not its name; the content type
    follows from the name too.
    """
    if attachment.size > MAX_REFERENCE_BYTES:
        limit = MAX_REFERENCE_BYTES // 1024**2
        raise MemberError(f"That recording is larger than {limit} MB. Cut it to the best 10 seconds.")
    url = attachment.url
    host = url.removeprefix("https://").split("/", 1)[0]
    if host not in _CDN_HOSTS or len(url) > MAX_URL_CHARS:
        raise MemberError("That recording isn't from Discord. Upload it here.")
    return ReferenceAudio(url)


@dataclass(frozen=True, slots=True)
class FoundRecording:
    """Recording, and whose voice is said to be heard in it.

    ``author`` wrote the message with it, where that is neither the speaker nor who asks.
    """

    attachment: discord.Attachment
    speaker: discord.abc.User
    author: discord.abc.User | None = None

    @property
    def people(self) -> tuple[discord.abc.User, ...]:
        """Who has to agree, if it is not the voice of who asks."""
        return (self.speaker,) if self.author is None else (self.speaker, self.author)


async def recording_from(
    interaction: discord.Interaction,
    attachment: discord.Attachment | None,
    link: str | None,
    speaker: discord.abc.User | None,
    *,
    menu: str,
) -> FoundRecording:
    """Return the one recording that a member gave: a file, or behind a link to a message.

    The voice is that of ``speaker`` where one is named; otherwise of who wrote the message, or of who
    uploaded the file. Nobody can name themselves for somebody else's message, and another than its author
    only who may manage messages there. ``menu`` is the message menu that does the same. Raises `MemberError`.
    """
    if attachment is not None and link is not None:
        raise MemberError("Add one recording: either a file, or a link to a message with one.")
    if attachment is None and link is None:
        raise MemberError(f"Add one recording as a file. Is it in a message? {_BY_MENU.format(menu)}")
    if attachment is not None:
        found = FoundRecording(attachment, speaker or interaction.user)
    else:
        try:
            async with asyncio.timeout(_LOOK_SECONDS):
                message = await message_behind(link or "", interaction, menu=menu)
        except TimeoutError:
            raise MemberError("Discord didn't show me that message in time. Try again.") from None
        found = await recording_by(message, interaction.user, speaker)
    reference_from(found.attachment)
    return found


async def recording_by(
    message: discord.Message, asker: discord.abc.User, speaker: discord.abc.User | None = None
) -> FoundRecording:
    """Return the recording of ``message``, which may forward it, with its speaker as `recording_from` says.

    What is forwarded is the voice of who wrote the original. Where the original cannot be seen it counts as
    what the ``asker`` uploads, if they have forwarded it. A bot's message is nobody's voice, whoever is said
    to be heard in it. Raises `MemberError`.
    """
    attachment = recording_in(message)
    written: discord.Message | None = message
    if attachment not in message.attachments:
        written = await _original_of(message) or (message if message.author.id == asker.id else None)
    if written is not None and _is_by_bot(written):
        raise MemberError(_BY_A_BOT)
    author = None if written is None else written.author
    if author is None:
        raise MemberError(
            "That recording was forwarded, and I can't see who sent it first. Use the original message."
        )
    if speaker is None or speaker.id == author.id:
        return FoundRecording(attachment, author)
    if author.id == asker.id:
        return FoundRecording(attachment, speaker)
    if speaker.id == asker.id:  # it is the author who knows whether that is so
        return FoundRecording(attachment, author)
    if not _may_manage(message, asker):
        raise MemberError(_NOT_THEIR_MESSAGE)
    return FoundRecording(attachment, speaker, author)


def _may_manage(message: discord.Message, member: discord.abc.User) -> bool:
    channel = message.channel
    if not isinstance(channel, discord.abc.GuildChannel | discord.Thread):
        return False
    return isinstance(member, discord.Member) and channel.permissions_for(member).manage_messages


def _is_by_bot(message: discord.Message) -> bool:
    """Return whether an app has sent ``message``, as itself or through a webhook."""
    return message.author.bot or message.webhook_id is not None


async def _original_of(message: discord.Message) -> discord.Message | None:
    """Return the message that ``message`` forwards; None where it cannot be seen."""
    original, guild = message.reference, message.guild
    if original is None or original.message_id is None or guild is None or original.guild_id != guild.id:
        return None
    channel = guild.get_channel_or_thread(original.channel_id)
    if not isinstance(channel, discord.abc.Messageable):
        return None
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            return await channel.fetch_message(original.message_id)
    except (discord.HTTPException, OSError, TimeoutError):
        return None


def recording_in(message: discord.Message) -> discord.Attachment:
    """Return the likeliest recording of ``message``, or of what it forwards.

    Raises `MemberError` where there is none, and for what a bot has sent.
    """
    if _is_by_bot(message):
        raise MemberError(_BY_A_BOT)
    found = max(_attachments_of(message), key=_likelihood, default=None)
    if found is None or not _likelihood(found):
        raise MemberError("That message has no recording. Choose one with a voice message or an audio file.")
    return found


def _attachments_of(message: discord.Message) -> Iterator[discord.Attachment]:
    yield from message.attachments
    for forwarded in message.message_snapshots:
        yield from forwarded.attachments


def _likelihood(attachment: discord.Attachment) -> int:
    """Return how likely it is a recording, by what Discord takes it for; 0: it is none."""
    kind = (attachment.content_type or "").split("/", 1)[0]
    return {"audio": 3, "video": 2, "image": 0, "text": 0}.get(kind, 1)


async def message_behind(link: str, interaction: discord.Interaction, *, menu: str) -> discord.Message:
    """Return the message that ``link`` leads to.

    Raises `MemberError` if it is no such link, leads out of this conversation's server, to a channel the
    member cannot read, or to a message that is gone.
    """
    match = _LINK.fullmatch(link.strip())
    if match is None:
        raise MemberError(f"That isn't a link to a message. {_HOW_TO_LINK}")
    channel = await _readable_channel(interaction, match["guild"], int(match["channel"]))
    try:
        message = await channel.fetch_message(int(match["message"]))
    except discord.NotFound:
        raise MemberError("That message is gone. Upload the recording instead.") from None
    except discord.Forbidden:
        raise MemberError(f"I can't read that channel. {_BY_MENU.format(menu)}") from None
    if _is_hidden(message):
        raise MemberError(f"Discord doesn't show me what's in that message. {_BY_MENU.format(menu)}")
    return message


async def _readable_channel(
    interaction: discord.Interaction, guild_id: str, channel_id: int
) -> discord.abc.Messageable:
    """Return a channel that both the member and the bot can read: nobody hears what they may not see."""
    refusal = MemberError("I can only use messages of this server that you can read yourself.")
    guild = interaction.guild
    if guild is None or not interaction.is_guild_integration():
        if guild_id == "@me" and channel_id == interaction.channel_id:
            return interaction.client.get_partial_messageable(channel_id)
        raise MemberError("Links only work in a server. Here, upload the recording.")
    channel = guild.get_channel_or_thread(channel_id) if guild_id == str(guild.id) else None
    if channel is None or not isinstance(channel, discord.abc.Messageable):
        raise refusal
    if not isinstance(interaction.user, discord.Member):
        raise refusal
    allowed = channel.permissions_for(interaction.user)
    if not (allowed.view_channel and allowed.read_message_history):
        raise refusal
    if isinstance(channel, discord.Thread) and channel.is_private() and not allowed.manage_threads:
        try:  # its parent's permissions say nothing of who has been added to it
            await channel.fetch_member(interaction.user.id)
        except discord.HTTPException:
            raise refusal from None
    return channel


def _is_hidden(message: discord.Message) -> bool:
    """Return whether Discord has emptied ``message``, as it does without the Message Content intent,

    unless the message is from the app, mentions it, or is part of a conversation with it.
    """
    shown = (
        message.content,
        message.attachments,
        message.embeds,
        message.stickers,
        message.message_snapshots,
    )
    return not any(shown)
