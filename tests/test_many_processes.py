"""Several bots of one application on one PostgreSQL, each with shards of its own, in one rehearsal."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import select, text

from bot.delivery.request import spoken
from bot.errors import OtherDatabaseError
from bot.library.tables import GuildSettingsRow
from bot.library.withdrawal import Withdrawal
from bot.models import Shards
from bot.playback.queue import Outcome
from bot.settings import Secret, Settings, child_environment
from bot.speech_bot import SpeechBot
from bot.supervisor import Supervisor
from rehearsal.answers import Answer, AnswerState
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.main_socket import MainSocket, Session
from rehearsal.server import Rehearsal
from tests.bot_process import ROOT, discord_for
from tests.cogs.in_voice import LONG, player_of
from tests.cogs.saved_voices import cloned, designed
from tests.fakes.babble_engine import BabbleEngine
from tests.library.conftest import a_database, postgresql  # noqa: F401 - a fixture
from tests.library.postgresql import PostgreSQL
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, Stage, tts_gateway_for, until, words_of

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
    taken_back: list[float] = []

    async def note(_withdrawal: Withdrawal) -> None:
        taken_back.append(time.monotonic())

    here.bot.library.withdrawals.subscribe(note, of_others=False)
    await there.bob.press(asked, "Take it back")
    async with asyncio.timeout(DEADLINE):
        outcome = await utterance.finished()

    assert outcome is Outcome.WITHDRAWN
    assert time.monotonic() - taken_back[0] < 1.0
    await asked.until(lambda shown: shown.content.startswith("Taken back."), timeout=DEADLINE)


async def test_a_recording_is_posted_once_for_all_processes_and_none_deletes_what_another_uses(
    scenes: list[Scene],
) -> None:
    here = scenes[0]
    here.rehearsal.world.give_application_to(here.alice)
    voice = spoken(await designed(here, here.alice, "Robin"))

    both = [scene.bot.reference_posts for scene in scenes]
    first = await asyncio.gather(*(posts.reference(voice) for posts in both))
    again = await asyncio.gather(*(posts.renew(voice) for posts in both))

    for found in (first, again):
        assert len({reference.url.partition("?")[0] for reference in found if reference.url}) == 1
    assert first[0].url.partition("?")[0] != again[0].url.partition("?")[0]
    assert len(await here.bot.library.posts.of(voice.id)) == 1


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


SHARDS = 4


def live(socket: MainSocket) -> list[Session]:
    """Return the sessions that have a connection, by shard."""
    connected = [session for session in socket.sessions.values() if session.connection is not None]
    return sorted(connected, key=lambda session: session.shard_id)


class Fleet:
    """A rehearsal with a server on each shard, and bots that share the shards by lease."""

    def __init__(self, rehearsal: Rehearsal, url: str, base_url: str, folder: Path, parts: AsyncExitStack):
        self.rehearsal = rehearsal
        self.bots: list[SpeechBot] = []
        self.url, self._base_url, self._folder, self._parts = url, base_url, folder, parts
        socket = rehearsal.main_socket
        socket.shards, socket.max_concurrency, socket.identify_seconds = SHARDS, 2, 0.2

    def settings(self, number: int) -> Settings:
        folder = self._folder / f"process {number}"
        return Settings(tts_base_url=self._base_url, data_dir=folder, database_url=Secret(self.url))

    async def start(self, number: int) -> SpeechBot:
        """Start a process; it has whatever shards others let it have."""
        bot = SpeechBot(self.settings(number), connector=self.rehearsal.connector())
        bot._connection.guild_ready_timeout = 0.05
        self.bots.append(await self._parts.enter_async_context(attending(bot, self.rehearsal)))
        return bot

    def held(self) -> list[int]:
        """Return which shards the bots have, all together."""
        return sorted(shard for bot in self.bots for shard in bot.shards_held.ids)

    def sessions(self) -> list[int]:
        """Return for which shards Discord sees a session."""
        return [session.shard_id for session in live(self.rehearsal.main_socket)]

    async def settled(self, *sizes: int, within: float = DEADLINE) -> None:
        """Wait until each shard is with one bot, each with as many as ``sizes`` say in some order."""

        def is_settled() -> bool:
            each = sorted(len(bot.shards_held.ids) for bot in self.bots)
            return each == sorted(sizes) and self.held() == self.sessions() == list(range(SHARDS))

        try:
            await until(is_settled, within=within)
        except TimeoutError:
            raise AssertionError(
                f"held {[bot.shards_held for bot in self.bots]}, {self.sessions()}"
            ) from None


@pytest.fixture
async def fleet(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fleet]:
    monkeypatch.setattr("bot.library.processes.IDENTIFY_SECONDS", 0.2)
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        base_url = await parts.enter_async_context(tts_gateway_for(rehearsal, BabbleEngine(), FaultScript()))
        yield Fleet(rehearsal, url, base_url, tmp_path, parts)
    assert rehearsal.main_socket.too_quick == 0


async def test_processes_share_the_shards_and_one_that_stops_hands_its_own_over(fleet: Fleet) -> None:
    stages = [Stage(fleet.rehearsal) for _ in range(SHARDS)]
    await fleet.start(0)
    await fleet.settled(4)
    await fleet.start(1)
    await fleet.settled(2, 2)
    leaving = await fleet.start(2)
    await fleet.settled(1, 1, 2)

    answers: list[Answer] = []
    stopping = asyncio.create_task(leaving.shut_down())
    while not stopping.done():
        answers += [await stage.alice.slash(stage.general, "help") for stage in stages]
        await asyncio.sleep(0.05)
    fleet.bots.remove(leaving)
    await fleet.settled(2, 2)

    for answer in answers:
        await answer.until(lambda shown: bool(shown.content), timeout=DEADLINE)
        assert answer.failure is None, answer.failure
    assert len(answers) > SHARDS


async def test_shards_that_wait_for_their_turn_have_no_connection_that_could_be_taken_for_dead(
    fleet: Fleet,
) -> None:
    socket = fleet.rehearsal.main_socket
    socket.max_concurrency = 1
    most = 0

    async def watch() -> None:
        nonlocal most
        while True:
            most = max(most, len(socket._live) - len(live(socket)))
            await asyncio.sleep(0.01)

    watching = asyncio.create_task(watch())
    await fleet.start(0)
    await fleet.settled(4)
    watching.cancel()

    assert most == 1


async def test_a_lease_lost_in_mid_speech_ends_it_there_and_the_server_speaks_elsewhere_at_once(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.shards.HANDOVER_SECONDS", 0.5)  # at the end nobody asks again
    stages = [Stage(fleet.rehearsal) for _ in range(SHARDS)]
    first, second = await fleet.start(0), await fleet.start(1)
    await fleet.settled(2, 2)
    stage = next(one for one in stages if first.shards_held.hold(one.guild.id))
    await stage.alice.join(stage.perch)
    await fleet.rehearsal.caught_up()
    answer = await stage.alice.slash(stage.general, "speak", text=f"{LONG} {LONG}", output="voice channel")
    await answer.until(lambda shown: "Speaking in" in shown.content, timeout=DEADLINE)
    player = first.players.get(stage.guild.id)
    assert player is not None
    (utterance,) = player.utterances()

    async with second.library.database.session() as session:  # as if it had said nothing for a while
        for table, who in (("shards", "holder"), ("processes", "id")):
            mine = first._leased._leases.process_id if first._leased else ""
            late = f"UPDATE {table} SET until = until - interval '1 minute' WHERE {who} = :who"
            await session.execute(text(late), {"who": mine})
    second.library.processes.stirred.set()
    async with asyncio.timeout(DEADLINE):
        assert await utterance.finished() is Outcome.LOST
    await until(lambda: fleet.held() == fleet.sessions() == list(range(SHARDS)))

    assert first.players.get(stage.guild.id) is None
    assert first.get_guild(stage.guild.id) is None
    await until(lambda: second.players.get(stage.guild.id) is not None)
    assert stage.guild.bot_channel is stage.perch
    again = await stage.alice.slash(stage.general, "speak", text="Again", output="voice channel")
    await again.until(lambda shown: shown.state is AnswerState.REPLIED, timeout=DEADLINE)


async def test_while_the_database_is_away_everybody_keeps_what_they_have(
    fleet: Fleet,
    postgresql: PostgreSQL,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("bot.library.processes._LEASE", timedelta(seconds=1))
    monkeypatch.setattr("bot.shards.TURN_SECONDS", 0.2)
    first, second = await fleet.start(0), await fleet.start(1)
    await fleet.settled(2, 2)
    shares = [bot.shards_held for bot in (first, second)]
    identified = fleet.rehearsal.main_socket.identified

    name = fleet.url.partition("/test_")[2].partition("?")[0]
    admin = await asyncpg.connect(postgresql.url("postgres"))
    await admin.execute(f"ALTER DATABASE test_{name} ALLOW_CONNECTIONS false")
    end = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"
    await admin.execute(end.replace("$1", f"'test_{name}'"))
    await until(lambda: all(bot._leased is not None and bot._leased._is_away for bot in (first, second)))
    await asyncio.sleep(2)  # both leases are over by now
    await admin.execute(f"ALTER DATABASE test_{name} ALLOW_CONNECTIONS true")
    await until(lambda: not any(bot._leased is None or bot._leased._is_away for bot in (first, second)))
    await admin.close()
    for bot in (first, second):
        bot.library.processes.stirred.set()
    await asyncio.sleep(1)

    assert [bot.shards_held for bot in (first, second)] == shares
    assert fleet.rehearsal.main_socket.identified == identified


async def test_a_killed_process_has_its_servers_back_and_all_are_renewed_with_nobody_unanswered(
    url: str, tmp_path: Path
) -> None:
    async with Rehearsal() as rehearsal, discord_for(rehearsal) as settings:
        socket = rehearsal.main_socket
        socket.shards, socket.max_concurrency = 2, 2
        stages = [Stage(rehearsal) for _ in range(2)]
        environment = {**child_environment(), **settings, "PYTHONPATH": str(ROOT), "SOUND_PROCESS": "off"}
        environment |= {"DATABASE_URL": url, "DATA_DIR": str(tmp_path)}
        supervisor = Supervisor(2, environment, tmp_path)
        stop = asyncio.Event()
        running = asyncio.create_task(supervisor.run(stop))
        folders = (tmp_path, tmp_path / "process-2")
        await until(lambda: all((folder / "heartbeat").exists() for folder in folders))
        await until(lambda: len(live(socket)) == 2)
        sessions = live(socket)
        os.kill(supervisor._running[2].pid, signal.SIGKILL)
        await until(lambda: len(live(socket)) == 2 and len({*sessions, *live(socket)}) == 3)
        before = [process.pid for process in supervisor._running.values()]

        os.kill(os.getpid(), signal.SIGHUP)
        answers: list[Answer] = []
        while supervisor._renewing is None or not supervisor._renewing.done():
            answers += [await stage.alice.slash(stage.general, "help") for stage in stages]
            await asyncio.sleep(0.2)
        for answer in answers:
            await answer.until(lambda shown: bool(shown.content), timeout=DEADLINE)

        assert {process.pid for process in supervisor._running.values()}.isdisjoint(before)
        stop.set()
        assert await running == 0
