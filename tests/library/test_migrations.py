from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, text

from bot.errors import LibraryError
from bot.library.backups import BACKUP_FOLDER
from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from bot.library.migrations import OURS, Migrations
from bot.library.tables import NeverCloneRow
from bot.limits import BACKUP_DAYS, MAX_BACKUPS
from tests.library.first_edition import first_revisions

_STEP = """
import sqlalchemy as sa
from alembic import op

revision = "{revision}"
down_revision = "{before}"


def upgrade() -> None:
    {work}
"""
_ADD = 'op.add_column("never_clone", sa.Column("reason", sa.Text()))'
_FAIL = f"""{_ADD}
    op.execute("DELETE FROM never_clone")
    op.execute("INSERT INTO no_such_table VALUES (1)")"""
_DANGLE = "op.execute(\"INSERT INTO chosen_voices VALUES (1, 1, 'no such voice', 1)\")"


def migrations(tmp_path: Path, *steps: str) -> Migrations:
    """Return ours, and after them ``steps``."""
    folder = tmp_path / "migrations"
    shutil.rmtree(folder, ignore_errors=True)
    revisions = list(first_revisions(folder).revisions)
    for number, work in enumerate(steps):
        revision = f"later_{number}"
        source = _STEP.format(revision=revision, before=revisions[-1], work=work)
        (folder / "versions" / f"later_{number}.py").write_text(source, encoding="utf-8")
        revisions.append(revision)
    return Migrations(folder, tuple(revisions))


async def fill(url: str | None, data_dir: Path) -> None:
    async with await Database.open(url, data_dir) as database, database.session() as session:
        session.add(NeverCloneRow(member_id=1, since=datetime.now(UTC)))


async def state(url: str | None, data_dir: Path) -> tuple[object, ...]:
    async with await Database.open(url, data_dir) as database, database.reading() as session:
        rows = (await session.scalars(select(NeverCloneRow.member_id))).all()
        return (*rows, await session.scalar(text("SELECT version_num FROM alembic_version")))


def backups(data_dir: Path) -> list[str]:
    return sorted(path.name for path in (data_dir / BACKUP_FOLDER).glob("*"))


async def test_a_later_shape_is_reached_with_every_row(empty_url: str | None, tmp_path: Path) -> None:
    await fill(empty_url, tmp_path)
    later = migrations(tmp_path, _ADD)

    for _ in range(2):
        async with (
            await Database.open(empty_url, tmp_path, migrations=later) as database,
            database.reading() as session,
        ):
            found = (await session.execute(text("SELECT member_id, reason FROM never_clone"))).all()
            assert [tuple(row) for row in found] == [(1, None)]

    assert len(backups(tmp_path)) == (empty_url is None)


@pytest.mark.parametrize("work", [_FAIL, "raise RuntimeError('no')", "def nonsense("])
async def test_a_migration_that_fails_half_way_leaves_everything_as_it_was(
    empty_url: str | None, tmp_path: Path, work: str
) -> None:
    await fill(empty_url, tmp_path)
    before = await state(empty_url, tmp_path)

    for _ in range(2):
        with pytest.raises(LibraryError) as caught:
            await Database.open(empty_url, tmp_path, migrations=migrations(tmp_path, _ADD, work))

    assert str(caught.value).startswith("The database could not be brought up to date (")
    assert "It is as it was before" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert await state(empty_url, tmp_path) == before


async def test_a_database_newer_than_the_program_is_refused(empty_url: str | None, tmp_path: Path) -> None:
    await fill(empty_url, tmp_path)
    async with await Database.open(empty_url, tmp_path, migrations=migrations(tmp_path, _ADD)):
        pass

    with pytest.raises(LibraryError, match=r"^The database was made by a newer version of this bot .*\.$"):
        await Database.open(empty_url, tmp_path)


async def test_rows_that_point_at_nothing_are_a_failed_migration(tmp_path: Path) -> None:
    await fill(None, tmp_path)

    with pytest.raises(LibraryError, match="rows of chosen_voices point at nothing"):
        await Database.open(None, tmp_path, migrations=migrations(tmp_path, _DANGLE))
    assert await state(None, tmp_path) == (1, OURS.newest)


