"""The voice server of the rehearsal: its websocket, its UDP port, and the calls it holds."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from dataclasses import fields
from typing import Any, Final

from aiohttp import WSMsgType, web

from rehearsal.errors import MALFORMED
from rehearsal.events import Outbox
from rehearsal.voice.connection import (
    BotConnection,
    PacketSocket,
    ProtocolError,
    VoiceCall,
    VoiceTicket,
    json_frame,
)
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import DAVE_VERSION, HEARTBEAT_SECONDS, CloseCode, Opcode, VoiceFaults

log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 2.0  # for a client's own close frame; the end of a test does not wait for longer


class VoiceServer:
    """Every call of this Discord. Who sends nothing for two heartbeats is sent away (4009)."""

    def __init__(self, *, heartbeat_seconds: float = HEARTBEAT_SECONDS) -> None:
        self._heartbeat_seconds = heartbeat_seconds
        self._faults = VoiceFaults()
        self.packets = PacketSocket(self._faults)
        self._calls: dict[tuple[int, int], VoiceCall] = {}
        self._tickets: dict[int, VoiceTicket] = {}  # by guild
        self._connections: dict[int, BotConnection] = {}  # by guild
        self._suppressed: set[int] = set()  # guilds
        self._sockets: set[web.WebSocketResponse] = set()

    @property
    def faults(self) -> VoiceFaults:
        """Return the misbehaviour asked for; set its fields, or the whole of it."""
        return self._faults

    @faults.setter
    def faults(self, faults: VoiceFaults) -> None:
        for field in fields(faults):
            setattr(self._faults, field.name, getattr(faults, field.name))

    async def start(self) -> None:
        """Bind the UDP port on 127.0.0.1."""
        await self.packets.open()

    async def close(self) -> None:
        """End every call and release the port."""
        for connection in list(self._connections.values()):
            connection.end(None)
        for call in self._calls.values():
            call.close()
        await asyncio.gather(*(socket.close(code=CloseCode.DISCONNECTED) for socket in list(self._sockets)))
        self._tickets.clear()
        self._connections.clear()
        self._calls.clear()
        self.packets.close()

    def expect_bot(
        self, *, guild_id: int, channel_id: int, user_id: int, session_id: str, encrypted: bool = True
    ) -> VoiceTicket:
        """Return the ticket with which the bot may come into this call.

        What the bot had in this guild before is void: sound of the old session goes nowhere, and its
        websocket is closed (`VoiceFaults.moved_close_code`). ``encrypted`` is False in stage channels.
        """
        ticket = VoiceTicket(
            token=secrets.token_hex(8),
            endpoint=f"rehearsal-{secrets.token_hex(3)}.discord.media:443",
            guild_id=guild_id,
            channel_id=channel_id,
            user_id=user_id,
            session_id=session_id,
            encrypted=encrypted,
        )
        self._tickets[guild_id] = ticket
        self._end_connection(guild_id, self._faults.moved_close_code)
        self.call(guild_id, channel_id).set_encrypted(encrypted)
        return ticket

    async def bot_left(self, *, guild_id: int) -> None:
        """Take the bot out of its call in this guild: it left, was kicked, or is offline."""
        self._tickets.pop(guild_id, None)
        self._end_connection(guild_id, CloseCode.DISCONNECTED)

    async def close_bot(self, guild_id: int, code: int) -> None:
        """Close the bot's voice websocket with ``code``, if it has one. Its session stays valid and may

        be resumed, except after 4006, which says that it is not.
        """
        connection = self._connections.get(guild_id)
        if connection is None:
            return
        if code == CloseCode.SESSION_NO_LONGER_VALID:
            self._tickets.pop(guild_id, None)
            self._end_connection(guild_id, code)
        else:
            connection.close_socket(code)

    def suppress_bot(self, *, guild_id: int, suppressed: bool) -> None:
        """Let nobody hear the bot in this guild (server mute, stage audience), or let them again."""
        if suppressed:
            self._suppressed.add(guild_id)
        else:
            self._suppressed.discard(guild_id)

    async def human_joins(self, *, guild_id: int, channel_id: int, user_id: int) -> Listener:
        """Let a human into a call, out of any other in this guild, and return their ears."""
        await self.human_leaves(guild_id=guild_id, user_id=user_id)
        return self.call(guild_id, channel_id).add_listener(user_id)

    async def human_leaves(self, *, guild_id: int, user_id: int) -> None:
        """Let a human go; their `Listener` stays readable."""
        for call in self._calls_of(guild_id):
            call.remove_listener(user_id)
        self._forget_empty_calls(guild_id)

    def call(self, guild_id: int, channel_id: int) -> VoiceCall:
        """Return the call in this channel; it begins when it is asked for."""
        key = (guild_id, channel_id)
        if key not in self._calls:
            self._calls[key] = VoiceCall(guild_id, channel_id, self._faults)
        return self._calls[key]

    def connection(self, guild_id: int) -> BotConnection | None:
        """Return the bot's voice session in this guild, once it has identified."""
        return self._connections.get(guild_id)

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve ``wss://….discord.media/?v=8``."""
        socket = web.WebSocketResponse(timeout=_CLOSE_SECONDS, receive_timeout=2 * self._heartbeat_seconds)
        await socket.prepare(request)
        outbox = Outbox(socket)
        self._sockets.add(socket)
        connection: BotConnection | None = None
        try:
            hello = {"v": 8, "heartbeat_interval": round(self._heartbeat_seconds * 1000)}
            outbox.put(json_frame(Opcode.HELLO, hello))
            connection = await self._first_frame(socket, outbox)
            await self._serve(socket, connection)
        except ProtocolError as error:
            outbox.put_close(error.code)
        except TimeoutError:
            outbox.put_close(CloseCode.SESSION_TIMEOUT)
        except MALFORMED as error:
            log.warning("a frame of the voice websocket makes no sense: %r", error)
            outbox.put_close(CloseCode.FAILED_TO_DECODE)
        finally:
            if connection is not None:
                connection.detach(outbox)
            self._sockets.discard(socket)
            await outbox.aclose()
        return socket

    async def _first_frame(self, socket: web.WebSocketResponse, outbox: Outbox) -> BotConnection:
        message = await socket.receive()
        if message.type is not WSMsgType.TEXT:
            raise ProtocolError(CloseCode.NOT_AUTHENTICATED)
        frame = json.loads(message.data)
        opcode, data = frame["op"], frame["d"]
        if opcode == Opcode.IDENTIFY:
            connection = self._identify(data)
            connection.attach(outbox)
            connection.greet()
        elif opcode == Opcode.RESUME:
            connection = self._resumable(data)
            connection.attach(outbox)
            connection.resume(int(data.get("seq_ack", -1)))
        else:
            raise ProtocolError(CloseCode.NOT_AUTHENTICATED)
        return connection

    def _identify(self, data: Any) -> BotConnection:
        ticket = self._check_ticket(data)
        if int(data["user_id"]) != ticket.user_id:
            raise ProtocolError(CloseCode.AUTHENTICATION_FAILED)
        if self._faults.identify_close_code is not None:
            raise ProtocolError(CloseCode(self._faults.identify_close_code))
        if ticket.encrypted and int(data.get("max_dave_protocol_version", 0)) < DAVE_VERSION:
            raise ProtocolError(CloseCode.DAVE_REQUIRED)
        self._end_connection(ticket.guild_id, CloseCode.SESSION_NO_LONGER_VALID)
        call = self.call(ticket.guild_id, ticket.channel_id)
        connection = BotConnection(ticket, call, self.packets, self._faults)
        connection.is_suppressed = lambda: ticket.guild_id in self._suppressed
        self._connections[ticket.guild_id] = connection
        return connection

    def _resumable(self, data: Any) -> BotConnection:
        ticket = self._check_ticket(data)
        connection = self._connections.get(ticket.guild_id)
        if connection is None or connection.ticket is not ticket:
            raise ProtocolError(CloseCode.SESSION_NO_LONGER_VALID)
        return connection

    def _check_ticket(self, data: Any) -> VoiceTicket:
        guild_id, token, session_id = int(data["server_id"]), data["token"], data["session_id"]
        ticket = self._tickets.get(guild_id)
        if ticket is None:
            known = guild_id in {guild for guild, _channel in self._calls}
            raise ProtocolError(CloseCode.SESSION_NO_LONGER_VALID if known else CloseCode.SERVER_NOT_FOUND)
        if not secrets.compare_digest(str(token), ticket.token):
            raise ProtocolError(CloseCode.AUTHENTICATION_FAILED)
        if session_id != ticket.session_id:
            raise ProtocolError(CloseCode.SESSION_NO_LONGER_VALID)
        return ticket

    async def _serve(self, socket: web.WebSocketResponse, connection: BotConnection) -> None:
        async for message in socket:
            if message.type is WSMsgType.TEXT:
                frame = json.loads(message.data)
                connection.receive_json(frame["op"], frame["d"])
            elif message.type is WSMsgType.BINARY:
                connection.receive_binary(message.data)

    def _end_connection(self, guild_id: int, code: int | None) -> None:
        connection = self._connections.pop(guild_id, None)
        if connection is not None:
            connection.end(code)
            self._forget_empty_calls(guild_id)

    def _calls_of(self, guild_id: int) -> list[VoiceCall]:
        return [call for (guild, _channel), call in self._calls.items() if guild == guild_id]

    def _forget_empty_calls(self, guild_id: int) -> None:
        expected = self._tickets.get(guild_id)
        for call in self._calls_of(guild_id):
            if call.is_empty and not (expected and expected.channel_id == call.channel_id):
                call.close()
                del self._calls[guild_id, call.channel_id]
