"""What all buttons and menus of the voices have in common: they work for ever, and end in one answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

import discord

from bot.errors import MemberError
from bot.library.library import Library
from bot.library.scope import Scope
from bot.library.shelf import NO_SUCH_VOICE
from bot.library.voices import Voice
from bot.speech_bot import SpeechBot
from bot.tree import answer_error

GONE: Final = "That voice is not here any more. /voice list shows what there is."
"""For a button whose voice is gone, belongs to another server, or must not be known to who presses."""

Act = Callable[[SpeechBot], Awaitable[None]]


def bot_of(interaction: discord.Interaction) -> SpeechBot:
    """Return the bot; buttons that outlive a restart are given nothing else."""
    bot = interaction.client
    assert isinstance(bot, SpeechBot), "no other client loads this"  # noqa: S101
    return bot


async def take_press(interaction: discord.Interaction, act: Act) -> None:
    """Do what a press asks for; discord.py only logs what is raised there, so it is answered here."""
    try:
        await act(bot_of(interaction))
    except Exception as error:
        await answer_error(interaction, error)


def row_of(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Return these buttons and menus, which are registered by their custom ids and never time out."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view


async def pressed_voice(library: Library, scope: Scope, voice_id: str) -> Voice:
    """Return the voice that a button is about. Raises `MemberError` if it is gone for this member."""
    try:
        return await library.voices.find_to_manage(scope, voice_id)
    except MemberError as error:
        raise MemberError(GONE if str(error) == NO_SUCH_VOICE else str(error)) from None


async def replace_message(
    press: discord.Interaction, content: str, view: discord.ui.View | None = None
) -> None:
    """Let the message whose button was pressed, and acknowledged, say ``content`` alone from now on."""
    await press.edit_original_response(
        content=content, view=view, attachments=[], allowed_mentions=discord.AllowedMentions.none()
    )
