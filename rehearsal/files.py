"""Files: as a person sends them, and as they lie in Discord's store."""

from __future__ import annotations

import mimetypes
import re
import wave
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from io import BytesIO

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
    """A file as somebody sends it. ``seconds`` and ``waveform`` (base64) belong to voice messages."""

    name: str
    data: bytes = field(repr=False)
    content_type: str | None = None
    seconds: float | None = None
    waveform: str | None = None
    description: str | None = None


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
