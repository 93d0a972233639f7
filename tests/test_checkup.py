from __future__ import annotations

from pathlib import Path

import pytest

from bot.checkup import Finding, findings
from bot.library.engine import DATABASE_FILE
from bot.settings import Secret, Settings

PASSWORD = "canary-password"


async def about_the_database(settings: Settings) -> Finding:
    async for finding in findings(settings):
        if finding.what.startswith("the database"):
            return finding
    raise AssertionError("nothing is said about the database")


async def test_a_database_in_order_is_said_to_be(tmp_path: Path) -> None:
    finding = await about_the_database(Settings(data_dir=tmp_path))

    assert finding == Finding(True, f"the database in {tmp_path}: SQLite, in order")


async def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"no database at all" * 100)

    finding = await about_the_database(Settings(data_dir=tmp_path))

    assert not finding.fine
    assert "cannot be opened" in finding.what
    assert finding.cure


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9"])
async def test_a_server_that_is_not_there_is_found_and_no_password_is_shown(
    tmp_path: Path, host: str
) -> None:
    url = Secret(f"postgresql://myna:{PASSWORD}@{host}/myna")

    finding = await about_the_database(Settings(data_dir=tmp_path, database_url=url))

    assert not finding.fine
    assert "cannot be reached" in finding.what
    assert PASSWORD not in finding.what + finding.cure
