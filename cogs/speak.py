"""/speak, and the message menus Speak this and Speak this in a voice."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.command_tree import acknowledged
from bot.delivery.delivery import Deliveries
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
from bot.text.discord_markup import Names
from bot.text.labels import check_style, one_line
from cogs.ui import (
    DESTINATIONS,
    GUIDANCES,
    QUALITIES,
    Question,
    Speed,
    everywhere,
    names_for,
    names_in,
    tempo_of,
)
from cogs.voice_views import usable as usable_voices

_MAX_CHOICES: Final = 25
"""What one menu of Discord's shows."""

Chosen = Callable[[discord.Interaction, str], Awaitable[None]]
"""Goes on with the id of the voice, as the reply to the choice."""

_CHOOSE: Final = "Which voice should say this?"
_TOO_LATE: Final = "This menu has expired. Choose Speak this in a voice again."


class VoiceChoice(Question):
    """Menu of up to 25 ``voices``, for one member, that goes on with ``chosen``."""

    def __init__(self, voices: Sequence[VoiceName], chosen: Chosen | None) -> None:
        super().__init__(chosen, _TOO_LATE)
        self.add_item(_VoiceOptions(self, voices))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a choice is acknowledged: as what is said in that voice, for everybody."""
        return Acknowledgement.UPDATE if self._asked is None else Acknowledgement.PUBLIC


class _VoiceOptions(discord.ui.Select[VoiceChoice]):
    """Options of the menu: the voices."""

    def __init__(self, choice: VoiceChoice, voices: Sequence[VoiceName]) -> None:
        super().__init__(custom_id="speak:voice", placeholder="Choose a voice")
        self._choice = choice
        for voice in voices[:_MAX_CHOICES]:
            self.add_option(label=one_line(voice.name, 100), value=voice.id, description=voice.word or None)
        if not voices:
            self.add_option(label="…", value="-")  # it stands for the menu that was used

    async def callback(self, interaction: discord.Interaction) -> None:
        """Go on with it."""
        await self._choice.go_on(interaction, _TOO_LATE, self.values[0])


_MAX_VOICE_CHARS: Final = 100
"""Of a proposed choice, at Discord; names are shorter."""

_NO_TEXT: Final = "That message has no text. Choose one with words in it."


class Speak(commands.Cog):
    """Commands that turn text into speech."""

    def __init__(
        self, deliveries: Deliveries, resolver: RequestResolver, accesses: VoiceAccesses, voices: Voices
    ) -> None:
        self._deliveries = deliveries
        self._resolver = resolver
        self._accesses = accesses
        self._voices = voices
        self.menus = [
            acknowledged(Acknowledgement.PUBLIC)(
                everywhere(app_commands.ContextMenu(name="Speak this", callback=self.speak_message))
            ),
            acknowledged(Acknowledgement.EPHEMERAL)(
                everywhere(app_commands.ContextMenu(name="Speak this in a voice", callback=self.choose_voice))
            ),
        ]

    @everywhere
    @acknowledged(Acknowledgement.PUBLIC)
    @app_commands.command()
    @app_commands.describe(
        text="What to say, or a dialogue: Alice: hello / Bob: hi",
        voice="Which voice (default: yours, or the server's)",
        style="How the voice should sound, for example: an old man, slow and deep",
        guidance="How closely the voice follows text and style (default: balanced)",
        quality="Higher is slower (default: normal)",
        speed="How fast, from 0.5 to 2; the pitch stays the same",
        output="Where to send it (default: voice channel and here)",
    )
    @app_commands.choices(guidance=GUIDANCES)
    @app_commands.choices(quality=QUALITIES)
    @app_commands.choices(output=DESTINATIONS)
    @app_commands.autocomplete(voice=usable_voices)
    async def speak(
        self,
        interaction: discord.Interaction,
        text: app_commands.Range[str, 1, MAX_OPTION_CHARS],
        voice: app_commands.Range[str, 1, _MAX_VOICE_CHARS] | None = None,
        style: app_commands.Range[str, 1, MAX_STYLE_CHARS] | None = None,
        guidance: float | None = None,
        quality: int | None = None,
        speed: Speed | None = None,
        output: str | None = None,
    ) -> None:
        """Say something with an AI voice."""
        await self._speak(
            interaction,
            text,
            await names_for(interaction, text),
            voice=voice,
            style=check_style(style) if style else None,
            guidance=guidance,
            steps=quality,
            tempo=tempo_of(speed),
            to=Destination(output) if output else None,
        )

    async def speak_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Say what a message says, in the voice that /speak would have."""
        await self._speak_message(interaction, message)

    async def choose_voice(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask in which voice to say what a message says, where only this member sees it."""
        _check_words(message)
        usable = await self._voices.complete(scope_of(interaction), "", _MAX_CHOICES)

        async def chosen(newest: discord.Interaction, voice_id: str) -> None:
            await self._speak_message(newest, message, voice_id)

        await VoiceChoice(usable, chosen).ask(interaction, _CHOOSE)

    async def _speak_message(
        self, interaction: discord.Interaction, message: discord.Message, voice: str | None = None
    ) -> None:
        _check_words(message)
        await self._speak(interaction, words_of_message(message), names_in(interaction, message), voice=voice)

    async def _speak(self, interaction: discord.Interaction, text: str, names: Names, **options: Any) -> None:
        """Deliver ``text`` with these options of `RequestResolver.resolve_request`."""
        scope, access = scope_of(interaction), self._accesses.at(interaction)
        async with self._deliveries.turns.one(interaction.id):
            request, rules = await asyncio.gather(  # what they read at once goes in one transaction
                self._resolver.resolve_request(scope, text, names, access=access, **options),
                self._deliveries.rules(interaction),
            )
        await self._deliveries.deliver(interaction, request, rules)


def _check_words(message: discord.Message) -> None:
    if not words_of_message(message).strip():
        raise MemberError(_NO_TEXT)


def words_of_message(message: discord.Message) -> str:
    """Return what ``message`` says: its own words, those it forwards, a poll's question, a bot's card."""
    cards = [embed for embed in message.embeds if embed.type == "rich"]  # the others belong to a link
    words = [
        message.content,
        *(forwarded.content for forwarded in message.message_snapshots),
        message.poll.question if message.poll else "",
        *(text for card in cards for text in (card.title, card.description)),
    ]
    return "\n".join(text for text in words if text)


async def setup(bot: SpeechBot) -> None:
    """Load the cog with its parts."""
    cog = Speak(bot.deliveries, bot.resolver, bot.accesses, bot.library.voices)
    await bot.add_cog(cog)
    bot.add_view(VoiceChoice((), None))
    for menu in cog.menus:
        bot.tree.add_command(menu)
