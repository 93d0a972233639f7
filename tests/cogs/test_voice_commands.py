"""/join, /leave, /queue, /skip and /stop."""

from __future__ import annotations

import asyncio

import pytest

from rehearsal.answers import Answer
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.people import Person
from rehearsal.permissions import EVERYONE, Permission
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine

LONG = "This takes a while to say, because there are many words in it, and none of them is left out."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()  # quick on any machine, so that what waits is ready before the first has been said


async def _command(scene: Scene, person: Person, name: str) -> str:
    return await words_of(await person.slash(scene.general, name))


async def _speaking(scene: Scene, person: Person, text: str = LONG) -> Answer:
    """Let ``person`` have something said and return once it is heard."""
    answer = await person.slash(scene.general, "speak", text=text, output="voice channel")
    await answer.until(lambda shown: "Speaking in" in shown.content, timeout=DEADLINE)
    return answer


async def test_join_comes_and_leave_goes(scene: Scene):
    await scene.alice.join(scene.perch)

    came = await _command(scene, scene.alice, "join")
    channel = scene.guild.bot_channel
    left = await _command(scene, scene.alice, "leave")

    assert f"<#{scene.perch.id}>" in came
    assert channel is scene.perch
    assert left == "I've left the voice channel."
    assert scene.guild.bot_channel is None


async def test_the_bot_is_deaf_in_voice_so_that_nobody_fears_it_listens(scene: Scene):
    await scene.alice.join(scene.perch)

    await _command(scene, scene.alice, "join")

    state = scene.guild.voice_states[scene.rehearsal.application_id]
    assert state.self_deaf
    assert not state.self_mute


async def test_join_outside_of_voice_says_what_to_do(scene: Scene):
    assert await _command(scene, scene.alice, "join") == "Join a voice channel first."


async def test_leave_without_being_anywhere_says_so(scene: Scene):
    assert await _command(scene, scene.alice, "leave") == "I'm not in a voice channel."


async def test_who_is_in_no_voice_channel_cannot_end_what_others_hear(scene: Scene):
    await scene.alice.join(scene.perch)
    await _speaking(scene, scene.alice)

    refused = await _command(scene, scene.bob, "leave")

    assert refused == "Others are listening. Only a moderator (Mute Members) can send me away now."
    assert scene.guild.bot_channel is scene.perch
    assert await _command(scene, scene.bob, "stop") == "You have nothing in the queue."


