"""Moving house: everything in one file, and back, in an empty place and nowhere else."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from bot.erasure import Holdings, delete_everything
from bot.errors import LibraryError
from bot.library.database import ID_FILE
from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.library.moving import back_up_to, restore_from
from bot.library.recording_folder import RECORDING_FOLDER
from bot.library.voice import Scope
from bot.settings import Secret, Settings
from tests.library import first_edition
from tests.library.conftest import a_database
from tests.library.postgresql import PostgreSQL

MODERATOR = Scope(first_edition.AVIARY, first_edition.MOD, is_moderator=True)


@pytest.fixture(scope="session")
def houses(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a data folder of today's, and beside it one file with everything in that."""
    folder = tmp_path_factory.mktemp("houses")

    async def build() -> None:
        await first_edition.make(None, folder / "old", folder / "scratch")
        async with Library(None, folder / "old", now=lambda: first_edition.NOW):
            pass
        await back_up_to(None, folder / "old", folder / "myna.zip")

    with ThreadPoolExecutor(1) as thread:  # although the tests have a loop of their own
        thread.submit(asyncio.run, build()).result()
    return folder


@pytest.fixture
def populated(houses: Path, tmp_path: Path) -> Path:
    """Return a folder with voices, consents, settings and recordings."""
    return Path(shutil.copytree(houses / "old", tmp_path / "old house"))


@pytest.fixture
def packed(houses: Path, tmp_path: Path) -> Path:
    """Return everything in that folder as one file."""
    return Path(shutil.copy2(houses / "myna.zip", tmp_path / "myna.zip"))


def contents(folder: Path) -> dict[str, bytes]:
    """Return every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def only_ours(file: Path) -> bool:
    """Return whether nobody else on this machine can read a file."""
    return not file.stat().st_mode & 0o077


def with_a_null(folder: Path) -> list[tuple[str | None, str | None]]:
    """Let a column say JSON's null, unlike no value at all; return that and its neighbour as they stand."""
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database, database:
        database.execute("UPDATE guild_settings SET exempt_roles = 'null'")
        database.execute("UPDATE guild_settings SET welcomed_at = '2026-11-20 12:00:00.000000'")
    return as_they_stand(folder)


def as_they_stand(folder: Path) -> list[tuple[str | None, str | None]]:
    with closing(sqlite3.connect(folder / DATABASE_FILE)) as database:
        return database.execute("SELECT exempt_roles, excluded_roles FROM guild_settings").fetchall()


