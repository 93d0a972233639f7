"""What passes between Discord and the bot: events, requests, frames, in order and with their times."""

from __future__ import annotations

import json
import re
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from rehearsal.events import Event
from rehearsal.rest.router import RecordedRequest
from rehearsal.server import Rehearsal
from rehearsal.wire import Json

_KEPT: Final = 400
_TOKEN: Final = re.compile(r"[\w-]{60,}")
_NUMBER: Final = re.compile(r"\d{12,}(\d{4})")
_OPCODES: Final = {2: "IDENTIFY", 4: "VOICE STATE UPDATE", 6: "RESUME"}
_SECRET_KEYS: Final = ("token",)


@dataclass(frozen=True)
class TraceEntry:
    """One thing that passed. ``way``: "event" to the bot, "request" or "frame" from it."""

    number: int
    at: float
    way: str
    title: str
    detail: str = ""
    status: int | None = None
    seconds: float | None = None
    guild_id: int | None = None
    payload: Any = field(default=None, repr=False)

    def line(self) -> Json:
        """Return what the page lists; the payload stays here until it is asked for."""
        return {
            "number": self.number,
            "at": self.at,
            "way": self.way,
            "title": self.title,
            "detail": self.detail,
            "status": self.status,
            "seconds": self.seconds,
        }


class Trace:
    """Listens at a rehearsal. ``on_entry`` hears of everything about ``guild_ids`` and about no guild."""

    def __init__(
        self, rehearsal: Rehearsal, guild_ids: set[int], on_entry: Callable[[TraceEntry], None]
    ) -> None:
        self.entries: deque[TraceEntry] = deque(maxlen=_KEPT)
        self._rehearsal = rehearsal
        self._guild_ids = guild_ids
        self._on_entry = on_entry
        self._count = 0
        self._requests = len(rehearsal.requests)
        self._unanswered: list[RecordedRequest] = []
        self._frames = len(rehearsal.main_socket.received)
        self._guild_of_token: dict[str, int | None] = {}
        self._deliver = rehearsal.parts.events.deliver
        rehearsal.parts.events.deliver = self._event
        rehearsal.router.changes.listen(self._new_requests)
        rehearsal.main_socket.changes.listen(self._new_frames)

    def payload(self, number: int) -> str:
        """Return the JSON of entry ``number``, indented; a word if it has been forgotten."""
        for entry in self.entries:
            if entry.number == number:
                return json.dumps(_without_secrets(entry.payload), indent=2, ensure_ascii=False, default=str)
        return "This one has been forgotten."

    def note(self, title: str, detail: str = "") -> None:
        """Write down what a person did to this Discord."""
        self._add("note", title, detail)

    def _event(self, event: Event) -> None:
        self._deliver(event)
        sessions = self._rehearsal.main_socket.sessions.values()
        intents = next((session.intents for session in sessions), 0)
        if event.intents and not event.intents & intents:
            return  # the bot has not asked to hear of such things
        data = event.build(intents)
        if event.name == "INTERACTION_CREATE":
            self._guild_of_token[data["token"]] = event.guild_id
            if len(self._guild_of_token) > _KEPT:
                self._guild_of_token.pop(next(iter(self._guild_of_token)))
        self._add("event", event.name, _about(data), guild_id=event.guild_id, payload=data)

    def _new_requests(self) -> None:
        requests = self._rehearsal.requests
        new = self._unanswered + requests[self._requests :]
        del requests[:-_KEPT]
        self._requests = len(requests)
        self._unanswered = [request for request in new if not request.status]
        for request in new:
            if not request.status:
                continue
            self._add(
                "request",
                f"{request.method} {_readable(request.path)}",
                ", ".join(f"{file.name} ({len(file.data):,} bytes)" for file in request.files),
                status=request.status,
                seconds=request.seconds,
                guild_id=self._guild_of(request),
                payload={"sent": request.json, "answered": request.answer},
            )

    def _new_frames(self) -> None:
        received = self._rehearsal.main_socket.received
        new = received[self._frames :]
        del received[:-_KEPT]
        self._frames = len(received)
        for frame in new:
            guild_id = (frame["d"] or {}).get("guild_id") if isinstance(frame["d"], dict) else None
            name = _OPCODES.get(frame["op"], f"op {frame['op']}")
            self._add("frame", name, guild_id=int(guild_id) if guild_id else None, payload=frame)

    def _guild_of(self, request: RecordedRequest) -> int | None:
        parts = request.path.split("/")
        for part in parts:
            if part in self._guild_of_token:
                return self._guild_of_token[part]
            channel = self._rehearsal.directory.channels.get(int(part)) if part.isdigit() else None
            if channel is not None:
                return channel.guild_id
        return None

    def _add(
        self,
        way: str,
        title: str,
        detail: str = "",
        *,
        status: int | None = None,
        seconds: float | None = None,
        guild_id: int | None = None,
        payload: Any = None,
    ) -> None:
        if guild_id is not None and guild_id not in self._guild_ids:
            return
        self._count += 1
        entry = TraceEntry(self._count, time.time(), way, title, detail, status, seconds, guild_id, payload)
        self.entries.append(entry)
        self._on_entry(entry)


def _readable(path: str) -> str:
    """Return a path without tokens, and with the end of each long number only."""
    return _NUMBER.sub(r"…\1", _TOKEN.sub("…", path))


def _about(data: Any) -> str:
    if not isinstance(data, dict):
        return ""
    inner = data.get("data")
    name = inner.get("name") or inner.get("custom_id") if isinstance(inner, dict) else data.get("name")
    return str(name or "")


def _without_secrets(value: Any) -> Any:
    """Return ``value`` with tokens cut short: even here nobody should get used to seeing them."""
    if isinstance(value, dict):
        return {
            key: f"{item[:6]}…" if key in _SECRET_KEYS and isinstance(item, str) else _without_secrets(item)
            for key, item in value.items()
        }
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value
