"""Our own copies of recordings, under the hash of what is in them."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import os
import re
import secrets
import time
from collections.abc import Collection, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlalchemy import Select, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError, LibraryFullError
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.tables import ConsentRow, VoiceRow

GRACE_SECONDS: Final = 3_600.0
"""So long a recording stays that nothing names: its voice may be about to be saved."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Final = ".wav"
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would change line ends
_LOCK: Final = -1
"""For `Database.lock`: a recording is held, or dropped, never both. No server has this id."""


class Recordings:
    """A folder of recordings that only our own user can read. Every file is whole or not there."""

    def __init__(self, database: Database, folder: Path, *, now: Clock = utc_now) -> None:
        self._database = database
        self._folder = folder
        self._now = now

    async def keep(self, wav: bytes) -> str:
        """Keep a recording; return its SHA-256 in hexadecimal, under which it can be read.

        It stays an hour, and then while a voice or an open request names it. Raises `LibraryError`.
        """
        return await asyncio.to_thread(_keep, self._folder, wav)

    async def read(self, sha256: str) -> bytes:
        """Return a recording. Raises `LibraryError` if it is not there or is damaged."""
        return await asyncio.to_thread(_read, self._folder, sha256)

    async def hold(self, session: AsyncSession, sha256: str) -> None:
        """Make sure that the recording which a row of this transaction names is there when it commits.

        Raises `LibraryError` if it is not there now.
        """
        await self._database.lock(session, _LOCK)
        if not _SHA256.fullmatch(sha256) or not await asyncio.to_thread(_path(self._folder, sha256).is_file):
            raise LibraryError("the recording of a new voice is not there")

    async def drop_unused(self, among: Collection[str] | None = None) -> int:
        """Delete the recordings that nothing names any more; return how many.

        ``among`` these hashes at once, after something that named them was deleted. Without it, all that are
        older than an hour, and what a killed process has left half-written.
        """
        async with self._database.session() as session:
            await self._database.lock(session, _LOCK)
            named: set[str | None] = set(await session.scalars(select(VoiceRow.recording)))
            named.update(await session.scalars(_waiting(self._now())))
            if among is None:
                oldest = time.time() - GRACE_SECONDS
                return await asyncio.to_thread(_sweep, self._folder, named, oldest)
            unused = {sha256 for sha256 in among if _SHA256.fullmatch(sha256)} - named
            return await asyncio.to_thread(_drop, [_path(self._folder, sha256) for sha256 in unused])


def _waiting(now: datetime) -> Select[str | None]:
    """Select the recordings of requests that can still become voices."""
    open_still = or_(ConsentRow.lapses_at.is_(None), ConsentRow.lapses_at > now)
    return select(ConsentRow.recording).where(ConsentRow.state == "asked", open_still)


def _path(folder: Path, sha256: str) -> Path:
    return folder / f"{sha256}{_SUFFIX}"


def _keep(folder: Path, wav: bytes) -> str:
    sha256 = hashlib.sha256(wav).hexdigest()
    path = _path(folder, sha256)
    draft = folder / f"{sha256}.{secrets.token_hex(4)}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(wav)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(folder)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise _library_error(error) from error
    return sha256


def _read(folder: Path, sha256: str) -> bytes:
    if not _SHA256.fullmatch(sha256):
        raise LibraryError("that is not the name of a recording")
    try:
        wav = _path(folder, sha256).read_bytes()
    except OSError as error:
        raise _library_error(error) from error
    if hashlib.sha256(wav).hexdigest() != sha256:
        raise LibraryError("a recording on the disk is damaged")
    return wav


def _sweep(folder: Path, named: set[str | None], oldest: float) -> int:
    return _drop(
        [path for path in _files(folder) if not _is_named(path, named) and _written_at(path) < oldest]
    )


def _is_named(path: Path, named: set[str | None]) -> bool:
    return path.suffix == _SUFFIX and path.stem in named


def _files(folder: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError):
        yield from (path for path in folder.iterdir() if _SHA256.fullmatch(path.name.partition(".")[0]))


def _written_at(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _drop(paths: list[Path]) -> int:
    dropped = 0
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
            dropped += 1
    return dropped


def _sync(folder: Path) -> None:
    """Make the name of a new file last; Windows does that by itself and opens no folders."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _library_error(error: OSError) -> LibraryError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return LibraryFullError(f"a recording cannot be kept: {error.strerror}")
    return LibraryError(f"a recording cannot be kept or read: {error.strerror or type(error).__name__}")
