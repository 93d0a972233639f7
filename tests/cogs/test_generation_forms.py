"""What asks for a name under a generation: Save voice, Add to soundboard."""

from __future__ import annotations

import pytest

from bot.library.voice import Kind, Scope
from rehearsal.permissions import Permission
from tests.cogs.generations import TEXT, choose, generated, may_add_sounds, opened
from tests.cogs.saved_voices import designed
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import Scene, file_of, words_of
from tts_gateway.engines.base import Engine


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def test_the_voice_of_a_generation_is_saved_with_its_words(scene: Scene):
    answer = await generated(scene, style="an old man")

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        form = await opened(scene.alice, answer, "Save voice")
        saved = await scene.alice.submit(form, {"Name": "Old Jack"})
        assert "Saved as **Old Jack**, from " in await words_of(saved)
        voice = await bot.library.voices.find(Scope(scene.guild.id, scene.alice.id), "old jack")

        assert (voice.kind, voice.transcript, voice.description) == (Kind.DESIGNED, TEXT, "an old man")
        spoken = await scene.speak("And now something else.", voice="Old Jack", output="here")
        await file_of(spoken)

    assert scene.asked[-1]["prompt_text"] == TEXT


async def test_a_taken_name_is_refused_and_nothing_is_saved(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    answer = await generated(scene, style="an old man")

    form = await opened(scene.alice, answer, "Save voice")
    saved = await scene.alice.submit(form, {"Name": "ROBIN"})

    assert "already" in await words_of(saved)


async def test_a_sound_is_put_on_the_soundboard_under_the_name_that_is_typed(scene: Scene):
    answer = await generated(scene)
    may_add_sounds(scene, scene.bob)

    form = await opened(scene.bob, answer, "Add to soundboard")
    done = await scene.bob.submit(form, {"Name": "Fox"})

    assert "Added **Fox** to the soundboard." in await words_of(done)
    assert [sound.name for sound in scene.guild.sounds.values()] == ["Fox"]


async def test_a_sound_without_a_name_is_called_by_its_first_words(scene: Scene):
    answer = await generated(scene)
    may_add_sounds(scene, scene.bob)

    form = await opened(scene.bob, answer, "Add to soundboard")
    done = await scene.bob.submit(form, {})

    assert "to the soundboard." in await words_of(done)
    assert [sound.name for sound in scene.guild.sounds.values()] == ["The quick brown fox jumps over t"]


async def test_a_full_soundboard_is_one_sentence(scene: Scene):
    answer = await generated(scene)
    may_add_sounds(scene, scene.alice)
    for number in range(scene.guild.sound_slots):
        scene.guild.add_sound(f"sound {number}", scene.bob)

    form = await opened(scene.alice, answer, "Add to soundboard")
    done = await scene.alice.submit(form, {"Name": "Fox"})

    assert "full" in await words_of(done)


async def test_without_its_own_permission_the_bot_says_so_before_it_asks_for_a_name(scene: Scene):
    answer = await generated(scene)
    may_add_sounds(scene, scene.alice)
    scene.guild.deny_bot(Permission.CREATE_GUILD_EXPRESSIONS)
    await scene.rehearsal.caught_up()

    pressed = await choose(scene.alice, answer, "Add to soundboard")

    assert "I can't add sounds here" in await words_of(pressed)
