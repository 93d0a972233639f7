"""Reading aloud beside others: many servers at once, and another bot that reads the same channel."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.library.starters import STARTERS
from bot.playback.queue import FrameBuffer
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.likeness import likeness
from rehearsal.people import Person
from rehearsal.stage import pcm_of_wav
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.reading_aloud import KeepingEngine, Read, read_here
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, record_starters, typed, until, words_of

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("fast_playback")]

SERVERS = 20
CALLS = 2


@pytest.fixture
def privileged_intents() -> int:
    return INTENT_MESSAGE_CONTENT


@pytest.fixture
def engine() -> KeepingEngine:
    return KeepingEngine()


async def read_elsewhere(scene: Scene, engine: KeepingEngine, name: str) -> tuple[Read, list[Person]]:
    """Let two people read their channel in a server of its own."""
    guild = scene.rehearsal.world.add_guild(name)
    channel, perch = guild.add_text_channel("talk"), guild.add_voice_channel("Perch")
    people = [scene.rehearsal.world.add_person(one) for one in ("Pia", "Quinn")]
    for person in people:
        guild.add_member(person)
    await scene.rehearsal.caught_up()
    listener = await people[0].join(perch)
    await people[1].join(perch)
    await scene.rehearsal.caught_up()
    await words_of(await people[0].slash(channel, "voice choose", name=STARTERS[0].name))  # else any of them
    told = await words_of(await people[0].slash(channel, "read here"))
    assert told.startswith(f"I read <#{channel.id}> aloud")
    read = Read(scene, engine, listener)
    read.channel = channel
    return read, people


def in_hand(scene: Scene) -> int:
    """Return how many messages are still to be read, in all servers."""
    readers = scene.bot.readers._readers.values()
    return sum(len(one._in_hand) + len(one._backlog) for one in readers)


async def test_many_servers_are_read_at_once_and_each_hears_its_own_message_once(
    scene: Scene, engine: KeepingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(FrameBuffer, "is_playable", FrameBuffer.is_complete)
    await record_starters(scene.bot, scene.settings, *STARTERS)
    few = replace(scene.settings, tts_concurrency_start=CALLS, tts_concurrency_max=CALLS)
    async with restarted(scene.bot, few, scene.rehearsal) as bot:
        scene.bot = bot
        servers = [await read_elsewhere(scene, engine, f"Server {number}") for number in range(SERVERS)]
        texts = [f"This was written in server number {number}." for number in range(SERVERS)]
        for text, (read, people) in zip(texts, servers, strict=True):
            await people[0].say(read.channel, text)
        await servers[0][0].caught_up()
        await until(lambda: in_hand(scene) == 0, within=3 * DEADLINE)

        assert sorted(engine.asked) == sorted(f"Pia: {text}" for text in texts)
        assert engine.most_at_once <= CALLS
        for text, (read, _) in zip(texts, servers, strict=True):
            await read.until_silent()
            pcm = read.listener.pcm()
            heard = {said: likeness(pcm_of_wav(wav), pcm).correlation for said, wav in engine.made}
            assert heard[f"Pia: {text}"] == max(heard.values()) > 0.8
        scene.say_no_more()


async def test_a_flood_in_one_server_lets_anothers_first_word_wait_for_one_call(
    scene: Scene, engine: KeepingEngine
) -> None:
    await record_starters(scene.bot, scene.settings, *STARTERS)
    few = replace(scene.settings, tts_concurrency_start=CALLS, tts_concurrency_max=CALLS)
    async with restarted(scene.bot, few, scene.rehearsal) as bot:
        scene.bot = bot
        flooded, crowd = await read_elsewhere(scene, engine, "Flooded")
        quiet, (pia, _) = await read_elsewhere(scene, engine, "Quiet")
        flood = [f"This is wave number {number}." for number in range(20)]
        for text in flood:
            for said in (text, f"Pia: {text}", f"Quinn: {text}"):
                engine.waits[said] = asyncio.Event()
        for number, text in enumerate(flood):
            await crowd[number % 2].say(flooded.channel, text)
        await flooded.caught_up()
        await until(lambda: len(engine.asked) == CALLS, within=DEADLINE)
        await quiet.write(pia, "May I say a word?")
        assert len(engine.asked) == CALLS
        engine.waits[engine.asked[0]].set()
        await quiet.until_asked("Pia: May I say a word?")

        assert engine.asked.index("Pia: May I say a word?") <= CALLS + 1
        for event in engine.waits.values():
            event.set()
        for reader in scene.bot.readers._readers.values():
            reader.clear()


async def test_what_we_say_of_a_failure_is_not_read_by_another_bot_that_reads_bots(
    scene: Scene, engine: KeepingEngine
) -> None:
    read = await read_here(scene, engine)
    scene.make_moderator(scene.alice)
    await typed(scene.alice, scene.general, "myna reading settings", bots="on")
    other = scene.rehearsal.world.add_person("Echo")
    other.user = scene.rehearsal.directory.users[other.id] = replace(other.user, bot=True)
    scene.guild.add_member(other)
    await other.join(scene.perch)
    await read.write(scene.bob, "This makes the voice of Bob.")
    await read.until_silent()
    scene.faults.every_post = Respond(400, {"error": "no"})
    await read.write(scene.bob, "Nobody hears this.")
    await read.until_silent()
    told = next(one for one in scene.general.history if one.content.startswith("I can't read this aloud"))
    scene.faults.every_post = None
    await read.write(other, told.content, silently=told.silent)
    await read.write(other, "This is worth a word.")
    await read.until_silent()

    assert read.asked[1:] == ["echo: This is worth a word."]
    assert scene.general.history[-1].content == "This is worth a word."
