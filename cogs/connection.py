"""/join and /leave, and what happens in voice channels."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.answer import Answer
from bot.errors import MemberError
from bot.playback.players import GuildPlayers
from bot.speech_bot import SpeechBot
from cogs.options import in_servers


class Connection(commands.Cog):
    """Comes into voice channels and leaves them."""

    def __init__(self, players: GuildPlayers) -> None:
        self._players = players

    @in_servers
    @app_commands.command()
    async def join(self, interaction: discord.Interaction) -> None:
        """Come into your voice channel."""
        member = interaction.user
        if not isinstance(member, discord.Member) or member.voice is None or member.voice.channel is None:
            raise MemberError("Join a voice channel first.")
        answer = Answer.of(interaction)
        await answer.defer(ephemeral=True)
        await self._players.join(member.voice.channel, requested_by=member)
        await answer.finish(f"I am in {member.voice.channel.mention}. Type /speak to have something said.")

    @in_servers
    @app_commands.command()
    async def leave(self, interaction: discord.Interaction) -> None:
        """Leave the voice channel."""
        assert interaction.guild_id is not None, "the command exists only in servers"  # noqa: S101
        answer = Answer.of(interaction)
        await answer.defer(ephemeral=True)
        left = await self._players.leave(interaction.guild_id)
        await answer.finish("I have left the voice channel." if left else "I am not in a voice channel.")

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Pass on who came, left or was moved."""
        await self._players.voice_state_changed(member, before, after)


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    await bot.add_cog(Connection(bot.players))
