"""Commands of the practice bot for voice messages, soundboards, roles and every kind of field in a form."""

from __future__ import annotations

import asyncio
import io
from typing import Any

import discord
from discord import app_commands
from discord.http import handle_message_parameters

from rehearsal.recordings import RECORDINGS
from rehearsal.voice.sound_file import VoiceMessageFile, voice_message
from tests.rehearsal.sound_files import sound_file


class Recording(discord.File):
    def __init__(self, made: VoiceMessageFile) -> None:
        super().__init__(io.BytesIO(made.data), "voice-message.ogg")
        self.made = made

    def to_dict(self, index: int) -> dict[str, Any]:
        return super().to_dict(index) | {"duration_secs": self.made.seconds, "waveform": self.made.waveform}


@app_commands.command(name="sing", description="Send a voice message")
async def sing(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Listen.", ephemeral=True)
    made = await asyncio.to_thread(voice_message, RECORDINGS[0].path.read_bytes())
    flags = discord.MessageFlags(voice=True)
    with handle_message_parameters(file=Recording(made), flags=flags) as params:
        assert params.multipart is not None
        params.multipart[1]["content_type"] = "audio/ogg"
        await interaction.client.http.send_message(interaction.channel_id or 0, params=params)


@app_commands.command(name="tweet", description="Put a sound on the soundboard")
async def tweet(interaction: discord.Interaction) -> None:
    assert interaction.guild is not None
    data = await asyncio.to_thread(sound_file, 0.5)
    sound = await interaction.guild.create_soundboard_sound(name="tweet", sound=data, emoji="🐦")
    await interaction.response.send_message(f"There is {sound.name} now.")


class Roles(discord.ui.View):
    @discord.ui.select(cls=discord.ui.RoleSelect, placeholder="Choose a role")
    async def choose(self, interaction: discord.Interaction, menu: discord.ui.RoleSelect[Roles]) -> None:
        await interaction.response.edit_message(content=f"You chose {menu.values[0].name}.", view=None)


@app_commands.command(name="role", description="Show a menu of roles")
async def role(interaction: discord.Interaction) -> None:
    await interaction.response.send_message("Which one?", view=Roles())


class Share(discord.ui.Modal, title="Share a nest"):
    def __init__(self) -> None:
        super().__init__(timeout=60)
        sizes = [discord.SelectOption(label=label, default=label == "Large") for label in ("Small", "Large")]
        self.size: discord.ui.Select[Share] = discord.ui.Select(options=sizes)
        self.role: discord.ui.RoleSelect[Share] = discord.ui.RoleSelect(required=False)
        self.scope: discord.ui.RadioGroup[Share] = discord.ui.RadioGroup()
        for label in ("Only me", "Everybody"):
            self.scope.add_option(label=label, value=label)
        self.agreed: discord.ui.Checkbox[Share] = discord.ui.Checkbox()
        fields = {"Size": self.size, "Role": self.role, "Scope": self.scope, "I agree": self.agreed}
        for text, field in fields.items():
            self.add_item(discord.ui.Label(text=text, component=field))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        roles = " ".join(role.name for role in self.role.values) or "nobody"
        words = f"{self.size.values[0]}, {roles}, {self.scope.value}, {self.agreed.value}."
        await interaction.response.send_message(words)


@app_commands.command(name="nest", description="Show a form with every kind of choice")
async def nest(interaction: discord.Interaction) -> None:
    await interaction.response.send_modal(Share())


COMMANDS: list[app_commands.Command[Any, Any, Any]] = [sing, tweet, role, nest]
