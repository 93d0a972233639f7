"""Intake of messages: which of them are read where the bot sits, and what is said of each."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, Final

import discord

from bot.library.library import Library
from bot.library.reading import ReadingRules
from bot.library.voice import Scope
from bot.playback.permissions import VoiceChannelLike
from bot.reading.backlog import ReadMessage
from bot.reading.dictionary import Dictionary
from bot.reading.rules import (
    Attached,
    AttachmentKind,
    Said,
    Written,
    said_of,
    sayable_name,
    shortened,
    unread_reason,
)
from bot.text.characters import has_words
from bot.text.discord_markup import Names
from bot.text.languages import ENGLISH
from bot.text.words import WORDS

_COMMANDS: Final = (discord.MessageType.chat_input_command, discord.MessageType.context_menu_command)
_KINDS: Final = {
    # by the first half of the content type, and where Discord knows none by the ending
    "image": AttachmentKind.IMAGE,
    "video": AttachmentKind.VIDEO,
    "audio": AttachmentKind.SOUND,
}
_ENDINGS: Final = {
    **dict.fromkeys(("png", "jpg", "jpeg", "webp", "avif", "heic", "bmp"), AttachmentKind.IMAGE),
    **dict.fromkeys(("mp4", "mov", "webm", "mkv", "m4v"), AttachmentKind.VIDEO),
    **dict.fromkeys(("mp3", "wav", "ogg", "m4a", "flac", "opus"), AttachmentKind.SOUND),
    "gif": AttachmentKind.GIF,
}
_MAX_KNOWN: Final = 500


def written_of(message: discord.Message) -> Written:
    """Return what a message shows, as the rules know it."""
    poll = message.poll
    cards = [embed for embed in message.embeds if embed.type == "rich"] if message.author.bot else []
    card = "\n".join(text for one in cards for text in (one.title, one.description) if text)
    return Written(
        content="\n".join(filter(None, (message.content, card))),
        attached=_attached(message.attachments),
        stickers=tuple(sticker.name for sticker in message.stickers),
        forwarded=tuple(_forwarded(one) for one in message.message_snapshots),
        question=str(poll.question or "") if poll is not None else "",
        answers=tuple(answer.text for answer in poll.answers) if poll is not None else (),
        is_silent=message.flags.suppress_notifications,
        is_bots=message.author.bot or message.webhook_id is not None,
        is_commands_answer=message.type in _COMMANDS or message.interaction_metadata is not None,
        is_systems=message.is_system() or message.type is discord.MessageType.thread_starter_message,
    )


def _forwarded(one: discord.MessageSnapshot) -> Written:
    stickers = tuple(sticker.name for sticker in one.stickers)
    return Written(content=one.content, attached=_attached(one.attachments), stickers=stickers)


def _attached(attachments: Sequence[discord.Attachment]) -> tuple[Attached, ...]:
    return tuple(Attached(_kind_of(one), is_hidden=one.is_spoiler()) for one in attachments)


def _kind_of(attachment: discord.Attachment) -> AttachmentKind:
    if attachment.is_voice_message():
        return AttachmentKind.VOICE_MESSAGE
    content_type = (attachment.content_type or "").lower()
    if content_type.startswith("image/gif"):
        return AttachmentKind.GIF
    kind = _KINDS.get(content_type.partition("/")[0])
    return kind or _ENDINGS.get(attachment.filename.rpartition(".")[2].lower(), AttachmentKind.FILE)


def names_of(message: discord.Message) -> Names:
    """Return what is mentioned in a message: Discord says with it whom it mentions."""
    people = {person.id: person.display_name for person in message.mentions}
    channels = {channel.id: channel.name for channel in message.channel_mentions}
    roles = {role.id: role.name for role in message.role_mentions}
    return Names(members=people, channels=channels, roles=roles, now=message.created_at)


def scope_of_author(guild: discord.Guild, author: discord.abc.User) -> Scope:
    """Return the scope of whoever wrote a message; nobody is a moderator for what they write."""
    roles = author.roles if isinstance(author, discord.Member) else []
    return Scope(guild.id, author.id, frozenset(role.id for role in roles))


def is_heard(author: discord.abc.User, channel: VoiceChannelLike, rules: ReadingRules) -> bool:
    """Return whether what somebody writes is read in ``channel``, by where they sit themselves.

    Bots and webhooks sit nowhere. In the audience of a stage nobody is heard, also not by us.
    """
    if author.bot:
        return rules.reads_bots
    state = channel.guild._voice_state_for(author.id)
    if state is None or state.channel != channel:
        return rules.reads_outsiders
    return not (isinstance(channel, discord.StageChannel) and state.suppress)


class Intake:
    """Intake of one process: it asks the library what counts for each message, and keeps little in memory."""

    def __init__(self, library: Library) -> None:
        self._library = library
        self._dictionaries: OrderedDict[int, tuple[object, Dictionary]] = OrderedDict()  # by guild
        self._languages: OrderedDict[tuple[int, int], str] = OrderedDict()  # of an author's last message

    async def take(
        self, message: discord.Message, channel: VoiceChannelLike, now: float
    ) -> ReadMessage | None:
        """Return what is to be said of a message in ``channel``; None: it is not read.

        Raises `LibraryError`.
        """
        guild, author = channel.guild, message.author
        library = self._library
        rules, wishes = await library.reading.rules_and_wishes(guild.id, [author.id])
        wish = wishes.get(author.id)
        if author.id in rules.silenced_members or (wish is not None and wish.is_muted):
            return None
        written = written_of(message)
        if unread_reason(written, rules) is not None or not is_heard(author, channel, rules):
            return None
        usage = await library.settings.usage_rules(guild.id)
        scope = scope_of_author(guild, author)
        if not author.bot and usage.permission_error(scope, {message.channel.id}) is not None:
            return None
        dictionary = await self._dictionary(guild.id, rules)
        said = self._said(message, written, rules, dictionary)
        if not has_words(said.text):
            return None
        called = (wish.spoken_name if wish is not None else None) or author.display_name
        return ReadMessage(
            id=message.id,
            channel_id=message.channel.id,
            author_id=author.id,
            role_ids=scope.role_ids,
            name=sayable_name(called, dictionary, said.language) if rules.says_names else "",
            text=await asyncio.to_thread(shortened, said, rules.longest_seconds)
            if len(said.text) > _SURELY_SHORT
            else shortened(said, rules.longest_seconds),
            language=said.language,
            written_at=now,
            longest_wait=rules.longest_wait,
            name_pause=rules.name_pause or None,
        )

    def _said(
        self, message: discord.Message, written: Written, rules: ReadingRules, dictionary: Dictionary
    ) -> Said:
        assert message.guild is not None, "only servers are read"  # noqa: S101
        key = (message.guild.id, message.author.id)
        otherwise = self._languages.get(key) or language_of_guild(message.guild)
        said = said_of(written, rules, names=names_of(message), dictionary=dictionary, otherwise=otherwise)
        _remember(self._languages, key, said.language)
        return said

    async def _dictionary(self, guild_id: int, rules: ReadingRules) -> Dictionary:
        """Return the dictionary of a server: made once, until somebody changes it."""
        version = (rules.words_changed, rules.presets)
        known = self._dictionaries.get(guild_id)
        if known is None or known[0] != version:
            words = await self._library.reading.words(guild_id) if rules.words_changed else []
            known = version, await asyncio.to_thread(Dictionary, words, rules.presets)
            _remember(self._dictionaries, guild_id, known)
        return known[1]

    async def announcement_name(self, member: discord.Member, rules: ReadingRules) -> str:
        """Return what a member is called who comes or goes."""
        _rules, wishes = await self._library.reading.rules_and_wishes(member.guild.id, [member.id])
        wish = wishes.get(member.id)
        called = (wish.spoken_name if wish is not None else None) or member.display_name
        dictionary = await self._dictionary(member.guild.id, rules)
        return sayable_name(called, dictionary, language_of_guild(member.guild))


_SURELY_SHORT: Final = 60
"""Characters that nothing cuts, and that are looked at without a thread."""


def language_of_guild(guild: discord.Guild) -> str:
    """Return the language that a server has chosen at Discord, if we have words in it."""
    code = str(guild.preferred_locale).partition("-")[0]
    code = {"no": "nb"}.get(code, code)
    return code if code in WORDS else ENGLISH


def _remember(known: OrderedDict[Any, Any], key: object, value: object) -> None:
    known[key] = value
    known.move_to_end(key)
    while len(known) > _MAX_KNOWN:
        known.popitem(last=False)
