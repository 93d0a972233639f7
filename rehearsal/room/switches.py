"""Switches of the page: what can be made to go wrong at Discord, in voice, and at the TTS gateway."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

import aiohttp

from rehearsal.errors import RehearsalError
from rehearsal.guilds import Guild
from rehearsal.permissions import Permission
from rehearsal.records import Channel
from rehearsal.rest.call import Misbehaviour, late
from rehearsal.room.setting import Setting
from rehearsal.server import Rehearsal
from rehearsal.voice.protocol import CloseCode
from rehearsal.wire import Json


@dataclass(frozen=True)
class Switch:
    """One thing to do to the bot. ``kind``: "toggle" (on or off), "choice" (of ``options``), "action".

    ``turn`` carries it out with the new value and returns what to tell; ``value`` is how it stands.
    ``options`` are (value, label) pairs. ``why_not`` is the reason why it cannot be used just now.
    """

    name: str
    group: str
    label: str
    about: str
    kind: str
    turn: Callable[[object], Awaitable[str]]
    value: Callable[[], object] = lambda: None
    options: Callable[[], Iterable[tuple[str, str]]] = lambda: ()
    why_not: Callable[[], str | None] = lambda: None

    def payload(self) -> Json:
        """Return what the page shows of it."""
        return {
            "name": self.name,
            "group": self.group,
            "label": self.label,
            "about": self.about,
            "kind": self.kind,
            "value": self.value(),
            "options": [{"value": value, "label": label} for value, label in self.options()],
            "why_not": self.why_not(),
        }


_NETWORK: Final = "The connection suffers"
_LATE_SECONDS: Final = 2.0
_ALWAYS: Final = 1_000_000
_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


class DiscordSwitches:
    """Switches of Discord and the bot; ``restart`` ends the bot and starts another."""

    def __init__(self, rehearsal: Rehearsal, restart: Callable[[], Awaitable[None]]) -> None:
        self._rehearsal = rehearsal
        self._restart = restart
        self._late: list[Misbehaviour] = []

    def all(self) -> list[Switch]:
        """Return them in the order of the page."""
        return [
            Switch("drop", _NETWORK, "Cut the connection", "The main websocket breaks; the bot may resume.",
                   "action", self._drop),
            Switch("invalidate", _NETWORK, "End the session",
                   "Discord forgets the session (op 9): the bot logs in anew, and falls out of voice.",
                   "action", self._invalidate),
            Switch("late", _NETWORK, "Make Discord slow",
                   f"Every REST call takes {_LATE_SECONDS:g} s longer.", "toggle",
                   self._slow, lambda: bool(self._late)),
            Switch("expire", _NETWORK, "Let the addresses of files expire",
                   "As after a day: who kept an address must fetch its message again.", "action",
                   self._expire),
            Switch("restart", _NETWORK, "Restart Myna", "Shut the bot down in order and start it again.",
                   "action", self._start_again),
        ]  # fmt: skip

    async def _drop(self, _value: object) -> str:
        await self._rehearsal.main_socket.drop()
        return "The main websocket was cut."

    async def _invalidate(self, _value: object) -> str:
        await self._rehearsal.main_socket.invalidate()
        return "The session was ended."

    async def _slow(self, value: object) -> str:
        misbehaviours = self._rehearsal.router.misbehaviours
        for misbehaviour in self._late:
            misbehaviours.remove(misbehaviour)
        self._late = [late(m, "/", _LATE_SECONDS, times=_ALWAYS) for m in _METHODS] if value else []
        misbehaviours.extend(self._late)
        return "Discord is slow." if value else "Discord is as quick as before."

    async def _expire(self, _value: object) -> str:
        self._rehearsal.cdn.expire_addresses()
        return "Every address of a file that was given out so far has expired."

    async def _start_again(self, _value: object) -> str:
        await self._restart()
        return "Myna has been restarted."


_TTS_GATEWAY: Final = "The TTS gateway fails"
_PUT_SECONDS: Final = 10.0
_POST_FAULTS: Final = {
    "": "works",
    "slow": "answers after 5 s",
    "busy": "is busy (429)",
    "broken": "fails (500)",
    "credit": "has no credit left (402)",
    "key": "refuses the key (401)",
    "cut": "breaks off in the middle",
}
_REFUSALS: Final = ("credit", "key")
_AFTER_REFUSAL: Final = "A bot that was refused for good may not ask again for minutes: Restart Myna."
_DOWNLOAD_FAULTS: Final = {
    "": "arrives at once",
    "drips": "drips in",
    "cut": "ends too early",
    "html": "is a web page instead",
    "silent": "is silent",
}


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TTSSwitches:
    """``port`` is where our own TTS gateway listens, a `module` with `arguments`; None: it is not ours."""

    def __init__(self, port: int | None) -> None:
        self._port = port
        self._post = ""
        self._download = ""

    @property
    def is_ours(self) -> bool:
        """Whether speech is made by our own TTS gateway."""
        return self._port is not None

    @property
    def module(self) -> str:
        """The module to start as our own TTS gateway, so that the switches reach it."""
        return "tts_gateway" if self._port is None else "rehearsal.faulty_tts_gateway"

    def arguments(self) -> list[str]:
        """Return what to start it with."""
        return [] if self._port is None else ["--port", str(self._port)]

    def all(self) -> list[Switch]:
        """Return them in the order of the page."""
        return [
            Switch("tts", _TTS_GATEWAY, "The TTS gateway", "What it does with the next requests.", "choice",
                   self._set_post, lambda: self._post, _POST_FAULTS.items, self._why_not),
            Switch("tts-download", _TTS_GATEWAY, "The finished sound", "How it comes from the TTS gateway.",
                   "choice", self._set_download, lambda: self._download, _DOWNLOAD_FAULTS.items,
                   self._why_not),
        ]  # fmt: skip

    async def again(self) -> None:
        """Set the faults once more, after the TTS gateway was started anew."""
        if self._post or self._download:
            await self._put()

    async def _set_post(self, value: object) -> str:
        before, self._post = self._post, str(value) if value in _POST_FAULTS else ""
        await self._put()
        told = f"The TTS gateway {_POST_FAULTS[self._post]}."
        return f"{told} {_AFTER_REFUSAL}" if before in _REFUSALS and self._post not in _REFUSALS else told

    async def _set_download(self, value: object) -> str:
        self._download = str(value) if value in _DOWNLOAD_FAULTS else ""
        await self._put()
        return f"The finished sound {_DOWNLOAD_FAULTS[self._download]}."

    async def _put(self) -> None:
        script = {"every_post": self._post or None, "every_download": self._download or None}
        timeout = aiohttp.ClientTimeout(total=_PUT_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http_session,
                http_session.put(f"http://127.0.0.1:{self._port}/faults", json=script) as response,
            ):
                if response.status != 204:
                    raise RehearsalError(f"The TTS gateway did not take it: {response.status}.")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RehearsalError("The TTS gateway cannot be reached.") from error

    def _why_not(self) -> str | None:
        return None if self._port else "Only our own TTS gateway can be told to fail."


_MODERATOR: Final = "A moderator interferes"
_LOST_EVERY: Final = 10
_PERMISSIONS: Final[dict[str, tuple[str, Any]]] = {
    "": ("none", Permission(0)),
    "speak": ("Speak", Permission.SPEAK),
    "connect": ("Connect", Permission.CONNECT),
    "attach": ("Attach Files", Permission.ATTACH_FILES),
    "recordings": ("Send Voice Messages", Permission.SEND_VOICE_MESSAGES),
    "sounds": ("Create Expressions", Permission.CREATE_GUILD_EXPRESSIONS),
}


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
            Switch("move", _MODERATOR, "Move Myna", "Drag the bot into another voice channel.", "choice",
                   self._move, self._moved, self._destinations, not_in_voice),
            Switch("kick", _MODERATOR, "Disconnect Myna", "Take the bot out of its voice channel.", "action",
                   self._kick, why_not=not_in_voice),
            Switch("mute", _MODERATOR, "Mute Myna", "Server-mute it: it waits a minute, then drops the rest.",
                   "toggle", self._mute, self._muted, why_not=not_in_voice),
            Switch("delete", _MODERATOR, "Delete its channel",
                   "Delete the voice channel the bot is in, people and all. A new one of that name follows.",
                   "action", self._delete, why_not=not_in_voice),
            Switch("deny", _MODERATOR, "Take a permission away", "In The Rookery, from the bot.", "choice",
                   self._deny, lambda: self._denied,
                   lambda: [(value, name) for value, (name, _) in _PERMISSIONS.items()]),
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
        name, denied = _PERMISSIONS[self._denied]
        self._setting.rookery.deny_bot(denied)
        await self._rehearsal.caught_up()
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
