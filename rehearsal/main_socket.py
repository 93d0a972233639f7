"""The main websocket: the Discord Gateway of the rehearsal, and the sessions on it."""

from __future__ import annotations

import asyncio
import json
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import IntEnum

from aiohttp import WSMsgType, web

from rehearsal.errors import MALFORMED
from rehearsal.events import Changes, Event, Events, Outbox
from rehearsal.payloads import guild_payload
from rehearsal.records import Directory
from rehearsal.wire import INTENT_GUILDS, PRIVILEGED_INTENTS, Json


class Op(IntEnum):
    """What a frame is."""

    HEARTBEAT = 1
    IDENTIFY = 2
    VOICE_STATE = 4
    RESUME = 6
    RECONNECT = 7
    INVALID_SESSION = 9
    HELLO = 10
    HEARTBEAT_ACK = 11


class Closed(IntEnum):
    """Why a connection is closed."""

    UNDECODABLE = 4002
    NOT_AUTHENTICATED = 4003
    BAD_TOKEN = 4004
    ALREADY_AUTHENTICATED = 4005
    RATE_LIMITED = 4008
    BAD_SHARD = 4010
    BAD_INTENTS = 4014


_REPLAYED = 5_000


class MainSocketConnection:
    """One websocket, and the heartbeats on it."""

    def __init__(self, socket: web.WebSocketResponse, request: web.Request) -> None:
        self.socket = socket
        self.outbox = Outbox(socket)
        self.beats = 0
        self.beats_due = 1  # the bot beats once by itself, right after HELLO
        self._request = request

    def send(self, op: int, data: object = None) -> None:
        """Queue one frame that is no event."""
        self.outbox.put(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def cut(self) -> None:
        """Break the connection without a farewell."""
        if self._request.transport is not None:
            self._request.transport.abort()


@dataclass(eq=False)
class Session:
    """What survives a lost connection until it is resumed or replaced."""

    intents: int
    shard_id: int
    shard_count: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    voice_session_id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    connection: MainSocketConnection | None = None
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=_REPLAYED))

    def hears(self, guild_id: int | None, intents: int) -> bool:
        """Return whether an event of that guild that needs one of ``intents`` is for this session."""
        shard = 0 if guild_id is None else (guild_id >> 22) % self.shard_count
        return shard == self.shard_id and (not intents or bool(self.intents & intents))

    def dispatch(self, event: str, data: Json) -> None:
        """Send an event, or keep it until the session is resumed."""
        self.sequence += 1
        text = json.dumps({"op": 0, "d": data, "s": self.sequence, "t": event})
        self.sent.append((self.sequence, text))
        if self.connection is not None:
            self.connection.outbox.put(text)

    def resume(self, connection: MainSocketConnection, sequence: int) -> bool:
        """Continue on ``connection`` after frame ``sequence``; return False if that is too long ago."""
        if sequence > self.sequence or (self.sent and sequence < self.sent[0][0] - 1):
            return False
        self.connection = connection
        for number, text in self.sent:
            if number > sequence:
                connection.outbox.put(text)
        self.dispatch("RESUMED", {})
        return True


COMMANDS_PER_MINUTE = 120
HEARTBEAT_MS = 41_250
_FOR_STRANGERS = ("INTERACTION_CREATE", "GUILD_DELETE")
"""Events that reach a bot which is not a member of the guild."""
_FAREWELLS = (1000, 1001)
"""With these close codes a bot ends its session; after any other it may resume."""
_ENDS = (WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR)
RESUME_URL = "wss://rehearsal-resume.discord.gg"


log = logging.getLogger(__name__)


