"""A discord.py bot, unpatched, that holds every interaction until the test answers it."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.ext import commands

from rehearsal.server import Rehearsal

INTENTS = discord.Intents(guilds=True, voice_states=True)


class HeldBot(commands.AutoShardedBot):
    def __init__(self, rehearsal: Rehearsal, *, intents: discord.Intents = INTENTS, **options: Any) -> None:
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=intents,
            connector=rehearsal.connector(),
            guild_ready_timeout=0.05,
            max_messages=None,
            allowed_mentions=discord.AllowedMentions.none(),
            allowed_installs=app_commands.AppInstallationType(guild=True),
            **options,
        )
        self.held: asyncio.Queue[discord.Interaction] = asyncio.Queue()
        self.events: list[str] = []
        self.resumed = asyncio.Event()
        self.reidentified = asyncio.Event()

    async def setup_hook(self) -> None:
        command: app_commands.Command[Any, Any, Any] | app_commands.Group
        for command in (hold, bounded, attach, everywhere, guild_only, moderators, voices):
            self.tree.add_command(command)
        self.tree.add_command(app_commands.ContextMenu(name="Speak this", callback=speak_this))
        await self.tree.sync()

    async def before_identify_hook(self, shard_id: int | None, *, initial: bool = False) -> None:
        if not initial:
            self.reidentified.set()

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        if interaction.type in (discord.InteractionType.component, discord.InteractionType.modal_submit):
            await self.held.put(interaction)

    async def on_shard_resumed(self, shard_id: int) -> None:
        self.resumed.set()

    async def on_socket_event_type(self, event: str) -> None:
        self.events.append(event)

    async def next(self) -> discord.Interaction:
        return await asyncio.wait_for(self.held.get(), 10)


def bot_of(interaction: discord.Interaction) -> HeldBot:
    assert isinstance(interaction.client, HeldBot)
    return interaction.client


@app_commands.command(name="hold", description="Hold")
async def hold(interaction: discord.Interaction, text: str = "") -> None:
    await bot_of(interaction).held.put(interaction)


@app_commands.command(name="bounded", description="Options with every kind of bound")
@app_commands.choices(where=[app_commands.Choice(name="Here", value="here")])
async def bounded(
    interaction: discord.Interaction,
    text: app_commands.Range[str, 2, 5],
    count: app_commands.Range[int, 1, 3] = 1,
    where: str = "here",
    loud: bool = False,
    speed: app_commands.Range[float, 0.5, 2.0] = 1.0,
    whom: discord.User | None = None,
) -> None:
    interaction.extras["options"] = (text, count, where, loud, speed, whom)
    await bot_of(interaction).held.put(interaction)


@app_commands.command(name="attach", description="Takes a recording")
async def attach(interaction: discord.Interaction, recording: discord.Attachment) -> None:
    interaction.extras["recording"] = recording
    await bot_of(interaction).held.put(interaction)


@app_commands.command(name="everywhere", description="For people who have installed the app")
@app_commands.allowed_installs(guilds=True, users=True)
@app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
async def everywhere(interaction: discord.Interaction) -> None:
    await bot_of(interaction).held.put(interaction)


@app_commands.command(name="guild-only", description="Only in guilds")
@app_commands.guild_only()
async def guild_only(interaction: discord.Interaction) -> None:
    await bot_of(interaction).held.put(interaction)


@app_commands.command(name="moderators", description="Only for moderators")
@app_commands.default_permissions(manage_guild=True)
async def moderators(interaction: discord.Interaction) -> None:
    await bot_of(interaction).held.put(interaction)


voices = app_commands.Group(name="voices", description="Voices")


@voices.command(name="use", description="Choose a voice")
async def use_voice(interaction: discord.Interaction, voice: str) -> None:
    interaction.extras["voice"] = voice
    await bot_of(interaction).held.put(interaction)


@use_voice.autocomplete("voice")
async def complete_voice(interaction: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
    names = ["alba", "albert", "zoe"]
    return [app_commands.Choice(name=name.title(), value=name) for name in names if name.startswith(typed)]


async def speak_this(interaction: discord.Interaction, message: discord.Message) -> None:
    interaction.extras["message"] = message
    await bot_of(interaction).held.put(interaction)
