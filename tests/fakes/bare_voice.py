"""A voice protocol for discord.py that only listens: states, servers, and the voice websocket's end."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import aiohttp
import discord

from rehearsal.server import Rehearsal

ENDS = (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED, aiohttp.WSMsgType.ERROR)


class BareVoice(discord.VoiceProtocol):
    """Joins, identifies, and remembers what it was told. `finished` is the close code."""

    rehearsal: Rehearsal

    def __init__(self, client: discord.Client, channel: discord.abc.Connectable) -> None:
        super().__init__(client, channel)
        self.states: list[Any] = []
        self.servers: list[Any] = []
        self._told = asyncio.Event()
        self._session: aiohttp.ClientSession | None = None
        self._socket: aiohttp.ClientWebSocketResponse | None = None

    async def on_voice_state_update(self, data: Any) -> None:
        self.states.append(data)

    async def on_voice_server_update(self, data: Any) -> None:
        self.servers.append(data)
        self._told.set()

    async def connect(self, *, timeout: float, reconnect: bool, **how: bool) -> None:
        assert isinstance(self.channel, (discord.VoiceChannel, discord.StageChannel))
        await self.channel.guild.change_voice_state(channel=self.channel, **how)
        await asyncio.wait_for(self._told.wait(), timeout)
        self._session = aiohttp.ClientSession(connector=self.rehearsal.connector())
        self._socket = await self._session.ws_connect(
            f"wss://{self.servers[-1]['endpoint']}/?v=8", autoclose=False
        )
        identify = {
            "server_id": str(self.channel.guild.id),
            "user_id": self.states[-1]["user_id"],
            "session_id": self.states[-1]["session_id"],
            "token": self.servers[-1]["token"],
            "max_dave_protocol_version": 1,
        }
        await self._socket.send_json({"op": 0, "d": identify})
        while (await self._socket.receive_json())["op"] != 2:
            pass

    async def finished(self) -> int | None:
        """Return the code with which the voice server closes the connection."""
        assert self._socket is not None
        async with asyncio.timeout(10):
            while (message := await self._socket.receive()).type not in ENDS:
                pass
        await self._socket.close()
        return message.data if message.type is aiohttp.WSMsgType.CLOSE else None

    async def disconnect(self, *, force: bool = False) -> None:
        self.cleanup()
        if self._session is not None:
            with contextlib.suppress(aiohttp.ClientError):
                await self._session.close()
