"""Starter voices: made at their first use, there for everybody, heard before they are chosen."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.library.starters import DEFAULT_STARTER, STARTERS
from bot.library.voice import Scope, Sharing
from bot.settings import Settings
from rehearsal.answers import Answer
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from rehearsal.likeness import likeness
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.stage import pcm_of_wav
from tests.cogs.saved_voices import chosen, designed
from tests.fakes.babble_engine import BabbleEngine, babble
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, open_scene, record_starters, typed, words_of

TEXT = "The quick brown fox jumps over the lazy dog."
WARM, WIZARD = DEFAULT_STARTER, STARTERS[3]
PICKER = "Pick a voice"


@pytest.fixture
async def fresh(tmp_path: Path) -> AsyncIterator[Scene]:
    """A scene in which no starter was ever used."""
    async with open_scene(tmp_path / "data", BabbleEngine(), starters=()) as scene:
        yield scene


def made(scene: Scene) -> list[str]:
    """Return the starters that the TTS gateway was asked to make, in order."""
    names = {f"({starter.style}){starter.sample}": starter.name for starter in STARTERS}
    return [names[asked["text"]] for asked in scene.asked if asked["text"] in names]


async def picker_of(who: Person, scene: Scene, command: str) -> Answer:
    return await typed(who, scene.general, command)


def other_settings(scene: Scene) -> Settings:
    """Return settings under which everything sounds different."""
    return Settings(
        tts_base_url=scene.settings.tts_base_url, data_dir=scene.settings.data_dir, tts_guidance=2.7
    )


async def test_the_first_use_makes_the_voice_and_every_later_one_speaks_in_it(fresh: Scene) -> None:
    first = await fresh.speak(TEXT, output="here")
    await file_of(first)
    second = await fresh.bob.slash(fresh.general, "speak", text="And something else.", output="here")
    await file_of(second)

    assert f"AI voice: Warm · requested by {fresh.alice.mention}" in first.content
    assert f"AI voice: Warm · requested by {fresh.bob.mention}" in second.content
    making, *spoken = fresh.asked
    assert making["text"] == f"({WARM.style}){WARM.sample}"
    assert [asked["prompt_text"] for asked in spoken] == [WARM.sample] * 2
    assert {asked["reference_audio_url"] for asked in spoken} != {""}


async def test_what_was_typed_first_never_becomes_the_voice_of_a_server(fresh: Scene) -> None:
    await file_of(await fresh.speak("test test, one two three, is anybody there?", output="here"))

    assert await fresh.bot.library.voices.complete(Scope(fresh.guild.id, fresh.alice.id), "house") == []
    now = await fresh.bot.library.voices.chosen_voices(Scope(fresh.guild.id, fresh.bob.id))
    assert (now.mine, now.default) == (None, None)
    assert now.starter is not None
    assert now.starter.voice.name == "Warm"


async def test_two_first_uses_at_once_make_it_once(fresh: Scene) -> None:
    hold = Hold()
    fresh.faults.on_post(hold)
    answers = [
        await fresh.speak(TEXT, output="here"),
        await fresh.bob.slash(fresh.general, "speak", text="Hello from Bob.", output="here"),
    ]
    await asyncio.wait_for(fresh.faults.received(posts=1), DEADLINE)
    hold.released.set()
    for answer in answers:
        await file_of(answer)

    assert made(fresh) == ["Warm"]
    assert len(fresh.asked) == 3


async def test_after_a_restart_it_is_not_made_again(fresh: Scene) -> None:
    await file_of(await fresh.speak(TEXT, output="here"))

    async with restarted(fresh.bot, fresh.settings, fresh.rehearsal):
        again = await fresh.speak("And something else.", output="here")
        await file_of(again)

    assert "AI voice: Warm" in again.content
    assert made(fresh) == ["Warm"]


@pytest.mark.slow
async def test_another_tts_gateway_makes_its_own_once_and_the_first_keeps_what_it_made(fresh: Scene) -> None:
    await file_of(await fresh.speak(TEXT, output="here"))

    async with restarted(fresh.bot, other_settings(fresh), fresh.rehearsal) as other:
        await file_of(await fresh.speak("With the other one.", output="here"))
        await file_of(await fresh.speak("With the other one, once more.", output="here"))
        assert made(fresh) == ["Warm", "Warm"]
        async with restarted(other, fresh.settings, fresh.rehearsal):
            await file_of(await fresh.speak("And back again.", output="here"))

    assert made(fresh) == ["Warm", "Warm"]


async def test_its_recording_is_posted_once_for_all_and_stays(fresh: Scene) -> None:
    def posted() -> int:
        return sum(file.name == "voice.wav" for message in fresh.alice.dms() for file in message.files)

    for guest in (fresh.alice, fresh.bob):
        await file_of(
            await guest.slash(fresh.general, "speak", text=f"Hello, I am {guest.name}.", output="here")
        )
        await fresh.bot.reference_posts.delete_orphans()
    assert posted() == 1

    async with restarted(fresh.bot, fresh.settings, fresh.rehearsal) as again:
        await file_of(await fresh.speak("And after a restart.", output="here"))
        await again.reference_posts.delete_orphans()
    assert posted() == 1


@pytest.mark.slow
@pytest.mark.parametrize(
    ("lost", "makings"), [(["recordings"], ["Warm"]), (["recordings", "cache"], ["Warm", "Warm"])]
)
async def test_a_recording_that_is_lost_is_made_anew_unless_its_speech_is_kept(
    fresh: Scene, lost: list[str], makings: list[str]
) -> None:
    await file_of(await fresh.speak(TEXT, output="here"))
    await fresh.bot.shut_down()
    for folder in lost:
        shutil.rmtree(fresh.settings.data_dir / folder)

    async with restarted(fresh.bot, fresh.settings, fresh.rehearsal):
        answer = await fresh.speak("And something else.", output="here")
        await file_of(answer)

    assert "AI voice: Warm" in answer.content
    assert made(fresh) == makings


async def test_a_making_that_fails_is_one_sentence_and_the_next_use_tries_again(fresh: Scene) -> None:
    fresh.faults.on_post(Respond(500))

    failed = await words_of(await fresh.speak(TEXT, voice="Wizard", output="here"))
    answer = await fresh.speak(TEXT, voice="wizard", output="here")
    await file_of(answer)

    assert failed == "I couldn't make the voice Wizard. The voice service failed. Try again in a moment."
    assert "AI voice: Wizard" in answer.content
    assert made(fresh) == ["Wizard", "Wizard"]


async def test_completion_shows_the_starters_first_with_a_word_each(scene: Scene) -> None:
    robin = await designed(scene, scene.bob, "Robin")

    proposed = await scene.alice.autocomplete(scene.general, "speak", "voice", "", text="Hi")
    of_a_word = await scene.alice.autocomplete(scene.general, "speak", "voice", "rough", text="Hi")

    assert proposed[:8] == [(f"{one.name} · {one.word}", one.id) for one in STARTERS]
    assert proposed[8:] == [("Robin", robin.id)]
    assert of_a_word == [("Wizard · old, rough and slow", WIZARD.id)]


async def test_a_voice_of_the_server_with_a_starter_s_name_comes_before_it(scene: Scene) -> None:
    await designed(scene, scene.bob, "wizard", transcript="My own words")

    by_name = await scene.speak(TEXT, voice="Wizard", output="here")
    await file_of(by_name)

    assert scene.asked[-1]["prompt_text"] == "My own words"


async def test_moderators_hear_a_voice_in_the_picker_and_choose_it_for_the_server(fresh: Scene) -> None:
    fresh.make_moderator(fresh.alice)
    picker = await picker_of(fresh.alice, fresh, "myna voice")
    assert "**Warm**: calm and friendly" in picker.content
    assert picker.buttons == ["▶ Play", "Choose Warm"]

    await fresh.alice.select(picker, PICKER, "Wizard")
    await picker.until(lambda shown: "Choose Wizard" in shown.buttons, timeout=DEADLINE)
    heard = await fresh.alice.press(picker, "▶ Play")
    sound = await (await file_of(heard)).read()
    await fresh.alice.press(picker, "Choose Wizard")
    await picker.until(lambda shown: "now speaks here" in shown.content, timeout=DEADLINE)
    answer = await fresh.bob.slash(fresh.general, "speak", text=TEXT, output="here")
    await file_of(answer)

    assert heard.ephemeral and heard.content == "This is **Wizard**."
    assert likeness(babble(WIZARD.sample), pcm_of_wav(sound)).correlation > 0.9
    assert f"AI voice: Wizard · requested by {fresh.bob.mention}" in answer.content
    assert made(fresh) == ["Wizard"]


async def test_the_buttons_of_a_picker_work_after_a_restart(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    picker = await picker_of(scene.alice, scene, "myna voice")
    await scene.alice.select(picker, PICKER, "Robot")
    await picker.until(lambda shown: "Choose Robot" in shown.buttons, timeout=DEADLINE)

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        await file_of(await scene.alice.press(picker, "▶ Play"))
        await scene.alice.select(picker, PICKER, "Child")
        await picker.until(lambda shown: "Choose Child" in shown.buttons, timeout=DEADLINE)
        await scene.alice.press(picker, "Choose Child")
        await picker.until(lambda shown: "**Child** now speaks here" in shown.content, timeout=DEADLINE)
        now = await bot.library.voices.chosen_voices(Scope(scene.guild.id, scene.bob.id))

    assert now.default is not None
    assert now.default.voice.name == "Child"


async def test_a_moderator_who_is_none_any_more_chooses_nothing(scene: Scene) -> None:
    role = scene.guild.add_role("Moderators", Permission.MANAGE_GUILD, scene.alice)
    picker = await picker_of(scene.alice, scene, "myna voice")
    scene.guild.take_role(role, scene.alice)

    press = await scene.alice.press(picker, "Choose Warm")
    await press.until(lambda shown: bool(shown.followups), timeout=DEADLINE)

    assert "moderators" in press.followups[0].content
    now = await scene.bot.library.voices.chosen_voices(Scope(scene.guild.id, scene.bob.id))
    assert now.default is None


async def test_a_member_hears_a_voice_and_chooses_it_for_themselves(scene: Scene) -> None:
    await record_starters(scene.bot, scene.settings, STARTERS[1])
    picker = await picker_of(scene.bob, scene, "voice choose")
    await scene.bob.select(picker, PICKER, "Bright")
    await picker.until(lambda shown: "Choose Bright" in shown.buttons, timeout=DEADLINE)
    await scene.bob.press(picker, "Choose Bright")
    await picker.until(lambda shown: "you speak as **Bright**" in shown.content, timeout=DEADLINE)

    bobs = await scene.bob.slash(scene.general, "speak", text=TEXT, output="here")
    await file_of(bobs)
    alices = await scene.speak(TEXT, output="here")
    await file_of(alices)

    assert "AI voice: Bright" in bobs.content
    assert "AI voice: Warm" in alices.content


async def test_a_voice_of_the_server_is_picked_and_heard_too(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await designed(scene, scene.bob, "Robin")
    picker = await picker_of(scene.alice, scene, "myna voice")

    await scene.alice.select(picker, PICKER, "Robin")
    await picker.until(lambda shown: "Choose Robin" in shown.buttons, timeout=DEADLINE)
    await file_of(await scene.alice.press(picker, "▶ Play"))
    await scene.alice.press(picker, "Choose Robin")
    await picker.until(lambda shown: "**Robin** now speaks here" in shown.content, timeout=DEADLINE)


async def test_a_picked_voice_that_is_gone_is_refused(scene: Scene) -> None:
    robin = await designed(scene, scene.bob, "Robin")
    await chosen(scene, robin, scene.alice)
    picker = await picker_of(scene.alice, scene, "voice choose")
    await scene.bot.library.voices.share(Scope(scene.guild.id, scene.bob.id), robin.id, Sharing.ME)

    press = await scene.alice.press(picker, "▶ Play")

    assert (await words_of(press)).startswith("There's no voice with that name here.")


async def test_taking_the_default_back_brings_the_starter_back(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    robin = await designed(scene, scene.bob, "Robin")
    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    await scene.bot.library.voices.set_default(moderator, robin.id)

    told = await typed(scene.alice, scene.general, "myna voice", name="none")
    answer = await scene.speak(TEXT, output="here")
    await file_of(answer)

    assert told.content == "Default voice removed. **Warm** speaks here again."
    assert "AI voice: Warm" in answer.content


@pytest.mark.parametrize("command", ["voice delete", "voice list", "voice edit", "voice export"])
async def test_nobody_changes_or_deletes_a_starter(scene: Scene, command: str) -> None:
    scene.make_moderator(scene.alice)

    answer = await typed(scene.alice, scene.general, command, name="Wizard")

    assert answer.content.startswith("Wizard is a starter voice: everybody can speak with it")


async def test_a_dialogue_of_starters_makes_each_once(fresh: Scene) -> None:
    text = "Wizard: Who goes there? / Robot: Beep. It is me. / Wizard: Come in, my friend."

    answer = await fresh.speak(text, output="here")
    await file_of(answer)

    assert "AI voices: Wizard and Robot" in answer.content
    assert sorted(made(fresh)) == ["Robot", "Wizard"]
    said = [(asked["text"], asked["prompt_text"]) for asked in fresh.asked if "prompt_text" in asked]
    assert ("Beep. It is me.", STARTERS[5].sample) in said


async def test_again_under_a_take_of_a_starter_says_it_in_the_same_voice(scene: Scene) -> None:
    first = await scene.speak(TEXT, output="here")
    await file_of(first)

    again = await scene.alice.press(first, "Again")
    await file_of(again)

    assert "AI voice: Warm" in again.content
    assert [asked["prompt_text"] for asked in scene.asked] == [WARM.sample] * 2


async def test_in_direct_messages_a_starter_speaks_too(scene: Scene) -> None:
    private = scene.rehearsal.world.dm(scene.alice)

    answer = await scene.alice.slash(private, "speak", text=TEXT)
    await file_of(answer)

    assert "AI voice: Warm" in answer.content
