"""The data folder: held by one bot at a time, and looked over before anything is written into it."""

from __future__ import annotations

import asyncio
import errno
import json
import logging
import os
import shutil
import socket
import stat
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bot.errors import DataFolderError, LibraryError
from bot.library.backups import BACKUP_FOLDER, restore
from bot.library.database import ID_FILE
from bot.library.engine import address, file_of
from bot.library.moving import SCRATCH, STAGING
from bot.library.processes import PROCESS_FILE
from bot.library.recording_folder import RECORDING_FOLDER, DataLimit
from bot.settings import Settings

if sys.platform == "win32":
    import msvcrt
else:
    import fcntl

log = logging.getLogger(__name__)

HEARTBEAT_FILE: Final = "heartbeat"
"""Touched while the bot is connected; see `bot healthy`."""

COMMANDS_FILE: Final = "commands.json"
"""Which commands Discord has of us, and what it said when it did not take them."""

CACHE_FOLDER: Final = "cache"
"""Speech that is kept for a day."""

LOCK_FILE: Final = "lock"
"""Held by the running bot. It stays behind afterwards, and means nothing then."""

STARTS_FILE: Final = "starts.json"
"""When the bot started within the last hour."""

MAX_STARTS_PER_HOUR: Final = 10
"""Discord resets the token of a bot that identifies itself 1,000 times a day; this is a quarter of it."""

IDENTIFIES_FILE: Final = "identifies.json"
"""When a shard of the bot identified itself within the last hour, at a start or while it ran."""

MAX_IDENTIFIES_PER_HOUR: Final = 40
"""Those 1,000 are of all shards together, and count those after lost sessions too: this is 960 a day."""

LIMITS_FILE: Final = "tts_limits.json"
"""How many calls at once each TTS gateway has taken."""

PROCESS_FOLDER: Final = "process-{}"
"""Folder of a further process on this machine; see `DataFolder`."""

MAX_PROCESSES: Final = 64
"""On one machine, more than anybody has cores for."""

_HOUR: Final = 3_600.0

_FILES: Final = (COMMANDS_FILE, HEARTBEAT_FILE, STARTS_FILE, IDENTIFIES_FILE, LIMITS_FILE, LOCK_FILE)
_MADE: Final = (ID_FILE, PROCESS_FILE, STAGING)
_FOLDERS: Final = (CACHE_FOLDER, RECORDING_FOLDER, BACKUP_FOLDER)
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_NO_LOCKS_HERE: Final = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL)
_LOCKED_BYTE: Final = 1_024  # behind the words: on Windows nobody else can read what is locked
_PROBE: Final = bytes(4_096)


