"""What is pressed, chosen and filled in: each acknowledged first; some of it outlives a restart."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from functools import partial
from typing import Any, Final, Self

import discord

from bot.answer import Acknowledgement, Answer
from bot.speech_bot import SpeechBot
from bot.tree import acknowledge, answer_error

_FORM_SECONDS: Final = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""


class Acknowledged:
    """What views, forms, buttons and menus are besides: acknowledged before any of their own code runs.

    What they raise is answered as a failed command is.
    """

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press, a choice or a filled-in form is acknowledged."""
        return Acknowledgement.UPDATE

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Acknowledge it; return whether Discord took that."""
        return await acknowledge(interaction, self.acknowledgement)

    async def on_error(self, interaction: discord.Interaction, error: Exception, /, *_item: Any) -> None:
        """Answer with the sentence for ``error``, for this member only, and log it."""
        await answer_error(interaction, error)


class Buttons(Acknowledged, discord.ui.View):
    """Buttons and menus under a message. Their callbacks need not acknowledge anything."""


class Form(Acknowledged, discord.ui.Modal):
    """Asks for something to be typed. What is sent is answered for everybody to see.

    It is a first response, so that it opens without asking the database or Discord anything, and is judged
    when it is sent.
    """

    def __init__(self, *, title: str = discord.utils.MISSING) -> None:
        super().__init__(title=title, timeout=_FORM_SECONDS)

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How it is acknowledged when it is sent."""
        return Acknowledgement.PUBLIC

    async def open(self, interaction: discord.Interaction) -> None:
        """Open it, as the first response to ``interaction``."""
        response = interaction.response
        await Answer.of(interaction).respond(partial(response.send_modal, self))


class Lasting(Acknowledged, ABC):
    """What a `discord.ui.DynamicItem` is besides that outlives a restart: made anew at every press.

    All it knows stands in its custom id: the groups of its template name the parameters it is made with;
    they come as strings.
    """

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the one that was pressed."""
        return cls(**match.groupdict())

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do it; discord.py only logs what is raised here, so it is answered here."""
        try:
            await self.pressed(interaction, bot_of(interaction))
        except Exception as error:
            await self.on_error(interaction, error)

    @abstractmethod
    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do what the press asks for. What it raises is answered as a failed command is."""


def bot_of(interaction: discord.Interaction) -> SpeechBot:
    """Return the bot; what outlives a restart is given nothing else."""
    bot = interaction.client
    assert isinstance(bot, SpeechBot), "no other client loads this"  # noqa: S101
    return bot


def row_of(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Return these buttons and menus, which are registered by their custom ids and never time out."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view


async def replace_message(
    press: discord.Interaction, content: str, view: discord.ui.View | None = None
) -> None:
    """Let the message whose button was pressed, and acknowledged, say ``content`` alone from now on."""
    await press.edit_original_response(
        content=content, view=view, attachments=[], allowed_mentions=discord.AllowedMentions.none()
    )
