"""Everything on the page besides messages: servers, channels, who is in voice, what the bot is doing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rehearsal.channels import Channel, ChannelKind
from rehearsal.guilds import Guild
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.room.setting import Setting
from rehearsal.server import Rehearsal
from rehearsal.soundboard import Sound
from rehearsal.wire import Json

_KINDS = {ChannelKind.TEXT: "text", ChannelKind.VOICE: "voice", ChannelKind.STAGE: "stage"}


class Scene:
    """Describes the room to one person at a time."""

    def __init__(self, rehearsal: Rehearsal, setting: Setting) -> None:
        self._rehearsal = rehearsal
        self._setting = setting

    def payload(
        self, person: Person, *, speaking: set[int], tabs: Mapping[int, int], bot_ended: bool = False
    ) -> Json:
        """Return the scene for ``person``: ``speaking`` are channels, ``tabs`` how many each person has."""
        return {
            "me": str(person.id),
            "people": [
                {
                    "id": str(c.person.id),
                    "name": c.person.name,
                    "part": c.part.value,
                    "about": c.about,
                    "tabs": tabs.get(c.person.id, 0),
                }
                for c in self._setting.characters
            ],
            "bot": self._bot(speaking) | {"ended": bot_ended},
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
            "thinking": sum(self._thinking(self._all_channels())),
        }

    def _all_channels(self) -> list[Channel]:
        return [channel for guild in self._setting.guilds for channel in guild.channels.values()]

    def _thinking(self, channels: Iterable[Channel]) -> Iterable[bool]:
        for channel in channels:
            yield from (m.thinking and not m.deleted for m in channel.messages.values())

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
