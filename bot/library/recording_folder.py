"""The folder of recordings: files under the hash of what is in them. Nothing here asks a database."""

from __future__ import annotations

import errno
import hashlib
import logging
import os
import re
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from bot.errors import LibraryError, LibraryFullError

log = logging.getLogger(__name__)

RECORDING_FOLDER: Final = "recordings"
"""A folder under the data directory."""

ASIDE: Final = "aside"
"""A folder in it, for recordings that the database does not know."""

_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_SUFFIX: Final = ".wav"
_BINARY: Final = getattr(os, "O_BINARY", 0)  # Windows would change line ends
_SEALED: Final = 0o400


class RecordingFolder:
    """Recordings that only our own user can read. Every file is whole or not there.

    A recording that a voice was saved with is sealed: its file can only be read. So an older copy of the
    database, which does not know of that voice, sees that there was one. Windows deletes no such files, and
    none is sealed there.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._aside = path / ASIDE

    def keep(self, wav: bytes, sha256: str) -> None:
        """Write a recording, unless it is here already. Raises `LibraryError`."""
        path = self._file(sha256)
        try:
            if path.is_file() and path.read_bytes() == wav:
                return
            write_whole(path, wav)
        except OSError as error:
            raise _library_error(error) from error

    def read(self, sha256: str) -> bytes:
        """Return a recording. Raises `LibraryError` if it is not here or is damaged."""
        if not is_sha256(sha256):
            raise LibraryError("that is not the name of a recording")
        try:
            wav = self._file(sha256).read_bytes()
        except OSError as error:
            raise _library_error(error) from error
        if hashlib.sha256(wav).hexdigest() != sha256:
            raise LibraryError("a recording on the disk is damaged")
        return wav

    def has(self, sha256: str) -> bool:
        """Return whether a recording is here."""
        return is_sha256(sha256) and self._file(sha256).is_file()

    def hashes(self) -> set[str]:
        """Return what is here, also aside. Raises `LibraryError` where that cannot be looked at."""
        try:
            return {path.stem for folder in (self._path, self._aside) for path in _recordings(folder)}
        except OSError as error:
            raise _library_error(error) from error

    def seal(self, sha256s: Collection[str]) -> None:
        """Let these be read only: a voice was saved with them."""
        for sha256 in sha256s if os.name == "posix" else ():
            with suppress(OSError):
                self._file(sha256).chmod(_SEALED)

    def drop(self, unused: Mapping[str, bool], now: datetime) -> tuple[set[str], list[OSError]]:
        """Delete these recordings; return which of them were here and are gone, and what failed.

        The value says whether the database ever had a voice with it. One that is sealed although it had none
        is put aside: the database is an older copy, and a newer one has that voice.
        """
        gone: set[str] = set()
        failed: list[OSError] = []
        for sha256, was_saved in unused.items():
            for path in (self._file(sha256), self._file(sha256, self._aside)):
                try:
                    if not was_saved and _is_sealed(path):
                        self._put_aside(path, now)
                    else:
                        path.unlink()
                    gone.add(sha256)
                except FileNotFoundError:
                    pass
                except OSError as error:
                    failed.append(error)
        return gone - {Path(error.filename).stem for error in failed if error.filename}, failed

    def put_unknown_aside(self, known: Collection[str], oldest: datetime, now: datetime) -> int:
        """Move the recordings aside that are not ``known`` and older than ``oldest``; return how many."""
        moved = 0
        for path in _recordings(self._path):
            if path.stem not in known and _written_at(path) < oldest.timestamp():
                self._put_aside(path, now)
                moved += 1
        return moved

    def bring_back(self, wanted: Collection[str]) -> int:
        """Move these recordings back from where they were put aside; return how many."""
        back = 0
        for path in _recordings(self._aside):
            if path.stem in wanted and not self.has(path.stem):
                path.replace(self._file(path.stem))
                back += 1
        return back

    def forget_aside(self, oldest: datetime) -> int:
        """Delete what was put aside before ``oldest``; return how many."""
        old = [path for path in _recordings(self._aside) if _written_at(path) < oldest.timestamp()]
        return _unlink(old)

    def drop_drafts(self, oldest: datetime) -> int:
        """Delete what a killed process has left half-written before ``oldest``; return how many."""
        drafts = [path for path in _files(self._path) if is_sha256(path.stem) and path.suffix != _SUFFIX]
        return _unlink([path for path in drafts if _written_at(path) < oldest.timestamp()])

    def _file(self, sha256: str, folder: Path | None = None) -> Path:
        return (folder or self._path) / f"{sha256}{_SUFFIX}"

    def _put_aside(self, path: Path, now: datetime) -> None:
        if path.parent != self._aside:
            self._aside.mkdir(mode=0o700, exist_ok=True)
            os.utime(path, (now.timestamp(), now.timestamp()))  # from now on its days count
            path.replace(self._aside / path.name)


@dataclass(frozen=True, slots=True)
class DataUse:
    """How many bytes the data folder holds in all, and how many of them give way to recordings."""

    used: int
    giving_way: int

    @property
    def held(self) -> int:
        """How many bytes give way to nothing."""
        return self.used - self.giving_way


class DataLimit:
    """Limit on what everything under the data folder takes together, in bytes; 0: there is none.

    It blocks. What can be had again, or is there only in case, gives way before a recording is refused:
    speech that is kept in ``cache``, recordings that were put aside, every backup in ``backups`` but the
    newest. Recordings of voices never do.
    """

    def __init__(self, data_dir: Path, max_bytes: int, *, cache: str, backups: str) -> None:
        self.max_bytes = max_bytes
        self.data_dir = data_dir
        self._cache = data_dir / cache
        self._aside = data_dir / RECORDING_FOLDER / ASIDE
        self._backups = data_dir / backups

    def used(self) -> int:
        """Return how many bytes the files under the data folder have."""
        return sum(
            _size(Path(folder) / name) for folder, _, names in os.walk(self.data_dir) for name in names
        )

    def make_room(self, size: int = 0) -> bool:
        """Return whether ``size`` more bytes fit, after deleting no more than is needed of what gives way."""
        excess = self.used() + size - self.max_bytes if self.max_bytes else 0
        if excess <= 0:
            return True
        for path in self._of_no_need():
            if excess <= 0:
                break
            freed = _size(path)
            excess -= freed if _unlink([path]) else 0
        return excess <= 0

    def measure(self) -> DataUse:
        """Return what is there now."""
        return DataUse(self.used(), sum(map(_size, self._of_no_need())))

    def _of_no_need(self) -> list[Path]:
        """Return what gives way, in that order."""
        return [*_by_age(self._cache), *_by_age(self._aside), *_by_age(self._backups)[:-1]]


def is_sha256(name: str) -> bool:
    """Return whether this can be the name of a recording: nothing else leads to a file."""
    return _SHA256.fullmatch(name) is not None


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that only our own user can read: whole or not at all. Raises `OSError`."""
    draft = path.with_suffix(f".{secrets.token_hex(4)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY
        with os.fdopen(os.open(draft, flags, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        _sync(path.parent)
    except OSError:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _recordings(folder: Path) -> Iterator[Path]:
    return (path for path in _files(folder) if is_sha256(path.stem) and path.suffix == _SUFFIX)


def _files(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def _by_age(folder: Path) -> list[Path]:
    """Return the files in a folder, oldest first."""
    return sorted((path for path in _files(folder) if path.is_file()), key=_written_at)


def _size(path: Path) -> int:
    with suppress(OSError):
        return path.lstat().st_size
    return 0


def _is_sealed(path: Path) -> bool:
    return os.name == "posix" and path.stat().st_mode & 0o777 == _SEALED


def _written_at(path: Path) -> float:
    with suppress(FileNotFoundError):
        return path.stat().st_mtime
    return 0.0


def _unlink(paths: list[Path]) -> int:
    gone = 0
    for path in paths:
        with suppress(FileNotFoundError):
            path.unlink()
            gone += 1
    return gone


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