async def test_the_backup_is_the_database_from_before_and_only_ours_to_read(tmp_path: Path) -> None:
    await fill(None, tmp_path)
    async with await Database.open(None, tmp_path, migrations=migrations(tmp_path, _ADD)):
        pass

    (backup,) = (tmp_path / BACKUP_FOLDER).iterdir()
    assert backup.stat().st_mode & 0o777 == 0o600
    shutil.copy(backup, tmp_path / DATABASE_FILE)
    assert await state(None, tmp_path) == (1, OURS.newest)


async def test_the_newest_backups_stay_and_none_for_ever(tmp_path: Path) -> None:
    await fill(None, tmp_path)
    folder = tmp_path / BACKUP_FOLDER
    folder.mkdir()
    for day in range(1, 6):
        old = folder / f"myna-0000-2026010{day}T000000Z.db"
        old.touch()
        os.utime(old, (day * 86_400, day * 86_400))
    async with await Database.open(None, tmp_path, migrations=migrations(tmp_path, _ADD)) as database:
        assert len(backups(tmp_path)) == MAX_BACKUPS
        assert backups(tmp_path)[:2] == ["myna-0000-20260104T000000Z.db", "myna-0000-20260105T000000Z.db"]

        await database.forget_old_backups()
        assert len(backups(tmp_path)) == 1
        too_old = datetime.now(UTC).timestamp() - (BACKUP_DAYS + 1) * 86_400
        os.utime(folder / backups(tmp_path)[0], (too_old, too_old))
        await database.scrub()
        assert backups(tmp_path) == []


async def test_without_room_for_a_backup_the_database_is_not_touched(tmp_path: Path) -> None:
    await fill(None, tmp_path)
    (tmp_path / BACKUP_FOLDER).write_text("a file in the way", encoding="utf-8")

    with pytest.raises(
        LibraryError, match=r"^The database could not be backed up .*, so it was left as it is"
    ):
        await Database.open(None, tmp_path, migrations=migrations(tmp_path, _ADD))
    assert await state(None, tmp_path) == (1, OURS.newest)


async def test_killed_in_the_middle_of_a_migration_it_is_as_it_was(tmp_path: Path) -> None:
    await fill(None, tmp_path)
    steps = migrations(tmp_path, f"{_ADD}\n    import os\n    os._exit(9)")
    program = (
        "import asyncio, pathlib\n"
        "from bot.library.database import Database\n"
        "from bot.library.migrations import Migrations\n"
        f"steps = Migrations(pathlib.Path({str(steps.folder)!r}), {steps.revisions!r})\n"
        f"asyncio.run(Database.open(None, pathlib.Path({str(tmp_path)!r}), migrations=steps))\n"
    )

    ended = subprocess.run([sys.executable, "-c", program], check=False, timeout=60)  # noqa: ASYNC221

    assert ended.returncode == 9
    assert await state(None, tmp_path) == (1, OURS.newest)
    with closing(sqlite3.connect(tmp_path / DATABASE_FILE)) as connection:
        assert len(connection.execute("PRAGMA table_info(never_clone)").fetchall()) == 2


@pytest.mark.slow
@pytest.mark.parametrize("start", ["first", "second"])
def test_most_starts_load_neither_alembic_nor_asyncpg(
    tmp_path: Path, sqlite_template: Path, start: str
) -> None:
    if start == "second":
        shutil.copy(sqlite_template, tmp_path / DATABASE_FILE)
    program = (
        "import asyncio, pathlib, sys\n"
        "from bot.library.library import Library\n"
        "async def main():\n"
        f"    async with Library(None, pathlib.Path({str(tmp_path)!r})) as library:\n"
        "        await library.tidy()\n"
        "asyncio.run(main())\n"
        "print({'alembic', 'mako', 'asyncpg'} & set(sys.modules))\n"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], check=True, timeout=60, capture_output=True, text=True
    )

    assert done.stdout == "set()\n"
