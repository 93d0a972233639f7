"""A bot's session on the main socket: what it may hear, and what it has not heard yet."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from dataclasses import dataclass, field

from aiohttp import web

from rehearsal.wire import Json

_REPLAYED = 5_000


@dataclass(eq=False)
class Connection:
    """One websocket and the frames on their way into it; None ends it after what came before."""

    socket: web.WebSocketResponse
    request: web.Request
    outbox: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    close_code: int = 1000
    beats: int = 0
    beats_due: int = 1  # the bot beats once by itself, right after HELLO

    def send(self, op: int, data: object = None) -> None:
        """Queue one frame that is no event."""
        self.outbox.put_nowait(json.dumps({"op": op, "d": data, "s": None, "t": None}))

    def end(self, code: int) -> None:
        """Close with ``code`` once everything queued so far is sent."""
        self.close_code = code
        self.outbox.put_nowait(None)

    def cut(self) -> None:
        """Break the connection without a farewell."""
        if self.request.transport is not None:
            self.request.transport.abort()

    async def write(self) -> None:
        """Send what is queued, in order, until the end."""
        while (text := await self.outbox.get()) is not None:
            await self.socket.send_str(text)
        await self.socket.close(code=self.close_code)


@dataclass(eq=False)
class Session:
    """What survives a lost connection until it is resumed or replaced."""

    intents: int
    shard_id: int
    shard_count: int
    id: str = field(default_factory=lambda: secrets.token_hex(16))
    voice_session_id: str = field(default_factory=lambda: secrets.token_hex(16))
    sequence: int = 0
    connection: Connection | None = None
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
            self.connection.outbox.put_nowait(text)

    def resume(self, connection: Connection, sequence: int) -> bool:
        """Continue on ``connection`` after frame ``sequence``; return False if that is too long ago."""
        if sequence > self.sequence or (self.sent and sequence < self.sent[0][0] - 1):
            return False
        self.connection = connection
        for number, text in self.sent:
            if number > sequence:
                connection.outbox.put_nowait(text)
        self.dispatch("RESUMED", {})
        return True
