"""Voice connections as they are after a handshake, without a Discord: for measuring what playing costs.

Each is a real client of `bot.playback` or of discord.py in a real guild object, whose connection state is
filled in by hand: mode, key and SSRC, a UDP socket of its own, connected to a sink on 127.0.0.1, and a
`davey` session in an MLS group with one listener. Only the voice websocket is a stand-in, which takes
speaking flags. Making a group takes 10 to 20 ms, so that a few dozen sessions serve all channels in turn.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import davey
import discord
from discord.voice_state import ConnectionFlowState

from bot.playback.transmitter import MODE
from rehearsal.voice.dave import DaveGroup, PersonDave
from rehearsal.voice.protocol import VoiceFaults

SESSIONS: Final = 32

_BOT: Final = 1
_LISTENER: Final = 2


class _Flags:
    """Takes speaking flags, as a voice websocket does."""

    async def speak(self, state: discord.SpeakingState) -> None:
        await asyncio.sleep(0)


class _BotDave:
    """The bot's part in the group of one call."""

    user_id = _BOT

    def __init__(self, channel_id: int, group: DaveGroup) -> None:
        self.session = davey.DaveSession(davey.DAVE_PROTOCOL_VERSION, _BOT, channel_id)
        self.entered = asyncio.Event()
        self._group = group

    def set_external_sender(self, package: bytes) -> None:
        self.session.set_external_sender(package)
        self._group.key_package(self, self.session.get_serialized_key_package())

    def consider(self, proposals: bytes) -> None:
        self.session.process_proposals(davey.ProposalsOperationType.append, proposals)

    def apply_commit(self, transition_id: int, commit: bytes) -> None:
        self.session.process_commit(commit)
        self._group.ready(self, transition_id)

    def enter(self, transition_id: int, welcome: bytes) -> None:
        self.session.process_welcome(welcome)
        self._group.ready(self, transition_id)
        self.entered.set()

    def start_over(self) -> None:
        raise RuntimeError("the listener stays")

    def execute(self, transition_id: int) -> None:
        pass


async def encrypted_session(channel_id: int) -> davey.DaveSession:
    """Return the bot's session in a call with one listener, ready to encrypt."""
    group = DaveGroup(channel_id, VoiceFaults())
    group.join(PersonDave(_LISTENER, channel_id, group))
    await asyncio.sleep(0)  # the listener offers a key package by a callback of the loop
    bot = _BotDave(channel_id, group)
    group.join(bot)
    await asyncio.wait_for(bot.entered.wait(), 10.0)
    group.close()
    assert bot.session.ready
    return bot.session


@contextmanager
def sink() -> Iterator[tuple[str, int]]:
    """Give the address of a UDP socket that nobody reads: the kernel drops what does not fit."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taker:
        taker.bind(("127.0.0.1", 0))
        yield taker.getsockname()


async def connect(
    count: int, kind: type[discord.VoiceClient], address: tuple[str, int]
) -> list[discord.VoiceClient]:
    """Return ``count`` connected voice clients of this ``kind``, each in a guild of its own."""
    owner = discord.Client(intents=discord.Intents.none())
    state: Any = owner._connection
    state.loop = owner.loop = asyncio.get_running_loop()
    state.user = discord.ClientUser(state=state, data=_user())
    sessions = [await encrypted_session(1 + number) for number in range(min(count, SESSIONS))]
    clients = []
    for number in range(count):
        client = kind(owner, _channel(state, 1 + number))
        _handshake(client._connection, 1 + number, address, sessions[number % len(sessions)])
        clients.append(client)
    return clients


def disconnect(clients: list[discord.VoiceClient]) -> None:
    """Stop playing and release the sockets."""
    for client in clients:
        client.stop()
        client._connection._socket_reader.stop()
        client._connection.socket.close()


def _user() -> Any:
    return {"id": str(_BOT), "username": "Myna", "discriminator": "0", "avatar": None, "bot": True}


def _channel(state: Any, number: int) -> discord.VoiceChannel:
    channel = {"id": str(number), "type": 2, "name": "lounge", "position": 0, "bitrate": 64000}
    channel |= {"permission_overwrites": [], "user_limit": 0, "nsfw": False, "parent_id": None}
    payload: Any = {"id": str(number), "name": "Guild", "channels": [channel]}
    return discord.Guild(data=payload, state=state).voice_channels[0]


def _handshake(state: Any, ssrc: int, address: tuple[str, int], session: davey.DaveSession) -> None:
    state.mode, state.ssrc = MODE, ssrc
    state.secret_key = list(os.urandom(32))
    state.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    state.socket.setblocking(False)
    state.socket.connect(address)
    state.dave_session = session
    state.dave_protocol_version = davey.DAVE_PROTOCOL_VERSION
    state.ws = _Flags()
    state.state = ConnectionFlowState.connected
