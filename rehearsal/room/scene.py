"""The scene on the page: servers, channels, messages, who is in voice, what the bot is doing."""

from __future__ import annotations

from collections.abc import Mapping

from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.records import Channel, ChannelKind, Message, Sound
from rehearsal.room.setting import Setting
from rehearsal.rules.commands import CHAT_INPUT
from rehearsal.server import Rehearsal
from rehearsal.wire import Json, time_of


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
    author, channel = message.author, rehearsal.directory.channels.get(message.channel_id)
    return {
        "id": str(message.id),
        "channel": str(message.channel_id),
        "author": {"id": str(author.id), "name": author.name, "bot": author.bot},
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
        "pressed": _presser(message),
        "reply": _reply(message, channel.messages if channel else {}),
    }


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


def _presser(message: Message) -> str | None:
    """Return who used a button or a menu, which the message answers."""
    interaction = message.interaction
    return None if interaction is None or interaction.get("name") else interaction["user"]["global_name"]


def _reply(message: Message, messages: dict[int, Message]) -> Json | None:
    if message.reference is None:
        return None
    source = messages.get(int(message.reference["message_id"]))
    if source is None or source.deleted:
        return {"author": "", "excerpt": "The message was deleted."}
    words = " ".join(line.removeprefix("> ") for line in source.content.splitlines())
    return {"author": source.author.name, "excerpt": words or "a file"}


_KINDS = {ChannelKind.TEXT: "text", ChannelKind.VOICE: "voice", ChannelKind.STAGE: "stage"}


class Scene:
    """Describes the room to one person at a time."""

    def __init__(self, rehearsal: Rehearsal, setting: Setting) -> None:
        self._rehearsal = rehearsal
        self._setting = setting

    def payload(
        self,
        person: Person,
        *,
        speaking: set[int],
        tabs: Mapping[int, int],
        bot_ended: bool = False,
        engine: str = "",
    ) -> Json:
        """Return the scene for ``person``: ``speaking`` are channels, ``tabs`` how many each person has."""
        return {
            "me": str(person.id),
            "people": [
                {
                    "id": str(c.person.id),
                    "name": c.person.name,
                    "part": c.standing.value,
                    "about": c.about,
                    "tabs": tabs.get(c.person.id, 0),
                }
                for c in self._setting.characters
            ],
            "bot": self._bot(speaking) | {"ended": bot_ended, "engine": engine},
            "guilds": [self._guild(guild, person, speaking) for guild in self._setting.guilds],
            "dm": str(self._setting.world.dm(person).id),
        }

    def _bot(self, speaking: set[int]) -> Json:
        here = [guild.bot_channel for guild in self._setting.guilds if guild.bot_channel]
        return {
            "id": str(self._rehearsal.application_id),
            "name": self._rehearsal.parts.bot.name,
            "online": self._rehearsal.main_socket.ready,
            "channels": [channel.name for channel in here],
            "speaking_in": [channel.name for channel in here if channel.id in speaking],
            "thinking": sum(
                message.thinking and not message.deleted
                for guild in self._setting.guilds
                for channel in guild.channels.values()
                for message in channel.messages.values()
            ),
        }

    def _guild(self, guild: Guild, person: Person, speaking: set[int]) -> Json:
        channels = [
            self._channel(guild, channel, person, speaking)
            for channel in guild.channels.values()
            if guild.permissions_of(person.id, channel) & Permission.VIEW_CHANNEL
        ]
        roles = [role for role in guild.roles.values() if role.id != guild.id and not role.managed]
        return {
            "id": str(guild.id),
            "name": guild.name,
            "channels": channels,
            "roles": [{"id": str(role.id), "name": role.name} for role in roles],
            "members": [str(user_id) for user_id in guild.members],
            "sounds": [_sound(sound) for sound in guild.sounds.values()],
        }

    def _channel(self, guild: Guild, channel: Channel, person: Person, speaking: set[int]) -> Json:
        permissions = guild.permissions_of(person.id, channel)
        return {
            "id": str(channel.id),
            "name": channel.name,
            "kind": _KINDS[channel.kind],
            "limit": channel.user_limit,
            "can_write": bool(permissions & Permission.SEND_MESSAGES),
            "can_connect": bool(permissions & Permission.CONNECT),
            "can_delete": bool(permissions & Permission.MANAGE_MESSAGES),
            "occupants": [
                self._occupant(guild, user_id, channel, speaking) for user_id in guild.occupants(channel)
            ],
        }

    def _occupant(self, guild: Guild, user_id: int, channel: Channel, speaking: set[int]) -> Json:
        user, state = guild.members[user_id].user, guild.voice_states[user_id]
        return {
            "id": str(user_id),
            "name": user.name,
            "bot": user.bot,
            "muted": state.mute,
            "suppressed": state.suppress,
            "speaking": user.bot and channel.id in speaking and not state.mute,
        }


def _sound(sound: Sound) -> Json:
    return {
        "id": str(sound.id),
        "name": sound.name,
        "emoji": sound.emoji_name,
        "volume": sound.volume,
        "url": sound.path,
    }
