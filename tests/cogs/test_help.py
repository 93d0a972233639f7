"""/help and /about, and the buttons under /help."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from discord import app_commands

from bot import __version__
from bot.settings import HOSTED_TTS_BASE_URL, Secret, Settings
from bot.speech_bot import SpeechBot
from cogs import help as help_cog
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.permissions import BOT, Permission
from tests.cogs.saved_voices import designed, sent
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, typed, words_of

BUTTONS = ["Say something", "Choose a voice", "Save my voice"]


def known_commands(bot: SpeechBot) -> set[str]:
    """Return every command that can be typed, with a slash, and every group."""
    found = set()
    for command in bot.tree.walk_commands():
        if isinstance(command, app_commands.Command | app_commands.Group):
            found.add(f"/{command.qualified_name}")
    return found


async def opened_form(scene: Scene, answer: Answer, button: str) -> Answer:
    pressed = await scene.alice.press(answer, button)
    await pressed.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
    return pressed


async def test_help_is_one_screen_for_who_asks_with_buttons_for_the_first_three(scene: Scene):
    answer = await typed(scene.alice, scene.general, "help")

    assert answer.buttons == BUTTONS
    assert len(answer.content) < 1_200
    assert answer.content.count("\n") <= 7
    for word in ("Say something", "Choose a voice", "Save your own", "Privacy", "For moderators"):
        assert f"**{word}**" in answer.content


async def test_help_outside_servers_has_nothing_for_moderators(scene: Scene):
    answer = await scene.alice.slash(scene.rehearsal.world.dm(scene.alice), "help")

    assert "moderators" not in await words_of(answer)


async def test_every_command_that_the_help_and_the_welcome_name_exists(scene: Scene):
    known = known_commands(scene.bot)
    texts = [value for value in vars(help_cog).values() if isinstance(value, str)]
    named = {found for text in texts for found in re.findall(r"`(/[a-z -]+)`", text)}

    assert len(named) > 8
    assert named <= known


async def test_say_something_speaks_what_is_typed(scene: Scene):
    answer = await typed(scene.alice, scene.general, "help")
    form = await opened_form(scene, answer, "Say something")

    said = await scene.alice.submit(form, {"What should I say?": "Good morning, everybody."})

    assert (await file_of(said)).data.startswith(b"RIFF")
    assert scene.asked[0]["text"] == "Good morning, everybody."
    assert not said.ephemeral


async def test_choose_a_voice_makes_the_chosen_one_speak(scene: Scene):
    await designed(scene, scene.bob, "Keeper")
    answer = await typed(scene.alice, scene.general, "help")
    menu = await scene.alice.press(answer, "Choose a voice")
    await words_of(menu)

    await scene.alice.select(menu, "Pick a voice", "Keeper")
    await menu.until(lambda shown: "Choose Keeper" in shown.buttons, timeout=DEADLINE)
    await scene.alice.press(menu, "Choose Keeper")
    await menu.until(lambda shown: "you speak as **Keeper**" in shown.content, timeout=DEADLINE)
    said = await scene.speak("Good evening")

    await file_of(said)
    assert "Keeper" in said.content


async def test_choose_a_voice_where_nobody_has_saved_one_offers_the_starters(scene: Scene):
    answer = await typed(scene.alice, scene.general, "help")

    assert "**Warm**" in await words_of(await scene.alice.press(answer, "Choose a voice"))


async def test_save_my_voice_keeps_the_recording_in_the_form(scene: Scene):
    await scene.let_clone(scene.alice)
    answer = await typed(scene.alice, scene.general, "help")
    form = await opened_form(scene, answer, "Save my voice")

    saved = await scene.alice.submit(form, {"Name": "Harbour", "A recording of your own voice": sent()})

    assert "Saved as **Harbour**" in await words_of(saved)
    assert saved.ephemeral


async def test_save_my_voice_refuses_what_is_no_recording(scene: Scene):
    await scene.let_clone(scene.alice)
    form = await opened_form(scene, await typed(scene.alice, scene.general, "help"), "Save my voice")
    picture = SentFile("me.png", b"\x89PNG\r\n\x1a\n" + bytes(2_000))

    answer = await scene.alice.submit(form, {"Name": "Me", "A recording of your own voice": picture})

    assert "Saved" not in await words_of(answer)


async def test_the_buttons_work_after_a_restart(scene: Scene):
    answer = await typed(scene.alice, scene.general, "help")

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        form = await opened_form(scene, answer, "Say something")
        menu = await scene.alice.press(answer, "Choose a voice")

        assert form.modal is not None
        assert (await words_of(menu)).startswith("Which voice should speak for you here")


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (Settings(), "offline preview"),
        (Settings(tts_api_key=Secret("k" * 20)), "VoxCPM2, hosted by Pixazo"),
        (Settings(tts_base_url=HOSTED_TTS_BASE_URL), "VoxCPM2, hosted by Pixazo"),
        (Settings(tts_base_url="https://tts.example.com/v1"), "whoever runs this bot has chosen"),
    ],
)
async def test_about_says_what_makes_the_voice(scene: Scene, settings: Settings, says: str):
    scene.bot.settings = replace(settings, data_dir=scene.settings.data_dir)

    words = (await typed(scene.alice, scene.general, "about")).content

    assert says in words
    assert f"**Myna {__version__}**" in words
    assert "made by AI" in words


async def test_about_names_the_pages_that_are_set_and_no_others(scene: Scene):
    scene.bot.settings = replace(
        scene.settings, privacy_url="https://example.com/privacy", report_url="abuse@example.com"
    )

    words = (await typed(scene.alice, scene.general, "about")).content

    assert "Privacy policy: <https://example.com/privacy>" in words
    assert "Report a misuse: abuse@example.com" in words
    assert "Terms" not in words and "Support" not in words and "None" not in words


async def test_help_needs_no_permission_of_the_bot(scene: Scene):
    scene.guild.set_bot_permissions(BOT & ~(Permission.SEND_MESSAGES | Permission.ATTACH_FILES))

    assert (await typed(scene.alice, scene.general, "help")).buttons == BUTTONS
