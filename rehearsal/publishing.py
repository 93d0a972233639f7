"""Writing, editing and deleting messages, and their JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from rehearsal.cdn import Cdn, SentFile, StoredFile
from rehearsal.errors import DiscordAPIError
from rehearsal.events import Events
from rehearsal.payloads import member_payload
from rehearsal.permissions import Permission
from rehearsal.records import Channel, Directory, Message, User
from rehearsal.rules.messages import check_not_empty
from rehearsal.wire import (
    COMPONENTS_V2,
    INTENT_DIRECT_MESSAGES,
    INTENT_GUILD_MESSAGES,
    INTENT_MESSAGE_CONTENT,
    LOADING,
    SUPPRESS_EMBEDS,
    SUPPRESS_NOTIFICATIONS,
    VOICE_MESSAGE,
    Json,
    Snowflakes,
    time_of,
)

_USER_MENTION = re.compile(r"<@!?(\d+)>")
_HIDDEN = ("content", "embeds", "attachments", "components", "message_snapshots", "poll")

_POLL_LASTS: Final = timedelta(days=1)
_FORWARD: Final = 1
"""The type of a message reference that forwards (Discord's documentation, Message Reference Types)."""


class Publisher:
    """Keeps the messages of all channels and tells the bot what it may know of them."""

    def __init__(self, directory: Directory, cdn: Cdn, events: Events, snowflakes: Snowflakes) -> None:
        self._directory = directory
        self._cdn = cdn
        self._events = events
        self._snowflakes = snowflakes

    def publish(
        self,
        channel: Channel,
        author: User,
        payload: Json,
        files: Sequence[SentFile] = (),
        *,
        flags: int = 0,
        seen_by: int | None = None,
        interaction: Json | None = None,
    ) -> Message:
        """Write a message whose body has been checked."""
        message = Message(self._snowflakes.new(), channel.id, author, channel.guild_id, flags=flags)
        message.files = self._stored(message, files)
        message.nonce = payload.get("nonce")
        message.seen_by = seen_by
        message.interaction = interaction
        message.reference = payload.get("message_reference")
        message.stickers, message.poll = (
            tuple(payload.get("stickers") or ()),
            tuple(payload.get("poll") or ()),
        )
        original = self.forwarded_by(payload)
        if original is not None:
            message.forwarded = self._copy(original, folder=channel.id)
        self._fill(message, payload)
        channel.add(message)
        self._tell("MESSAGE_CREATE", message)
        return message

    def forwarded_by(self, payload: Json) -> Message | None:
        """Return the message that this body forwards. Raises 10003 or 10008 where there is none."""
        reference = payload.get("message_reference") or {}
        if reference.get("type", 0) != _FORWARD:
            return None
        channel = self._directory.channel(int(reference.get("channel_id") or 0))
        return self._directory.message(channel, int(reference["message_id"]))

    def _copy(self, original: Message, *, folder: int) -> Message:
        """Return a copy of a message that outlives it, with its files."""
        files = [
            SentFile(file.name, file.data, file.content_type, file.seconds, file.waveform, file.description)
            for file in original.files
        ]
        return replace(original, files=[self._cdn.store(file, folder=folder) for file in files])

    def edit(self, message: Message, payload: Json, files: Sequence[SentFile] = ()) -> None:
        """Change a message: what ``payload`` does not name stays. Raises 50162 for a voice message."""
        if message.voice_message:
            raise DiscordAPIError(400, 50162, "Voice messages cannot be edited.")
        kept = message.files
        if payload.get("attachments") is not None:
            wanted = {str(item["id"]) for item in payload["attachments"]}
            kept = [file for file in message.files if str(file.id) in wanted]
        self._check_something_left(message, payload, len(kept) + len(files))
        for file in message.files:
            if file not in kept:
                self._cdn.forget(file)
        message.files = kept + self._stored(message, files)
        settable = COMPONENTS_V2 | SUPPRESS_EMBEDS
        message.flags = (message.flags & ~LOADING) | ((payload.get("flags") or 0) & settable)
        self._fill(message, payload)
        message.mark_edited()
        self._tell("MESSAGE_UPDATE", message)

    def delete(self, message: Message) -> None:
        """Delete a message and its files."""
        for file in message.files:
            self._cdn.forget(file)
        message.mark_deleted()
        data: Json = {"id": str(message.id), "channel_id": str(message.channel_id)}
        if message.guild_id is not None:
            data["guild_id"] = str(message.guild_id)
        if not message.ephemeral:
            self._events.send("MESSAGE_DELETE", data, guild_id=message.guild_id, intents=_intents(message))

    def _check_something_left(self, message: Message, payload: Json, files: int) -> None:
        whole: Json = {
            "content": message.content,
            "embeds": message.embeds,
            "components": message.components,
        }
        if not files:
            check_not_empty(whole | {key: payload[key] for key in whole if key in payload}, ())

    def _stored(self, message: Message, files: Sequence[SentFile]) -> list[StoredFile]:
        folder, ephemeral = message.channel_id, message.ephemeral
        return [self._cdn.store(file, folder=folder, ephemeral=ephemeral) for file in files]

    def _fill(self, message: Message, payload: Json) -> None:
        if "content" in payload:
            message.content = (payload["content"] or "").strip()
        if "embeds" in payload:
            message.embeds = payload["embeds"] or []
        if "components" in payload:
            message.components = payload["components"] or []
        message.allowed_mentions = payload.get("allowed_mentions")
        message.pinged, message.pings_everyone = self._pings(message)

    def _pings(self, message: Message) -> tuple[set[int], bool]:
        """Return who is notified: `allowed_mentions` decides.

        Without it every mention counts, but in answers to interactions only those of users.
        """
        allowed = message.allowed_mentions
        by_default = {"users"} if message.interaction else {"users", "roles", "everyone"}
        parse = by_default if allowed is None else set(allowed.get("parse") or [])
        mentioned = {int(found) for found in _USER_MENTION.findall(message.content)}
        if "users" not in parse:
            mentioned &= {int(user) for user in (allowed or {}).get("users") or []}
        if _is_reply(message) and (allowed is None or allowed.get("replied_user")):
            mentioned |= self._pinged_by_reply(message)
        everyone = "everyone" in parse and ("@everyone" in message.content or "@here" in message.content)
        return mentioned, everyone and self._may_ping_everyone(message)

    def _pinged_by_reply(self, message: Message) -> set[int]:
        """Return who wrote what is replied to; of an answer to an interaction the bot does not hear."""
        channel, reference = self._directory.channels[message.channel_id], message.reference or {}
        replied = channel.messages.get(int(reference["message_id"]))
        return {replied.author.id} if replied is not None and replied.interaction is None else set()

    def _may_ping_everyone(self, message: Message) -> bool:
        channel = self._directory.channels[message.channel_id]
        guild = self._directory.guild_of(channel)
        if guild is None:
            return False
        return bool(guild.permissions_of(message.author.id, channel) & Permission.MENTION_EVERYONE)

    def _tell(self, event: str, message: Message) -> None:
        channel = self._directory.channels[message.channel_id]
        overheard = channel.guild_id is None and self._directory.bot not in channel.recipients
        if message.ephemeral or overheard:
            return
        data = self.payload(message, member=True)

        def build(intents: int) -> Json:
            return data if intents & INTENT_MESSAGE_CONTENT else self._without_content(message, data)

        self._events.send_built(event, build, guild_id=message.guild_id, intents=_intents(message))

    def _without_content(self, message: Message, payload: Json) -> Json:
        """Return what a bot without the message content intent learns, on the main socket and by REST."""
        bot = self._directory.bot
        if message.guild_id is None or message.author == bot or bot.id in message.pinged:
            return payload
        hidden = {key: "" if key == "content" else [] for key in _HIDDEN if key in payload and key != "poll"}
        return {key: value for key, value in payload.items() if key != "poll"} | hidden

    def shows_content(self, message: Message) -> bool:
        """Return whether the bot may know what is in a message, as far as a REST call tells it."""
        return self.fetched_payload(message) == self.payload(message)

    def fetched_payload(self, message: Message) -> Json:
        """Return what a REST call tells the bot of a message."""
        payload = self.payload(message)
        if self._directory.privileged_intents & INTENT_MESSAGE_CONTENT:
            return payload
        return self._without_content(message, payload)

    def payload(self, message: Message, *, member: bool = False) -> Json:
        """Return a message's JSON, with fresh addresses of its files."""
        users = [self._directory.users[i] for i in sorted(message.pinged) if i in self._directory.users]
        edited = message.edited_at
        payload: Json = {
            "id": str(message.id),
            "channel_id": str(message.channel_id),
            "author": message.author.payload(),
            "content": message.content,
            "timestamp": time_of(message.id).isoformat(),
            "edited_timestamp": edited.isoformat() if edited else None,
            "tts": False,
            "mention_everyone": message.pings_everyone,
            "mentions": [user.payload() for user in users],
            "mention_roles": [],
            "attachments": [self._cdn.payload(file) for file in message.files],
            "embeds": [{"type": "rich"} | embed for embed in message.embeds],
            "components": message.components,
            "flags": message.flags,
            "pinned": False,
            "type": 0,
        }
        return payload | self._origin(message) | self._guild_part(message, member=member)

    def _origin(self, message: Message) -> Json:
        payload: Json = {}
        if message.nonce is not None:
            payload["nonce"] = message.nonce
        if message.reference is not None:
            payload |= {"message_reference": message.reference, "type": 19 if _is_reply(message) else 0}
        if message.stickers:
            payload["sticker_items"] = [
                {"id": str(number), "name": name, "format_type": 1}
                for number, name in enumerate(message.stickers, start=message.id + 1)
            ]
        if message.poll:
            payload["poll"] = _poll(message)
        if message.forwarded is not None:
            payload["message_snapshots"] = [{"message": self._snapshot(message.forwarded)}]
        if message.interaction is not None:
            payload |= {
                "interaction_metadata": message.interaction,
                "webhook_id": str(self._directory.bot.id),
                "application_id": str(self._directory.bot.id),
                "type": 20 if message.interaction["type"] == 2 else 0,
            }
        return payload

    def _snapshot(self, forwarded: Message) -> Json:
        """Return what a forward shows of the original: not who wrote it."""
        whole = self.payload(forwarded)
        return {key: whole[key] for key in _SNAPSHOT}

    def _guild_part(self, message: Message, *, member: bool) -> Json:
        guild = self._directory.guilds.get(message.guild_id or 0)
        if not member or guild is None:
            return {}
        author = guild.members.get(message.author.id)
        return {"guild_id": str(guild.id)} | (
            {"member": member_payload(author, user=False)} if author is not None else {}
        )


_SNAPSHOT: Final = (
    *("type", "content", "embeds", "attachments", "timestamp", "edited_timestamp", "flags"),
    *("mentions", "mention_roles", "components"),
)


def _poll(message: Message) -> Json:
    question, *answers = message.poll
    return {
        "question": {"text": question},
        "answers": [
            {"answer_id": number, "poll_media": {"text": text}}
            for number, text in enumerate(answers, start=1)
        ],
        "expiry": (time_of(message.id) + _POLL_LASTS).isoformat(),
        "allow_multiselect": False,
        "layout_type": 1,
        "results": {"is_finalized": False, "answer_counts": []},
    }


def _is_reply(message: Message) -> bool:
    return message.reference is not None and message.forwarded is None


def _intents(message: Message) -> int:
    return INTENT_DIRECT_MESSAGES if message.guild_id is None else INTENT_GUILD_MESSAGES


def reply_flags(given: int, *, ephemeral: bool) -> int:
    """Return the flags of a new message out of those a body asks for."""
    kept = given & (COMPONENTS_V2 | SUPPRESS_EMBEDS | SUPPRESS_NOTIFICATIONS | VOICE_MESSAGE)
    return kept | (1 << 6 if ephemeral else 0)
