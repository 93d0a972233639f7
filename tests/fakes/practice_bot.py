"""A small discord.py bot that has one of everything the page must show."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from rehearsal.server import Rehearsal
from tests.fakes import practice_sounds

BIRDS = ("alpine chough", "barn owl", "common myna", "hill myna")


class PracticeBot(commands.AutoShardedBot):
    def __init__(self, rehearsal: Rehearsal) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True, voice_states=True),
            connector=rehearsal.connector(),
            guild_ready_timeout=0.05,
            max_messages=None,
        )
        self.go_on = asyncio.Event()

    async def setup_hook(self) -> None:
        self.add_view(Counter())
        several: list[app_commands.Command[Any, Any, Any]]
        several = [birds, bounds, buttons, pick, gallery, whisper, silent, steps, vanish]
        several += [layout, several_birds, somebody, send_a_file, *practice_sounds.COMMANDS]
        for command in several:
            self.tree.add_command(command)
        self.tree.add_command(app_commands.ContextMenu(name="Count letters", callback=count_letters))
        self.tree.add_command(app_commands.ContextMenu(name="Wave at", callback=wave_at))
        await self.tree.sync()

    async def shut_down(self) -> None:
        await self.close()


class Counter(discord.ui.View):
    """Its buttons carry their number in the label, so that they work after a restart, too."""

    def __init__(self) -> None:
        super().__init__(timeout=None)

    @discord.ui.button(label="Count", style=discord.ButtonStyle.primary, custom_id="practice:count")
    async def count(self, interaction: discord.Interaction, button: discord.ui.Button[Counter]) -> None:
        before = int((interaction.message.content if interaction.message else "") or "0")
        await interaction.response.edit_message(content=str(before + 1), view=self)

    @discord.ui.button(label="Fail", style=discord.ButtonStyle.danger, custom_id="practice:fail")
    async def fail(self, interaction: discord.Interaction, button: discord.ui.Button[Counter]) -> None:
        """Answer nothing at all."""


class Picker(discord.ui.View):
    @discord.ui.select(
        placeholder="Choose a bird", options=[discord.SelectOption(label=bird.title()) for bird in BIRDS]
    )
    async def choose(self, interaction: discord.Interaction, menu: discord.ui.Select[Picker]) -> None:
        await interaction.response.edit_message(content=f"You chose {menu.values[0]}.", view=None)


class Form(discord.ui.Modal, title="Tell me more"):
    name: discord.ui.Label[Form] = discord.ui.Label(
        text="Name of the bird", component=discord.ui.TextInput(min_length=3, max_length=20)
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        field = self.name.component
        assert isinstance(field, discord.ui.TextInput)
        await interaction.response.send_message(f"A {field.value}, then.")


class Layout(discord.ui.LayoutView):
    def __init__(self) -> None:
        super().__init__()
        button: discord.ui.Button[Layout] = discord.ui.Button(label="Feed it")
        button.callback = self.feed  # type: ignore[method-assign]
        self.add_item(
            discord.ui.Container(
                discord.ui.Section("## A common myna\nIt is **hungry**.", accessory=button),
                discord.ui.Separator(),
                discord.ui.TextDisplay("-# seen today"),
                accent_color=0xF2B33D,
            )
        )

    async def feed(self, interaction: discord.Interaction) -> None:
        view = discord.ui.LayoutView()
        view.add_item(discord.ui.TextDisplay("It has eaten."))
        await interaction.response.edit_message(view=view)


class SeveralBirds(discord.ui.View):
    @discord.ui.select(
        placeholder="Choose birds",
        max_values=2,
        options=[discord.SelectOption(label=bird.title(), description=f"the {bird}") for bird in BIRDS],
    )
    async def choose(self, interaction: discord.Interaction, menu: discord.ui.Select[SeveralBirds]) -> None:
        await interaction.response.edit_message(content=f"You chose {' and '.join(menu.values)}.", view=None)


class Somebody(discord.ui.View):
    @discord.ui.select(cls=discord.ui.UserSelect, placeholder="Choose somebody")
    async def choose(self, interaction: discord.Interaction, menu: discord.ui.UserSelect[Somebody]) -> None:
        await interaction.response.edit_message(content=f"You chose {menu.values[0].mention}.", view=None)


class FileForm(discord.ui.Modal, title="Send a file"):
    file: discord.ui.Label[FileForm] = discord.ui.Label(
        text="The file", component=discord.ui.FileUpload(min_values=1, max_values=1)
    )
    kind: discord.ui.Label[FileForm] = discord.ui.Label(
        text="What it is",
        component=discord.ui.Select(options=[discord.SelectOption(label=kind) for kind in ("song", "call")]),
    )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        upload, menu = self.file.component, self.kind.component
        assert isinstance(upload, discord.ui.FileUpload)
        assert isinstance(menu, discord.ui.Select)
        data = await upload.values[0].read()
        await interaction.response.send_message(f"A {menu.values[0]} of {len(data)} bytes.")


@app_commands.command(name="layout", description="Show a layout")
async def layout(interaction: discord.Interaction) -> None:
    await interaction.response.send_message(view=Layout())


@app_commands.command(name="several", description="Show a menu for several")
async def several_birds(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Which ones?", view=SeveralBirds())


@app_commands.command(name="who", description="Show a menu of people")
async def somebody(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Who?", view=Somebody())


@app_commands.command(name="file", description="Show a form for a file")
async def send_a_file(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(FileForm())


@app_commands.command(name="vanish", description="End the bot")
async def vanish(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Farewell.")
    await interaction.client.close()


@app_commands.command(name="birds", description="Say which bird you like")
async def birds(interaction: discord.Interaction, bird: str) -> None:
    await interaction.response.send_message(f"You like the {bird}.")


@birds.autocomplete("bird")
async def complete_bird(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    return [app_commands.Choice(name=b.title(), value=b) for b in BIRDS if typed.lower() in b]


@app_commands.command(name="bounds", description="Options with every kind of bound")
@app_commands.describe(count="From one to three", word="Two to five letters")
@app_commands.choices(where=[app_commands.Choice(name="Here", value="here")])
async def bounds(
    interaction: discord.Interaction,
    count: app_commands.Range[int, 1, 3],
    word: app_commands.Range[str, 2, 5] | None = None,
    where: str | None = None,
    loud: bool | None = None,
    whom: discord.User | None = None,
) -> None:
    await interaction.response.send_message(f"{count} {word} {where} {loud} {whom and whom.mention}")


@app_commands.command(name="buttons", description="Show buttons")
async def buttons(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("0", view=Counter())


@app_commands.command(name="pick", description="Show a menu")
async def pick(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Which one?", view=Picker())


@app_commands.command(name="gallery", description="Show an embed")
async def gallery(interaction: discord.Interaction) -> None:
    embed = discord.Embed(
        title="Common myna", description="A **bold** bird <script>alert(1)</script>", color=0xF2B33D
    )
    embed.add_field(name="Says", value="what it hears")
    embed.set_footer(text="Seen today")
    await interaction.response.send_message("# Birds\n> quoted `code` ||hidden||", embed=embed)


@app_commands.command(name="whisper", description="Answer only you")
async def whisper(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Only for you.", ephemeral=True)


@app_commands.command(name="silent", description="Never answer")
async def silent(interaction: discord.Interaction) -> None:
    """Answer nothing at all."""


@app_commands.command(name="steps", description="Defer, show a step, and finish when told")
async def steps(interaction: discord.Interaction) -> None:
    client: Any = interaction.client
    await interaction.response.defer()
    await client.go_on.wait()
    client.go_on.clear()
    await interaction.edit_original_response(content="Half of it …")
    await client.go_on.wait()
    await interaction.edit_original_response(content="All of it.")


async def count_letters(interaction: discord.Interaction, message: discord.Message) -> None:
    if not message.content:
        await interaction.response.send_modal(Form())
        return
    await interaction.response.send_message(f"{len(message.content)} letters", ephemeral=True)


async def wave_at(interaction: discord.Interaction, member: discord.Member) -> None:
    await interaction.response.send_message(f"{interaction.user.mention} waves at {member.mention}.")
