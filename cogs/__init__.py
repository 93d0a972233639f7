"""Slash commands, message menus and buttons: a thin skin over `bot`."""

from __future__ import annotations

from typing import Final

from bot.speech_bot import SpeechBot

EXTENSIONS: Final = (
    "cogs.speak",
    "cogs.clone",
    "cogs.generation_buttons",
    "cogs.consent",
    "cogs.voices",
    "cogs.privacy",
    "cogs.connection",
    "cogs.queue",
    "cogs.myna",
    "cogs.dictionary",
    "cogs.reading",
    "cogs.help",
)


async def setup(bot: SpeechBot) -> None:
    """Load every cog; the bot loads this package by its name."""
    for name in EXTENSIONS:
        await bot.load_extension(name)
