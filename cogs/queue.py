"""/skip, /stop and /queue."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.answer import Acknowledgement, Answer
from bot.playback.players import GuildPlayers
from bot.speech_bot import SpeechBot
from bot.tree import acknowledged
from cogs import queue_acts
from cogs.options import in_servers
from cogs.queue_view import VIEW_SECONDS, QueueView, shown
from cogs.rights import asked, decides


class Queue(commands.Cog):
    """Shows and shortens what is waiting to be said. Its buttons are answered for ``view_seconds``."""

    def __init__(self, players: GuildPlayers, *, view_seconds: float = VIEW_SECONDS) -> None:
        self._players = players
        self._view_seconds = view_seconds

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def skip(self, interaction: discord.Interaction) -> None:
        """Skip what is being said: your own, or anybody's if you may mute members."""
        await Answer.of(interaction).say(queue_acts.skip(*asked(self._players, interaction)))

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def stop(self, interaction: discord.Interaction) -> None:
        """Drop what is waiting: your own, or everything if you may mute members."""
        player, member = asked(self._players, interaction)
        act = queue_acts.stop_all if decides(member, player) else queue_acts.stop_mine
        await Answer.of(interaction).say(act(player, member))

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def queue(self, interaction: discord.Interaction) -> None:
        """Show what is being said and what comes next."""
        player, _member = asked(self._players, interaction)
        view = QueueView(self._players, player, timeout=self._view_seconds)
        await view.send(interaction, shown(player))


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    await bot.add_cog(Queue(bot.players))
    bot.add_view(QueueView(bot.players, timeout=None))  # for messages from before a restart