async def test_one_of_several_listeners_sends_the_bot_away_only_from_what_is_their_own(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await _speaking(scene, scene.alice)

    refused = await _command(scene, scene.bob, "leave")
    left = await _command(scene, scene.alice, "leave")

    assert refused.startswith("Others are listening.")
    assert left == "I've left the voice channel."


@pytest.mark.parametrize("right", [Permission.MUTE_MEMBERS, Permission.ADMINISTRATOR])
async def test_who_decides_sends_the_bot_away_from_anywhere(scene: Scene, right: Permission):
    await scene.alice.join(scene.perch)
    await _speaking(scene, scene.alice)
    scene.guild.add_role("Moderator", int(EVERYONE) | int(right), scene.bob)
    await scene.rehearsal.caught_up()

    assert await _command(scene, scene.bob, "leave") == "I've left the voice channel."


async def test_who_is_nowhere_sends_the_bot_away_where_it_says_nothing_or_nobody_listens(scene: Scene):
    await scene.alice.join(scene.perch)
    await _command(scene, scene.alice, "join")
    idle = await _command(scene, scene.bob, "leave")
    await _speaking(scene, scene.alice)
    await scene.alice.leave()

    deserted = await _command(scene, scene.bob, "leave")

    assert [idle, deserted] == ["I've left the voice channel."] * 2


async def test_join_into_a_full_channel_says_so(scene: Scene):
    nook = scene.guild.add_voice_channel("Nook", user_limit=1)
    scene.guild.deny_bot(Permission.MOVE_MEMBERS, nook)
    await scene.alice.join(nook)

    assert "is full" in await _command(scene, scene.alice, "join")


async def test_the_queue_shows_what_is_said_and_what_waits(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await _speaking(scene, scene.alice)
    second = await scene.bob.slash(scene.general, "speak", text="Me too", output="voice channel")
    await second.until(lambda shown: "1 ahead" in shown.content, timeout=DEADLINE)

    lines = (await _command(scene, scene.alice, "queue")).splitlines()

    assert lines[0].startswith(f"1. <@{scene.alice.id}>: This takes a while")
    assert "speaking now" in lines[0]
    assert lines[1].startswith(f"2. <@{scene.bob.id}>: Me too")
    assert "waiting" in lines[1]


async def test_an_empty_queue_says_so(scene: Scene):
    await scene.alice.join(scene.perch)
    await _command(scene, scene.alice, "join")

    assert "The queue is empty" in await _command(scene, scene.alice, "queue")


@pytest.mark.slow
async def test_skip_ends_what_is_said_and_the_next_begins(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    first = await _speaking(scene, scene.alice)
    second = await scene.alice.slash(scene.general, "speak", text="Second", output="voice channel")
    await second.until(lambda shown: "1 ahead" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)

    said = await _command(scene, scene.alice, "skip")
    await first.until(lambda shown: "Skipped." in shown.content, timeout=DEADLINE)
    await second.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)

    assert said.startswith("Skipped: This takes a while")


async def test_somebody_else_s_words_are_skipped_only_by_a_moderator(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await _speaking(scene, scene.alice)

    refused = await _command(scene, scene.bob, "skip")
    scene.guild.add_role("Moderator", int(EVERYONE) | int(Permission.MUTE_MEMBERS), scene.bob)
    await scene.rehearsal.caught_up()
    allowed = await _command(scene, scene.bob, "skip")

    assert "Only the member who asked" in refused
    assert allowed.startswith("Skipped")


async def test_stop_drops_only_one_s_own_unless_one_decides_for_all(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await _speaking(scene, scene.alice)
    second = await scene.bob.slash(scene.general, "speak", text="Me too", output="voice channel")
    await second.until(lambda shown: "1 ahead" in shown.content, timeout=DEADLINE)

    own = await _command(scene, scene.bob, "stop")
    nothing = await _command(scene, scene.bob, "stop")
    await scene.bob.leave()
    await scene.rehearsal.caught_up()
    everything = await _command(scene, scene.alice, "stop")

    assert own == "Cleared your 1 item."
    assert nothing == "You have nothing in the queue."
    assert everything == "Cleared 1 item."


async def test_stop_while_it_is_being_made_ends_the_making(scene: Scene):
    await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.alice.slash(scene.general, "speak", text=LONG, output="voice channel")
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)

    await _command(scene, scene.alice, "stop")
    await answer.until(lambda shown: "Stopped." in shown.content, timeout=DEADLINE)

    hold.released.set()
    assert scene.faults.downloads == []


async def test_a_fourth_thing_at_once_is_refused(scene: Scene):
    await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.every_post = hold
    answers = [
        await scene.alice.slash(scene.general, "speak", text=f"Number {number}", output="voice channel")
        for number in range(4)
    ]

    said = [asyncio.create_task(words_of(answer)) for answer in answers]
    first, _ = await asyncio.wait(said, timeout=DEADLINE, return_when=asyncio.FIRST_COMPLETED)
    hold.released.set()
    await asyncio.gather(*said)

    assert ["You already have 3" in one.result() for one in first] == [True]


async def test_kicked_out_of_the_channel_the_member_gets_the_file(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    answer = await _speaking(scene, scene.alice)
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.guild.kick_bot_from_voice()

    await file_of(answer)
    assert "I lost the voice channel, so here is the file." in answer.content


@pytest.mark.slow
async def test_moved_by_a_moderator_it_goes_on_there(scene: Scene):
    attic = scene.guild.add_voice_channel("Attic")
    await scene.alice.join(scene.perch)
    listener = await scene.bob.join(attic)
    answer = await _speaking(scene, scene.alice)

    await scene.guild.move_bot(attic)
    await listener.wait_for_speech(timeout=DEADLINE)
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)

    assert scene.guild.bot_channel is attic


async def test_busy_in_another_channel_the_file_is_given_and_it_says_why(scene: Scene):
    attic = scene.guild.add_voice_channel("Attic")
    await scene.alice.join(scene.perch)
    await scene.bob.join(attic)
    await _speaking(scene, scene.alice)

    answer = await scene.bob.slash(scene.general, "speak", text="And me?")
    await file_of(answer)

    assert f"I'm busy in <#{scene.perch.id}>" in answer.content
