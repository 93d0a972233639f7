"""The voice of somebody who has left the server rests there until they are back."""

from __future__ import annotations

from rehearsal.rest.call import Misbehaviour
from tests.cogs.saved_voices import cloned
from tests.scenes import Scene, file_of, words_of


async def test_a_voice_rests_while_its_speaker_is_away_and_speaks_again_after(scene: Scene) -> None:
    voice = await cloned(scene, scene.bob, "Bobby")
    await scene.guild.remove_member(scene.bob)

    away = await scene.speak("Anybody there?", voice=voice.name)
    assert "has left this server" in await words_of(away)
    assert scene.asked == []
    scene.guild.add_member(scene.bob)
    back = await scene.speak("Anybody there?", voice=voice.name)

    await file_of(back)


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
