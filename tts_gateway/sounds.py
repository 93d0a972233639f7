"""The sounds that were made: kept for a while under names nobody can guess, then forgotten."""

from __future__ import annotations

import asyncio
import logging
import secrets
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

_NAME_BYTES: Final = 24  # 192 random bits: whoever does not have the address does not find it


@dataclass(slots=True)
class _Kept:
    wav: bytes
    expiry: asyncio.TimerHandle = field(repr=False)


class Sounds:
    """Keeps each WAV ``keep_seconds``, and ``max_bytes`` of them: the oldest goes first.

    Belongs to one event loop.
    """

    def __init__(self, *, keep_seconds: float, max_bytes: int) -> None:
        self._keep_seconds = keep_seconds
        self._max_bytes = max_bytes
        self._kept: dict[str, _Kept] = {}  # oldest first
        self._bytes = 0

    def add(self, wav: bytes) -> str:
        """Keep ``wav``, and return the name it is found under."""
        name = f"{secrets.token_urlsafe(_NAME_BYTES)}.wav"
        self.keep(name, wav)
        return name

    def keep(self, name: str, wav: bytes) -> None:
        """Keep ``wav`` under a name that others have chosen."""
        self._forget(name)
        expiry = asyncio.get_running_loop().call_later(self._keep_seconds, self._forget, name)
        self._kept[name] = _Kept(wav, expiry)
        self._bytes += len(wav)
        while self._bytes > self._max_bytes and len(self._kept) > 1:
            log.warning("%d bytes of sound are kept; the oldest is dropped before its time", self._bytes)
            self._forget(next(iter(self._kept)))

    def get(self, name: str) -> bytes | None:
        """Return the WAV of that name, or None if it never was or is no longer kept."""
        kept = self._kept.get(name)
        if kept is None or kept.expiry.when() <= asyncio.get_running_loop().time():
            return None
        return kept.wav

    def take(self, name: str) -> bytes | None:
        """Return what `get` returns, and keep it no longer."""
        wav = self.get(name)
        self._forget(name)
        return wav

    def clear(self) -> None:
        """Forget everything."""
        for name in list(self._kept):
            self._forget(name)

    def _forget(self, name: str) -> None:
        kept = self._kept.pop(name, None)
        if kept is not None:
            kept.expiry.cancel()
            self._bytes -= len(kept.wav)
