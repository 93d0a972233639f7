"""Discord's store for files: signed addresses that expire."""

from __future__ import annotations

import hashlib
import hmac
import mimetypes
import re
import secrets
import time
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO

from aiohttp import web

from rehearsal.wire import Json, Snowflakes

_TYPES = {
    "wav": "audio/x-wav",
    "ogg": "audio/ogg",
    "oga": "audio/ogg",
    "opus": "audio/ogg",
    "mp3": "audio/mpeg",
    "flac": "audio/x-flac",
    "m4a": "audio/mp4",
    "mp4": "video/mp4",
    "webm": "video/webm",
    "aac": "audio/aac",
    "txt": "text/plain; charset=utf-8",
}
_SPACE = re.compile(r"\s+")
_NOT_KEPT = re.compile(r"[^A-Za-z0-9._-]")


def content_type_of(name: str) -> str:
    """Return the type Discord would give a file of that name."""
    extension = name.rpartition(".")[2].lower()
    return _TYPES.get(extension) or mimetypes.guess_type(name)[0] or "application/octet-stream"


def stored_name(name: str) -> str:
    """Return the name a file keeps in the store: no spaces, nothing but plain characters."""
    plain = _NOT_KEPT.sub("", _SPACE.sub("_", name.strip()))
    return plain.lstrip(".") or "unknown"


def seconds_of(name: str, data: bytes) -> float | None:
    """Return the length Discord would write beside a file: of a WAV, as far as this goes."""
    if not name.lower().endswith(".wav"):
        return None
    try:
        with wave.open(BytesIO(data)) as file:
            return float(file.getnframes() / file.getframerate())
    except (wave.Error, EOFError, ZeroDivisionError):
        return None


@dataclass(frozen=True)
class SentFile:
    """A file as somebody sends it. ``seconds`` and ``waveform`` (base64) belong to voice messages.

    ``part_type`` is the content type of the part it came in, where it came in a request.
    """

    name: str
    data: bytes = field(repr=False)
    content_type: str | None = None
    seconds: float | None = None
    waveform: str | None = None
    description: str | None = None
    part_type: str | None = None


@dataclass(frozen=True)
class StoredFile:
    """A file in Discord's store: ``folder`` says where, `channel id` or `application id`."""

    id: int
    folder: int
    ephemeral: bool
    name: str
    data: bytes = field(repr=False)
    content_type: str
    title: str | None = None
    description: str | None = None
    seconds: float | None = None
    waveform: str | None = None

    @property
    def path(self) -> str:
        """Return where the store serves it."""
        kind = "ephemeral-attachments" if self.ephemeral else "attachments"
        return f"/{kind}/{self.folder}/{self.id}/{self.name}"


@dataclass(frozen=True)
class ShownFile:
    """A file under a message, as a person sees it."""

    name: str
    data: bytes = field(repr=False)
    content_type: str
    url: str
    seconds: float | None
    waveform: str | None
    fetch: Callable[[str], Awaitable[bytes]] = field(repr=False)

    @property
    def size(self) -> int:
        """Return how many bytes it has."""
        return len(self.data)

    async def read(self) -> bytes:
        """Download it as a person would: over TLS, from its signed address."""
        return await self.fetch(self.url)


CDN = "https://cdn.discordapp.com"
MEDIA_PROXY = "https://media.discordapp.net"
DAY_SECONDS = 24 * 3600.0