async def test_everything_is_found_in_the_new_house(populated: Path, packed: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()

    moved = await restore_from(None, new, packed)

    assert (moved.voices, moved.servers, moved.recordings, moved.damaged) == (6, 2, 5, 0)
    assert await first_edition.all_rows(None, new) == await first_edition.all_rows(None, populated)
    assert (new / ID_FILE).read_text() == (populated / ID_FILE).read_text()
    await first_edition.check(None, new)
    assert only_ours(packed)
    assert {path.name for path in new.iterdir()} <= {DATABASE_FILE, ID_FILE, RECORDING_FOLDER}


async def test_a_file_of_an_older_version_is_brought_up_to_date(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    new.mkdir()
    await first_edition.make(None, old, tmp_path)
    await back_up_to(None, old, tmp_path / "myna.zip")

    await restore_from(None, new, tmp_path / "myna.zip")

    await first_edition.check(None, new)


async def erase(url: str, folder: Path) -> None:
    async def confirm(_: Holdings) -> bool:
        return True

    settings = Settings(data_dir=folder, database_url=Secret(url))
    await delete_everything(settings, confirm, leaves_posts=True)


@pytest.mark.slow
async def test_a_move_to_postgresql_and_back_changes_no_row(
    populated: Path, tmp_path: Path, postgresql: PostgreSQL
) -> None:
    stood = with_a_null(populated)
    packed = tmp_path / "there.zip"
    await back_up_to(None, populated, packed)
    between, home = tmp_path / "between", tmp_path / "home"
    between.mkdir()
    home.mkdir()
    async with a_database(postgresql) as url:
        async with Library(url, between) as library:  # a bot that is there, in no server
            assert await library.processes.leads()
            with pytest.raises(LibraryError, match="Another bot is using the database"):
                await restore_from(url, between, packed)
        await restore_from(url, between, packed)
        with pytest.raises(LibraryError, match="already holds"):
            await restore_from(url, between, packed)
        await back_up_to(url, between, tmp_path / "back.zip")
        async with Library(url, between, now=lambda: first_edition.NOW) as library:
            await library.audit.record(first_edition.AVIARY, "a-new-voice", first_edition.CAT, seconds=1.0)
            uses = (await library.audit.page(MODERATOR)).entries
            assert await library.processes.leads()
            with pytest.raises(LibraryError, match="Another bot is using the database"):
                await erase(url, between)
        await erase(url, between)
        assert await first_edition.all_rows(url, between) == {}
    assert uses[0].voice_id == "a-new-voice"  # it got a number that was still free
    await restore_from(None, home, tmp_path / "back.zip")

    assert await first_edition.all_rows(None, home) == await first_edition.all_rows(None, populated)
    assert as_they_stand(home) == stood


async def test_a_backup_beside_a_bot_is_of_one_moment_and_knows_all_its_recordings(
    populated: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    new.mkdir()
    stranger = b"of another database"
    (populated / RECORDING_FOLDER / f"{first_edition.sha256(stranger)}.wav").write_bytes(stranger)
    async with Library(None, populated, now=lambda: first_edition.NOW) as library, library.database.session():
        await back_up_to(None, populated, tmp_path / "myna.zip")

    assert (await restore_from(None, new, tmp_path / "myna.zip")).recordings == 5
    await first_edition.check(None, new)


async def test_a_damaged_recording_is_left_out_and_counted(populated: Path, tmp_path: Path) -> None:
    damaged = next((populated / RECORDING_FOLDER).glob("*.wav"))
    damaged.chmod(0o600)
    damaged.write_bytes(b"RIFF")

    moved = await back_up_to(None, populated, tmp_path / "myna.zip")

    assert (moved.recordings, moved.damaged) == (4, 1)


def rewritten(packed: Path, change: Callable[[dict[str, bytes]], None]) -> None:
    """Write the archive anew with other files in it."""
    with zipfile.ZipFile(packed) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    change(files)
    with zipfile.ZipFile(packed, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)


def _climbs(files: dict[str, bytes]) -> None:
    files["../outside.wav"] = b"RIFF"


def _climbs_from_a_recording(files: dict[str, bytes]) -> None:
    files[f"{RECORDING_FOLDER}/../{'0' * 64}.wav"] = b"RIFF"


def _is_absolute(files: dict[str, bytes]) -> None:
    files["/tmp/outside.wav"] = b"RIFF"


def _is_newer(files: dict[str, bytes]) -> None:
    files["about.json"] = json.dumps({**json.loads(files["about.json"]), "tables": "9999"}).encode()


def _has_a_newer_database(files: dict[str, bytes]) -> None:
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(files[DATABASE_FILE])
        database.execute("UPDATE alembic_version SET version_num = '9999'")
        database.commit()
        files[DATABASE_FILE] = database.serialize()


def _has_another_recording(files: dict[str, bytes]) -> None:
    files[next(name for name in files if name.startswith(RECORDING_FOLDER))] = b"RIFF of somebody else"


def _has_half_a_database(files: dict[str, bytes]) -> None:
    files[DATABASE_FILE] = files[DATABASE_FILE][:8_192]


def _says_nothing(files: dict[str, bytes]) -> None:
    files["about.json"] = b"[]"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (_climbs, "holds files that are in no backup of Myna"),
        (_climbs_from_a_recording, "holds files that are in no backup of Myna"),
        (_is_absolute, "holds files that are in no backup of Myna"),
        (_is_newer, "was made by a newer Myna"),
        (_has_a_newer_database, "made by a newer version of this bot"),
        (_has_another_recording, "is damaged, or no backup of Myna"),
        (_has_half_a_database, "is damaged, or no backup of Myna"),
        (_says_nothing, "is damaged, or no backup of Myna"),
    ],
)
async def test_what_is_no_backup_of_ours_is_refused_and_nothing_is_left_of_it(
    packed: Path, tmp_path: Path, change: Callable[[dict[str, bytes]], None], words: str
) -> None:
    rewritten(packed, change)
    new = tmp_path / "new"
    new.mkdir()
    before = contents(tmp_path)

    with pytest.raises(LibraryError) as refusal:
        await restore_from(None, new, packed)

    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert contents(tmp_path) == before


def broken(file: Path) -> list[bytes]:
    """Return the file cut off at some places, and with one byte changed at others."""
    whole = file.read_bytes()
    found = [whole[: len(whole) * share // 4] for share in range(4)]
    for share in range(1, 16):
        at = len(whole) * share // 16
        found.append(whole[:at] + bytes([whole[at] ^ 0x55]) + whole[at + 1 :])
    return found


async def test_a_file_with_any_byte_missing_or_changed_is_refused(packed: Path, tmp_path: Path) -> None:
    for number, data in enumerate(broken(packed)):
        new = tmp_path / str(number)
        new.mkdir()
        file = tmp_path / f"{number}.zip"
        file.write_bytes(data)
        try:
            await restore_from(None, new, file)
        except LibraryError:
            assert contents(new) == {}
        else:  # a byte that says nothing, such as the time of day of a file
            await first_edition.check(None, new)


async def test_nothing_is_overwritten_and_nothing_that_was_there_is_touched(
    populated: Path, packed: Path, tmp_path: Path
) -> None:
    before = contents(populated)
    with pytest.raises(LibraryError, match=r"already holds .*\. Restore never overwrites: move it away"):
        await restore_from(None, populated, packed)
    assert contents(populated) == before

    other = tmp_path / "other"
    (other / RECORDING_FOLDER).mkdir(parents=True)
    (other / RECORDING_FOLDER / f"{'1' * 64}.wav").write_bytes(b"RIFF")
    with pytest.raises(LibraryError, match="already holds recordings"):
        await restore_from(None, other, packed)
    with pytest.raises(LibraryError, match="is already there"):
        await back_up_to(None, populated, packed)


async def test_a_bot_that_was_in_no_server_yet_is_no_obstacle(packed: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    async with Library(None, new):
        pass

    await restore_from(None, new, packed)

    await first_edition.check(None, new)


async def test_a_restore_that_was_killed_half_way_can_be_typed_again(packed: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "restoring").mkdir(parents=True)
    (new / "restoring" / DATABASE_FILE).write_bytes(b"half")
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(new, [name for name in archive.namelist() if name.startswith(RECORDING_FOLDER)])

    await restore_from(None, new, packed)

    await first_edition.check(None, new)


async def test_without_a_database_there_is_nothing_to_back_up(tmp_path: Path) -> None:
    with pytest.raises(LibraryError, match="There is no database at"):
        await back_up_to(None, tmp_path, tmp_path / "myna.zip")
    assert contents(tmp_path) == {}
