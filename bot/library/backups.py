"""Backups of the database, where that is a file: made, looked over, forgotten, and put back.

One is made before its tables change, and one a day while the bot runs and something has changed. PostgreSQL
has its own ways for that.
"""

from __future__ import annotations

import logging
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from bot import typed
from bot.errors import DamagedDatabaseError, LibraryError, LibraryFullError
from bot.limits import BACKUP_DAYS, LOOK_OVER_SECONDS, MAX_BACKUPS, MAX_DAILY_BACKUPS

log = logging.getLogger(__name__)

BACKUP_FOLDER: Final = "backups"
"""A folder beside the database file."""

RESTORE: Final = typed("bot restore-backup")
"""What the operator types to have the newest backup put in the place of a damaged database."""

_DAILY: Final = "daily"
_DRAFT: Final = ".new"
_SIDES: Final = ("", "-wal", "-shm")
_DAY: Final = 86_400.0
_EARLY: Final = 1_800.0  # the look for it comes hourly, and must not make it later from day to day
_SPARE_BYTES: Final = 32 * 1024 * 1024  # a backup must not take the last of the disk from who saves a voice
_STEPS: Final = 1_000  # of SQLite's machine between two looks at the clock
_NOT_DAMAGED: Final = (
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_FULL,
)


def check_intact(file: Path, *, seconds: float = LOOK_OVER_SECONDS) -> None:
    """Return if no damage is found in the database ``file`` within so many ``seconds``.

    Raises `DamagedDatabaseError`, which names the newest backup that is whole and what to type.
    """
    if not file.is_file() or not file.stat().st_size:
        return
    damage = _damage(file, seconds)
    if damage is None:
        return
    whole = newest_whole(file)
    if whole is None:
        cure = f"There's no undamaged backup in {file.parent / BACKUP_FOLDER}. Restore one of your own."
    else:
        cure = f"The newest undamaged backup is {whole}, from {_moment(whole)}. To go back to it: {RESTORE}"
    raise DamagedDatabaseError(
        f"The database {file} is damaged ({damage}), so the bot does not start. {cure}"
    )


def newest_whole(file: Path) -> Path | None:
    """Return the newest backup of ``file`` without damage; None: there is none."""
    found = sorted(_backups(file), key=_made_at, reverse=True)
    return next((backup for backup in found if damage_in(backup) is None), None)


def newest_age(file: Path, now: float) -> float | None:
    """Return how many seconds old the newest backup of ``file`` is; None: there is none."""
    made_at = max(map(_made_at, _backups(file)), default=None)
    return None if made_at is None else max(0.0, now - made_at)


def back_up(file: Path, revision: str) -> None:
    """Make a backup of ``file`` before its tables change from ``revision``, and drop the oldest of these.

    Raises `LibraryError` with a sentence for the operator.
    """
    try:
        _copy(file, revision)
    except (OSError, sqlite3.Error, LibraryError) as error:
        raise LibraryError(
            f"The database could not be backed up into {file.parent / BACKUP_FOLDER} ({error}), "
            "so it was left as it is. Free some space and start again."
        ) from error
    _drop_all_but_newest(MAX_BACKUPS, _before_changes(file))


def back_up_daily(file: Path) -> bool:
    """Make the backup of the day, if something has changed since the newest one and that is a day old.

    Return whether one was made. Raises `LibraryError`: then all is as before.
    """
    newest = max(map(_made_at, _dailies(file)), default=0.0)
    if time.time() - newest < _DAY - _EARLY or not _has_changed_since(file, newest):
        return False
    try:
        _copy(file, _DAILY)
    except (OSError, sqlite3.Error) as error:
        raise LibraryError(f"today's backup could not be made: {error}") from error
    _drop_all_but_newest(MAX_DAILY_BACKUPS, _dailies(file))
    return True


def forget_old_backups(file: Path) -> None:
    """Delete the backups of ``file`` that are older than `BACKUP_DAYS`.

    Except the newest, while nothing has changed since: what is in it has not been deleted.
    """
    oldest = time.time() - BACKUP_DAYS * _DAY
    for backup in _backups(file):
        if _made_at(backup) < oldest and _has_changed_since(file, _made_at(backup)):
            backup.unlink(missing_ok=True)


def restore(file: Path) -> tuple[Path, Path | None]:
    """Put the newest backup that is whole in the place of ``file``, which nobody may have open.

    Return that backup, and where the database that was there is now; None: there was none. Who must never be
    cloned by what that one says must not be by the restored one either. Raises `LibraryError`: then nothing
    was changed.
    """
    backup = newest_whole(file)
    if backup is None:
        raise LibraryError(f"There's no undamaged backup in {file.parent / BACKUP_FOLDER}.")
    draft = file.with_name(file.name + _DRAFT)
    aside = file.with_name(f"{file.name}.damaged-{_stamp()}") if file.exists() else None
    try:
        with _private(draft):
            shutil.copyfile(backup, draft)
            _protect_as(file, draft)
            _sync(draft)
            if aside is not None:
                for side in _SIDES:
                    with suppress(FileNotFoundError):
                        file.with_name(file.name + side).replace(aside.with_name(aside.name + side))
            draft.replace(file)
    except OSError as error:
        raise LibraryError(
            f"The backup could not be restored ({error.strerror}). {file} is unchanged."
        ) from error
    return backup, aside