class DataFolder:
    """A context manager: entered, the folder is ours until we leave it or die, however we die.

    On PostgreSQL the folder may be ``shared`` by several processes of a bot: the first has it, each further
    one a folder of its own in it, which is ``path`` then.

    Entering raises `DataFolderError` with a sentence for the operator: what is in it cannot be used, or
    another bot has it.
    """

    def __init__(self, settings: Settings, *, shared: bool = False) -> None:
        self.path = settings.data_dir.absolute()
        self._is_shared = shared
        self.number = 1
        """Which process on this machine it is whose folder this is."""
        self._database_url = settings.database_url
        self._locks: list[int] = []

    @property
    def starts(self) -> StartTimes:
        """When the bot started that has this folder."""
        return StartTimes(self.path / STARTS_FILE, identifies=self.path / IDENTIFIES_FILE)

    def __enter__(self) -> Self:
        whole = self.path
        most = MAX_PROCESSES if self._is_shared and not self._database() else 1
        for self.number in range(1, most + 1):
            self.path = whole if self.number == 1 else whole / PROCESS_FOLDER.format(self.number)
            try:
                return self._enter()
            except _HeldError:
                if self.number == most:
                    raise
        raise AssertionError("the last one is entered, or raises")

    def _enter(self) -> Self:
        self.check()
        files = [self.path / LOCK_FILE]
        named = self._database()
        database = named.resolve() if named else None
        if database is not None and database.parent != self.path.resolve():
            files.append(database.with_name(f"{database.name}.{LOCK_FILE}"))
        for file in files:
            try:
                self._locks.append(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))  # no child inherits it
                self._take(self._locks[-1], file)
            except OSError as error:
                self._close()
                raise disk_error(error, file) from error
            except DataFolderError:
                self._close()
                raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def check(self) -> None:
        """Return if the folder is there, or can be made, and everything of ours in it can be used.

        So it is with the database, if that is a file. Raises `DataFolderError` and, for a DATABASE_URL that
        is none, `LibraryError`.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, self.path) from error
        _check_folder(self.path)
        for name in _FOLDERS:
            if (self.path / name).exists():
                _check_folder(self.path / name)
        for name in _FILES:
            _check_file(self.path / name)
        database = self._database()
        if database is not None:
            for suffix in ("", "-wal", "-shm"):
                _check_file(database.with_name(database.name + suffix))

    def restore_backup(self) -> str:
        """Put the newest backup of the database in its place, and return what was done, for the operator.

        Raises `LibraryError`: there is none, or it could not be put back; then nothing was changed.
        """
        database = self._database()
        if database is None:
            raise LibraryError("The database is PostgreSQL. Restore a backup with PostgreSQL's own tools.")
        backup, aside = restore(database)
        was = f" The old database is now {aside}." if aside else ""
        return (
            f"{database} is now the backup {backup.name}.{was} What members saved, withdrew or "
            "deleted after that backup is not in it. Recordings that were deleted stay deleted."
        )

    def wipe(self) -> list[str]:
        """Delete everything of ours in the folder, and the database, if that is a file.

        Return the names of what else is in the folder. Raises `DataFolderError` for what cannot be deleted.
        """
        database = self._database()
        ours = [self.path / name for name in (*_FILES, *_FOLDERS, *_MADE) if name != LOCK_FILE]
        ours += [*self.path.glob(f"{SCRATCH}*"), *self.path.glob(PROCESS_FOLDER.format("*"))]
        if database is not None:
            ours += [database.with_name(database.name + side) for side in ("", "-wal", "-shm", ".new")]
            ours += database.parent.glob(f"{database.name}.damaged-*")
            ours += (database.parent / BACKUP_FOLDER).glob(f"{database.stem}-*")
        try:
            for path in ours:
                if path.is_dir():
                    shutil.rmtree(path)
                else:
                    path.unlink(missing_ok=True)
            return sorted(path.name for path in self.path.iterdir() if path.name != LOCK_FILE)
        except OSError as error:
            raise disk_error(error, self.path) from error

    def _database(self) -> Path | None:
        """Return the file that the database is; None for PostgreSQL. Raises `LibraryError`."""
        url = self._database_url
        return file_of(address(url.reveal() if url else None, self.path))

    def _take(self, lock: int, file: Path) -> None:
        try:
            if sys.platform == "win32":
                os.lseek(lock, _LOCKED_BYTE, os.SEEK_SET)
                msvcrt.locking(lock, msvcrt.LK_NBLCK, 1)
                os.lseek(lock, 0, os.SEEK_SET)
            else:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in _NO_LOCKS_HERE:
                log.warning("%s cannot be locked: see to it that only one bot uses it", file)
                return
            if error.errno not in (errno.EACCES, errno.EAGAIN, errno.EDEADLK):
                raise
            other = os.read(lock, 200).decode("utf-8", "replace").strip() or "unknown"
            is_folder = file.name == LOCK_FILE
            what = f"data folder {self.path}" if is_folder else f"database {file.with_suffix('')}"
            setting = "DATA_DIR to another folder" if is_folder else "DATABASE_URL to another database"
            more = " Several processes of one bot need PostgreSQL (DATABASE_URL)." if self._is_shared else ""
            raise _HeldError(
                f"Another bot ({other}) is using the {what}. Stop it first, or set {setting}.{more}"
            ) from None
        os.truncate(lock, 0)
        os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())

    def _close(self) -> None:
        while self._locks:
            os.close(self._locks.pop())


class _HeldError(DataFolderError):
    """Another process has it."""


class StartTimes:
    """When this bot started and identified itself to Discord, so that no loop of either costs the token.

    Kept in files, because each start is a process of its own. Raises `OSError` if those cannot be written.
    """

    def __init__(self, file: Path, *, identifies: Path, within: float = _HOUR) -> None:
        self._starts = _Times(file, MAX_STARTS_PER_HOUR, within)
        self._identifies = _Times(identifies, MAX_IDENTIFIES_PER_HOUR, within)

    async def wait_for_turn(self) -> None:
        """Return when the bot may start once more, and count that."""
        await self._starts.wait(
            "The bot has started %d times within %.0f minutes. It now waits %.0f s, because "
            "Discord resets the token of a bot that starts too often. The lines above say why it "
            "stopped."
        )

    async def wait_to_identify(self) -> None:
        """Return when a shard may identify itself once more, at a start or after a lost session."""
        await self._identifies.wait(
            "The bot has identified itself to Discord %d times within %.0f minutes. It now waits "
            "%.0f s, because Discord resets the token of a bot that does so too often."
        )


class _Times:
    """Times that something was done, in a file: at most ``most`` of them ``within`` so many seconds."""

    def __init__(self, file: Path, most: int, within: float) -> None:
        self._file = file
        self._most = most
        self._within = within

    async def wait(self, sentence: str) -> None:
        """Return when it may be done once more, and note that; ``sentence`` is for the log meanwhile."""
        while (wait := await asyncio.to_thread(self._take_turn, time.time())) > 0:
            log.warning(sentence, self._most, self._within / 60, wait)
            await asyncio.sleep(wait)

    def _take_turn(self, now: float) -> float:
        """Return 0 if it is fine at ``now`` and noted, else the seconds until it is."""
        times = [at for at in self._read() if now - self._within < at <= now]
        if len(times) >= self._most:
            return times[-self._most] + self._within - now
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps([*times, now]), encoding="ascii")
        draft.replace(self._file)
        return 0.0

    def _read(self) -> list[float]:
        try:
            found = json.loads(self._file.read_bytes())
        except (FileNotFoundError, ValueError, RecursionError):
            return []
        return sorted(at for at in found if isinstance(at, float)) if isinstance(found, list) else []


def data_limit(settings: Settings) -> DataLimit:
    """Return how much the data folder may hold."""
    max_bytes = settings.data_megabytes * 1024**2
    return DataLimit(settings.data_dir, max_bytes, cache=CACHE_FOLDER, backups=BACKUP_FOLDER)


def disk_error(error: OSError, path: Path | None = None) -> DataFolderError:
    """Return the sentence for what the disk refused, with the file or folder and what to do about it."""
    named = path or (Path(os.fsdecode(error.filename)) if error.filename else None)
    where = str(named.absolute()) if named else "The data folder"
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        return DataFolderError(
            f"The disk is full: {where} cannot be written. Free some space and start again."
        )
    if error.errno == errno.EROFS:
        return DataFolderError(
            f"{where} cannot be written: {reason}. Set DATA_DIR to a folder that the bot may write to."
        )
    if isinstance(error, PermissionError):
        return DataFolderError(
            f"{where} cannot be read and written ({reason}{_owner(named)}). Give it to the user that runs "
            "the bot, or set DATA_DIR to another folder."
        )
    return DataFolderError(f"{where} cannot be used: {reason}. Check it, or set DATA_DIR to another folder.")


def _owner(path: Path | None) -> str:
    if path is None or not hasattr(os, "getuid"):
        return ""
    try:
        owner = path.stat().st_uid
    except OSError:
        return ""
    return f"; it belongs to user {owner}, the bot runs as {os.getuid()}" if owner != os.getuid() else ""


def _check_folder(path: Path) -> None:
    if not path.is_dir():
        raise DataFolderError(f"{path} must be a folder, but it isn't. Move it away and start again.")
    try:
        with tempfile.TemporaryFile(dir=path) as probe:
            probe.write(_PROBE)
    except OSError as error:
        raise disk_error(error, path) from error


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise DataFolderError(f"{path} must be a file, but it's a folder. Move it away and start again.")
    try:
        opened = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return
    except OSError as error:
        raise disk_error(error, path) from error
    try:
        if not stat.S_ISREG(os.fstat(opened).st_mode):
            raise DataFolderError(f"{path} must be a file, but it isn't. Move it away and start again.")
    finally:
        os.close(opened)
