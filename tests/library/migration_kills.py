"""Kill a process that brings the database of the first edition up to date, at every point, and start again.

`python -m tests.library.migration_kills FOLDER SHARE [URL]` is a process of its own, as it forks: for each
point a child that kills itself there, and one that starts behind it. The points are behind each statement to
the database, before each commit, and before each file is made, renamed or deleted. Of them it takes one of
`SHARES` shares. FOLDER has a data folder of the first edition, ``first``; URL is the address of its database
on PostgreSQL, from which each child gets a copy. Prints all points in a line of JSON, and one for each of
its own. POSIX only.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

import alembic.command  # noqa: F401 - once here, and not in every child
import asyncpg
from sqlalchemy import Engine, event, make_url

from bot.library.backups import BACKUP_FOLDER
from bot.library.database import Database
from bot.library.migrations import OURS
from tests.library import first_edition

SHARES: Final = 6
"""So that none takes as long as a test may: there are more points with each migration."""

_VERSION: Final = "UPDATE alembic_version SET version_num='"
_FILES: Final = {"open", "os.rename", "os.remove", "sqlite3.connect"}
"""What Python's audit hooks call the changes of a folder."""
_SECOND: Final = re.compile(r"\d{8}T\d{6}Z")


class Points:
    """The points of a start, in the order in which they come; at the ``deadly`` one the process is killed."""

    def __init__(self, folder: Path, deadly: int | None) -> None:
        self._folder = str(folder)
        self._deadly = deadly
        self._step = OURS.revisions[0]
        self.passed: list[str] = []

    def watch(self) -> None:
        """Look at everything that this process does from now on."""
        event.listen(Engine, "after_cursor_execute", self._statement)
        event.listen(Engine, "commit", lambda _: self._pass("commit"))
        sys.addaudithook(self._audited)

    def _statement(self, _: Any, __: Any, statement: str, *___: Any) -> None:
        self._pass(f"after {statement}")
        if statement.startswith(_VERSION):
            self._step = statement.removeprefix(_VERSION).partition("'")[0]

    def _audited(self, name: str, arguments: tuple[Any, ...]) -> None:
        if name in _FILES and arguments and str(arguments[0]).startswith(self._folder):
            self._pass(f"{name} {Path(str(arguments[0])).name}")

    def _pass(self, what: str) -> None:
        self.passed.append(f"{self._step}: {' '.join(what.split())[:90]}")
        if len(self.passed) - 1 == self._deadly:
            os.kill(os.getpid(), signal.SIGKILL)


def main(folder: Path, share: int, url: str | None) -> None:
    """Print all points, and for each of this share what was wrong after a kill there."""
    before = asyncio.run(first_edition.all_rows(url, folder / "first"))
    points = _forked(partial(_start, folder, url, None))
    assert points is not None
    print(json.dumps(points), flush=True)
    for number, point in list(enumerate(points))[share::SHARES]:
        was_killed = _forked(partial(_start, folder, url, number)) is None
        faults = _forked(partial(_start_again, folder, url, before)) if was_killed else []
        print(json.dumps({"point": point, "killed": was_killed, "faults": faults}), flush=True)


def _start(folder: Path, url: str | None, deadly: int | None) -> list[str]:
    data_dir, copied = folder / "data", asyncio.run(_copy(folder, url))
    points = Points(data_dir, deadly)

    async def start() -> None:
        points.watch()
        async with await Database.open(copied, data_dir):
            pass

    asyncio.run(start())
    return points.passed


def _start_again(folder: Path, url: str | None, before: first_edition.Rows) -> list[str]:
    data_dir, copied = folder / "data", _copied(url)
    for path in list((data_dir / BACKUP_FOLDER).glob("*")):  # nobody starts again within the same second
        path.rename(path.with_name(_SECOND.sub("20261122T115959Z", path.name)))
    asyncio.run(first_edition.check(copied, data_dir))
    after = asyncio.run(first_edition.all_rows(copied, data_dir))
    faults = [f"lost: {what}" for what in first_edition.lost(before, after)]
    if after["alembic_version"] != [{"version_num": OURS.newest}]:
        faults.append(f"it is at {after['alembic_version']}")
    return faults + (_faults_of_backups(data_dir, before) if url is None else [])


def _faults_of_backups(data_dir: Path, before: first_edition.Rows) -> list[str]:
    found = sorted((data_dir / BACKUP_FOLDER).iterdir())
    faults = [f"left over: {path.suffix} in the backups" for path in found if path.suffix != ".db"]
    whole = [path for path in found if path.suffix == ".db"]
    if not whole:
        faults.append("no backup")
    for path in whole:
        rows = asyncio.run(first_edition.all_rows(f"sqlite:///{path}", data_dir))
        if rows != before:
            faults.append("a backup is not what was there before")
    return faults


async def _copy(folder: Path, url: str | None) -> str | None:
    """Put a copy of the first edition in place of what the last child left; return its address."""
    shutil.rmtree(folder / "data", ignore_errors=True)
    shutil.copytree(folder / "first", folder / "data")
    if url is not None:
        connection = await asyncpg.connect(_beside(url, "postgres"))
        try:
            copied = make_url(_copied(url) or "").database
            await connection.execute(f"DROP DATABASE IF EXISTS {copied} WITH (FORCE)")
            await connection.execute(f"CREATE DATABASE {copied} TEMPLATE {make_url(url).database}")
        finally:
            await connection.close()
    return _copied(url)


def _copied(url: str | None) -> str | None:
    return None if url is None else _beside(url, f"{make_url(url).database}_killed")


def _beside(url: str, name: str) -> str:
    """Return the address of the database called ``name`` on the same server."""
    return make_url(url).set(database=name).render_as_string(hide_password=False)


def _forked(work: Callable[[], list[str]]) -> list[str] | None:
    """Return what ``work`` does in a child; None: it was killed."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            said = work()
        except BaseException:
            said = traceback.format_exc().splitlines()[-3:]
        with os.fdopen(writing, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return None
    found: list[str] = json.loads(text)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else None)
