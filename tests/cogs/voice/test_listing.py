"""/voice list: what is shown, heard, and kept from whom."""

from __future__ import annotations

from bot.library.voice import Scope, Sharing
from tests.cogs.saved_voices import WAV, cloned, designed
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, typed, words_of


async def test_a_line_says_kind_owner_who_may_use_it_and_how_often(scene: Scene) -> None:
    await scene.let_clone()
    voice = await cloned(scene, scene.alice, "Ada", sharing=Sharing.SERVER)
    await scene.bot.library.generations.settle(scene.guild.id, [], counted=[voice.id])
    await designed(scene, scene.alice, "Old man", sharing=Sharing.ME)

    answer = await typed(scene.alice, scene.general, "voice list")

    mine, second, first, starters = answer.content.splitlines()
    assert first.startswith("**Ada** · cloned · yours, for everybody here · used once")
    assert second == "**Old man** · designed · yours alone · never used"
    assert mine == "You speak as **Warm** here. /voice choose changes that."
    assert starters.startswith("Ready to use: **Warm**, **Bright**, ")
    bobs = await typed(scene.bob, scene.general, "voice list")
    adas = bobs.content.splitlines()[1]
    assert adas.startswith(f"**Ada** · cloned · {scene.alice.mention}'s, for everybody here · ")


async def test_pages_turn_both_ways_and_after_a_restart(scene: Scene) -> None:
    for number in range(20):
        await designed(scene, scene.alice, f"Voice {number:02}")
    answer = await typed(scene.alice, scene.general, "voice list")
    assert "Page 1 of 3, 20 voices." in answer.content
    assert answer.buttons == ["Next"]

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        await scene.alice.press(answer, "Next")
        await answer.until(lambda shown: "Page 2 of 3" in shown.content, timeout=DEADLINE)
        assert answer.buttons == ["Back", "Next"]
        await scene.alice.press(answer, "Back")
        await answer.until(lambda shown: "Page 1 of 3" in shown.content, timeout=DEADLINE)


async def test_a_voice_chosen_in_the_menu_is_heard(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    answer = await typed(scene.alice, scene.general, "voice list")

    heard = await scene.alice.select(answer, "Hear a voice", "Old man")

    file = await file_of(heard)
    assert (file.name, await file.read()) == ("Old-man.wav", WAV)
    assert heard.ephemeral


async def test_a_moderator_sees_a_private_voice_but_does_not_hear_it(scene: Scene) -> None:
    scene.make_moderator(scene.bob)
    await designed(scene, scene.alice, "Old man", sharing=Sharing.ME)

    answer = await typed(scene.bob, scene.general, "voice list")
    about = await typed(scene.bob, scene.general, "voice list", name="old man")

    assert "**Old man**" in answer.content
    heard = await scene.bob.select(answer, "Hear a voice", "Old man")
    assert "Belongs to" in await words_of(heard)
    assert about.files == heard.files == []


async def test_a_frozen_voice_is_not_heard_in_the_list_either_but_by_its_owner(scene: Scene) -> None:
    scene.make_moderator(scene.bob)
    voice = await designed(scene, scene.alice, "Old man", sharing=Sharing.SERVER)
    moderator = Scope(scene.guild.id, scene.bob.id, is_moderator=True)
    await scene.bot.library.audit.freeze(moderator, voice.id, True)

    for person, can_hear in ((scene.alice, True), (scene.bob, False)):
        answer = await typed(person, scene.general, "voice list")
        heard = await person.select(answer, "Hear a voice", "Old man")
        if can_hear:
            assert await (await file_of(heard)).read() == WAV
        else:
            assert "A moderator has frozen this voice." in await words_of(heard)
            assert heard.files == []
        about = await typed(person, scene.general, "voice list", name="Old man")
        assert bool(about.files) == can_hear


async def test_a_voice_deleted_meanwhile_is_a_sentence_for_the_menu(scene: Scene) -> None:
    voice = await designed(scene, scene.alice, "Old man")
    answer = await typed(scene.alice, scene.general, "voice list")
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.alice.id), voice.id)

    heard = await scene.alice.select(answer, "Hear a voice", "Old man")

    assert await words_of(heard) == "That voice is gone. /voice list shows the ones you can use."


async def test_an_empty_shelf_says_how_to_fill_it(scene: Scene) -> None:
    answer = await typed(scene.alice, scene.general, "voice list")

    _mine, ready, how = answer.content.splitlines()
    assert ready.endswith("**Whisper**. Hear them with /voice choose.")
    assert how.startswith("Nobody has saved a voice here yet. /voice save keeps yours")


async def test_everything_about_a_voice_with_its_recording(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man", sharing=Sharing.SERVER)

    answer = await typed(scene.bob, scene.general, "voice list", name="OLD MAN")

    assert "**Old man** · designed voice · 4.0 s" in answer.content
    assert "What is said in the recording: “Hello”" in answer.content
    assert await (await file_of(answer)).read() == WAV


async def test_why_a_voice_is_silent_is_said(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    await cloned(scene, scene.alice, "Ada")
    await typed(scene.alice, scene.general, "myna cloning", state="off")

    answer = await typed(scene.alice, scene.general, "voice list", name="Ada")

    assert "It can't speak right now. Cloning is off in this server." in answer.content


async def test_names_are_proposed_to_who_may_use_the_voice_and_to_nobody_else(scene: Scene) -> None:
    for name in ("Old man", "Old woman", "Child"):
        await designed(scene, scene.alice, name, sharing=Sharing.ME)

    proposed = await scene.alice.autocomplete(scene.general, "voice list", "name", "old")

    assert [name for name, _ in proposed] == ["Old woman", "Old man"]
    assert await scene.bob.autocomplete(scene.general, "voice list", "name", "old") == []