def _copy(file: Path, kind: str) -> None:
    """Copy the database as it is, its log included, while others write; all or nothing, and looked over."""
    folder = file.parent / BACKUP_FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    for left in folder.glob(f"{file.stem}-*{_DRAFT}"):  # by a bot that was killed in the middle
        left.unlink(missing_ok=True)
    needed = sum(path.stat().st_size for path in _parts(file)) + _SPARE_BYTES
    if shutil.disk_usage(folder).free < needed:
        raise LibraryFullError(f"less than {needed // 1024**2} MB are free on the disk")
    copy = folder / f"{file.stem}-{kind}-{_stamp()}.db"
    with _private(copy.with_suffix(_DRAFT)) as draft:
        copy_whole(file, draft)
        _sync(draft)
        draft.replace(copy)


def copy_whole(file: Path, copy: Path) -> None:
    """Copy a database as it is at one moment into one file, while others write, and look the copy over.

    Raises `OSError`, `sqlite3.Error`, and `LibraryError` if the copy is damaged.
    """
    with closing(sqlite3.connect(file)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # one file, whole without others
    damage = damage_in(copy)
    if damage is not None:
        raise LibraryError(f"the copy is damaged: {damage}")


def damage_in(file: Path) -> str | None:
    """Return what is wrong with a database file, which is looked over whole; None: nothing."""
    return _damage(file, None)


def _damage(file: Path, seconds: float | None) -> str | None:
    """Return what is wrong with a database file; None: nothing was found in the ``seconds`` there were."""
    try:
        with closing(sqlite3.connect(file)) as database:
            if seconds is None:
                return _found(database, "PRAGMA quick_check(1)")
            return _damage_of_tables(database, time.monotonic() + seconds)
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_DAMAGED:
            return None  # whoever opens it next says so
        return str(error)


def _damage_of_tables(database: sqlite3.Connection, deadline: float) -> str | None:
    """Look at one table after the other: SQLite before 3.43 cannot be interrupted within one."""
    database.set_progress_handler(lambda: time.monotonic() > deadline, _STEPS)
    tables = database.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
    for (name,) in tables:
        if time.monotonic() > deadline:
            log.warning(
                "not all of the database was looked over for damage; to do that: %s", typed("bot check")
            )
            return None
        found = _found(database, f"PRAGMA quick_check('{name}')")
        if found is not None:
            return found
    return None


def _found(database: sqlite3.Connection, check: str) -> str | None:
    (found,) = database.execute(check).fetchone()
    return None if found == "ok" else str(found).splitlines()[-1]


def _protect_as(damaged: Path, restored: Path) -> None:
    """Let nobody be cloned by ``restored`` who, as far as it can be read, must not be by ``damaged``."""
    wanted = "SELECT member_id, since FROM never_clone"
    with suppress(sqlite3.Error), closing(sqlite3.connect(damaged)) as source:
        rows = source.execute(wanted).fetchall()
        with closing(sqlite3.connect(restored)) as target, target:
            target.executemany("INSERT OR IGNORE INTO never_clone (member_id, since) VALUES (?, ?)", rows)


def _backups(file: Path) -> list[Path]:
    return list((file.parent / BACKUP_FOLDER).glob(f"{file.stem}-*.db"))


def _dailies(file: Path) -> list[Path]:
    return [backup for backup in _backups(file) if _is_daily(file, backup)]


def _before_changes(file: Path) -> list[Path]:
    return [backup for backup in _backups(file) if not _is_daily(file, backup)]


def _is_daily(file: Path, backup: Path) -> bool:
    return backup.name.startswith(f"{file.stem}-{_DAILY}-")


def _drop_all_but_newest(count: int, backups: list[Path]) -> None:
    for old in sorted(backups, key=_made_at)[:-count]:
        old.unlink(missing_ok=True)


def _made_at(backup: Path) -> float:
    with suppress(FileNotFoundError):
        return backup.stat().st_mtime
    return 0.0


def _has_changed_since(file: Path, moment: float) -> bool:
    return any(path.stat().st_size and path.stat().st_mtime > moment for path in _parts(file))


def _parts(file: Path) -> list[Path]:
    """Return the files in which the database is: the file itself, and its log."""
    return [path for path in (file, file.with_name(file.name + "-wal")) if path.is_file()]


def _moment(backup: Path) -> str:
    return f"{datetime.fromtimestamp(_made_at(backup), UTC):%d %B %Y, %H:%M} UTC"


def _stamp() -> str:
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())


@contextmanager
def _private(draft: Path) -> Iterator[Path]:
    """Yield a new empty file that only our own user can read; after an error it is gone."""
    try:
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        yield draft
    except BaseException:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise


def _sync(file: Path) -> None:
    with file.open("rb") as written:
        os.fsync(written.fileno())
