"""Every migration, one by one and all of them together, on what people have on their disks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.audio.maker import Maker
from bot.library.backups import BACKUP_FOLDER
from bot.library.database import Database
from bot.library.engine import address, engine_for, writing
from bot.library.library import Library
from bot.library.migrations import OURS, bring_up_to_date
from bot.library.tables import GenerationRow
from bot.library.voice import utc_now
from bot.library.withdrawal import RecordingPosts
from bot.speech.cache import CacheFolder, SpeechCache
from tests.library import first_edition
from tests.library.migration_kills import SHARES

OLDER = OURS.revisions[:-1]


async def at(revision: str, url: str | None, tmp_path: Path) -> Path:
    """Return a data folder of the first edition that was brought to ``revision`` since."""
    data_dir = tmp_path / "data"
    await first_edition.make(url, data_dir, tmp_path)
    if revision != OURS.revisions[0]:
        until_then = first_edition.first_revisions(tmp_path / "migrations", revision)
        await bring_up_to_date(address(url, data_dir), until_then, busy_seconds=20)
    return data_dir


@pytest.mark.slow
@pytest.mark.parametrize("revision", OLDER)
async def test_a_folder_at_an_older_revision_is_brought_to_the_newest_with_all_that_is_in_it(
    empty_url: str | None, tmp_path: Path, revision: str
) -> None:
    data_dir = await at(revision, empty_url, tmp_path)
    before = await first_edition.all_rows(empty_url, data_dir)

    await first_edition.check(empty_url, data_dir)

    after = await first_edition.all_rows(empty_url, data_dir)
    assert first_edition.lost(before, after) == []
    assert after["alembic_version"] == [{"version_num": OURS.newest}]
    if empty_url is None:
        (backup,) = (data_dir / BACKUP_FOLDER).glob(f"*-{revision}-*.db")
        assert await first_edition.all_rows(f"sqlite:///{backup}", data_dir) == before


@pytest.mark.slow
async def test_kept_speech_of_the_first_edition_is_deleted_at_the_start(tmp_path: Path) -> None:
    data_dir = await at(OLDER[0], None, tmp_path)
    path = data_dir / "cache"
    assert list(path.iterdir()) != []

    async with (
        Library(None, data_dir) as library,
        SpeechCache(library.cached_speeches, CacheFolder(path), Maker(), max_bytes=10**6),
    ):
        assert list(path.iterdir()) == []


async def test_where_an_earlier_edition_may_have_posted_recordings_is_searched_and_nowhere_else(
    empty_url: str | None, tmp_path: Path
) -> None:
    data_dir = await at("0006", empty_url, tmp_path)
    before = await first_edition.all_rows(empty_url, data_dir)
    told_of = [row["channel_id"] for name in ("uses", "consents", "recording_posts") for row in before[name]]

    async with await Database.open(empty_url, data_dir) as database:
        found = await RecordingPosts(database).channels_to_search(utc_now())

    assert found == sorted({channel_id for channel_id in told_of if channel_id is not None})
    assert len(found) > 1


async def test_texts_become_lines_where_a_character_stood_between_them_however_many_there_are(
    empty_url: str | None, tmp_path: Path
) -> None:
    data_dir = await at("0005", empty_url, tmp_path)
    many = 1_234  # more than are read at once
    engine = engine_for(address(empty_url, data_dir), busy_seconds=20)
    async with writing(engine).begin() as connection:
        await connection.exec_driver_sql("DELETE FROM takes")
        for number in range(many):
            await connection.exec_driver_sql(
                "INSERT INTO takes (id, member_id, text, voice_ids, created_at) VALUES "
                f"('{number:04}', 14, '{number}\x1e', '[]', '2026-01-01 00:00:00')"
            )
    await engine.dispose()

    async with await Database.open(empty_url, data_dir) as database, database.reading() as session:
        found = await session.execute(select(GenerationRow.id, GenerationRow.lines))
        lines = {row.id: row.lines for row in found}

    assert lines == {f"{number:04}": [str(number), ""] for number in range(many)}


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM reports WHERE id = 2", "of reports: [2, "),
        ("UPDATE voices SET uses = 0 WHERE name_key = 'ada'", "of voices: ['ada-herself-0000000000', "),
        ("INSERT INTO never_clone VALUES (1, '2026-11-20')", "added to never_clone: [1, "),
        ("ALTER TABLE takes DROP COLUMN style", "the column takes.style"),
        ("DROP TABLE uses", "the table uses"),
    ],
)
async def test_what_a_migration_loses_is_noticed(tmp_path: Path, statement: str, said: str) -> None:
    data_dir = await at(OLDER[0], None, tmp_path)
    before = await first_edition.all_rows(None, data_dir)
    careless = first_edition.first_revisions(tmp_path / "careless", OURS.newest)
    last = next((careless.folder / "versions").glob(f"v{OURS.newest}_*.py"))
    last.write_text(f'{last.read_text("utf-8")}\n    op.execute("{statement}")\n', encoding="utf-8")
    await bring_up_to_date(address(None, data_dir), careless, busy_seconds=20)

    assert any(
        fault.startswith(said)
        for fault in first_edition.lost(before, await first_edition.all_rows(None, data_dir))
    )


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.parametrize("share", range(SHARES))
async def test_killed_at_any_point_of_any_migration_the_next_start_finds_everything(
    empty_url: str | None, tmp_path: Path, share: int
) -> None:
    await first_edition.make(empty_url, tmp_path / "first", tmp_path)
    ended = subprocess.run(  # noqa: ASYNC221 - there is nothing else to do meanwhile
        [
            *(sys.executable, "-m", "tests.library.migration_kills"),
            *(str(tmp_path), str(share), *filter(None, [empty_url])),
        ],
        check=False,
        timeout=600,
        capture_output=True,
        text=True,
    )

    assert ended.returncode == 0, ended.stderr
    everything, *killed = map(json.loads, ended.stdout.splitlines())
    assert [one["point"] for one in killed] == everything[share::SHARES]
    assert [one for one in killed if not one["killed"] or one["faults"]] == []
    for revision in OLDER:
        inside = [point for point in everything if point.startswith(f"{revision}: after")]
        assert len(inside) > 1, f"nothing is killed between {revision} and the next"
