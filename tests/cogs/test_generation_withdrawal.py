"""A voice that is taken back falls silent at once, wherever it was about to be heard."""

from __future__ import annotations

import asyncio
import time

import pytest

from bot.library.voice import Scope
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.rest.call import late
from tests.cogs.in_voice import player_of
from tests.cogs.saved_voices import cloned, designed
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine

LONG = "This takes a while to say, because there are many words in it, and none of them is left out. " * 3
SILENT_SECONDS = 1.0
ON_THE_WAY = 1.0
"""A busy machine hands packets on this much later than they were sent."""


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


def posts(scene: Scene) -> list[str]:
    """Return the words of the messages that hold a recording: the application belongs to Alice."""
    return [message.content for message in scene.alice.dms() if "The recording of" in message.content]


@pytest.mark.slow
async def test_a_revoked_voice_is_silent_within_a_second_and_nothing_of_it_is_left(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")
    listener = await scene.alice.join(scene.perch)
    speaking = await scene.speak(LONG, voice="Bobby", output="voice channel")
    await listener.wait_for_speech(timeout=DEADLINE)
    waiting = await scene.speak(f"And more. {LONG}", voice="Bobby", output="voice channel")
    await waiting.until(lambda shown: "ahead of it" in shown.content, timeout=DEADLINE)
    assert len(posts(scene)) == 1

    revoked = time.monotonic()
    await scene.bot.library.consents.revoke(scene.bob.id)
    assert player_of(scene).utterances() == []
    assert "That voice was withdrawn, so I stopped." in await words_of(speaking)
    assert "That voice was withdrawn, so I stopped." in await words_of(waiting)
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    assert listener.speech()[-1].arrival - revoked <= SILENT_SECONDS + ON_THE_WAY
    assert posts(scene) == []
    assert await scene.bot.library.posts.of(voice.id) == []
    assert scene.recordings == []


async def test_who_waits_for_the_file_of_a_withdrawn_voice_reads_why(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.speak(LONG, voice="Bobby", output="here")
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)

    await scene.bot.library.consents.revoke(scene.bob.id)

    assert await words_of(answer) == "The voice Bobby was withdrawn, so I can't use it."
    hold.released.set()


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_a_withdrawal_leaves_what_others_say(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    await designed(scene, scene.bob, "Robin")
    listener = await scene.alice.join(scene.perch)
    answer = await scene.speak(LONG, voice="Robin", output="voice channel")
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.bot.library.consents.revoke(scene.bob.id)
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)


@pytest.mark.slow
async def test_a_frozen_voice_is_dropped_and_a_thawed_one_speaks_again(scene: Scene):
    voice = await cloned(scene, scene.bob, "Bobby")
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    listener = await scene.alice.join(scene.perch)
    answer = await scene.speak(LONG, voice="Bobby", output="voice channel")
    await listener.wait_for_speech(timeout=DEADLINE)

    await scene.bot.library.audit.freeze(moderator, voice.id, True)
    words = await words_of(answer)
    assert "withdrawn" in words or "frozen" in words  # its job may ask the gate before it is told
    await scene.bot.library.audit.freeze(moderator, voice.id, False)

    again = await scene.speak("Back again, as if nothing had been.", voice="Bobby", output="here")
    await file_of(again)


async def test_heard_and_given_as_a_file_the_answer_says_that_the_rest_was_dropped(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    await scene.alice.join(scene.perch)
    answer = await scene.speak(LONG, voice="Bobby")
    await file_of(answer)

    await scene.bot.library.consents.revoke(scene.bob.id)

    await answer.until(lambda shown: "withdrawn" in shown.content, timeout=DEADLINE)


@pytest.mark.slow
async def test_a_recording_that_is_posted_ahead_at_that_moment_is_taken_away_again(scene: Scene):
    path = f"/channels/{scene.rehearsal.world.dm(scene.alice).id}/messages"
    scene.rehearsal.misbehave(late("POST", path, 1.5))
    voice = await cloned(scene, scene.bob, "Bobby")
    await scene.rehearsal.router.changes.until(
        lambda: any(request.path.endswith(path) for request in scene.rehearsal.requests),
        timeout=DEADLINE,
        story=lambda: "no recording was posted",
    )

    await scene.bot.library.consents.revoke(scene.bob.id)
    await scene.bot.library.withdrawals.aclose()  # what goes on behind the revoking is done

    assert posts(scene) == []
    assert await scene.bot.library.posts.of(voice.id) == []


@pytest.mark.slow
async def test_a_recording_that_is_just_being_posted_is_taken_away_again(scene: Scene):
    for task in asyncio.all_tasks():
        if task.get_name() == "new-voices":  # the command shall be what posts it
            task.cancel()
    voice = await cloned(scene, scene.bob, "Bobby")
    path = f"/channels/{scene.rehearsal.world.dm(scene.alice).id}/messages"
    scene.rehearsal.misbehave(late("POST", path, 1.5))
    answer = await scene.speak(LONG, voice="Bobby", output="here")
    await scene.rehearsal.router.changes.until(
        lambda: any(request.path.endswith(path) for request in scene.rehearsal.requests),
        timeout=DEADLINE,
        story=lambda: "no recording was posted",
    )

    await scene.bot.library.consents.revoke(scene.bob.id)
    assert "withdrawn" in await words_of(answer)
    await scene.bot.library.withdrawals.aclose()  # what goes on behind the revoking is done

    assert posts(scene) == []
    assert await scene.bot.library.posts.of(voice.id) == []
    assert scene.asked == []
