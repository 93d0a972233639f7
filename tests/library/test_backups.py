"""Backups of the database: one a day while anything changes, whole, and put back with one line."""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.errors import DamagedDatabaseError, LibraryError
from bot.library.backups import (
    BACKUP_FOLDER,
    RESTORE,
    back_up_daily,
    check_intact,
    forget_old_backups,
    newest_age,
    newest_whole,
    restore,
)
from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.tables import NeverCloneRow
from bot.limits import BACKUP_DAYS, MAX_BACKUPS, MAX_DAILY_BACKUPS

DAY = 86_400.0
PAGE = 4_096


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """Return a database that has some rows, and has been closed."""
    async with await Database.open(None, tmp_path) as database:
        for number in range(200):
            await change(database, number)
    return tmp_path / DATABASE_FILE


async def change(database: Database, number: int) -> None:
    async with database.session() as session:
        session.add(NeverCloneRow(member_id=number, since=datetime.now(UTC)))


def rows(file: Path) -> int:
    with closing(sqlite3.connect(file)) as database:
        return int(database.execute("SELECT count(*) FROM never_clone").fetchone()[0])


def add_row(file: Path, number: int) -> None:
    with closing(sqlite3.connect(file)) as database, database:
        database.execute("INSERT INTO never_clone VALUES (?, '2026-01-01 00:00:00')", (number,))


def backups(file: Path) -> list[Path]:
    return sorted((file.parent / BACKUP_FOLDER).iterdir())


def content(file: Path) -> bytes:
    return file.read_bytes()


@contextmanager
def files_no_larger_than(size: int) -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def make_older(seconds: float, *paths: Path) -> None:
    for path in paths:
        then = path.stat().st_mtime - seconds
        os.utime(path, (then, then))


def damage(file: Path, page: int, data: bytes = b"\xff" * PAGE) -> None:
    with file.open("r+b") as opened:
        opened.seek(page * PAGE)
        opened.write(data)


