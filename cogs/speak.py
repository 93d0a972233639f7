"""/speak, and the message menus Speak this and Speak this in a voice."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice
from discord.ext import commands

from bot.command_tree import acknowledged
from bot.delivery.delivery import Deliveries
from bot.delivery.reference_uploads import VoiceAccesses
from bot.delivery.reply import Acknowledgement, Reply
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
from cogs.ui import DESTINATIONS, GUIDANCES, STEPS, Buttons, everywhere, names_in, replace_message

_MAX_CHOICES: Final = 25
"""What one menu of Discord's shows."""

Chosen = Callable[[discord.Interaction, str], Awaitable[None]]
"""Goes on with the id of the voice, as the answer to the choice."""

_MENU_SECONDS: Final = 14 * 60.0
"""A little less than Discord lets the message with the menu be taken away again."""

_CHOOSE: Final = "In which voice should I say this?"
_TOO_LATE: Final = "That took a while, so the menu is gone. Choose Speak this in a voice again."


class VoiceChoice(Buttons):
    """A menu of up to 25 ``voices``, for one member, that goes on with ``chosen``.

    Without ``chosen`` it takes the choices in menus from before a restart.
    """

    def __init__(self, voices: Sequence[VoiceName], chosen: Chosen | None) -> None:
        super().__init__(timeout=None if chosen is None else _MENU_SECONDS)
        self._chosen = chosen
        self._shown: Reply | None = None
        self.add_item(_VoiceOptions(self, voices))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a choice is acknowledged: as what is said in that voice, for everybody."""
        return Acknowledgement.UPDATE if self._shown is None else Acknowledgement.PUBLIC

    async def send(self, interaction: discord.Interaction) -> None:
        """Show the menu to this member only."""
        self._shown = Reply.of(interaction)
        await self._shown.alone(_CHOOSE, self)

    async def go_on(self, choice: discord.Interaction, voice_id: str) -> None:
        """Go on with the voice that was chosen, once."""
        if self._shown is None:  # it goes on listening: there may be more such menus
            await replace_message(choice, _TOO_LATE)
            return
        chosen, self._chosen = self._chosen, None
        self.stop()
        if chosen is None:  # chosen twice at once
            await Reply.of(choice).alone(_TOO_LATE)
        else:
            await self._shown.withdraw()
            await chosen(choice, voice_id)

    async def on_timeout(self) -> None:
        """Say that it is too late."""
        if self._shown is not None:
            await self._shown.withdraw(_TOO_LATE)


class _VoiceOptions(discord.ui.Select[VoiceChoice]):
    """Chooses one of the voices."""

    def __init__(self, choice: VoiceChoice, voices: Sequence[VoiceName]) -> None:
        super().__init__(custom_id="speak:voice", placeholder="Choose a voice")
        self._choice = choice
        for voice in voices[:_MAX_CHOICES]:
            self.add_option(label=one_line(voice.name, 100), value=voice.id)
        if not voices:
            self.add_option(label="…", value="-")  # it stands for the menu that was used

    async def callback(self, interaction: discord.Interaction) -> None:
        """Go on with it."""
        await self._choice.go_on(interaction, self.values[0])


_MAX_VOICE_CHARS: Final = 100
"""Of a proposed choice, at Discord; names are shorter."""

_NO_TEXT: Final = "There is no text in that message. Choose one with words in it."


class Speak(commands.Cog):
    """Commands that turn text into speech."""

    def __init__(
        self, deliveries: Deliveries, ordering: RequestResolver, accesses: VoiceAccesses, voices: Voices
    ) -> None:
        self._deliveries = deliveries
        self._ordering = ordering
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
        await self._deliveries.deliver(interaction, order)

    @speak.autocomplete("voice")
    async def voices(self, interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        """Propose the voices this member may speak with."""
        return await voice_views.usable(interaction, typed)

    async def speak_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Say what a message says, in the voice that /speak would have."""
        await self._speak_message(interaction, message)

    async def choose_voice(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask in which voice to say what a message says, where only this member sees it."""
        _check_words(message)
        usable = await self._voices.complete(scope_of(interaction), "", _MAX_CHOICES)
        if not usable:
            raise MemberError("There is no saved voice here yet that you may use. /voice save makes one.")

        async def chosen(newest: discord.Interaction, voice_id: str) -> None:
            await self._speak_message(newest, message, voice_id)

        await VoiceChoice(usable, chosen).send(interaction)

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
        await self._deliveries.deliver(interaction, order)


def _check_words(message: discord.Message) -> None:
    if not message.content.strip():
        raise MemberError(_NO_TEXT)


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    cog = Speak(bot.deliveries, bot.ordering, bot.accesses, bot.library.voices)
    await bot.add_cog(cog)
    bot.add_view(VoiceChoice((), None))
    for menu in cog.menus:
        bot.tree.add_command(menu)
