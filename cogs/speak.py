"""/speak, and the message menus Speak this and Speak this in a voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.command_tree import acknowledged
from bot.delivery.delivery import Delivery
from bot.delivery.reference_uploads import VoiceAccesses
from bot.delivery.reply import Acknowledgement
from bot.delivery.request import RequestResolver
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.voice import VoiceName
from bot.library.voices import Voices
from bot.limits import MAX_OPTION_CHARS, MAX_STYLE_CHARS
from bot.models import Destination
from bot.speech_bot import SpeechBot
from bot.text.labels import check_style, one_line
from cogs import voice_views
from cogs.ui import DESTINATIONS, GUIDANCES, STEPS, Form, everywhere, names_in

_MAX_CHOICES: Final = 25
"""What one menu of Discord's shows."""

Chosen = Callable[[discord.Interaction, str], Awaitable[None]]
"""Goes on with the id of the voice, as the answer to the form."""


class VoiceForm(Form, title="Speak this in a voice"):
    """Lets a member choose one of ``voices``, the first 25, and goes on with ``chosen``.

    Raises `MemberError` where there is none to choose from.
    """

    def __init__(self, voices: Sequence[VoiceName], chosen: Chosen) -> None:
        super().__init__()
        if not voices:
            raise MemberError("There is no saved voice here yet that you may use. /voice save makes one.")
        self._chosen = chosen
        options = [
            discord.SelectOption(label=one_line(voice.name, 100), value=voice.id)
            for voice in voices[:_MAX_CHOICES]
        ]
        self._menu = discord.ui.Select[VoiceForm](options=options, placeholder="Choose a voice")
        self.add_item(discord.ui.Label(text="Voice", component=self._menu))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Go on with the voice that was chosen."""
        await self._chosen(interaction, self._menu.values[0])


_MAX_VOICE_CHARS: Final = 100
"""Of a proposed choice, at Discord; names are shorter."""

_NO_TEXT: Final = "There is no text in that message. Choose one with words in it."


class Speak(commands.Cog):
    """Commands that turn text into speech."""

    def __init__(
        self, delivery: Delivery, ordering: RequestResolver, accesses: VoiceAccesses, voices: Voices
    ) -> None:
        self._delivery = delivery
        self._ordering = ordering
        self._accesses = accesses
        self._voices = voices
        self.menus = [
            acknowledged(Acknowledgement.PUBLIC)(
                everywhere(app_commands.ContextMenu(name="Speak this", callback=self.speak_message))
            ),
            acknowledged(Acknowledgement.IMMEDIATE)(
                everywhere(app_commands.ContextMenu(name="Speak this in a voice", callback=self.choose_voice))
            ),
        ]

    @everywhere
    @acknowledged(Acknowledgement.PUBLIC)
    @app_commands.command()
    @app_commands.describe(
        text="What to say; or a dialogue: Alice: hello / Bob: hi",
        voice="Whose voice; yours or the server's unless you choose",
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
        voice: app_commands.Range[str, 1, _MAX_VOICE_CHARS] | None = None,
        style: app_commands.Range[str, 1, MAX_STYLE_CHARS] | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        to: str | None = None,
    ) -> None:
        """Say something with an AI voice."""
        order = await self._ordering.order(
            scope_of(interaction),
            text,
            names_in(interaction),
            may_speak=self._accesses.at(interaction).may_speak,
            voice=voice,
            style=check_style(style) if style else None,
            guidance=guidance,
            steps=steps,
            to=Destination(to) if to else None,
            can_cast=self._accesses.has_place,
        )
        await self._delivery.carry_out(interaction, order)

    @speak.autocomplete("voice")
    async def voices(self, interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        """Propose the voices this member may speak with, from memory."""
        return await voice_views.usable(interaction, typed)

    async def speak_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Say what a message says, in the voice that /speak would have."""
        await self._speak_message(interaction, message)

    async def choose_voice(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask in which voice to say what a message says; from memory."""
        _check_words(message)
        usable = self._voices.complete(scope_of(interaction), "")

        async def chosen(newest: discord.Interaction, voice_id: str) -> None:
            await self._speak_message(newest, message, voice_id)

        await VoiceForm(usable, chosen).open(interaction)

    async def _speak_message(
        self, interaction: discord.Interaction, message: discord.Message, voice: str | None = None
    ) -> None:
        _check_words(message)
        order = await self._ordering.order(
            scope_of(interaction),
            message.content,
            names_in(interaction, message),
            may_speak=self._accesses.at(interaction).may_speak,
            voice=voice,
            can_cast=self._accesses.has_place,
        )
        await self._delivery.carry_out(interaction, order)


def _check_words(message: discord.Message) -> None:
    if not message.content.strip():
        raise MemberError(_NO_TEXT)


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    cog = Speak(bot.delivery, bot.ordering, bot.accesses, bot.library.voices)
    await bot.add_cog(cog)
    for menu in cog.menus:
        bot.tree.add_command(menu)
