"""Everything about the server that can be chosen."""

from __future__ import annotations

from dataclasses import dataclass, field

from tts_gateway.fetch import FetchOptions


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOptions:
    """How the TTS gateway serves; the defaults suit one bot on the same machine."""

    api_key: str | None = field(default=None, repr=False)
    """What callers must send; None: nobody needs a key."""
    keep_seconds: float = 900.0
    """How long a sound can be downloaded."""
    keep_bytes: int = 256 * 1024 * 1024
    """How much sound is kept in memory: 45 minutes of it."""
    max_body_bytes: int = 64 * 1024
    """Longest request body: both longest texts, in any script."""
    body_seconds: float = 20.0
    """How long a caller may take to send a body."""
    engine_places: int = 2
    """How many texts the engine makes at once."""
    reference_places: int = 2
    """How many recordings are fetched and held at once, each until its text is made."""
    waiting_places: int = 16
    """How many more requests may wait for it."""
    engine_seconds: float = 120.0
    """How long the engine may take for one text."""
    allow_fault_scripts: bool = False
    """Whether `PUT /faults` sets the fault script."""
    fetch: FetchOptions = field(default_factory=FetchOptions)
    """How reference recordings are fetched."""
