"""A form that asks for one of the saved voices."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import discord

from bot.errors import MemberError
from bot.library.voices import VoiceName
from bot.text.style import one_line
from cogs.lasting import Form

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
