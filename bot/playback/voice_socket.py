"""Our voice websocket: small, and with what the library's leaves undone with single messages.

Leans on private names of discord.py==2.7.1 (`DiscordVoiceWebSocket._connection`, `received_message`,
`received_binary_message`, `poll_event`, and what `from_connection_state` sets).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Coroutine
from typing import Any, Final, Self

import davey
import discord
from discord.gateway import DiscordVoiceWebSocket
from discord.voice_state import VoiceConnectionState

log = logging.getLogger(__name__)

SERVER_CRASHED: Final = 4015
SESSION_NO_LONGER_VALID: Final = 4006
"""Close codes of the voice websocket (Discord's documentation, "Voice Close Event Codes")."""

_SILENT_SECONDS: Final = 60.0  # without an answer to a heartbeat, as in the library


def _nobody(*_news: object) -> None:
    """Listen to nothing."""


class SpeechVoiceWebSocket(DiscordVoiceWebSocket):
    """The library's voice websocket with the cures for V8 and V9.

    It calls ``on_message`` after every message and ``on_closed`` when no more will come, with the close code
    if there was one.
    """

    on_message: Callable[[], None] = staticmethod(_nobody)
    on_closed: Callable[[int | None], None] = staticmethod(_nobody)

    @classmethod
    async def from_connection_state(
        cls,
        state: VoiceConnectionState,
        *,
        resume: bool = False,
        hook: Callable[..., Coroutine[Any, Any, Any]] | None = None,
        seq_ack: int = -1,
    ) -> Self:
        """Return a websocket that has asked for a session, or for the one before with ``resume``.

        The library's offers to compress, which takes a quarter of a megabyte for a message of 50 bytes in 14
        seconds. Ours does not, and takes a tenth of the memory.
        """
        client = state.voice_client
        socket = await client.client.http.ws_connect(f"wss://{state.endpoint}/?v=8")
        websocket = cls(socket, loop=client.loop, hook=hook)
        websocket.seq_ack = seq_ack
        websocket._connection = state
        websocket._max_heartbeat_timeout = _SILENT_SECONDS
        websocket.thread_id = threading.get_ident()
        await (websocket.resume() if resume else websocket.identify())
        return websocket

    async def poll_event(self) -> None:
        """Handle the next message. Raises `discord.ConnectionClosed`, or `TimeoutError` if none comes."""
        try:
            await super().poll_event()
        except discord.ConnectionClosed as error:
            self.on_closed(error.code)
            # V9: the library's resume waits for updates that a crashed server never brings. A full
            # reconnect asks for them.
            if error.code == SERVER_CRASHED:
                error.code = SESSION_NO_LONGER_VALID
            raise
        except TimeoutError:
            self.on_closed(None)
            raise
        except ConnectionError as error:
            self.on_closed(None)
            # An answer met a socket that was just closed; for the library this is not a lost connection.
            raise discord.ConnectionClosed(self.ws, shard_id=None, code=self._close_code) from error

    async def received_message(self, msg: dict[str, Any]) -> None:
        """Handle a JSON message."""
        await super().received_message(msg)
        state = self._connection
        if msg["op"] == self.SESSION_DESCRIPTION and state.dave_session is None:
            # V8: without a session the library ignores every message of a later upgrade from version 0,
            # and speaks in clear into an encrypted call for the rest of the connection.
            state.dave_session = davey.DaveSession(
                davey.DAVE_PROTOCOL_VERSION, state.user.id, state.voice_client.channel.id
            )
        self.on_message()

    async def received_binary_message(self, msg: bytes) -> None:
        """Handle a message of the encryption's key exchange."""
        try:
            await super().received_binary_message(msg)
        except ValueError as error:
            # The library guards commits and welcomes, but not proposals or the external sender: its polling
            # would end, and leave a connection that only looks alive. If it matters, the next commit fails,
            # and from that the library recovers.
            log.warning("voice encryption message %d was refused: %s", msg[2], error)
        self.on_message()
