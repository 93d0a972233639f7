"""One REST call: its body as parsed, what it is answered with, and how it can go wrong."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import BodyPartReader, web

from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile
from rehearsal.errors import DiscordAPIError
from rehearsal.wire import Json

_FILE_FIELD = re.compile(r"files\[(\d+)\]")
_NAME_IN_PATH = re.compile(r"\{(\w+)\}")


@dataclass
class RESTCall:
    """What the bot asks. ``ids`` are the numbers and names in the path, ``files`` go by their index."""

    method: str
    path: str
    query: Mapping[str, str]
    ids: dict[str, str]
    json: Any = None
    files: dict[int, SentFile] = field(default_factory=dict)

    def number(self, name: str) -> int:
        """Return an id out of the path. Raises `DiscordAPIError` when it is no number."""
        if not self.ids[name].isdigit():
            raise DiscordAPIError(400, 50035, "Invalid Form Body")
        return int(self.ids[name])

    @property
    def body(self) -> Json:
        """Return the body as an object. Raises `DiscordAPIError` 50109 when it is something else."""
        if not isinstance(self.json, dict):
            raise DiscordAPIError(400, 50109, "The request body contains invalid JSON.")
        return self.json

    def uploads(self, payload: Json) -> list[SentFile]:
        """Return the uploaded files with what ``payload``'s `attachments` say of them."""
        described = {str(item.get("id")): item for item in payload.get("attachments") or []}
        files: list[SentFile] = []
        for index, file in sorted(self.files.items()):
            about = described.get(str(index), {})
            files.append(
                replace(
                    file,
                    name=about.get("filename") or file.name,
                    description=about.get("description"),
                    seconds=about.get("duration_secs"),
                    waveform=about.get("waveform"),
                )
            )
        return files


@dataclass(frozen=True)
class RESTReply:
    """What a call is answered with; no ``json`` is 204."""

    json: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Backstage, RESTCall], Awaitable[RESTReply]]


class Route:
    """A method, a path with {names}, and who answers."""

    def __init__(self, method: str, path: str, handler: Handler, *, needs_token: bool = True) -> None:
        self.method = method
        self.handler = handler
        self.needs_token = needs_token
        self._pattern = re.compile(_NAME_IN_PATH.sub(r"(?P<\1>[^/]+)", path))

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the names in ``path``, or None when the route is another."""
        found = self._pattern.fullmatch(path)
        return found.groupdict() if found and method == self.method else None


async def read_call(request: web.Request, path: str, ids: dict[str, str]) -> RESTCall:
    """Return the call with its body read. Raises `DiscordAPIError` when the body is not understood."""
    call = RESTCall(request.method, path, request.query, ids)
    if request.content_type.startswith("multipart/"):
        await _read_parts(request, call)
    elif request.body_exists:
        text = await request.read()
        if text and request.content_type != "application/json":
            raise DiscordAPIError(400, 50035, f"Expected application/json, not {request.content_type}")
        call.json = _parsed(text) if text else None
    return call


async def _read_parts(request: web.Request, call: RESTCall) -> None:
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader):
            raise DiscordAPIError(400, 50035, "Invalid Form Body")
        data = bytes(await part.read(decode=False))
        name = part.name or ""
        if name == "payload_json":
            call.json = _parsed(data)
        elif found := _FILE_FIELD.fullmatch(name):
            part_type = part.headers.get("Content-Type")
            call.files[int(found[1])] = SentFile(part.filename or "unknown", data, part_type=part_type)
        else:
            raise DiscordAPIError(400, 50035, f"Unexpected part {name!r}")


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise DiscordAPIError(400, 50109, "The request body contains invalid JSON.") from error


@dataclass
class Misbehaviour:
    """What the next ``times`` calls of ``method`` whose path contains ``path_part`` meet.

    They wait ``delay`` seconds, and until ``released`` is set. With ``carried_out`` they are done all the
    same. ``status`` is what they are answered with (None: the truth), with ``headers`` if it must be others
    than a bot of ours meets at Discord itself, and with ``cuts`` the connection breaks before the answer.
    With ``only_files`` it meets only those that carry a file.
    """

    method: str
    path_part: str
    status: int | None = None
    body: Any = None
    delay: float = 0.0
    times: int = 1
    carried_out: bool = False
    cuts: bool = False
    headers: Mapping[str, str] | None = None
    only_files: bool = False
    released: asyncio.Event | None = None

    def matches(self, method: str, path: str, *, has_files: bool = False) -> bool:
        """Return whether a call meets it."""
        if self.only_files and not has_files:
            return False
        return self.times > 0 and method == self.method and self.path_part in path

    def reply(self) -> RESTReply | None:
        """Return the wrong answer, or None for the true one."""
        if self.status is None:
            return None
        if self.headers is not None:
            return RESTReply(self.body, self.status, dict(self.headers))
        if self.status == 429:
            # Without `Via` discord.py takes it for a ban by Cloudflare and does not try again.
            limited = {"message": "You are being rate limited.", "retry_after": 0.1, "global": False}
            return RESTReply(self.body or limited, 429, {"Via": "1.1 google", "Retry-After": "1"})
        return RESTReply(self.body, self.status)


def late(method: str, path_part: str, delay: float, *, times: int = 1) -> Misbehaviour:
    """Return a misbehaviour that does everything right, but ``delay`` seconds late."""
    return Misbehaviour(method, path_part, delay=delay, times=times, carried_out=True)
