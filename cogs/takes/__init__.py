"""What can be done with a take: the buttons under it."""

from __future__ import annotations

from bot.speech_bot import SpeechBot
from cogs.takes.buttons import TakeButton, buttons_under


async def setup(bot: SpeechBot) -> None:
    """Take presses, also on buttons from before a restart, and put buttons under what is said from now on."""
    bot.add_dynamic_items(TakeButton)
    bot.keeping.buttons = buttons_under
