"""What a modified client can send, and what Discord lets through of it."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from rehearsal.answers import Answer
from rehearsal.errors import RehearsalError
from tests.fakes.held_bot import HeldBot
from tests.scenes import Stage


async def shown(scene: Stage, bot: HeldBot) -> Answer:
    answer = await scene.alice.slash(scene.general, "hold")
    view = discord.ui.View(timeout=30)
    view.add_item(discord.ui.Button(label="Again", custom_id="again:1"))
    view.add_item(discord.ui.Button(label="Off", custom_id="off", disabled=True))
    options = [discord.SelectOption(label="Alba", value="a")]
    view.add_item(discord.ui.Select(placeholder="Voice", custom_id="voice", options=options))
    await (await bot.next()).response.send_message("x", view=view)
    return answer


FORGED: list[tuple[str, dict[str, Any]]] = [
    ("again:2", {}),
    ("off", {}),
    ("voice", {}),
    ("voice", {"values": ["b"]}),
    ("again:1", {"values": ["a"]}),
]


async def test_discord_refuses_components_the_message_does_not_have(
    scene: Stage, bot: HeldBot, subtests: pytest.Subtests
) -> None:
    answer = await shown(scene, bot)

    for custom_id, options in FORGED:
        with (
            subtests.test(custom_id=custom_id, **options),
            pytest.raises(RehearsalError, match="COMPONENT_VALIDATION_FAILED"),
        ):
            await scene.alice.forge(answer, custom_id, **options)
    await scene.rehearsal.caught_up()
    assert bot.held.empty()


async def test_what_is_on_the_message_passes(scene: Stage, bot: HeldBot) -> None:
    answer = await shown(scene, bot)

    await scene.alice.forge(answer, "voice", values=["a"])

    data: Any = (await bot.next()).data
    assert (data["component_type"], data["values"]) == (3, ["a"])


async def test_without_that_check_forged_ids_reach_the_bot(scene: Stage, bot: HeldBot) -> None:
    answer = await shown(scene, bot)
    scene.rehearsal.interactions.validates_components = False

    await scene.alice.forge(answer, "again:2")

    data: Any = (await bot.next()).data
    assert data["custom_id"] == "again:2"


async def test_a_form_that_was_not_opened_is_refused_unless_nobody_checks(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    modal = discord.ui.Modal(title="Name", custom_id="name:1", timeout=30)
    modal.add_item(discord.ui.TextInput(label="Name", custom_id="name"))
    await (await bot.next()).response.send_modal(modal)
    assert answer.modal is not None

    with pytest.raises(RehearsalError, match="COMPONENT_VALIDATION_FAILED"):
        await scene.alice.forge_submit(answer.modal, "name:2", {"name": "x"})
    scene.rehearsal.interactions.validates_components = False
    await scene.alice.forge_submit(answer.modal, "name:2", {"name": "x"})

    data: Any = (await bot.next()).data
    assert data["custom_id"] == "name:2"


async def test_a_button_pressed_twice_reaches_the_bot_twice(scene: Stage, bot: HeldBot) -> None:
    answer = await shown(scene, bot)

    await scene.alice.press(answer, "Again")
    await scene.alice.press(answer, "Again")

    first, second = await bot.next(), await bot.next()
    assert first.id != second.id
    await first.response.edit_message(content="done", view=None)
    await second.response.defer()
    assert (answer.content, answer.buttons, answer.menus) == ("done", [], {})


async def test_anybody_may_press_a_button_that_everybody_sees(scene: Stage, bot: HeldBot) -> None:
    bob = scene.rehearsal.world.add_person("Bob")
    scene.guild.add_member(bob)
    answer = await shown(scene, bot)

    await bob.press(answer, "Again")

    assert (await bot.next()).user.id == bob.id