class Cdn:
    """Keeps files and serves them to whoever holds a fresh address."""

    def __init__(self, snowflakes: Snowflakes) -> None:
        self._snowflakes = snowflakes
        self._key = secrets.token_bytes(32)
        self._files: dict[str, StoredFile] = {}
        self.sounds: dict[str, tuple[bytes, str]] = {}
        """The sounds of soundboards and their types, by their paths, which need no signature."""
        self.link_seconds = DAY_SECONDS
        """How long an address lasts from the moment it is given out."""
        self.total_bytes = 0
        """The size of all files that are kept."""
        self.served: list[str] = []
        """The paths that were downloaded, in order."""
        self.fetch: Callable[[str], Awaitable[bytes]]
        """Downloads from an address of a file, as a person does; the rehearsal says how."""

    def store(self, file: SentFile, *, folder: int, ephemeral: bool = False) -> StoredFile:
        """Keep ``file`` and return it as stored."""
        name = stored_name(file.name)
        stored = StoredFile(
            id=self._snowflakes.new(),
            folder=folder,
            ephemeral=ephemeral,
            name=name,
            data=file.data,
            content_type=file.content_type or content_type_of(name),
            title=file.name.rpartition(".")[0] if name != file.name else None,
            description=file.description,
            seconds=seconds_of(name, file.data) if file.seconds is None else file.seconds,
            waveform=file.waveform,
        )
        self._files[stored.path] = stored
        self.total_bytes += len(stored.data)
        return stored

    def forget(self, file: StoredFile) -> None:
        """Delete a file; its addresses are dead from now on."""
        if self._files.pop(file.path, None) is not None:
            self.total_bytes -= len(file.data)

    def oldest(self) -> StoredFile:
        """Return the file that has been kept for longest. Raises `StopIteration` when there is none."""
        return next(iter(self._files.values()))

    def expire_addresses(self) -> None:
        """Let every address given out so far be too old, as if a day had passed."""
        self._key = secrets.token_bytes(32)

    def url(self, file: StoredFile) -> str:
        """Return a fresh signed address."""
        return CDN + file.path + self._signature(file.path)

    def payload(self, file: StoredFile) -> Json:
        """Return the attachment object, with fresh addresses."""
        signature = self._signature(file.path)
        payload: Json = {
            "id": str(file.id),
            "filename": file.name,
            "size": len(file.data),
            "url": CDN + file.path + signature,
            "proxy_url": MEDIA_PROXY + file.path + signature,
            "content_type": file.content_type,
        }
        optional = {
            "title": file.title,
            "description": file.description,
            "duration_secs": file.seconds,
            "waveform": file.waveform,
            "ephemeral": file.ephemeral or None,
        }
        return payload | {key: value for key, value in optional.items() if value is not None}

    def _signature(self, path: str) -> str:
        now = time.time()
        expires, issued = f"{int(now + self.link_seconds):x}", f"{int(now):x}"
        return f"?ex={expires}&is={issued}&hm={self._mac(path, expires, issued)}&"

    def _mac(self, path: str, expires: str, issued: str) -> str:
        return hmac.new(self._key, f"{path} {expires} {issued}".encode(), hashlib.sha256).hexdigest()

    async def serve(self, request: web.Request) -> web.Response:
        """Answer a download: 200 or 206, or the 404 Discord gives for a bad or old signature."""
        if request.method not in ("GET", "HEAD"):
            return web.Response(status=405)
        if request.path in self.sounds:
            sound, content_type = self.sounds[request.path]
            return web.Response(body=sound, content_type=content_type)
        file = self._files.get(request.path)
        if file is None or not self._is_fresh(request):
            return web.Response(status=404, text="This content is no longer available.")
        self.served.append(request.path)
        headers = {
            "Content-Type": file.content_type,
            "Accept-Ranges": "bytes",
            "ETag": f'"{hashlib.md5(file.data, usedforsecurity=False).hexdigest()}"',
        }
        part = _range(request, len(file.data))
        if part is None:
            return web.Response(body=file.data, headers=headers)
        start, stop = part
        if start >= stop:
            return web.Response(status=416, headers={"Content-Range": f"bytes */{len(file.data)}"})
        headers["Content-Range"] = f"bytes {start}-{stop - 1}/{len(file.data)}"
        return web.Response(status=206, body=file.data[start:stop], headers=headers)

    def _is_fresh(self, request: web.Request) -> bool:
        expires, issued = request.query.get("ex", ""), request.query.get("is", "")
        expected = self._mac(request.path, expires, issued)
        if not hmac.compare_digest(expected, request.query.get("hm", "")):
            return False
        return int(expires, 16) > time.time()


def _range(request: web.Request, size: int) -> tuple[int, int] | None:
    try:
        wanted = request.http_range
    except ValueError:
        return None
    if wanted.start is None and wanted.stop is None:
        return None
    start, stop, _step = wanted.indices(size)
    return start, stop
