"""/myna setup: what is set in a server, and the buttons that change it; /myna reports."""

from __future__ import annotations

import pytest

from rehearsal.answers import Answer
from rehearsal.permissions import Permission
from tests.cogs.generations import choose, generated
from tests.cogs.saved_voices import cloned
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed, words_of

COMMANDS = {"setup", "cloning", "voice", "volume", "limits", "audit", "reports", "usage", "reading"}


@pytest.fixture
def moderated(scene: Scene) -> Scene:
    scene.make_moderator(scene.alice)
    return scene


async def setup_of(scene: Scene) -> Answer:
    return await typed(scene.alice, scene.general, "myna setup")


async def test_members_and_moderators_have_their_commands_and_no_others(moderated: Scene) -> None:
    groups = {
        one["name"]: {option["name"] for option in one["options"]}
        for one in moderated.rehearsal.commands.listed()
        if one["name"] in ("voice", "myna")
    }

    assert groups["voice"] == {"choose", "list", "save", "design", "share", "edit", "delete", "export"}
    assert groups["myna"] == COMMANDS
    assert "myna" not in moderated.bob.offered(moderated.general)
    assert "volume" not in moderated.alice.offered(moderated.general)


async def test_one_screen_says_what_is_set(moderated: Scene) -> None:
    answer = await setup_of(moderated)

    assert answer.content.splitlines() == [
        "**Myna in this server**",
        "- Server's voice: **Warm**",
        "- Cloning: off, only starter and designed voices",
        "- Volume: 100%",
        "- Each member: no limit",
        "- I can be used in: every channel",
        "- Takes: with the text, as WAV",
        "- Open reports: none",
    ]
    assert answer.ephemeral
    assert answer.buttons == [
        "Choose the server's voice",
        "Turn cloning on",
        "Set limits",
        "See usage",
        "See who used which voice",
    ]


async def test_its_buttons_open_what_they_name_also_after_a_restart(moderated: Scene) -> None:
    scene = moderated
    answer = await setup_of(scene)
    opens = {
        "Choose the server's voice": "Which voice should speak here for everyone",
        "Turn cloning on": "Before you turn cloning on",
        "Set limits": "**Limits in this server**",
        "See usage": "No new speech was made here",
        "See who used which voice": "Nobody has used a cloned voice here yet.",
    }

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        for button, words in opens.items():
            pressed = await scene.alice.press(answer, button)
            assert words in await words_of(pressed), button
            assert pressed.ephemeral


async def test_cloning_is_turned_off_at_once_and_the_screen_shows_it(moderated: Scene) -> None:
    scene = moderated
    await scene.let_clone()
    answer = await setup_of(scene)
    assert "Cloning: on" in answer.content

    await scene.alice.press(answer, "Turn cloning off")
    await answer.until(lambda shown: "Turn cloning on" in shown.buttons, timeout=DEADLINE)

    assert "Cloning: off" in answer.content
    assert not await scene.bot.library.settings.cloning_is_on(scene.guild.id)


async def test_a_volume_in_the_menu_holds_and_the_screen_shows_it(moderated: Scene) -> None:
    answer = await setup_of(moderated)

    await moderated.alice.select(answer, "Volume", "Volume 50%")
    await answer.until(lambda shown: "Volume: 50%" in shown.content, timeout=DEADLINE)

    assert moderated.bot.volumes.get(moderated.guild.id) == 50


async def test_a_volume_that_is_not_in_the_menu_is_refused(moderated: Scene) -> None:
    moderated.rehearsal.interactions.validates_components = False
    answer = await setup_of(moderated)

    for forged in ("900", "-", "٥٠٠"):
        pressed = await moderated.alice.forge(answer, "myna:volume", values=[forged])
        assert await refusal_of(pressed) == "That volume isn't in the menu. Type /myna volume."

    assert moderated.bot.volumes.get(moderated.guild.id) == 100


async def test_how_takes_look_is_chosen_in_a_menu_and_holds_from_the_next_one_on(moderated: Scene) -> None:
    scene = moderated
    answer = await setup_of(scene)
    (menu,) = [name for name in answer.menus if name != "Volume"]

    await scene.alice.select(answer, menu, "Send Ogg files: much smaller than WAV")
    await answer.until(lambda shown: "Takes: without the text, as Ogg" in shown.content, timeout=DEADLINE)
    take = await scene.speak()
    file = await file_of(take)
    await scene.alice.select(answer, menu, "Quote the text above each take")
    await answer.until(lambda shown: "Takes: with the text, as WAV" in shown.content, timeout=DEADLINE)

    assert file.name == "Hello-there.ogg"
    assert take.content.startswith("AI voice")


async def test_who_is_no_moderator_any_more_changes_nothing(scene: Scene) -> None:
    role = scene.guild.add_role("Moderators", Permission.MANAGE_GUILD, scene.alice)
    await scene.let_clone()
    answer = await setup_of(scene)
    scene.guild.take_role(role, scene.alice)
    await scene.rehearsal.caught_up()

    for button in answer.buttons:
        pressed = await scene.alice.press(answer, button)
        if button == "Turn cloning off":
            assert (await refusal_of(pressed)).startswith("Only moderators can do this.")
        else:
            assert (await words_of(pressed)).startswith("Only moderators can do this.")
    chosen = await scene.alice.select(answer, "Volume", "Volume 50%")

    assert await refusal_of(chosen) == "You need Mute Members or Manage Server to change the volume."
    chosen = await scene.alice.select(
        answer, "Takes: without the text, as WAV", "Quote the text above each take"
    )
    assert (await refusal_of(chosen)).startswith("Only moderators can do this.")
    assert await scene.bot.library.settings.cloning_is_on(scene.guild.id)
    assert scene.bot.volumes.get(scene.guild.id) == 100


async def test_reports_are_listed_with_a_menu_to_look_into_the_voice(moderated: Scene) -> None:
    scene = moderated
    await cloned(scene, scene.bob, "Bobby")
    assert (await typed(scene.alice, scene.general, "myna reports")).content == "There are no open reports."
    said = await generated(scene, voice="Bobby")
    await words_of(await choose(scene.bob, said, "Report"))
    assert "See reports" in (await setup_of(scene)).buttons

    listed = await typed(scene.alice, scene.general, "myna reports")
    await scene.alice.select(listed, "Look into a voice", "Bobby")
    await listed.until(lambda shown: "Freeze" in shown.buttons, timeout=DEADLINE)

    first, second = listed.history[-1].content.splitlines()[:2]
    assert first.startswith("**Bobby** of ") and first.endswith("1 open report")
    assert second.startswith("Reported ")