def damage_everything(file: Path) -> None:
    for page in range(1, file.stat().st_size // PAGE):
        damage(file, page)


async def test_the_first_is_made_at_once_and_the_next_a_day_later_if_anything_has_changed(file: Path):
    assert back_up_daily(file)
    assert not back_up_daily(file)
    (first,) = backups(file)
    assert rows(first) == 200
    assert first.stat().st_mode & 0o777 == 0o600

    make_older(DAY, first)
    make_older(2 * DAY, file)
    assert not back_up_daily(file), "nothing has changed"
    add_row(file, 1_000)
    make_older(1, *backups(file))
    first.rename(first.with_name("myna-daily-20200101T000000Z.db"))
    assert back_up_daily(file)

    assert sorted(map(rows, backups(file))) == [200, 201]


async def test_it_has_what_is_only_in_the_log_yet_and_nobody_who_writes_waits(tmp_path: Path):
    async with await Database.open(None, tmp_path) as database:
        await change(database, 1)
        async with database.session() as session:
            session.add(NeverCloneRow(member_id=2, since=datetime.now(UTC)))
            await session.flush()
            await database.back_up()
        (made,) = backups(tmp_path / DATABASE_FILE)

        assert rows(made) == 1, "what was not committed is not in it"
        assert not made.with_name(made.name + "-wal").exists()


async def test_seven_stay_and_those_from_before_a_change_of_shape_are_counted_apart(file: Path):
    for number in range(MAX_DAILY_BACKUPS + 3):
        assert back_up_daily(file)
        for backup in backups(file):
            make_older(DAY, backup)
            if "-daily-2" in backup.name and backup.name.count("-") == 2:
                backup.rename(backup.with_name(backup.name.replace("daily-", f"daily-0{number:02}")))
        add_row(file, 1_000 + number)
    folder = file.parent / BACKUP_FOLDER
    for number in range(MAX_BACKUPS):
        shutil.copy(backups(file)[0], folder / f"myna-000{number}-20260101T000000Z.db")

    assert len([one for one in backups(file) if "daily" in one.name]) == MAX_DAILY_BACKUPS
    assert len(backups(file)) == MAX_DAILY_BACKUPS + MAX_BACKUPS


async def test_nothing_deleted_stays_in_one_for_longer_than_is_said_and_the_last_one_stays(file: Path):
    back_up_daily(file)
    make_older((BACKUP_DAYS + 1) * DAY, *backups(file))
    make_older((BACKUP_DAYS + 2) * DAY, file)
    forget_old_backups(file)
    assert len(backups(file)) == 1, "it is what there is"

    add_row(file, 1_000)
    forget_old_backups(file)

    assert backups(file) == []


@pytest.mark.skipif(sys.platform == "win32", reason="nobody can limit files there")
@pytest.mark.parametrize("most_bytes", [0, PAGE, 3 * PAGE])
async def test_a_disk_that_takes_no_more_leaves_the_old_backups_and_nothing_half_made(
    file: Path, most_bytes: int
):
    back_up_daily(file)
    make_older(2 * DAY, *backups(file))
    before = backups(file)

    with files_no_larger_than(most_bytes), pytest.raises(LibraryError, match="could not be made"):
        back_up_daily(file)

    assert backups(file) == before
    assert rows(file) == 200


@pytest.mark.parametrize("how", ["folder is a file", "damaged"])
async def test_what_cannot_be_copied_whole_is_no_backup(file: Path, how: str):
    folder = file.parent / BACKUP_FOLDER
    if how == "damaged":
        damage_everything(file)
    else:
        folder.write_text("in the way", encoding="utf-8")

    with pytest.raises(LibraryError, match=r"today's backup could not be made|copy is damaged"):
        back_up_daily(file)

    assert not folder.is_dir() or not backups(file)


async def test_what_a_killed_bot_has_left_half_made_goes_with_the_next(file: Path):
    folder = file.parent / BACKUP_FOLDER
    folder.mkdir()
    (folder / "myna-daily-20260101T000000Z.new").write_bytes(b"half")

    assert back_up_daily(file)

    assert [path.suffix for path in backups(file)] == [".db"]


@pytest.mark.parametrize("page", [0, 1, 2, 3])
async def test_a_start_notices_damage_and_names_the_backup_and_what_to_type(file: Path, page: int):
    back_up_daily(file)
    (whole,) = backups(file)
    damage(file, page)

    with pytest.raises(DamagedDatabaseError) as raised:
        await Database.open(None, file.parent)

    assert str(whole) in str(raised.value)
    assert str(raised.value).endswith(RESTORE)


async def test_a_backup_that_is_damaged_itself_is_not_named(file: Path):
    back_up_daily(file)
    (older,) = backups(file)
    newer = older.with_name("myna-daily-99990101T000000Z.db")
    shutil.copy(older, newer)
    damage_everything(newer)
    make_older(DAY, older)
    damage_everything(file)
    assert newest_whole(file) == older

    damage_everything(older)
    with pytest.raises(DamagedDatabaseError, match="There's no undamaged backup"):
        check_intact(file)


async def test_looking_for_damage_ends_in_time_and_does_not_accuse_what_it_has_not_seen(file: Path):
    with closing(sqlite3.connect(file)) as database, database:
        database.executemany(
            "INSERT INTO never_clone VALUES (?, '2026-01-01 00:00:00')",
            ((n,) for n in range(10_000, 200_000)),
        )
    damage(file, len(content(file)) // PAGE - 1)

    check_intact(file, seconds=0)
    with pytest.raises(DamagedDatabaseError):
        check_intact(file, seconds=60)


async def test_a_new_folder_and_an_empty_file_are_not_damaged(tmp_path: Path):
    check_intact(tmp_path / DATABASE_FILE)
    (tmp_path / DATABASE_FILE).touch()
    check_intact(tmp_path / DATABASE_FILE)


async def test_the_newest_is_put_back_and_the_damaged_one_is_kept_beside_it(file: Path):
    back_up_daily(file)
    damage_everything(file)
    file.with_name(file.name + "-wal").write_bytes(b"of the damaged one")

    backup, aside = restore(file)

    assert backup == newest_whole(file)
    assert aside is not None
    assert aside.is_file()
    assert not file.with_name(file.name + "-wal").exists(), "it would be taken for the log of the backup"
    async with Library(None, file.parent) as library:
        assert await library.database.problem() is None
    assert rows(file) == 200


async def test_nobody_can_be_cloned_by_a_backup_who_has_said_no_since(file: Path):
    back_up_daily(file)
    add_row(file, 4_711)
    with closing(sqlite3.connect(file)) as database:
        (page,) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = 'voices'").fetchone()
    damage(file, page - 1)

    restore(file)

    with closing(sqlite3.connect(file)) as database:
        assert database.execute("SELECT 1 FROM never_clone WHERE member_id = 4711").fetchone() == (1,)


async def test_where_there_is_no_backup_nothing_is_touched(file: Path):
    damage_everything(file)
    before = content(file)

    with pytest.raises(LibraryError, match="There's no undamaged backup"):
        restore(file)

    assert content(file) == before


async def test_the_running_library_makes_it_and_a_check_can_say_how_old_it_is(tmp_path: Path):
    async with Library(None, tmp_path) as library:
        assert await library.database.backup_age() is None
        await library.tidy()
        age = await library.database.backup_age()
    assert age is not None
    assert 0 <= age < timedelta(hours=1).total_seconds()

    make_older(3 * DAY, *backups(tmp_path / DATABASE_FILE))
    assert (newest_age(tmp_path / DATABASE_FILE, time.time()) or 0) // DAY == 3
