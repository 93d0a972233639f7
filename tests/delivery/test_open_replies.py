"""Replies that are still being made when their process dies are finished by whoever comes after it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from sqlalchemy import func, select, text

from bot.data_folder import HEARTBEAT_FILE
from bot.errors import RESTARTED
from bot.library.database import Database
from bot.library.tables import OpenReplyRow
from rehearsal.answers import Answer, AnswerState
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.rest.call import Misbehaviour
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, bot_process, discord_for
from tests.fakes.babble_engine import BabbleEngine
from tests.library.conftest import a_database, postgresql  # noqa: F401 - a fixture
from tests.library.postgresql import PostgreSQL
from tests.scenes import DEADLINE, Scene, Stage, file_of, open_scene, tts_gateway_for, typed, until


async def until_open(database: Database, count: int) -> None:
    """Wait until so many replies are written down as open."""
    counted = select(func.count()).select_from(OpenReplyRow)
    found = -1
    async with asyncio.timeout(DEADLINE):
        while found != count:
            await asyncio.sleep(0.02)  # rows have no event
            async with database.reading() as session:
                found = await session.scalar(counted) or 0


@pytest.fixture
async def postgresql_url(postgresql: PostgreSQL) -> AsyncIterator[str]:  # noqa: F811
    async with a_database(postgresql) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest) -> str | None:
    if request.param == "sqlite":
        return None
    url: str = request.getfixturevalue("postgresql_url")
    return url


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path, BabbleEngine()) as scene:
        yield scene


async def test_a_reply_is_written_down_while_it_is_made_and_forgotten_after_its_end(scene: Scene) -> None:
    database, watch = scene.bot.library.database, scene.bot.replies
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.alice.slash(scene.general, "speak", text="This takes its time.")
    await until_open(database, 1)

    await typed(scene.bob, scene.general, "about")
    hold.released.set()
    await file_of(answer)

    await until_open(database, 0)
    assert not any(one.is_kept for one in watch._watched.values())


async def begun(stages: Sequence[Stage], faults: FaultScript, database: Database) -> list[Answer]:
    """Let somebody ask on each stage, and return when it is written down that their replies are open."""
    faults.on_post(*[Hold()] * 10)
    answers = [await stage.alice.slash(stage.general, "speak", text="This never ends.") for stage in stages]
    for answer in answers:
        await answer.until(lambda shown: shown.state is AnswerState.THINKING, timeout=DEADLINE)
    await until_open(database, len(answers))
    return answers


async def told(answers: Sequence[Answer]) -> None:
    for answer in answers:
        await answer.until(lambda shown: shown.content == RESTARTED, timeout=DEADLINE)


@pytest.fixture
async def discord_here() -> AsyncIterator[tuple[Stage, FaultScript, dict[str, str]]]:
    """A server, what happens to the requests to its TTS gateway, and the settings of a bot there."""
    faults = FaultScript()
    async with (
        Rehearsal() as rehearsal,
        discord_for(rehearsal) as settings,
        tts_gateway_for(rehearsal, BabbleEngine(), faults) as base_url,
    ):
        yield Stage(rehearsal), faults, {**settings, "TTS_BASE_URL": base_url}


@pytest.mark.slow
async def test_a_bot_that_was_killed_tells_who_waited_as_soon_as_it_is_back(
    discord_here: tuple[Stage, FaultScript, dict[str, str]], tmp_path: Path, url: str | None
) -> None:
    stage, faults, settings = discord_here
    settings |= {"DATA_DIR": str(tmp_path), **({"DATABASE_URL": url} if url else {})}
    async with bot_process(tmp_path, **settings) as bot:
        await bot.until(LOGGED_IN)
        done = await typed(stage.alice, stage.general, "about")
        words = done.content
        async with await Database.open(url, tmp_path) as database:
            answers = await begun([stage, stage], faults, database)
            await bot.killed()
    stage.rehearsal.misbehave(Misbehaviour("GET", "@original", 200, "<html>Not Discord</html>", headers={}))
    async with bot_process(tmp_path, **settings) as bot:
        await told(answers)
        await bot.until("told 2 members that their command was cut off by a restart")
        await bot.stopped()

    assert done.content == words


@pytest.mark.slow
async def test_another_process_tells_who_waited_for_one_that_does_not_come_back(
    discord_here: tuple[Stage, FaultScript, dict[str, str]], tmp_path: Path, postgresql_url: str
) -> None:
    stage, faults, settings = discord_here
    settings["DATABASE_URL"] = postgresql_url
    folders = [tmp_path / "first", tmp_path / "second"]
    for folder in folders:
        folder.mkdir()
    async with bot_process(folders[0], **settings, DATA_DIR=str(folders[0])) as dying:
        await dying.until(LOGGED_IN)
        async with (
            bot_process(folders[1], **settings, DATA_DIR=str(folders[1])) as other,
            await Database.open(postgresql_url, tmp_path) as database,
        ):
            answers = await begun([stage, stage], faults, database)
            await until((folders[1] / HEARTBEAT_FILE).exists)  # it is at work, and has no shard
            await dying.killed()
            async with database.session() as session:  # as if it had said nothing for a while
                for table in ("processes", "shards"):
                    await session.execute(text(f"UPDATE {table} SET until = until - interval '1 minute'"))
            await told(answers)
            await until_open(database, 0)
            await other.stopped()
