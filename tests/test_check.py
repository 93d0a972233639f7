from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from bot.check import Finding, findings
from bot.library.database import ID_FILE
from bot.library.engine import DATABASE_FILE
from bot.library.library import Library
from bot.settings import Secret, Settings
from rehearsal.faulty_tts_gateway.catalog import NAMED
from rehearsal.faulty_tts_gateway.faults import Fault
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from rehearsal.server import Rehearsal
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.server import serving

PASSWORD = "canary-password"
PAGE = "https://myna.example"
PAGES = ("privacy_url", "terms_url", "report_url")


async def about_the_database(settings: Settings) -> Finding:
    async for finding in findings(settings):
        if finding.what.startswith("the database"):
            return finding
    raise AssertionError("nothing is said about the database")


async def test_a_database_in_order_is_said_to_be(tmp_path: Path) -> None:
    finding = await about_the_database(Settings(data_dir=tmp_path))

    assert finding == Finding(True, f"the database in {tmp_path}: SQLite, in order")


@pytest.mark.parametrize(("megabytes", "words", "is_fine"), [
    (0, "can be written and holds 3 MB", True),
    (5_000, "holds 3 of 5,000 MB, and can be written", True),
    (2, "holds 3 of 2 MB: no new recordings are kept", False),
])  # fmt: skip
async def test_how_much_the_data_folder_holds_is_said(
    tmp_path: Path, megabytes: int, words: str, is_fine: bool
) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "voice.wav").write_bytes(bytes(3 * 1024**2))
    settings = Settings(data_dir=tmp_path, data_megabytes=megabytes)

    (found,) = [one async for one in findings(settings) if one.what.startswith(f"the folder {tmp_path}")]

    assert words in found.what
    assert found.fine is is_fine


@pytest.mark.slow
async def test_the_age_of_the_newest_backup_is_said(tmp_path: Path) -> None:
    said = [
        finding.what async for finding in findings(Settings(data_dir=tmp_path)) if "backup" in finding.what
    ]
    assert said == ["there is no backup of it yet; the bot makes one a day while it runs"]

    async with Library(None, tmp_path) as library:
        await library.tidy()

    said = [
        finding.what async for finding in findings(Settings(data_dir=tmp_path)) if "backup" in finding.what
    ]
    assert said == ["its newest backup is less than an hour old; one is made a day while anything changes"]


async def test_a_file_that_is_no_database_is_found(tmp_path: Path) -> None:
    (tmp_path / DATABASE_FILE).write_bytes(b"no database at all" * 100)

    finding = await about_the_database(Settings(data_dir=tmp_path))

    assert not finding.fine
    assert "is damaged" in finding.what
    assert finding.cure


@pytest.mark.parametrize("is_marked", [True, False])
async def test_settings_that_lead_to_another_database_are_found_and_nothing_is_made(
    tmp_path: Path, is_marked: bool
) -> None:
    async with Library(None, tmp_path / "data") as library:
        await library.recordings.keep(b"RIFF")
    if not is_marked:
        (tmp_path / "data" / ID_FILE).unlink()
    typo = Secret(f"sqlite:///{tmp_path / 'typo.db'}")

    finding = await about_the_database(Settings(data_dir=tmp_path / "data", database_url=typo))

    assert not finding.fine
    assert "No recording was touched. Check DATABASE_URL and DATA_DIR" in finding.what
    assert not (tmp_path / "typo.db").exists()


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:9"])
async def test_a_server_that_is_not_there_is_found_and_no_password_is_shown(
    tmp_path: Path, host: str
) -> None:
    url = Secret(f"postgresql://myna:{PASSWORD}@{host}/myna")

    finding = await about_the_database(Settings(data_dir=tmp_path, database_url=url))

    assert not finding.fine
    assert "cannot be reached" in finding.what
    assert PASSWORD not in finding.what + finding.cure


async def about_the_tts_gateway(folder: Path, faults: FaultScript, *, speaks: bool) -> Finding:
    async with serving(create_faulty_app(OfflineEngine(), faults)) as address:
        settings = Settings(data_dir=folder, tts_base_url=address)
        async for finding in findings(settings, speaks=speaks):
            if finding.what.startswith("the TTS gateway"):
                return finding
    raise AssertionError("nothing is said about the TTS gateway")


async def test_the_tts_gateway_is_asked_for_a_sentence_only_where_that_is_wanted(tmp_path: Path) -> None:
    faults = FaultScript()

    answers = await about_the_tts_gateway(tmp_path, faults, speaks=False)
    assert answers.fine
    assert answers.cure.endswith("bot check --speak")
    assert faults.requests == []

    speaks = await about_the_tts_gateway(tmp_path, faults, speaks=True)
    said = r"speaks \(first sound after \d+\.\d s, [1-9]\.\d s of speech in \d+\.\d s\)$"
    assert re.search(said, speaks.what)
    assert (speaks.fine, len(faults.requests)) == (True, 1)


@pytest.mark.parametrize(
    ("fault", "words", "cure"),
    [
        (NAMED["silent"], "what it sent can't be played: silent", "look at its log and its model"),
        (NAMED["key"], "does not let this bot in", "check TTS_API_KEY"),
        (NAMED["credit"], "has no credit left", "top it up: http://127.0.0.1"),
    ],
)
async def test_what_keeps_the_tts_gateway_from_speaking_is_said_with_a_cure(
    tmp_path: Path, fault: Fault, words: str, cure: str
) -> None:
    faults = FaultScript()
    faults.every_post = fault

    finding = await about_the_tts_gateway(tmp_path, faults, speaks=True)

    assert not finding.fine
    assert words in finding.what
    assert finding.cure.startswith(cure)


@pytest.mark.parametrize(
    ("is_public", "pages", "is_fine", "words"),
    [
        (False, {}, True, "nobody but you can add this bot to a server"),
        (True, {"terms_url": PAGE}, False, "/about lacks PRIVACY_URL and REPORT_URL"),
        (True, dict.fromkeys(PAGES, PAGE), True, "/about shows the pages for that"),
    ],
)
async def test_a_bot_that_anybody_can_add_needs_its_pages(
    tmp_path: Path, is_public: bool, pages: dict[str, Any], is_fine: bool, words: str
) -> None:
    async with Rehearsal() as rehearsal:
        rehearsal.directory.bot_is_public = is_public
        token = Secret(rehearsal.token)
        settings = Settings(
            data_dir=tmp_path, discord_token=token, tts_base_url="http://127.0.0.1:9/v1", **pages
        )
        found = [one async for one in findings(settings, connector=rehearsal.connector())]

    (finding,) = [one for one in found if "can add this bot" in one.what]
    assert words in finding.what
    assert finding.fine is is_fine
    assert is_fine or finding.cure.endswith("turn Public Bot off under Bot")
