"""/voice rename and /voice transcript."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.answer import Answer
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.rights import may_change
from bot.library.voices import Voice
from bot.limits import MAX_TRANSCRIPT_CHARS
from bot.text.style import excerpt
from bot.tree import answer_error
from cogs.scopes import scope_of
from cogs.voice.completion import known

_FORM_SECONDS = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""


class Changing(app_commands.Group):
    """Change voices"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command()
    @app_commands.describe(name="Which voice", to="What it will be called")
    @app_commands.autocomplete(name=known)
    async def rename(
        self, interaction: discord.Interaction, name: str, to: app_commands.Range[str, 1, 100]
    ) -> None:
        """Give a voice another name."""
        await Answer.of(interaction).defer(ephemeral=True)
        scope = scope_of(interaction)
        before = await self._library.voices.find_to_manage(scope, name)
        voice = await self._library.voices.rename(scope, before.id, to)
        await Answer.of(interaction).finish(
            f"**{excerpt(before.name)}** is called **{excerpt(voice.name)}** now."
        )

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def transcript(self, interaction: discord.Interaction, name: str) -> None:
        """Write down what is said in a voice's recording; it comes out more alike then."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if not may_change(scope, voice):
            raise MemberError("Only its owner or a moderator can change this voice.")
        await interaction.response.send_modal(TranscriptForm(self._library, voice))


class TranscriptForm(discord.ui.Modal):
    """Holds what is said in the recording, to be mended."""

    def __init__(self, library: Library, voice: Voice) -> None:
        super().__init__(title="What is said in the recording?", timeout=_FORM_SECONDS)
        self._library = library
        self._voice = voice
        self._words: discord.ui.TextInput[TranscriptForm] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph,
            default=voice.transcript,
            required=False,
            max_length=MAX_TRANSCRIPT_CHARS,
        )
        self.add_item(
            discord.ui.Label(
                text="Word for word",
                description="As it is heard, in the language that is spoken. Empty: there is none.",
                component=self._words,
            )
        )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Keep what was typed."""
        await Answer.of(interaction).defer(ephemeral=True)
        voice = await self._library.voices.set_transcript(
            scope_of(interaction), self._voice.id, self._words.value
        )
        has = "has a new transcript" if voice.transcript else "has no transcript any more"
        await Answer.of(interaction).finish(f"**{excerpt(voice.name)}** {has}.")

    async def on_error(self, interaction: discord.Interaction, error: Exception, /) -> None:  # type: ignore[override]  # as in discord.py
        """Answer as a failed command is answered."""
        await answer_error(interaction, error)
