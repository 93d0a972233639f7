"""Buttons and menus that outlive a restart: all they know stands in their custom ids."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from typing import Any, Self

import discord

from bot.speech_bot import SpeechBot
from bot.tree import answer_error


class Lasting(ABC):
    """What a `discord.ui.DynamicItem` is besides: made anew at every press, which ends in one answer.

    The groups of its template name the parameters it is made with; they come as strings.
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
            await answer_error(interaction, error)

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
