"""/voice rename and /voice transcript."""

from __future__ import annotations

from typing import Final, Self

import discord
from discord import app_commands

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.rights import may_change
from bot.library.voices import Voice
from bot.limits import MAX_TRANSCRIPT_CHARS
from bot.text.style import excerpt
from cogs.lasting import Buttons, Form
from cogs.scopes import scope_of
from cogs.voice.completion import known

_SECONDS: Final = 14 * 60.0
"""A little less than Discord lets the message with the button be edited."""

_TOO_LATE: Final = "That took a while, so the button is gone. Type /voice transcript again."


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
        view = TranscriptButton(self._library, voice)
        await view.send(interaction)


class TranscriptButton(Buttons):
    """Shows a transcript, with a button that opens the form to mend it.

    The form holds the transcript, which has to be looked up first, and a form cannot follow on that.
    Without a ``voice`` it takes the presses on buttons from before a restart.
    """

    def __init__(self, library: Library, voice: Voice | None) -> None:
        super().__init__(timeout=None if voice is None else _SECONDS)
        self._library = library
        self._voice = voice
        self._shown: Answer | None = None

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: with the form itself."""
        return Acknowledgement.IMMEDIATE

    async def send(self, interaction: discord.Interaction) -> None:
        """Answer with the transcript and the button, for this member only."""
        assert self._voice is not None, "only what is shown is sent"  # noqa: S101
        said = self._voice.transcript
        now = f"What is said in its recording: “{excerpt(said, 1_500)}”" if said else "It has no transcript."
        self._shown = Answer.of(interaction)
        await self._shown.alone(f"**{excerpt(self._voice.name)}**\n{now}", self)

    @discord.ui.button(label="Write it down", custom_id="voice:transcript", style=discord.ButtonStyle.primary)
    async def write(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Open the form."""
        if self._voice is None:
            raise MemberError(_TOO_LATE)
        await TranscriptForm(self._library, self._voice).open(press)

    async def on_timeout(self) -> None:
        """Say that it is too late."""
        if self._shown is not None:
            await self._shown.withdraw(_TOO_LATE)


class TranscriptForm(Form):
    """Holds what is said in the recording, to be mended."""

    def __init__(self, library: Library, voice: Voice) -> None:
        super().__init__(title="What is said in the recording?")
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

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How it is acknowledged when it is sent: for the member alone."""
        return Acknowledgement.EPHEMERAL

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Keep what was typed."""
        voice = await self._library.voices.set_transcript(
            scope_of(interaction), self._voice.id, self._words.value
        )
        has = "has a new transcript" if voice.transcript else "has no transcript any more"
        await Answer.of(interaction).finish(f"**{excerpt(voice.name)}** {has}.")
