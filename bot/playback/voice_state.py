"""The state of one voice connection: discord.py's, with its faults of 2.7.1 cured.

Leans on private names of discord.py==2.7.1 (`VoiceConnectionState` and its underscored members), which
is why that release is pinned exactly. tests/playback holds a regression test for every cure.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

import discord
from discord.types.voice import GuildVoiceState
from discord.voice_state import ConnectionFlowState, VoiceConnectionState

from bot.errors import PlaybackError
from bot.playback.discovery import DiscoveryReader
from bot.playback.voice_socket import SpeechVoiceWebSocket

log = logging.getLogger(__name__)

LEAVE_SECONDS: Final = 5.0
"""How long we wait for Discord to confirm that we left; it normally takes a round trip."""

_HOPELESS: Final = {
    4017: "end-to-end encryption is required (4017): davey is missing or too old; install requirements.txt",
    4021: "Discord limits our voice connections (4021): joining again at once makes it worse",
}
"""Close codes after which trying again cannot help (Discord's "Voice Close Event Codes")."""


class SpeechConnectionState(VoiceConnectionState):
    """The library's connection state, cured, and with something to wait on.

    ``removed`` is called when we were taken out of voice by somebody else, before anything is closed.
    """

    def __init__(self, voice_client: discord.VoiceClient, *, removed: Callable[[], None]) -> None:
        self._waiting: set[asyncio.Future[None]] = set()
        super().__init__(voice_client)
        self.self_deaf = True  # what the library falls back to when it reconnects
        self._removed = removed
        self._socket_reader = DiscoveryReader(self, replaced=self._socket_reader)  # V2, V7

    @property
    def state(self) -> ConnectionFlowState:
        """How far the connection has come."""
        return self._state

    @state.setter
    def state(self, state: ConnectionFlowState) -> None:
        VoiceConnectionState.state.fset(self, state)  # type: ignore[attr-defined]
        self.wake()

    def wake(self) -> None:
        """Let everybody in `wait_for` look again."""
        for future in self._waiting:
            if not future.done():
                future.set_result(None)

    async def wait_for(self, predicate: Callable[[], bool], timeout: float) -> bool:
        """Wait until ``predicate`` holds, ``timeout`` seconds at most; return whether it does."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not predicate():
            remaining = deadline - loop.time()
            if remaining <= 0:
                return False
            future: asyncio.Future[None] = loop.create_future()
            self._waiting.add(future)
            try:
                await asyncio.wait({future}, timeout=remaining)
            finally:
                self._waiting.discard(future)
        return True

    async def voice_state_update(self, data: GuildVoiceState) -> None:
        """Take in that our own voice state changed."""
        channel_id = data["channel_id"]
        if channel_id is None:
            if not self._expecting_disconnect:
                self._removed()
        elif not self._enter(int(channel_id)):
            # The library would set the channel to None and be dead from then on, without a log line.
            log.warning("moved into a channel that I do not know (guild %s); leaving voice", self.guild.id)
            self._removed()
            await self.disconnect()
            return
        await super().voice_state_update(data)

    def _enter(self, channel_id: int) -> bool:
        channel = self.guild.get_channel(channel_id)
        if not isinstance(channel, discord.VoiceChannel | discord.StageChannel):
            return False
        # Here for every state: the library forgets it when the server update came first.
        self.voice_client.channel = channel
        return True

    async def disconnect(self, *, force: bool = True, cleanup: bool = True, wait: bool = False) -> None:
        """Leave, or with ``cleanup`` false close everything before a reconnect."""
        if asyncio.current_task() is self._connector and self.self_voice_state is not None:
            # A failed connect does not wait until Discord has seen us leave; the news would then reach the
            # next client of this guild, which would take it for a kick.
            wait, self.timeout = True, LEAVE_SECONDS
        await super().disconnect(force=force, cleanup=cleanup, wait=wait)

    def _update_voice_channel(self, channel_id: int | None) -> None:
        if channel_id is not None:
            self._enter(channel_id)

    async def _move_to(self, channel: discord.abc.Snowflake) -> None:
        # V4: the library asks for the move without the flags, and we would no longer be deafened.
        await self.guild.change_voice_state(channel=channel, self_deaf=True, self_mute=self.self_mute)
        self.state = ConnectionFlowState.set_guild_voice_state

    def _create_socket(self) -> None:
        if self.socket:  # a move makes a new one and leaves the old one open
            self._socket_reader.pause()
            self.socket.close()
        super()._create_socket()

    async def _connect_websocket(self, resume: bool) -> SpeechVoiceWebSocket:
        seq_ack = self.ws.seq_ack if self.ws else -1
        websocket = await SpeechVoiceWebSocket.from_connection_state(self, resume=resume, seq_ack=seq_ack)
        websocket.on_message = self.wake
        websocket.on_closed = self._cut_off
        self.state = ConnectionFlowState.websocket_connected
        return websocket

    def _cut_off(self) -> None:
        # The library says that it is connected until it has slept and reconnects, or until a new server is
        # named, and plays into nothing meanwhile. In this state it takes either way to a new server.
        if self.state is ConnectionFlowState.connected:
            self.state = ConnectionFlowState.set_guild_voice_state

    async def _handshake_websocket(self) -> None:
        try:
            await super()._handshake_websocket()
        except discord.ConnectionClosed as error:
            if error.code in _HOPELESS:
                raise PlaybackError(_HOPELESS[error.code]) from error
            raise
        # V3: both are left over from a reconnect, and would turn the next move into a kick, or hide a kick.
        self._disconnected.clear()
        self._expecting_disconnect = False

    async def _potential_reconnect(self) -> bool:
        if self.guild.get_channel(self.voice_client.channel.id) is None:
            return False  # the channel was deleted: no server will be named
        try:
            # The library sets no limit to the handshake with the new server.
            async with asyncio.timeout(self.timeout):
                return await super()._potential_reconnect()
        except TimeoutError:
            return False

    async def _poll_voice_ws(self, reconnect: bool) -> None:
        try:
            await super()._poll_voice_ws(reconnect)
        except Exception as error:  # whatever ends the polling ends the connection, instead of feigning life
            log.exception("voice connection in guild %s failed: %s", self.guild.id, error)
            if self.state is not ConnectionFlowState.disconnected:
                await self.disconnect()
