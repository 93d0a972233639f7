"""What the whole bot does when it is started anew, limited, or sent away."""

from __future__ import annotations

import asyncio
import os
import time

import pytest

from bot.data_folder import HEARTBEAT_FILE
from bot.speech_bot import SpeechBot
from rehearsal.voice.protocol import CloseCode
from tests.cogs.in_voice import command, speaking
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()  # quick on any machine; what is said does not matter here


async def restarted(scene: Scene) -> asyncio.Queue[object]:
    """Start the bot again; return the voice channel it is in once it had time to come back."""
    seen: asyncio.Queue[object] = asyncio.Queue()
    bot = SpeechBot(scene.settings, connector=scene.rehearsal.connector())
    async with attending(bot, scene.rehearsal):
        await bot.players.reconcile(bot.guilds)  # what it does by itself; so we know when it is over
        seen.put_nowait(scene.guild.bot_channel)
    return seen


async def test_after_a_restart_it_is_back_with_the_people_it_was_with(scene: Scene):
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")

    await scene.bot.shut_down()
    assert scene.guild.bot_channel is None

    assert (await restarted(scene)).get_nowait() is scene.perch


@pytest.mark.parametrize("why", ["it was sent away", "it was kicked", "nobody is left", "it was long ago"])
async def test_after_a_restart_it_does_not_come_back_when(scene: Scene, why: str):
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")
    async with asyncio.timeout(DEADLINE):
        await scene.bot.heart_has_beaten.wait()
    if why == "it was sent away":
        await command(scene, scene.alice, "leave")
    elif why == "it was kicked":
        await scene.guild.kick_bot_from_voice()
        await scene.rehearsal.caught_up()
    await scene.bot.shut_down()
    if why == "nobody is left":
        await scene.alice.leave()
    elif why == "it was long ago":
        yesterday = time.time() - 86_400
        os.utime(scene.settings.data_dir / HEARTBEAT_FILE, (yesterday, yesterday))

    assert (await restarted(scene)).get_nowait() is None


async def test_limited_by_discord_the_member_reads_when_to_try_again(scene: Scene):
    await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.identify_close_code = CloseCode.RATE_LIMITED

    first = await command(scene, scene.alice, "join")
    second = await command(scene, scene.alice, "join")
    as_file = await scene.speak("Hello there")
    await file_of(as_file)

    assert first.startswith("Discord is limiting my voice connections.")
    assert second.startswith("Discord is limiting my voice connections here. Try again in")
    assert "Discord is limiting" in as_file.content


@pytest.mark.slow
async def test_a_voice_server_that_crashes_in_the_middle_costs_nobody_a_word_of_explanation(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    answer = await speaking(scene, scene.alice)
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4015)
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)

    assert "lost" not in answer.content


async def test_a_member_whose_words_are_lost_hears_of_it_once(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    answer = await speaking(scene, scene.alice)
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.guild.delete_channel(scene.perch)
    await file_of(answer)
    await answer.settled(timeout=DEADLINE)

    assert answer.content.count("I lost the voice channel") == 1
    assert answer.followups == []
    assert await words_of(await scene.alice.slash(scene.general, "queue")) == (
        "I'm not in a voice channel. Join one and type /join."
    )
