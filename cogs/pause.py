"""/pause, /resume and /volume."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.limits import MAX_VOLUME, MIN_VOLUME
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.volumes import Volumes
from bot.speech_bot import SpeechBot
from bot.tree import acknowledged
from cogs.options import in_servers
from cogs.queue_acts import MODERATORS
from cogs.rights import asked, decides


class Pause(commands.Cog):
    """Lets the bot stand still, go on, and speak softer or louder."""

    def __init__(self, players: GuildPlayers, volumes: Volumes) -> None:
        self._players = players
        self._volumes = volumes

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def pause(self, interaction: discord.Interaction) -> None:
        """Stop speaking for now; /resume goes on where it was."""
        if not self._player_for(interaction).pause():
            raise MemberError("It is paused already. Type /resume to go on.")
        await Answer.of(interaction).say("Paused. Type /resume to go on.")

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def resume(self, interaction: discord.Interaction) -> None:
        """Go on where it was paused."""
        if not self._player_for(interaction).resume():
            raise MemberError("Nothing is paused.")
        await Answer.of(interaction).say("Going on.")

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    @app_commands.describe(percent="10 to 200; 100 is usual. Leave it out to see how it is")
    async def volume(
        self,
        interaction: discord.Interaction,
        percent: app_commands.Range[int, MIN_VOLUME, MAX_VOLUME] | None = None,
    ) -> None:
        """Set how loud I speak in this server."""
        assert interaction.guild_id is not None, "the command exists only in servers"  # noqa: S101
        if percent is None:
            now = self._volumes.get(interaction.guild_id)
            await Answer.of(interaction).say(f"The volume here is {now} %.", ephemeral=True)
            return
        if not self._may_set_volume(interaction):
            raise MemberError(f"Only {MODERATORS}, or manage the server, can set the volume for everybody.")
        self._volumes.set(interaction.guild_id, percent)
        await Answer.of(interaction).say(f"Volume {percent} %, from the next thing I say on.")

    def _player_for(self, interaction: discord.Interaction) -> GuildPlayer:
        player, member = asked(self._players, interaction)
        if not decides(member, player):
            raise MemberError(f"Only {MODERATORS} can do that, or who is alone with me.")
        return player

    def _may_set_volume(self, interaction: discord.Interaction) -> bool:
        if interaction.permissions.mute_members or interaction.permissions.manage_guild:
            return True
        player = self._players.get(interaction.guild_id or 0)
        member = interaction.user
        return player is not None and isinstance(member, discord.Member) and decides(member, player)


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    await bot.add_cog(Pause(bot.players, bot.volumes))
