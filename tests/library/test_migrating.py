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
from bot.library.database import Database
from bot.library.engine import DATABASE_FILE
from bot.library.migrating import BACKUP_FOLDER
from bot.library.migrations import OURS, Migrations
from bot.library.recordings import Recordings
from bot.library.tables import Base, NeverCloneRow
from bot.library.voice import Scope
from bot.limits import BACKUP_DAYS, MAX_BACKUPS
from tests.library.shelves import voices_in

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
_DANGLE = "op.execute(\"INSERT INTO chosen_voices VALUES (1, 1, 'no such voice')\")"


def migrations(tmp_path: Path, *steps: str) -> Migrations:
    """Return ours, and after them ``steps``."""
    folder = tmp_path / "migrations"
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(OURS.folder, folder, ignore=shutil.ignore_patterns("__pycache__"))
    revisions = list(OURS.revisions)
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


_FIRST_EDITION = (
    "INSERT INTO consents (id, guild_id, asker_id, speaker_id, state, policy_version, asked_at) "
    "VALUES ('c', 101, 12, 11, 'granted', 1, '2026-01-01 00:00:00')",
    "INSERT INTO voices (id, guild_id, name, name_key, owner_id, speaker_id, consent_id, kind, recording, "
    "seconds, language, sharing, uses, created_at, last_used_at, is_frozen) VALUES "
    "('old', 101, 'Old', 'old', 12, 11, 'c', 'cloned', '0', 5, 'de', 'members', 3, '2026-01-02 00:00:00', "
    "'2026-03-01 00:00:00', false), "
    "('new', 101, 'New', 'new', 12, NULL, NULL, 'cast', '1', 5, NULL, 'server', 0, '2026-02-01 00:00:00', "
    "NULL, false), "
    "('older', 101, 'Older', 'older', 12, NULL, NULL, 'designed', '2', 5, NULL, 'server', 0, "
    "'2026-01-01 00:00:00', NULL, false)",
    "INSERT INTO voice_members VALUES ('old', 13)",
    "INSERT INTO chosen_voices VALUES (101, 13, 'old')",
    "INSERT INTO guild_settings (guild_id, cloning_on, default_voice_id) VALUES (101, true, 'new')",
    "INSERT INTO recording_posts (message_id, voice_id, channel_id, attachment_id, url, posted_at) "
    "VALUES (1, 'old', 2, 3, 'https://cdn', '2026-01-01 00:00:00')",
)


async def test_what_the_first_edition_kept_is_all_there_and_proposed_in_order_of_use(
    empty_url: str | None, tmp_path: Path
) -> None:
    folder = tmp_path / "migrations"
    shutil.copytree(OURS.folder, folder, ignore=shutil.ignore_patterns("__pycache__", "v0004_*"))
    first = Migrations(folder, OURS.revisions[: OURS.revisions.index("0004")])
    async with (
        await Database.open(empty_url, tmp_path, migrations=first) as database,
        database.session() as session,
    ):
        for statement in _FIRST_EDITION:
            await session.execute(text(statement))
    before = await every_row(empty_url, tmp_path, first)

    assert await every_row(empty_url, tmp_path, OURS) == before

    assert len(backups(tmp_path)) == (empty_url is None)
    async with await Database.open(empty_url, tmp_path) as database:
        voices = voices_in(database, Recordings(database, tmp_path / "recordings"))
        cat = Scope(101, 13)
        assert [one.name for one in await voices.complete(cat, "")] == ["Old", "New", "Older"]
        chosen = await voices.chosen_voices(cat)
        assert [one and one.id for one in (chosen.mine, chosen.default)] == ["old", "new"]


async def every_row(
    url: str | None, data_dir: Path, migrations: Migrations
) -> dict[str, list[tuple[object, ...]]]:
    """Return all rows of all tables."""
    async with (
        await Database.open(url, data_dir, migrations=migrations) as database,
        database.reading() as session,
    ):
        return {
            name: [tuple(row) for row in await session.execute(text(f"SELECT * FROM {name}"))]
            for name in sorted(Base.metadata.tables)
        }


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

    with pytest.raises(LibraryError, match=r"^No backup of the database .*, so it was not touched"):
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
