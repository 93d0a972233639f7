"""/speak, and the message menu Speak this."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.delivery import Delivery, Order
from bot.errors import MemberError
from bot.limits import MAX_OPTION_CHARS, MAX_STYLE_CHARS
from bot.models import Destination, SpeechRequest
from bot.speech_bot import SpeechBot
from bot.text.speakable import check_text, speakable
from bot.text.style import check_style
from cogs.names import names_in
from cogs.options import DESTINATIONS, GUIDANCES, STEPS, everywhere


class Speak(commands.Cog):
    """Commands that turn text into speech."""

    def __init__(self, delivery: Delivery) -> None:
        self._delivery = delivery
        self.menu = everywhere(app_commands.ContextMenu(name="Speak this", callback=self.speak_message))

    @everywhere
    @app_commands.command()
    @app_commands.describe(
        text="What to say",
        style="How the voice should sound, for example: an old man, slow and deep",
        guidance="How closely the voice follows text and style; balanced unless you choose",
        steps="How much care is taken; more takes longer; normal unless you choose",
        to="Where it goes; your voice channel and here unless you choose",
    )
    @app_commands.choices(guidance=GUIDANCES)
    @app_commands.choices(steps=STEPS)
    @app_commands.choices(to=DESTINATIONS)
    async def speak(
        self,
        interaction: discord.Interaction,
        text: app_commands.Range[str, 1, MAX_OPTION_CHARS],
        style: app_commands.Range[str, 1, MAX_STYLE_CHARS] | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        to: str | None = None,
    ) -> None:
        """Say something with an AI voice."""
        request = SpeechRequest(
            text=check_text(speakable(text, names_in(interaction))),
            style=check_style(style) if style else None,
            guidance=guidance,
            steps=steps,
        )
        await self._delivery.carry_out(interaction, Order(request, Destination(to) if to else None))

    async def speak_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Say what a message says."""
        if not message.content.strip():
            raise MemberError("There is no text in that message. Choose one with words in it.")
        text = check_text(speakable(message.content, names_in(interaction, message)))
        await self._delivery.carry_out(interaction, Order(SpeechRequest(text)))


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    cog = Speak(bot.delivery)
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
