"""/clone, and the message menu Clone this voice."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.answer import Answer
from bot.delivery import Delivery, Order
from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS, MAX_TRANSCRIPT_CHARS
from bot.models import Destination, SpeechRequest
from bot.speech_bot import SpeechBot
from bot.text.speakable import check_text, speakable
from bot.tree import answer_error
from cogs.names import names_in
from cogs.options import DESTINATIONS, everywhere
from cogs.recordings import message_behind, recording_in, reference_from

MODAL_SECONDS = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""


class Clone(commands.Cog):
    """Commands that speak in the voice of a recording."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.menu = everywhere(app_commands.ContextMenu(name="Clone this voice", callback=self.clone_message))

    @everywhere
    @app_commands.command()
    @app_commands.describe(
        text="What to say",
        reference="A recording of one person speaking, 3 to 60 seconds; ask them first",
        message="Or a link to a message with such a recording",
        transcript="What is said in the recording, word for word; makes the voice more alike",
        to="Where it goes; your voice channel and here unless you choose",
    )
    @app_commands.choices(to=DESTINATIONS)
    async def clone(
        self,
        interaction: discord.Interaction,
        text: app_commands.Range[str, 1, MAX_OPTION_CHARS],
        reference: discord.Attachment | None = None,
        message: str | None = None,
        transcript: app_commands.Range[str, 1, MAX_TRANSCRIPT_CHARS] | None = None,
        to: str | None = None,
    ) -> None:
        """Say something in the voice of a recording."""
        spoken = check_text(speakable(text, names_in(interaction)))
        if (reference is None) == (message is None):
            raise MemberError("Add one recording: either a file as reference, or a link as message.")
        if reference is None:
            await Answer.of(interaction).defer()  # looking the message up may take longer than Discord waits
            reference = recording_in(await message_behind(message or "", interaction))
        request = SpeechRequest(spoken, reference=reference_from(reference, transcript))
        order = Order(request, Destination(to) if to else None, likeness=reference.filename)
        await self._delivery.carry_out(interaction, order)

    async def clone_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask what to say in the voice of a message's recording."""
        recording = recording_in(message)
        reference_from(recording)  # refuse before the member has typed anything
        await interaction.response.send_modal(CloneForm(self._delivery, recording))


class CloneForm(discord.ui.Modal, title="Clone this voice"):
    """Asks for the text, and for the transcript if the member has it."""

    text: discord.ui.Label[CloneForm] = discord.ui.Label(
        text="What should it say?",
        component=discord.ui.TextInput(style=discord.TextStyle.paragraph, max_length=MAX_OPTION_CHARS),
    )
    transcript: discord.ui.Label[CloneForm] = discord.ui.Label(
        text="What is said in the recording?",
        description="Word for word, if you know it; makes the voice more alike.",
        component=discord.ui.TextInput(
            style=discord.TextStyle.paragraph, required=False, max_length=MAX_TRANSCRIPT_CHARS
        ),
    )

    def __init__(self, delivery: Delivery, recording: discord.Attachment) -> None:
        super().__init__(timeout=MODAL_SECONDS)
        self._delivery = delivery
        self._recording = recording

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Carry the order out."""
        spoken = check_text(speakable(_typed(self.text), names_in(interaction)))
        reference = reference_from(self._recording, _typed(self.transcript).strip() or None)
        order = Order(SpeechRequest(spoken, reference=reference), likeness=self._recording.filename)
        await self._delivery.carry_out(interaction, order)

    async def on_error(self, interaction: discord.Interaction, error: Exception, /) -> None:  # type: ignore[override]  # as in discord.py
        """Answer as a failed command is answered."""
        await answer_error(interaction, error)


def _typed(label: discord.ui.Label[CloneForm]) -> str:
    field = label.component
    return field.value if isinstance(field, discord.ui.TextInput) else ""


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    cog = Clone(bot.delivery)
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
