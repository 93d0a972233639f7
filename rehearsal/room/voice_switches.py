"""Switches for the bot's place in voice: moved, kicked, muted, its channel deleted, packets lost."""

from __future__ import annotations

from typing import Final

from rehearsal.channels import Channel
from rehearsal.errors import RehearsalError
from rehearsal.guilds import Guild
from rehearsal.permissions import Permission
from rehearsal.room.setting import Setting
from rehearsal.room.switches import Switch
from rehearsal.server import Rehearsal
from rehearsal.voice.codes import CloseCode

_GROUP: Final = "A moderator interferes"
_NETWORK: Final = "The connection suffers"
_LOST_EVERY: Final = 10
_PERMISSIONS: Final = {
    "speak": Permission.SPEAK,
    "connect": Permission.CONNECT,
    "attach": Permission.ATTACH_FILES,
    "recordings": Permission.SEND_VOICE_MESSAGES,
    "sounds": Permission.CREATE_GUILD_EXPRESSIONS,
}
_PERMISSION_NAMES: Final = [
    ("", "none"),
    ("speak", "Speak"),
    ("connect", "Connect"),
    ("attach", "Attach Files"),
    ("recordings", "Send Voice Messages"),
    ("sounds", "Create Expressions"),
]
_NAMES: Final = dict(_PERMISSION_NAMES)


class VoiceSwitches:
    """They act on the server in which the bot is in voice."""

    def __init__(self, rehearsal: Rehearsal, setting: Setting) -> None:
        self._rehearsal = rehearsal
        self._setting = setting
        self._denied = ""

    def all(self) -> list[Switch]:
        """Return them in the order of the page."""
        not_in_voice = self._why_not_in_voice
        return [
            Switch("move", _GROUP, "Move Myna", "Drag the bot into another voice channel.", "choice",
                   self._move, self._moved, self._destinations, not_in_voice),
            Switch("kick", _GROUP, "Disconnect Myna", "Take the bot out of its voice channel.", "action",
                   self._kick, why_not=not_in_voice),
            Switch("mute", _GROUP, "Mute Myna", "Server-mute it: it waits a minute, then drops the rest.",
                   "toggle", self._mute, self._muted, why_not=not_in_voice),
            Switch("delete", _GROUP, "Delete its channel",
                   "Delete the voice channel the bot is in, people and all. A new one of that name follows.",
                   "action", self._delete, why_not=not_in_voice),
            Switch("deny", _GROUP, "Take a permission away", "In The Rookery, from the bot.", "choice",
                   self._deny, lambda: self._denied,
                   lambda: _PERMISSION_NAMES),
            Switch("voice-server", _NETWORK, "Change the voice server",
                   "Discord gives the call another server, as when a region changes.", "action",
                   self._change_server, why_not=not_in_voice),
            Switch("voice-drop", _NETWORK, "Crash the voice server",
                   "Close the voice websocket with 4015; the session may be resumed.", "action",
                   self._drop_voice, why_not=not_in_voice),
            Switch("lose", _NETWORK, "Lose every tenth packet", "Sound gets holes on its way to you.",
                   "toggle", self._lose, lambda: bool(self._rehearsal.voice.faults.drop_every)),
        ]  # fmt: skip

    def bot_guild(self) -> Guild | None:
        """Return the server in which the bot is in voice; the newest if there are several."""
        return next((guild for guild in self._setting.guilds if guild.bot_channel), None)

    def _why_not_in_voice(self) -> str | None:
        return None if self.bot_guild() else "The bot is in no voice channel. Join one and type /join."

    def _here(self) -> tuple[Guild, Channel]:
        guild = self.bot_guild()
        channel = guild.bot_channel if guild else None
        if guild is None or channel is None:
            raise RehearsalError("The bot is in no voice channel.")
        return guild, channel

    def _destinations(self) -> list[tuple[str, str]]:
        guild = self.bot_guild()
        channels = guild.channels.values() if guild else ()
        return [(str(channel.id), channel.name) for channel in channels if channel.is_voice]

    def _moved(self) -> object:
        guild = self.bot_guild()
        return str(guild.bot_channel.id) if guild and guild.bot_channel else ""

    async def _move(self, value: object) -> str:
        guild, here = self._here()
        channel = next((c for c in guild.channels.values() if str(c.id) == value and c.is_voice), None)
        if channel is None:
            raise RehearsalError("There is no such voice channel.")
        if channel is not here:
            await guild.move_bot(channel)
        return f"Myna was moved to {channel.name}."

    async def _kick(self, _value: object) -> str:
        guild, channel = self._here()
        await guild.kick_bot_from_voice()
        return f"Myna was disconnected from {channel.name}."

    def _muted(self) -> bool:
        guild = self.bot_guild()
        state = guild.voice_states.get(self._rehearsal.application_id) if guild else None
        return state is not None and state.mute

    async def _mute(self, value: object) -> str:
        guild, _channel = self._here()
        await guild.mute_bot(bool(value))
        return "Myna is muted." if value else "Myna is no longer muted."

    async def _delete(self, _value: object) -> str:
        guild, channel = self._here()
        await guild.delete_channel(channel)
        guild.add_voice_channel(channel.name, channel.user_limit)
        return f"{channel.name} was deleted, and made anew, empty."

    async def _deny(self, value: object) -> str:
        self._denied = str(value) if value in _PERMISSIONS else ""
        denied = int(_PERMISSIONS.get(self._denied, 0))
        self._setting.rookery.deny_bot(denied)
        await self._rehearsal.caught_up()
        name = _NAMES[self._denied]
        return f"Myna no longer has the permission {name}." if denied else "Myna has its permissions again."

    async def _change_server(self, _value: object) -> str:
        guild, _channel = self._here()
        await guild.change_voice_server()
        return "The call has another voice server."

    async def _drop_voice(self, _value: object) -> str:
        guild, _channel = self._here()
        await self._rehearsal.voice.close_bot(guild.id, CloseCode.SERVER_CRASHED)
        return "The voice websocket was closed with 4015."

    async def _lose(self, value: object) -> str:
        self._rehearsal.voice.faults.drop_every = _LOST_EVERY if value else 0
        return "Every tenth packet is lost." if value else "No packets are lost."
