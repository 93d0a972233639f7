"""Menus of people, roles and channels, on messages and in forms."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from rehearsal.answers import AnswerState
from rehearsal.errors import RehearsalError
from rehearsal.people import Person
from rehearsal.records import Channel
from tests.fakes.held_bot import HeldBot
from tests.scenes import Stage


class Menus(discord.ui.View):
    def __init__(self) -> None:
        super().__init__(timeout=30)
        self.chosen: list[Any] = []

    @discord.ui.select(cls=discord.ui.UserSelect, placeholder="Who", max_values=2)
    async def who(self, interaction: discord.Interaction, menu: discord.ui.UserSelect[Menus]) -> None:
        await self._take(interaction, menu.values)

    @discord.ui.select(cls=discord.ui.RoleSelect, placeholder="Role")
    async def role(self, interaction: discord.Interaction, menu: discord.ui.RoleSelect[Menus]) -> None:
        await self._take(interaction, menu.values)

    @discord.ui.select(cls=discord.ui.MentionableSelect, placeholder="Share with", max_values=2)
    async def share(
        self, interaction: discord.Interaction, menu: discord.ui.MentionableSelect[Menus]
    ) -> None:
        await self._take(interaction, menu.values)

    @discord.ui.select(
        cls=discord.ui.ChannelSelect, placeholder="Where", channel_types=[discord.ChannelType.voice]
    )
    async def where(self, interaction: discord.Interaction, menu: discord.ui.ChannelSelect[Menus]) -> None:
        await self._take(interaction, menu.values)

    async def _take(self, interaction: discord.Interaction, values: list[Any]) -> None:
        self.chosen = values
        await interaction.response.edit_message(content="chosen", view=None)


async def test_people_roles_and_channels_are_chosen_from_their_menus(
    scene: Stage, bot: HeldBot, subtests: pytest.Subtests
) -> None:
    role = scene.guild.add_role("Singers", 0)
    cases: list[tuple[str, tuple[Any, ...], type[Any]]] = [
        ("Who", (scene.alice,), discord.Member),
        ("Role", (role,), discord.Role),
        ("Share with", (role, scene.alice), discord.Role),
        ("Where", (scene.perch,), object),
    ]
    for menu, chosen, kind in cases:
        with subtests.test(menu=menu):
            view = Menus()
            answer = await scene.alice.slash(scene.general, "hold")
            await (await bot.next()).response.send_message("x", view=view)
            await scene.alice.select(answer, menu, *chosen)
            await answer.until(lambda shown: shown.content == "chosen")
            assert {found.id for found in view.chosen} == {choice.id for choice in chosen}
            assert any(isinstance(found, kind) for found in view.chosen)
            await bot.next()


async def test_what_a_menu_does_not_offer_cannot_be_chosen(
    scene: Stage, bot: HeldBot, subtests: pytest.Subtests
) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_message("x", view=Menus())
    wrong: list[tuple[str, tuple[Person | Channel | str, ...]]] = [
        ("Who", (scene.general,)),
        ("Who", ("alice",)),
        ("Who", (scene.alice, scene.alice)),
        ("Role", (scene.alice,)),
        ("Where", (scene.general,)),
    ]

    for menu, chosen in wrong:
        with subtests.test(menu=menu, chosen=chosen), pytest.raises(RehearsalError):
            await scene.alice.select(answer, menu, *chosen)


class Form(discord.ui.Modal, title="Share"):
    def __init__(self) -> None:
        super().__init__(timeout=30)
        lengths = [discord.SelectOption(label=label, default=label == "Long") for label in ("Short", "Long")]
        self.length: discord.ui.Select[Form] = discord.ui.Select(custom_id="length", options=lengths)
        self.person: discord.ui.UserSelect[Form] = discord.ui.UserSelect(custom_id="person", required=False)
        self.scope: discord.ui.RadioGroup[Form] = discord.ui.RadioGroup(custom_id="scope")
        self.scope.add_option(label="Only me", value="me")
        self.scope.add_option(label="Everybody", value="all")
        self.agreed: discord.ui.Checkbox[Form] = discord.ui.Checkbox(custom_id="agreed")
        for label, field in (
            ("Length", self.length),
            ("Person", self.person),
            ("Scope", self.scope),
            ("Agreed", self.agreed),
        ):
            self.add_item(discord.ui.Label(text=label, component=field))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        people = [user.id for user in self.person.values]
        await interaction.response.send_message(
            f"{self.length.values} {people} {self.scope.value} {self.agreed.value}"
        )


async def test_a_form_takes_choices_people_and_ticks(scene: Stage, bot: HeldBot) -> None:
    for values, words in (
        ({"Scope": "Only me"}, "['Long'] [] me False"),
        (
            {"Length": "Short", "person": scene.alice, "Scope": "all", "Agreed": True},
            f"['Short'] [{scene.alice.id}] all True",
        ),
    ):
        answer = await scene.alice.slash(scene.general, "hold")
        await (await bot.next()).response.send_modal(Form())
        submitted = await scene.alice.submit(answer, values)
        await submitted.until(lambda shown: shown.state is AnswerState.REPLIED)
        assert submitted.content == words
        await bot.next()


async def test_a_form_without_a_choice_that_is_needed_is_not_submitted(scene: Stage, bot: HeldBot) -> None:
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_modal(Form())

    for values in ({}, {"Scope": "Nobody"}, {"Scope": "all", "Length": ["Short", "Long"]}, {"Agreed": "yes"}):
        with pytest.raises(RehearsalError):
            await scene.alice.submit(answer, values)
