"""What is in the bot's way, and what its operator is told of it: once when it lasts, once when it is over."""

from __future__ import annotations

import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from bot.conditions import Conditions
from bot.settings import Secret
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.permissions import EVERYONE, Permission
from tests.cogs.saved_voices import designed
from tests.fakes.babble_engine import BabbleEngine
from tests.library.conftest import a_database, postgresql  # noqa: F401 - a fixture
from tests.library.postgresql import PostgreSQL
from tests.running_bot import restarted
from tests.scenes import Scene, file_of, open_scene, until, words_of


@pytest.fixture
async def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    """A scene whose bot looks more often than once in 30 s, and gives up soon on who does not serve it."""
    monkeypatch.setattr("bot.conditions.LOOK_SECONDS", 0.02)
    monkeypatch.setattr("bot.tts.http.OUTAGE_SECONDS", 0.0)
    monkeypatch.setattr("bot.tts.http._FIRST_LOOK_SECONDS", 0.05)
    async with open_scene(tmp_path / "data", BabbleEngine()) as scene:
        yield scene


def notices(scene: Scene) -> list[str]:
    """Return what the operator was told."""
    return [message.content for message in scene.alice.dms() if message.content and not message.files]


async def looked(conditions: Conditions, times: int = 12) -> None:
    """Return after the bot has looked so often: nothing that it tells is then still to come."""
    before = conditions.looks
    await until(lambda: conditions.looks >= before + times)


@pytest.mark.slow
async def test_a_full_folder_is_told_once_over_restarts_and_its_end_once(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(scene.settings, data_megabytes=3)
    large = settings.data_dir / "large"
    large.write_bytes(bytes(4 * 1024**2))
    for _ in range(2):
        async with restarted(scene.bot, settings, scene.rehearsal) as bot:
            scene.bot = bot
            await until(lambda: len(notices(scene)) == 1)
            await looked(bot.conditions)
    with monkeypatch.context() as elsewhere:  # another machine, with a folder that has room
        elsewhere.setattr("bot.conditions.gethostname", lambda: "elsewhere")
        async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
            scene.bot = bot
            await looked(bot.conditions)
            assert len(notices(scene)) == 1
    large.unlink()
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        await until(lambda: len(notices(scene)) == 2)
        await looked(bot.conditions)

    assert notices(scene) == [
        "DATA_DIR holds the 3 MB it may, so nobody can save new voices. Set DATA_MEGABYTES higher, or delete "
        "voices.",
        "DATA_DIR has room again, so new voices can be saved.",
    ]


async def test_an_outage_of_the_voice_service_is_told_when_it_lasts(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    conditions = scene.bot.conditions
    scene.faults.every_post = Respond(500, b"{}")
    for number in range(3):
        await words_of(await scene.speak(f"Number {number}", output="here"))
    await looked(conditions)
    assert [one.what for one in conditions.current] == ["service"]
    assert notices(scene) == [], "it may be over in a moment"

    monkeypatch.setattr("bot.conditions.LASTING_SERVICE_SECONDS", 0.0)
    await until(lambda: len(notices(scene)) == 1)
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await looked(bot.conditions)
        assert len(notices(scene)) == 1, "nobody has tried whether it works again"
        scene.faults.every_post = None
        await file_of(await scene.speak("It works", output="here"))
        await until(lambda: len(notices(scene)) == 2)

    first, second = notices(scene)
    assert first.startswith("The voice service (127.0.0.1) isn't working:")
    assert second == "The voice service works again, and so do I."


@pytest.mark.slow
async def test_a_place_that_takes_no_recordings_is_told_until_it_does(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.delivery.reference_uploads.REST_SECONDS", 0.0)
    vault = scene.guild.add_text_channel("vault")
    scene.guild.set_everyone_permissions(EVERYONE & ~Permission.VIEW_CHANNEL, vault)
    scene.guild.deny_bot(Permission.ATTACH_FILES, vault)
    settings = replace(scene.settings, storage_channel_id=vault.id)
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        await designed(scene, scene.alice, "Harbour")
        await words_of(await scene.speak("Nobody hears this", voice="Harbour", output="here"))
        await until(lambda: len(notices(scene)) == 1)
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        await looked(bot.conditions)
        assert len(notices(scene)) == 1, "nobody has tried whether it takes them now"
        scene.guild.deny_bot(0, vault)
        await file_of(await scene.speak("Somebody hears this", voice="Harbour", output="here"))
        await until(lambda: len(notices(scene)) == 2)

    assert notices(scene) == [
        f"I can't post recordings in the channel <#{vault.id}>, so saved voices can't speak. Let me see it, "
        "send messages and attach files there.",
        "Recordings of saved voices reach their place again, so those voices speak.",
    ]


async def test_a_database_that_is_away_is_told_without_it(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.conditions.LASTING_DATABASE_SECONDS", 0.0)
    await scene.bot.library.database.aclose()

    await until(lambda: len(notices(scene)) == 1)
    await looked(scene.bot.conditions)

    assert notices(scene) == [
        "The database doesn't answer (the database is closed), so nobody gets speech. Check that it runs, "
        "and DATABASE_URL."
    ]


async def test_a_budget_that_is_used_up_is_in_the_way_and_nothing_to_mend(scene: Scene) -> None:
    settings = replace(scene.settings, max_calls_per_hour=1)
    async with restarted(scene.bot, settings, scene.rehearsal) as bot:
        scene.bot = bot
        assert bot.conditions.current == ()
        await file_of(await scene.speak("The only one", output="here"))
        await until(lambda: [one.what for one in bot.conditions.current] == ["budget"])
        assert "as I may this hour" in await words_of(await scene.speak("One too many", output="here"))
        await looked(bot.conditions)

    assert notices(scene) == []


@contextmanager
def away(server: PostgreSQL) -> Iterator[None]:
    """Let the server be gone meanwhile: nobody reaches it any more, and who did is cut off."""
    here, elsewhere = (server.folder / f".s.PGSQL.{port}" for port in (5432, 5433))
    here.rename(elsewhere)
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid()"
    try:
        subprocess.run(
            ["psql", "-q", "-h", str(server.folder), "-p", "5433", "-U", "postgres", "-c", cut],
            check=True,
            stdout=subprocess.DEVNULL,
        )
        yield
    finally:
        elsewhere.rename(here)


@pytest.mark.slow
async def test_a_database_that_goes_away_and_comes_back_is_told_twice(
    scene: Scene,
    postgresql: PostgreSQL,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with a_database(postgresql) as url:
        settings = replace(scene.settings, database_url=Secret(url), data_dir=tmp_path / "other")
        async with restarted(scene.bot, settings, scene.rehearsal) as bot:
            scene.bot = bot
            with away(postgresql):
                await until(lambda: [one.what for one in bot.conditions.current] == ["database"])
                await looked(bot.conditions)
                assert notices(scene) == [], "a restart is no news"
                monkeypatch.setattr("bot.conditions.LASTING_DATABASE_SECONDS", 0.0)
                await until(lambda: len(notices(scene)) == 1)
                await looked(bot.conditions)
            await until(lambda: len(notices(scene)) == 2)
            await looked(bot.conditions)
            assert bot.conditions.current == ()

    first, second = notices(scene)
    assert first.startswith("The database doesn't answer (the database cannot be reached:")
    assert second == "The database answers again, and everything works."
