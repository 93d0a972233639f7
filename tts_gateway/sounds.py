"""Sounds kept in memory for a while: those that were made, and recordings that our parent process gave."""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import struct
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

log = logging.getLogger(__name__)

_NAME_BYTES: Final = 24  # 192 random bits: whoever does not have the address does not find it


@dataclass(slots=True)
class _KeptSound:
    wav: bytes
    expiry: asyncio.TimerHandle = field(repr=False)


class KeptSounds:
    """Keeps each WAV ``keep_seconds``, and ``max_bytes`` of them: the oldest goes first.

    Belongs to one event loop.
    """

    def __init__(self, *, keep_seconds: float, max_bytes: int) -> None:
        self._keep_seconds = keep_seconds
        self._max_bytes = max_bytes
        self._kept: dict[str, _KeptSound] = {}  # oldest first
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
        self._kept[name] = _KeptSound(wav, expiry)
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


HEADER: Final = struct.Struct("!HI")
"""What stands in front of each: the lengths of its address and of its WAV, in bytes. Both follow."""

TAKEN: Final = "taken: "
"""Printed in front of the address, as one line, once a call may name it."""

MAX_RECORDING_BYTES: Final = 10 * 1024 * 1024
"""As much as is fetched of a recording at most."""

_KEEP_SECONDS: Final = 60.0  # it is handed over right in front of its call
_KEEP_BYTES: Final = 64 * 1024 * 1024


class HandedOverRecordings(KeptSounds):
    """The recordings that were handed over and not used yet: kept under their addresses until one is taken.

    An address opens one recording, once, and for a minute. It counts only as the `reference_audio_url` of a
    call, letter by letter: nothing is served under it, nothing is fetched from it, and no redirect leads to
    it. Only our parent process holds the other end of stdin.
    """

    def __init__(self, *, keep_seconds: float = _KEEP_SECONDS, max_bytes: int = _KEEP_BYTES) -> None:
        super().__init__(keep_seconds=keep_seconds, max_bytes=max_bytes)


def follow_stdin(ended: asyncio.Event, handed_over: HandedOverRecordings | None = None) -> None:
    """Set ``ended`` when stdin closes, as it does when the process that started us dies.

    With ``handed_over`` put what comes until then into it, and print that it was `TAKEN`. What is not in
    that form counts as the end.

    A daemon thread on the bare descriptor: event loops cannot watch every kind of stdin (files and
    devices on Linux, pipes on Windows), and such a thread does not hold up the end of the process.
    """
    loop = asyncio.get_running_loop()

    def take(address: str, wav: bytes) -> None:
        if handed_over is not None:
            handed_over.keep(address, wav)
            sys.stdout.write(f"{TAKEN}{address}\n")
            sys.stdout.flush()

    def watch() -> None:
        try:
            if handed_over is not None:
                for address, wav in _recordings():
                    loop.call_soon_threadsafe(take, address, wav)
            else:
                while os.read(0, 4096):
                    pass
        except (OSError, ValueError):  # it was closed from the beginning, or is no such stream
            pass
        if not loop.is_closed():
            loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=watch, name="stdin", daemon=True).start()


def _recordings() -> Iterator[tuple[str, bytes]]:
    """Yield what comes on stdin. Raises ValueError if it is cut off or has another form."""
    while header := _read(HEADER.size):
        address_bytes, wav_bytes = HEADER.unpack(header)
        if wav_bytes > MAX_RECORDING_BYTES:
            raise ValueError("a recording that is too large")
        yield _read(address_bytes).decode("ascii"), _read(wav_bytes)


def _read(size: int) -> bytes:
    """Return ``size`` bytes of stdin; nothing if it has closed. Raises ValueError if it closes on the way."""
    content = bytearray()
    while len(content) < size:
        chunk = os.read(0, min(64 * 1024, size - len(content)))
        if not chunk:
            break
        content += chunk
    if content and len(content) < size:
        raise ValueError("stdin closed in the middle of a recording")
    return bytes(content)
