"""Whose voice may be cloned: one's own, or somebody's who has agreed with a button."""

from __future__ import annotations

import discord
from discord.ext import commands, tasks

from bot.speech_bot import SpeechBot
from cogs.consent.own_voice import MyOwn, TurnOn
from cogs.consent.question import Asking, ConsentButton


class Consenting(commands.Cog):
    """Keeps the questions alive across restarts, and ends those that nobody answers."""

    def __init__(self, client: discord.Client, asking: Asking) -> None:
        self._client = client
        self._asking = asking

    async def cog_load(self) -> None:
        """Begin to look for questions that have lapsed."""
        self._sweep.start()

    async def cog_unload(self) -> None:
        """Look no more."""
        self._sweep.cancel()

    @tasks.loop(minutes=5)
    async def _sweep(self) -> None:
        await self._asking.close_lapsed(self._client)

    @_sweep.before_loop
    async def _until_connected(self) -> None:
        await self._client.wait_until_ready()


async def setup(bot: SpeechBot) -> None:
    """Load the cog, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(ConsentButton)
    bot.add_view(TurnOn(bot.library, None))
    bot.add_view(MyOwn(bot.library, None))
    await bot.add_cog(Consenting(bot, Asking(bot.library, bot.voice_making)))