class MainSocket:
    """Accepts the bot's shards, tells them what happens, and can misbehave when asked."""

    def __init__(self, token: str, directory: Directory, events: Events) -> None:
        self._token = token
        self._directory = directory
        self._live: set[MainSocketConnection] = set()
        events.deliver = self._deliver
        self.voice_asked: Callable[[str, Json], Awaitable[None]] | None = None
        self.session_over: Callable[[str], Awaitable[None]] | None = None
        self.sessions: dict[str, Session] = {}
        self.received: list[Json] = []
        """Every frame of the bot except heartbeats."""
        self.shards = 1
        """How many shards a bot is recommended to have."""
        self.max_concurrency = 1
        self.identify_seconds = 0.0
        """Between two shards of a bucket that identify themselves; Discord's own is 5."""
        self.identified = 0
        self.too_quick = 0
        """How often a bot identified itself sooner than it may, and was refused."""
        self._identified_at: dict[int, float] = {}
        self.resumed = 0
        self.changes = Changes()

    @property
    def ready(self) -> bool:
        """Return whether a shard is connected and has been told of its guilds."""
        return any(session.connection is not None for session in self.sessions.values())

    async def until_ready(self) -> None:
        """Wait until the bot is connected."""
        await self.changes.until(lambda: self.ready, timeout=10, story=lambda: "the bot is not connected")

    async def until(self, predicate: Callable[[], bool], timeout: float = 10) -> None:
        """Wait until ``predicate`` holds; it is looked at after every frame of the bot."""
        await self.changes.until(predicate, timeout=timeout, story=lambda: f"received {self.received[-5:]}")

    async def caught_up(self, timeout: float = 10) -> None:
        """Wait until the bot has taken in every event sent so far; at once when it is not connected.

        It is asked for a heartbeat behind them, and reads its frames in order.
        """
        waiting = [session.connection for session in self.sessions.values() if session.connection]
        for connection in waiting:
            connection.beats_due += 1
            connection.send(Op.HEARTBEAT)
        await self.changes.until(
            lambda: all(c.beats >= c.beats_due or c not in self._live for c in waiting),
            timeout=timeout,
            story=lambda: "the bot does not answer on its main socket",
        )

    # -- faults -----------------------------------------------------------------------------------

    async def drop(self) -> None:
        """Cut every connection without a farewell; the sessions can be resumed."""
        for connection in list(self._live):
            connection.cut()

    async def close(self, code: int) -> None:
        """Close every connection with ``code``."""
        for connection in list(self._live):
            connection.outbox.put_close(code)

    async def ask_to_reconnect(self) -> None:
        """Send op 7 on every connection."""
        for connection in list(self._live):
            connection.send(Op.RECONNECT)

    async def invalidate(self, *, resumable: bool = False) -> None:
        """Send op 9. Unless ``resumable`` the sessions end, and the bot's place in voice with them."""
        for session in list(self.sessions.values()):
            connection, session.connection = session.connection, None
            if not resumable:
                await self._end(session)
            if connection is not None:
                connection.send(Op.INVALID_SESSION, resumable)

    # -- events -----------------------------------------------------------------------------------

    def _deliver(self, event: Event) -> None:
        guild = self._directory.guilds.get(event.guild_id or 0)
        is_stranger = guild is not None and self._directory.bot.id not in guild.members
        if is_stranger and event.name not in _FOR_STRANGERS:
            return
        for session in self.sessions.values():
            if session.hears(event.guild_id, event.intents):
                session.dispatch(event.name, event.build(session.intents))

    # -- one connection ---------------------------------------------------------------------------

    async def websocket(self, request: web.Request) -> web.WebSocketResponse:
        """Serve one connection from its HELLO to its end."""
        socket = web.WebSocketResponse(compress=False, timeout=1.0)
        await socket.prepare(request)
        connection = MainSocketConnection(socket, request)
        self._live.add(connection)
        connection.send(Op.HELLO, {"heartbeat_interval": HEARTBEAT_MS})
        farewell: int | None = None
        try:
            farewell = await self._read(connection)
        finally:
            self._live.discard(connection)
            await connection.outbox.aclose()
            await self._lost(connection, said_farewell=farewell in _FAREWELLS)
        return socket

    async def _read(self, connection: MainSocketConnection) -> int | None:
        """Handle every frame and return the close code of the bot, if it sent one."""
        times: deque[float] = deque(maxlen=COMMANDS_PER_MINUTE)
        loop = asyncio.get_running_loop()
        while (message := await connection.socket.receive()).type not in _ENDS:
            if message.type is not WSMsgType.TEXT:
                continue
            if len(times) == COMMANDS_PER_MINUTE and loop.time() - times[0] < 60:
                connection.outbox.put_close(Closed.RATE_LIMITED)
                continue
            times.append(loop.time())
            try:
                await self._take(connection, json.loads(message.data))
            except MALFORMED:
                log.warning("a frame that makes no sense", exc_info=True)
                connection.outbox.put_close(Closed.UNDECODABLE)
            self.changes.notify()
        return int(message.data) if message.type is WSMsgType.CLOSE else None

    async def _take(self, connection: MainSocketConnection, frame: Json) -> None:
        if frame["op"] == Op.HEARTBEAT:
            connection.beats += 1
            connection.send(Op.HEARTBEAT_ACK)
            return
        self.received.append(frame)
        await self._handle(connection, frame["op"], frame["d"])

    async def _handle(self, connection: MainSocketConnection, op: int, data: Json) -> None:
        session = self._session_of(connection)
        if op in (Op.IDENTIFY, Op.RESUME):
            if session is not None:
                connection.outbox.put_close(Closed.ALREADY_AUTHENTICATED)
            elif data["token"].removeprefix("Bot ") != self._token:
                connection.outbox.put_close(Closed.BAD_TOKEN)
            elif op == Op.IDENTIFY:
                self._identify(connection, data)
            else:
                self._resume(connection, data)
        elif session is None:
            connection.outbox.put_close(Closed.NOT_AUTHENTICATED)
        elif op == Op.VOICE_STATE and self.voice_asked is not None:
            await self.voice_asked(session.voice_session_id, data)

    def _session_of(self, connection: MainSocketConnection) -> Session | None:
        return next((s for s in self.sessions.values() if s.connection is connection), None)

    def _identify(self, connection: MainSocketConnection, data: Json) -> None:
        shard_id, shard_count = data.get("shard", (0, 1))
        if not 0 <= shard_id < shard_count:
            connection.outbox.put_close(Closed.BAD_SHARD)
            return
        if data["intents"] & PRIVILEGED_INTENTS & ~self._directory.privileged_intents:
            connection.outbox.put_close(Closed.BAD_INTENTS)
            return
        if not self._may_identify(shard_id % self.max_concurrency):
            connection.send(Op.INVALID_SESSION, False)
            return
        session = Session(data["intents"], shard_id, shard_count, connection=connection)
        mine = [guild for guild in self._directory.bot_guilds() if session.hears(guild.id, 0)]
        session.dispatch("READY", self._ready_data(session, [guild.id for guild in mine]))
        if session.intents & INTENT_GUILDS:
            for guild in mine:
                data = guild_payload(guild, session.intents, self._directory.bot.id)
                session.dispatch("GUILD_CREATE", data)
        self.sessions[session.id] = session
        self.identified += 1

    def _may_identify(self, bucket: int) -> bool:
        """Note that a shard of this bucket identifies itself; return False if that is too soon."""
        now, before = asyncio.get_running_loop().time(), self._identified_at.get(bucket)
        is_too_quick = before is not None and now - before < self.identify_seconds
        self.too_quick += is_too_quick
        self._identified_at[bucket] = now
        return not is_too_quick

    def _ready_data(self, session: Session, guild_ids: list[int]) -> Json:
        bot = self._directory.bot
        return {
            "v": 10,
            "user": bot.payload() | {"verified": True, "mfa_enabled": True, "flags": 0, "email": None},
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in guild_ids],
            "session_id": session.id,
            "resume_gateway_url": RESUME_URL,
            "shard": [session.shard_id, session.shard_count],
            "application": {"id": str(bot.id), "flags": 0},
            "session_type": "normal",
        }

    def _resume(self, connection: MainSocketConnection, data: Json) -> None:
        session = self.sessions.get(data["session_id"])
        if session is None or not session.resume(connection, int(data["seq"])):
            connection.send(Op.INVALID_SESSION, False)
            return
        self.resumed += 1

    async def _lost(self, connection: MainSocketConnection, *, said_farewell: bool) -> None:
        session = self._session_of(connection)
        if session is None:
            return
        session.connection = None
        if said_farewell:
            await self._end(session)
        self.changes.notify()

    async def _end(self, session: Session) -> None:
        self.sessions.pop(session.id, None)
        if self.session_over is not None:
            await self.session_over(session.voice_session_id)
