"""Recordings that are not the own voice of whoever brings them: taken back, of others, or made here."""

from __future__ import annotations

from typing import Final

import pytest

from bot.audio.wav import write_wav
from bot.library.known_recordings import GENERATED
from bot.library.voice import Kind, NewVoice, Scope, Sharing
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.people import Person
from rehearsal.records import Message
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.saved_voices import cloned, designed, sent
from tests.cogs.sounds import HIGH, recording
from tests.fakes.babble_engine import babble
from tests.scenes import DEADLINE, Scene, file_of, typed

OF_ANOTHER: Final = (
    "That recording is of another member's voice, so only they can use it as their own. Record yourself."
)
BY_A_BOT: Final = (
    "A bot sent that, so it isn't anyone's own voice. To keep a take, press Save voice under it."
)


async def said(answer: Answer) -> str:
    await answer.settled(timeout=DEADLINE)
    await answer.until(lambda shown: not shown.content.endswith(" …"), timeout=DEADLINE)
    return answer.content


async def clone(scene: Scene, who: Person, file: SentFile) -> str:
    return await said(await who.slash(scene.general, "clone", text="In my voice", recording=file))


async def save(scene: Scene, who: Person, file: SentFile) -> str:
    return (await typed(who, scene.general, "voice save", name=f"{who.name}'s", recording=file)).content


async def refused(scene: Scene, who: Person, file: SentFile) -> set[str]:
    """Return what somebody reads who gives a file for their own voice in either way."""
    before = len(scene.asked)
    words = {await clone(scene, who, file), await save(scene, who, file)}
    assert len(scene.asked) == before
    return words


async def question(scene: Scene) -> Message:
    """Return Alice's question to Bob about a recording that she has uploaded."""
    answer = await typed(
        scene.alice, scene.general, "voice save", name="Bobby", recording=sent(), speaker=scene.bob
    )
    assert "I've asked" in answer.content
    return await scene.general.until_message(lambda shown: "I agree" in shown.buttons)


async def press(scene: Scene, asked: Message, label: str) -> None:
    await (await scene.bob.press(asked, label)).until(lambda _: asked.buttons == [], timeout=DEADLINE)


@pytest.mark.slow
@pytest.mark.parametrize("ending", ["open", "No", "I agree", "revoke"])
async def test_what_somebody_was_asked_about_is_nobody_else_s_own_voice_whatever_they_said(
    scene: Scene, ending: str
) -> None:
    await scene.let_clone(scene.alice, scene.bob)
    asked = await question(scene)
    if ending != "open":
        await press(scene, asked, "No" if ending == "No" else "I agree")
    if ending == "revoke":
        await scene.bot.library.consents.revoke(scene.bob.id)
        await scene.bot.library.consents.attest(Scope(scene.guild.id, scene.bob.id))

    assert await refused(scene, scene.alice, sent()) == {OF_ANOTHER}
    assert (await save(scene, scene.bob, sent())).startswith("Saved as")


@pytest.mark.slow
async def test_a_recording_that_was_heard_in_info_is_not_the_listener_s_own_voice(scene: Scene) -> None:
    await scene.let_clone(scene.alice, scene.bob)
    assert (await save(scene, scene.alice, SentFile("me.ogg", recording("ogg", HIGH)))).startswith("Saved")
    await typed(scene.alice, scene.general, "voice share", name="Alice's", share_with="server")
    heard = await typed_file(scene, scene.bob, "Alice's")

    assert await refused(scene, scene.bob, heard) == {OF_ANOTHER}
    await typed(scene.alice, scene.general, "privacy revoke")
    assert await refused(scene, scene.bob, heard) == {OF_ANOTHER}


async def typed_file(scene: Scene, who: Person, name: str) -> SentFile:
    """Return the recording that /voice list shows to somebody, as they upload it."""
    answer = await who.slash(scene.general, "voice list", name=name)
    return SentFile("mine.wav", await (await file_of(answer)).read())


@pytest.mark.slow
async def test_a_take_is_nobody_s_own_voice(scene: Scene) -> None:
    await scene.let_clone(scene.alice, scene.bob)
    await cloned(scene, scene.alice, "Ada")
    take = await (await file_of(await scene.speak("Good morning to all of you", voice="Ada"))).read()

    for who in (scene.alice, scene.bob):
        assert await refused(scene, who, SentFile("me.wav", take)) == {GENERATED}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["Wizard", "House"], ids=["designed", "default"])
async def test_the_recording_of_a_voice_that_was_made_here_is_nobody_s_own_voice(
    scene: Scene, name: str
) -> None:
    await scene.let_clone(scene.bob)
    await designed(scene, scene.alice, "Wizard")
    if name == "House":  # as an earlier edition made one
        recording = await scene.bot.library.recordings.keep(write_wav(babble("Hello, everybody.")))
        house = NewVoice(name, Kind.DEFAULT, recording, 3.0, sharing=Sharing.SERVER)
        await scene.bot.library.voices.save(Scope(scene.guild.id, scene.alice.id), house)

    assert await refused(scene, scene.bob, await typed_file(scene, scene.bob, name)) == {GENERATED}


@pytest.mark.parametrize("of", ["nobody", "somebody", "oneself"])
@pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
async def test_a_message_of_the_bot_is_no_source_whoever_is_named(scene: Scene, of: str) -> None:
    await scene.let_clone(scene.alice)
    spoken = await scene.speak("Good morning to all of you")
    await file_of(spoken)
    assert spoken.message is not None
    link = f"https://discord.com/channels/{scene.guild.id}/{scene.general.id}/{spoken.message.id}"
    named = {"nobody": {}, "somebody": {"speaker": scene.bob}, "oneself": {"speaker": scene.alice}}[of]

    saving = await typed(scene.alice, scene.general, "voice save", name="Mine", message=link, **named)
    cloning = await scene.alice.slash(scene.general, "clone", text="Hello", message=link, **named)

    menus = [
        await said(await scene.alice.message_menu(menu, spoken.message))
        for menu in ("Clone this voice", "Save this voice")
    ]

    assert {saving.content, await said(cloning), *menus} == {BY_A_BOT}
    assert [shown for shown in scene.general.messages.values() if "I agree" in shown.buttons] == []


@pytest.mark.slow
async def test_a_recording_of_somebody_else_is_not_asked_of_a_third(scene: Scene) -> None:
    await scene.let_clone(scene.bob)
    assert (await save(scene, scene.bob, sent())).startswith("Saved as")
    carol = scene.add_member("Carol")

    answer = await typed(
        scene.alice, scene.general, "voice save", name="Her", recording=sent(), speaker=carol
    )

    assert "of the member you named" in answer.content
    assert [shown for shown in scene.general.messages.values() if "I agree" in shown.buttons] == []
