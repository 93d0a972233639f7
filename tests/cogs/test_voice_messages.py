"""Voice messages of real people's voices: how they are told apart, and what takes them away."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from bot.library.voice import Scope
from rehearsal.answers import Answer, AnswerState
from rehearsal.cdn import SentFile
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from tests.audio.reading import read
from tests.cogs.generations import choose, generated
from tests.cogs.saved_voices import cloned, designed
from tests.cogs.sounds import HIGH, recording
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, until, words_of
from tts_gateway.engines.base import Engine

SAVED, CLONE = "saved", "clone"
both_kinds = pytest.mark.parametrize("kind", [SAVED, CLONE])


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def generation(scene: Scene, kind: str) -> Answer:
    """Return the answer with something in Bob's voice: a saved one for Alice, or his own with /clone."""
    if kind == SAVED:
        await cloned(scene, scene.bob, "Bobby")
        return await generated(scene, "Hear me out", voice="Bobby")
    await scene.let_clone(scene.bob)
    sent = SentFile("me.wav", recording("wav", HIGH))
    answer = await scene.bob.slash(scene.general, "clone", text="Hear me out", recording=sent, output="here")
    await file_of(answer)
    return answer


def voice_messages(scene: Scene) -> list[Message]:
    return [message for message in scene.general.history if message.voice_message]


async def sent_by_button(scene: Scene, answer: Answer) -> None:
    before = len(voice_messages(scene))
    assert await words_of(await choose(scene.alice, answer, "Send as voice message")) == "Sent."
    assert len(voice_messages(scene)) == before + 1


async def none_is_left(scene: Scene) -> None:
    await scene.general.changes.until(
        lambda: not voice_messages(scene), timeout=DEADLINE, story=lambda: "a voice message still stands"
    )


@pytest.mark.slow
@both_kinds
async def test_delete_takes_the_voice_messages_of_its_generation_along_and_no_others(scene: Scene, kind: str):
    answer = await generation(scene, kind)
    other = await generated(scene, "Somebody else's words")
    await sent_by_button(scene, answer)
    await sent_by_button(scene, other)
    await sent_by_button(scene, answer)

    await choose(scene.alice if kind == SAVED else scene.bob, answer, "Delete")
    await answer.until(lambda shown: shown.state is AnswerState.DELETED, timeout=DEADLINE)

    await until(lambda: len(voice_messages(scene)) == 1)


async def test_delete_takes_the_voice_message_of_a_designed_voice_along_too(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    answer = await generated(scene, voice="Robin")
    await sent_by_button(scene, answer)

    await choose(scene.alice, answer, "Delete")

    await none_is_left(scene)


async def test_delete_takes_along_what_the_command_sent_as_a_voice_message(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    answer = await scene.speak("Hear me out", voice="Bobby", output="voice message")
    await answer.until(lambda shown: "More…" in shown.buttons, timeout=DEADLINE)
    assert len(voice_messages(scene)) == 1

    await choose(scene.alice, answer, "Delete")

    await none_is_left(scene)


@pytest.mark.slow
@both_kinds
@pytest.mark.parametrize("way", ["revoke", "never-clone-me", "delete"])
async def test_a_revoke_takes_them_along_also_after_a_restart(scene: Scene, kind: str, way: str):
    await sent_by_button(scene, await generation(scene, kind))
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot

        if way == "revoke":
            await bot.library.consents.revoke(scene.bob.id)
        elif way == "never-clone-me":
            await bot.library.consents.never_clone(scene.bob.id, True)
        else:
            await bot.library.privacy.delete(scene.bob.id)

        await none_is_left(scene)


@pytest.mark.slow
async def test_one_revoked_voice_takes_its_own_along_and_a_deleted_one_too(scene: Scene):
    voices = [await cloned(scene, scene.bob, name) for name in ("Bobby", "Bert", "Ben")]
    for voice in voices:
        await sent_by_button(scene, await generated(scene, f"I am {voice.name}", voice=voice.name))

    await scene.bot.library.consents.revoke(scene.bob.id, voices[0].id)
    await until(lambda: len(voice_messages(scene)) == 2)
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.bob.id), voices[1].id)
    await until(lambda: len(voice_messages(scene)) == 1)


