"""From the start to the end: registration, answers that come late, files that are large, shutting down."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from bot.data_folder import HEARTBEAT_FILE, LIMITS_FILE
from bot.limits import CALLS_AT_ONCE_AT_FIRST
from bot.settings import Settings
from bot.speech_bot import SpeechBot, is_healthy
from bot.tts.call_queue import LimitMemory
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from rehearsal.rest.call import Misbehaviour
from rehearsal.server import Rehearsal
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, file_of, open_scene, words_of

LONG = (
    "One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen. " * 4
)


async def test_commands_are_registered_once_and_again_only_when_they_changed(tmp_path: Path):
    settings = Settings(tts_base_url="http://127.0.0.1:9", data_dir=tmp_path)

    async with Rehearsal() as rehearsal:
        for _start in range(2):
            async with attending(SpeechBot(settings, connector=rehearsal.connector()), rehearsal):
                pass
        registrations = [
            call for call in rehearsal.requests if call.method == "PUT" and "commands" in call.path
        ]

    assert len(registrations) == 1


async def test_the_bot_asks_for_no_privileged_intent():
    bot = SpeechBot(Settings())

    assert bot.intents.value == 129  # guilds and voice states


async def test_a_connected_bot_is_healthy_and_a_stale_one_is_not(scene: Scene, tmp_path: Path):
    heartbeat = tmp_path / "data" / HEARTBEAT_FILE
    async with asyncio.timeout(DEADLINE):
        await scene.bot.heart_has_beaten.wait()

    assert is_healthy(tmp_path / "data")
    assert not is_healthy(tmp_path / "data", now=heartbeat.stat().st_mtime + 61)
    assert not is_healthy(tmp_path)


async def test_its_own_tts_gateway_starts_with_the_bot_and_ends_with_it(tmp_path: Path):
    async with open_scene(tmp_path) as scene:
        await file_of(await scene.speak("All by myself"))


async def test_what_the_tts_gateway_takes_at_once_is_remembered_over_a_restart(tmp_path: Path):
    async with open_scene(tmp_path, BabbleEngine()) as scene:
        scene.faults.on_post(Respond(429))
        await file_of(await scene.speak("Not so many at once"))

    assert scene.settings.tts_base_url is not None
    memory = LimitMemory(tmp_path / LIMITS_FILE, scene.settings.tts_base_url)
    assert memory.limit().slots == CALLS_AT_ONCE_AT_FIRST / 2
    assert memory.limit().is_settled


@pytest.mark.slow
@pytest.mark.parametrize("engine", [BabbleEngine()], ids=["a quick engine"])
async def test_a_wav_that_is_too_large_goes_in_a_smaller_format(scene: Scene):
    answer = await scene.speak(" ".join(str(number) for number in range(1_000, 1_130)))
    file = await file_of(answer)

    heard = re.search(r"([0-9.]+) s", answer.content)
    assert heard is not None
    assert float(heard[1]) * 96_000 > 10 * 1024**2  # what Discord takes from most people
    assert file.name.endswith((".flac", ".ogg"))
    assert len(await file.read()) <= 10 * 1024**2


async def test_after_its_token_has_ended_the_answer_is_posted_by_the_bot_itself(scene: Scene):
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.speak()
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)
    ended = {"code": 50027, "message": "Invalid Webhook Token"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 401, ended, times=100))
    hold.released.set()

    posted = await scene.general.until_message(
        lambda message: not message.thinking and bool(message.files), timeout=DEADLINE
    )

    assert "AI voice" in posted.content
    assert [file.name for file in posted.files] == ["Hello-there.wav"]
    assert not answer.files


@pytest.mark.slow
async def test_shutting_down_answers_what_is_open_and_leaves_voice(scene: Scene):
    await scene.alice.join(scene.perch)
    await words_of(await scene.alice.slash(scene.general, "join"))
    scene.faults.every_post = Hold()
    answer = await scene.speak()
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)
    started = asyncio.get_running_loop().time()

    await scene.bot.shut_down()

    assert asyncio.get_running_loop().time() - started < 10
    assert answer.content == "I'm restarting. Try again in a minute."
    assert scene.guild.bot_channel is None


async def test_a_command_while_shutting_down_is_told_to_come_back(scene: Scene):
    scene.bot.tree.accepting = False

    assert "restarting" in await words_of(await scene.speak())
    assert scene.asked == []
