"""Several bots of one application on one PostgreSQL, each with shards of its own, in one rehearsal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import select

from bot.errors import OtherDatabaseError
from bot.library.tables import GuildSettingsRow
from bot.models import Shards
from bot.playback.queue import Outcome
from bot.settings import Secret, Settings
from bot.speech_bot import SpeechBot
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.server import Rehearsal
from tests.cogs.in_voice import LONG, player_of
from tests.cogs.saved_voices import cloned
from tests.fakes.babble_engine import BabbleEngine
from tests.library.conftest import a_database, postgresql  # noqa: F401 - a fixture
from tests.library.postgresql import PostgreSQL
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, tts_gateway_for, words_of

pytestmark = pytest.mark.slow


@pytest.fixture
async def url(postgresql: PostgreSQL) -> AsyncIterator[str]:  # noqa: F811
    async with a_database(postgresql) as url:
        yield url


@pytest.fixture
async def scenes(url: str, tmp_path: Path) -> AsyncIterator[list[Scene]]:
    """Two servers in one rehearsal; each has a bot of its own, which is the other's on another shard."""
    faults = FaultScript()
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        base_url = await parts.enter_async_context(tts_gateway_for(rehearsal, BabbleEngine(), faults))
        scenes = [Scene(rehearsal, faults) for _ in range(2)]
        for number, scene in enumerate(scenes):
            scene.settings = Settings(
                tts_base_url=base_url, data_dir=tmp_path / str(number), database_url=Secret(url)
            )
            shards = Shards(frozenset({(scene.guild.id >> 22) % 2}), 2)
            bot = SpeechBot(scene.settings, connector=rehearsal.connector(), shards=shards)
            scene.bot = await parts.enter_async_context(attending(bot, rehearsal))
        yield scenes
        for scene in scenes:
            scene.say_no_more()


async def test_a_bot_knows_the_servers_of_its_shards_and_takes_no_other_for_left(scenes: list[Scene]) -> None:
    for scene in scenes:
        assert [guild.id for guild in scene.bot.guilds] == [scene.guild.id]
        await scene.let_clone()

    for scene in scenes:
        await scene.bot.on_shard_ready((scene.guild.id >> 22) % 2)

    async with scenes[0].bot.library.database.reading() as session:
        rows = await session.scalars(select(GuildSettingsRow))
        assert {row.guild_id: row.left_at for row in rows} == {scene.guild.id: None for scene in scenes}


async def test_what_is_taken_back_in_one_falls_silent_in_the_other_within_a_second(
    scenes: list[Scene],
) -> None:
    here, there = scenes
    here.guild.add_member(there.bob)
    await there.alice.join(there.perch)
    await there.rehearsal.caught_up()
    await cloned(there, there.alice, "Bob", there.bob)
    options = {"text": f"{LONG} {LONG}", "voice": "Bob", "output": "voice channel"}
    answer = await there.alice.slash(there.general, "speak", **options)
    await answer.until(lambda shown: "Speaking in" in shown.content, timeout=DEADLINE)
    (utterance,) = player_of(there).utterances()

    asked = await there.bob.slash(here.general, "privacy revoke")
    assert "**Bob**, in another server" in await words_of(asked)
    await there.bob.press(asked, "Take it back")
    taken_back = time.monotonic()
    async with asyncio.timeout(DEADLINE):
        outcome = await utterance.finished()

    assert outcome is Outcome.WITHDRAWN
    assert time.monotonic() - taken_back < 1.0
    await asked.until(lambda shown: shown.content.startswith("Taken back."), timeout=DEADLINE)


async def test_the_token_of_another_application_ends_with_one_sentence(
    scenes: list[Scene],
) -> None:
    scene = scenes[0]
    async with Rehearsal() as other:
        bot = SpeechBot(scene.settings, connector=other.connector())
        with pytest.raises(OtherDatabaseError) as refused:
            async with attending(bot, other):
                pass
    ids = (scene.rehearsal.application_id, other.application_id)
    assert "belongs to the application {}, and DISCORD_TOKEN is of {}".format(*ids) in str(refused.value)
