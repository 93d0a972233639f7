"""Buttons, select menus and modals, as a person uses them."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from rehearsal.answers import AnswerState
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from tests.fakes.held_bot import HeldBot
from tests.scenes import Stage


async def test_a_button_can_change_its_message_and_the_first_answer_shows_it(
    scene: Stage, bot: HeldBot
) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    view = discord.ui.View(timeout=30)
    view.add_item(discord.ui.Button(label="Again", custom_id="again"))
    view.add_item(discord.ui.Button(label="Never", custom_id="never", disabled=True))
    await (await bot.next()).response.send_message("first", view=view)

    pressed = await scene.alice.press(answer, "Again")
    await (await bot.next()).response.edit_message(content="second", view=None)

    assert (answer.content, pressed.content, answer.buttons) == ("second", "second", [])
    assert [shown.buttons for shown in answer.history] == [("Again",), ()]


async def test_buttons_that_cannot_be_pressed_are_not_pressed(scene: Stage, bot: HeldBot) -> None:
    bob = scene.rehearsal.world.add_person("Bob")
    scene.guild.add_member(bob)
    answer = await scene.alice.slash(scene.general, "hold")
    view = discord.ui.View(timeout=30)
    view.add_item(discord.ui.Button(label="Off", custom_id="off", disabled=True))
    view.add_item(discord.ui.Button(label="Link", url="https://example.com"))
    view.add_item(discord.ui.Button(label="On", custom_id="on"))
    await (await bot.next()).response.send_message("x", view=view, ephemeral=True)

    for person, label in ((scene.alice, "Off"), (scene.alice, "Link"), (scene.alice, "None"), (bob, "On")):
        with pytest.raises(RehearsalError):
            await person.press(answer, label)
    assert bot.held.empty()


async def test_a_press_can_be_acknowledged_silently_and_the_message_edited_later(
    scene: Stage, bot: HeldBot
) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    view = discord.ui.View(timeout=30)
    view.add_item(discord.ui.Button(label="Go", custom_id="go"))
    await (await bot.next()).response.send_message("x", view=view)
    pressed = await scene.alice.press(answer, "go")
    interaction = await bot.next()

    await interaction.response.defer()
    await interaction.edit_original_response(content="y")

    assert answer.content == pressed.content == "y"


async def test_a_select_menu_takes_only_its_choices(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    options = [discord.SelectOption(label="Alba", value="a"), discord.SelectOption(label="Bert", value="b")]
    view = discord.ui.View(timeout=30)
    view.add_item(discord.ui.Select(placeholder="Voice", custom_id="voice", options=options))
    await (await bot.next()).response.send_message("x", view=view)

    for wrong in (["Carl"], ["Alba", "Bert"], []):
        with pytest.raises(RehearsalError):
            await scene.alice.select(answer, "Voice", *wrong)
    await scene.alice.select(answer, "Voice", "Bert")
    chosen = await bot.next()
    await chosen.response.defer()

    data: Any = chosen.data
    assert data["values"] == ["b"]


class Clone(discord.ui.Modal, title="Clone a voice"):
    consent: discord.ui.TextInput = discord.ui.TextInput(label="Consent", min_length=3, max_length=5)
    note: discord.ui.TextInput = discord.ui.TextInput(label="Note", required=False)
    recording: discord.ui.Label = discord.ui.Label(
        text="Recording", component=discord.ui.FileUpload(custom_id="recording", min_values=1, max_values=1)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        upload = self.recording.component
        assert isinstance(upload, discord.ui.FileUpload)
        data = await upload.values[0].read()
        await interaction.response.send_message(f"{self.consent.value} {data!r}")


async def test_a_modal_is_filled_in_and_submitted(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_modal(Clone(timeout=30))
    assert answer.modal is not None and answer.modal.labels == ["Consent", "Note", "Recording"]

    submitted = await scene.alice.submit(
        answer.modal, {"Consent": "yes!", "recording": [SentFile("v.wav", b"RIFF")]}
    )

    await submitted.until(lambda a: a.state is AnswerState.REPLIED)
    assert submitted.content == "yes! b'RIFF'"


UNSUBMITTED: list[dict[str, Any]] = [
    {},
    {"Consent": "ye", "Recording": SentFile("v.wav", b"")},
    {"Consent": "yes yes", "Recording": SentFile("v.wav", b"")},
    {"Consent": "yes"},
    {"Consent": "yes", "Recording": [SentFile("v.wav", b""), SentFile("w.wav", b"")]},
    {"Consent": "yes", "Recording": "a text"},
    {"Consent": "yes", "Recording": SentFile("v.wav", b""), "Other": "x"},
]


async def test_a_modal_that_discord_would_not_submit_is_not_submitted(
    scene: Stage, bot: HeldBot, subtests: pytest.Subtests
) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_modal(Clone(timeout=30))

    for values in UNSUBMITTED:
        with subtests.test(values=values), pytest.raises(RehearsalError):
            await scene.alice.submit(answer, values)

    await scene.rehearsal.caught_up()
    assert bot.held.empty()


async def test_an_upload_whose_number_is_null_is_refused(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    modal = discord.ui.Modal(title="Upload", timeout=30)
    modal.add_item(discord.ui.Label(text="File", component=discord.ui.FileUpload(custom_id="file")))

    with pytest.raises(discord.HTTPException) as refused:
        await interaction.response.send_modal(modal)

    assert refused.value.code == 50035