async def test_in_a_dialogue_one_revoked_voice_is_enough(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    await cloned(scene, scene.alice, "Ada")
    await sent_by_button(scene, await generated(scene, "Bobby: Hello there / Ada: Good evening"))

    await scene.bot.library.consents.revoke(scene.bob.id)

    await none_is_left(scene)


@both_kinds
async def test_what_rests_for_now_leaves_what_was_sent(scene: Scene, kind: str):
    await sent_by_button(scene, await generation(scene, kind))

    await scene.bot.library.consents.speaker_left(scene.guild.id, scene.bob.id)
    await scene.bot.library.withdrawals.aclose()

    assert len(voice_messages(scene)) == 1


async def test_one_that_cannot_be_deleted_now_is_deleted_after_the_next_start(scene: Scene):
    await sent_by_button(scene, await generation(scene, SAVED))
    path = f"/channels/{scene.general.id}/messages"
    scene.rehearsal.misbehave(Misbehaviour("DELETE", path, 503, times=20))
    await scene.bot.library.consents.revoke(scene.bob.id)
    await scene.bot.library.withdrawals.aclose()
    assert len(voice_messages(scene)) == 1
    scene.rehearsal.router.misbehaviours.clear()
    (left,) = await scene.bot.library.posts.to_delete(_long_after())

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await bot.reference_posts.delete([left])

        assert voice_messages(scene) == []
        assert (await bot.library.posts.undeleted()).waiting == 0


@pytest.mark.slow
@both_kinds
@pytest.mark.parametrize("way", ["button", "command"])
async def test_one_of_a_real_person_begins_with_tones_and_no_other_does(scene: Scene, kind: str, way: str):
    await designed(scene, scene.bob, "Robin")
    await sent_by_button(scene, await generated(scene, "Hear me out", voice="Robin"))
    if way == "button":
        await sent_by_button(scene, await generation(scene, kind))
    elif kind == SAVED:
        await cloned(scene, scene.bob, "Bobby")
        await words_of(await scene.speak("Hear me out", voice="Bobby", output="voice message"))
    else:
        await scene.let_clone(scene.bob)
        sent = SentFile("me.wav", recording("wav", HIGH))
        await words_of(
            await scene.bob.slash(
                scene.general, "clone", text="Hear me out", recording=sent, output="voice message"
            )
        )

    designed_one, real = [scene.rehearsal.files_of(message)[0] for message in voice_messages(scene)]

    assert [_begins_with_tones(await file.read()) for file in (designed_one, real)] == [False, True]


def _begins_with_tones(ogg: bytes) -> bool:
    """Return whether its first and its second seventh of a second are one tone each, the second higher."""
    samples = read(ogg).samples
    heard = [_pitch(samples[start : start + 4_800]) for start in (1_000, 7_700)]
    return heard == [pytest.approx(660, abs=12), pytest.approx(880, abs=12)]


def _pitch(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples * np.hanning(len(samples)))).argmax() * 48_000 / len(samples))


def _long_after() -> datetime:
    return datetime.now(UTC) + timedelta(hours=2)


@pytest.mark.slow
async def test_one_that_is_a_response_where_the_bot_is_not_goes_with_the_voice_too(scene: Scene):
    guest = scene.rehearsal.world.add_person("Gus", has_installed_app=True)
    private = scene.rehearsal.world.add_private_chat(guest, scene.bob)
    await scene.bot.library.consents.attest(Scope.alone(guest.id))
    sent = SentFile("me.wav", recording("wav", HIGH))
    answer = await guest.slash(private, "clone", text="Hear me out", recording=sent, output="here")
    await file_of(answer)
    await choose(guest, answer, "Send as voice message")
    await private.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)

    await scene.bot.library.consents.revoke(guest.id)
    await scene.bot.library.withdrawals.aclose()

    assert not any(message.voice_message for message in private.history)
