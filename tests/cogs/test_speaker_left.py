"""The voice of somebody who has left the server rests there until they are back."""

from __future__ import annotations

import pytest

from rehearsal.cdn import SentFile
from rehearsal.rest.call import Misbehaviour
from tests.cogs.generations import choose, generated, may_add_sounds, opened, use
from tests.cogs.saved_voices import WAV, cloned
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, words_of

AWAY = "The speaker has left this server. The voice is paused until they return."


@pytest.mark.slow
async def test_a_voice_rests_while_its_speaker_is_away_and_speaks_again_after(scene: Scene) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    await scene.guild.remove_member(scene.bob)

    away = await scene.speak("Anybody there?", voice=voice.name)
    assert "has left this server" in await words_of(away)
    assert scene.asked == []
    scene.guild.add_member(scene.bob)
    back = await scene.speak("Anybody there?", voice=voice.name)

    await file_of(back)


@pytest.mark.slow
async def test_whether_a_speaker_is_here_is_asked_once_in_a_while(scene: Scene) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")

    for text in ("One", "Two", "Three"):
        await file_of(await scene.speak(text, voice=voice.name))

    looked = [one for one in scene.rehearsal.requests if one.path.endswith(f"/members/{scene.bob.id}")]
    assert len(looked) == 1


async def test_where_discord_does_not_say_the_voice_still_speaks(scene: Scene) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    scene.rehearsal.misbehave(Misbehaviour("GET", f"/members/{scene.bob.id}", status=403, times=9))

    answer = await scene.speak("Anybody there?", voice=voice.name)

    await file_of(answer)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["saved", "clone"])
async def test_no_button_makes_a_speaker_heard_who_has_left(scene: Scene, kind: str) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    if kind == "saved":
        answer, asker = await generated(scene, voice=voice.name), scene.alice
    else:
        sent = SentFile("me.wav", WAV)
        answer = await scene.bob.slash(scene.general, "clone", text="It is me", recording=sent, output="here")
        await file_of(answer)
        asker = scene.bob
    may_add_sounds(scene, scene.alice)
    calls = len(scene.asked)
    async with restarted(
        scene.bot, scene.settings, scene.rehearsal
    ) as bot:  # nothing is believed from before
        scene.bot = bot
        form = await opened(scene.alice, answer, "Add to soundboard")
        await scene.alice.join(scene.perch)
        await scene.guild.remove_member(scene.bob)

        assert await words_of(await scene.alice.submit(form, {"Name": "Bob"})) == AWAY
        for label in ("Play in my channel", "Send as voice message"):
            assert await words_of(await use(scene.alice, answer, label)) == AWAY
        if kind == "saved":
            assert await words_of(await asker.press(answer, "Again")) == AWAY
        assert len(scene.asked) == calls
        assert not scene.guild.sounds
        assert not any(message.voice_message for message in scene.general.history)
        scene.guild.add_member(scene.bob)
        playing = await choose(scene.alice, answer, "Play in my channel")
        await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
        scene.say_no_more()


async def test_in_a_dialogue_one_speaker_who_has_left_is_enough(scene: Scene) -> None:
    carol = scene.add_member("Carol")
    for person, name in ((scene.alice, "Ada"), (scene.bob, "Bobby"), (carol, "Cara")):
        await cloned(scene, person, name)
    answer = await generated(scene, "Ada: Hello there / Bobby: Good evening / Cara: Good night")
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await scene.guild.remove_member(carol)

        for label in ("Send as voice message", "Again"):
            assert await words_of(await use(scene.alice, answer, label)) == AWAY
