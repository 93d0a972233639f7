"""The data folder of `python -m bot`: one bot at a time, and files that cannot be used."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Mapping
from pathlib import Path

import pytest

from bot.data_folder import (
    LOCK_FILE,
    MAX_IDENTIFIES_PER_HOUR,
    MAX_STARTS_PER_HOUR,
    DataFolder,
    StartTimes,
    disk_error,
)
from bot.errors import DataFolderError
from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.settings import Secret, Settings
from bot.start import Obstacle, obstacle_of
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, bot_process, discord_for, obedient_bot_process
from tests.delivery.test_import_and_export import ADA, AVIARY, exported, saved
from tests.scenes import until

NOBODY = 65_534
TOKEN = "a-token-that-is-never-sent"


@pytest.fixture
async def discord_here() -> AsyncIterator[Mapping[str, str]]:
    async with Rehearsal() as rehearsal, discord_for(rehearsal) as settings:
        yield settings


def given_away(path: Path) -> None:
    """Give it to somebody else; who may not do that takes the right to write from themselves."""
    if os.getuid() == 0:
        os.chown(path, NOBODY, NOBODY)
        path.chmod(0o755 if path.is_dir() else 0o644)
    else:
        path.chmod(0o500 if path.is_dir() else 0o400)


@pytest.mark.slow
async def test_a_second_bot_on_one_folder_is_told_of_the_first_and_may_come_when_that_is_killed(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    async with bot_process(tmp_path, **discord_here) as first:
        await first.until(LOGGED_IN)
        async with bot_process(tmp_path, **discord_here) as second:
            status, said = await second.ended()
        await first.killed()
    async with bot_process(tmp_path, **discord_here) as third:
        await third.until(LOGGED_IN)

    assert status == 2
    sentence = r"Another bot \(process \d+ on .+\) is using the data folder (.+)\. Stop it first"
    found = re.search(sentence, said)
    assert found is not None
    assert found[1] == str(tmp_path / "data")
    assert "Several processes of one bot need PostgreSQL (DATABASE_URL)." in said
    assert LOGGED_IN not in said
    assert "Traceback" not in said


def test_several_processes_share_a_folder_on_postgresql_each_with_a_part_of_its_own(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, database_url=Secret("postgresql://nobody@127.0.0.1:9/none"))

    with (
        DataFolder(settings, shared=True) as first,
        DataFolder(settings, shared=True) as second,
        DataFolder(settings, shared=True) as third,
    ):
        paths = [first.path, second.path, third.path]
        assert paths == [tmp_path, tmp_path / "process-2", tmp_path / "process-3"]
        with pytest.raises(DataFolderError, match="Stop it first"):
            DataFolder(settings).__enter__()


@pytest.mark.slow
async def test_a_voice_is_imported_and_the_folder_checked_beside_a_running_bot(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    await saved(tmp_path / "before", speaker_id=None)
    file = await exported(tmp_path / "before")
    settings = {**discord_here, "DATA_DIR": str(tmp_path / "data")}
    async with bot_process(tmp_path, **settings) as bot:
        await bot.until(LOGGED_IN)
        arguments = ("import-voice", str(file), "--guild", str(AVIARY), "--owner", str(ADA))
        async with bot_process(tmp_path, *arguments, **settings) as importing:
            imported = await importing.ended()
        async with bot_process(tmp_path, "check", **settings) as checking:
            _, checked = await checking.ended()
        status, said = await bot.stopped()

    assert imported[0] == 0
    assert "is saved" in imported[1]
    assert "in order" in checked
    assert status == 0
    assert "Traceback" not in said + checked
    async with Library(None, tmp_path / "data") as library:
        assert await library.database.problem() is None


@pytest.mark.slow
async def test_a_damaged_database_is_noticed_at_the_start_and_one_line_brings_the_backup_back(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    async with Library(None, data) as library:
        await library.tidy()
    whole = (data / DATABASE_FILE).read_bytes()
    (data / DATABASE_FILE).write_bytes(whole[:4_096] + b"\xff" * (len(whole) - 4_096))

    async with bot_process(tmp_path, **discord_here) as damaged:
        status, said = await damaged.ended()
    assert status == 2
    assert "is damaged" in said
    assert f"{sys.executable} -m bot restore-backup" in said
    assert "Traceback" not in said
    async with bot_process(tmp_path, "restore-backup", **discord_here) as restoring:
        status, said = await restoring.ended()
    assert status == 0
    assert f"{data / DATABASE_FILE} is now the backup myna-daily-" in said
    async with bot_process(tmp_path, **discord_here) as anew:
        await anew.until(LOGGED_IN)
        async with bot_process(tmp_path, "restore-backup", **discord_here) as too_early:
            status, said = await too_early.ended()
    assert status == 2
    assert "Stop it first" in said


def test_two_folders_are_two_locks_and_a_lock_ends_with_its_holder(tmp_path: Path) -> None:
    here, there = Settings(data_dir=tmp_path / "a"), Settings(data_dir=tmp_path / "b")

    with DataFolder(here), DataFolder(there), pytest.raises(DataFolderError, match=str(os.getpid())):
        DataFolder(here).__enter__()
    with DataFolder(here):
        assert (tmp_path / "a" / LOCK_FILE).exists()


def test_one_folder_under_two_names_is_one_lock(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "other").symlink_to(tmp_path / "real")

    with DataFolder(Settings(data_dir=tmp_path / "real")), pytest.raises(DataFolderError):
        DataFolder(Settings(data_dir=tmp_path / "other")).__enter__()


@pytest.mark.parametrize("is_linked", [False, True])
def test_one_database_in_a_file_elsewhere_is_one_lock_whatever_the_folders(
    tmp_path: Path, is_linked: bool
) -> None:
    database = link = tmp_path / "shared" / "voices.db"
    database.parent.mkdir()
    if is_linked:
        database.touch()
        link = tmp_path / "b" / "myna.db"
        link.parent.mkdir()
        link.symlink_to(database)
    here = Settings(data_dir=tmp_path / "a", database_url=Secret(f"sqlite:///{database}"))
    there = Settings(data_dir=tmp_path / "b", database_url=Secret(f"sqlite:///{link}"))

    with DataFolder(here), pytest.raises(DataFolderError, match=r"using the database .*voices\.db\. Stop"):
        DataFolder(there).__enter__()
    with DataFolder(there):
        pass


@pytest.mark.parametrize(
    "name", [DATABASE_FILE, f"{DATABASE_FILE}-wal", "heartbeat", "commands.json", "starts.json", "lock"]
)
def test_a_folder_where_a_file_should_be_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()

    with pytest.raises(DataFolderError) as raised:
        DataFolder(Settings(data_dir=tmp_path)).check()

    sentence = f"{tmp_path / name} must be a file, but it's a folder. Move it away and start again."
    assert str(raised.value) == sentence


@pytest.mark.slow
@pytest.mark.parametrize("name", ["", "recordings"])
async def test_a_file_where_a_folder_should_be_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"")
    async with bot_process(tmp_path, DISCORD_TOKEN=TOKEN) as bot:
        status, said = await bot.ended()

    assert status == 2
    assert said.startswith(str(path))
    assert said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="root obeys nobody elsewhere")
@pytest.mark.parametrize("name", [DATABASE_FILE, "heartbeat", "lock", "cache", ""])
async def test_what_belongs_to_somebody_else_is_named(tmp_path: Path, name: str) -> None:
    path = tmp_path / "data" / name
    path.parent.mkdir(exist_ok=True)
    path.mkdir() if name in ("cache", "recordings", "") else path.write_bytes(b"")
    given_away(path)
    async with obedient_bot_process(tmp_path, DISCORD_TOKEN=TOKEN) as bot:
        status, said = await bot.ended()

    assert status == 2
    assert said.startswith(f"{path} cannot be read and written (Permission denied")
    assert "Give it to the user that runs the bot" in said
    assert said.count("\n") == 1


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="root obeys nobody elsewhere")
async def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir()
    given_away(closed)
    data = {"DATA_DIR": str(closed / "data")}
    async with obedient_bot_process(tmp_path, DISCORD_TOKEN=TOKEN, **data) as bot:
        status, said = await bot.ended()

    assert status == 2
    assert said.startswith(f"{closed / 'data'} cannot be read and written (Permission denied")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a full disk is needed")
def test_a_full_disk_is_a_sentence_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="space") as raised, Path("/dev/full").open("wb", buffering=0) as full:
        full.write(b"x")

    said = str(disk_error(raised.value, tmp_path))

    assert said == f"The disk is full: {tmp_path} cannot be written. Free some space and start again."
    assert obstacle_of(raised.value) == Obstacle(
        "The disk is full: The data folder cannot be written. Free some space and start again.", status=2
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device is needed")
def test_a_device_where_a_file_should_be_is_named(tmp_path: Path) -> None:
    (tmp_path / "heartbeat").symlink_to("/dev/full")

    with pytest.raises(DataFolderError, match="heartbeat must be a file"):
        DataFolder(Settings(data_dir=tmp_path)).check()


def test_a_database_file_elsewhere_is_looked_at_too(tmp_path: Path) -> None:
    (tmp_path / "voices.db").mkdir()
    settings = Settings(data_dir=tmp_path / "data", database_url=Secret(f"sqlite:///{tmp_path}/voices.db"))

    with pytest.raises(DataFolderError, match=r"voices\.db must be a file, but it's a folder"):
        DataFolder(settings).check()


@pytest.mark.parametrize(
    ("kind", "most"), [("start", MAX_STARTS_PER_HOUR), ("identify", MAX_IDENTIFIES_PER_HOUR)]
)
async def test_starts_and_identifies_are_counted_over_processes_and_wait_where_they_are_too_many(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, kind: str, most: int
) -> None:
    def take_turn() -> Awaitable[None]:  # each time as another process
        times = StartTimes(tmp_path / "starts.json", identifies=tmp_path / "identifies.json")
        return times.wait_for_turn() if kind == "start" else times.wait_to_identify()

    for _ in range(most):
        async with asyncio.timeout(10):
            await take_turn()
    assert caplog.messages == []
    waiting = asyncio.ensure_future(take_turn())
    await until(lambda: bool(caplog.messages))

    assert not waiting.done()
    assert f" {most} times within 60 minutes. It now waits 3" in caplog.messages[0]
    waiting.cancel()


@pytest.mark.parametrize("content", ["", "[", "{}", "null", '[1, "x", null]', "[" * 50_000, "[9e99]"])
async def test_a_damaged_count_of_starts_holds_nobody_up(tmp_path: Path, content: str) -> None:
    for name in ("starts.json", "identifies.json"):
        (tmp_path / name).write_text(content)
    times = StartTimes(tmp_path / "starts.json", identifies=tmp_path / "identifies.json")

    async with asyncio.timeout(10):
        await times.wait_for_turn()
        await times.wait_to_identify()
