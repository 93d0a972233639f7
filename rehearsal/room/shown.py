"""Messages as the page shows them to one person."""

from __future__ import annotations

from rehearsal.messages import Message
from rehearsal.people import Person
from rehearsal.rules.commands import CHAT_INPUT
from rehearsal.server import Rehearsal
from rehearsal.snowflakes import time_of
from rehearsal.users import User
from rehearsal.wire import Json

_EXCERPT = 120


def is_seen_by(message: Message, person: Person) -> bool:
    """Return whether ``person`` sees the message."""
    return not message.deleted and (not message.ephemeral or message.seen_by == person.id)


def version_of(message: Message) -> tuple[object, ...]:
    """Return a value that changes whenever what is shown of the message does."""
    files = tuple(file.id for file in message.files)
    parts = (repr(message.embeds), repr(message.components))
    return (message.content, message.flags, message.edited_at, message.deleted, files, *parts)


def shown(rehearsal: Rehearsal, message: Message) -> Json:
    """Return the message for the page; its files' addresses are paths that the room itself serves."""
    channel = rehearsal.parts.directory.channels.get(message.channel_id)
    return {
        "id": str(message.id),
        "channel": str(message.channel_id),
        "author": _author(message.author),
        "at": time_of(message.id).timestamp(),
        "edited": message.edited_at is not None and not message.thinking and message.interaction is None,
        "content": message.content,
        "ephemeral": message.ephemeral,
        "thinking": message.thinking,
        "voice_message": message.voice_message,
        "v2": message.components_v2,
        "embeds": message.embeds,
        "components": message.components,
        "files": [_file(payload) for payload in rehearsal.parts.publisher.payload(message)["attachments"]],
        "used": _used(rehearsal, message),
        "reply": _reply(message, channel.messages if channel else {}),
    }


def _author(user: User) -> Json:
    return {"id": str(user.id), "name": user.name, "bot": user.bot}


def _file(attachment: Json) -> Json:
    return {
        "id": attachment["id"],
        "name": attachment["filename"],
        "size": attachment["size"],
        "type": attachment["content_type"],
        "url": attachment["url"].removeprefix("https://cdn.discordapp.com"),
        "description": attachment.get("description"),
        "seconds": attachment.get("duration_secs"),
        "waveform": attachment.get("waveform"),
    }


def _used(rehearsal: Rehearsal, message: Message) -> Json | None:
    interaction = message.interaction
    if interaction is None or not interaction.get("name"):
        return None
    name = str(interaction["name"])
    slash = rehearsal.commands.find(CHAT_INPUT, name.partition(" ")[0], message.guild_id) is not None
    return {"name": f"/{name}" if slash else name, "by": interaction["user"]["global_name"]}


def _reply(message: Message, messages: dict[int, Message]) -> Json | None:
    if message.reference is None:
        return None
    source = messages.get(int(message.reference["message_id"]))
    if source is None or source.deleted:
        return {"author": "", "excerpt": "The message was deleted."}
    return {"author": source.author.name, "excerpt": source.content[:_EXCERPT] or "a file"}
