"""/join and /leave, and what happens in voice channels."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import discord
from discord import app_commands
from discord.ext import commands

from bot.delivery.reply import Reply
from bot.errors import MemberError
from bot.playback.players import GuildPlayers
from bot.speech_bot import SpeechBot
from cogs import queue
from cogs.ui import in_servers


class Connection(commands.Cog):
    """Commands for voice channels, and the events that say where the bot has to be.

    ``guilds`` returns all servers of the bot.
    """

    def __init__(self, players: GuildPlayers, *, guilds: Callable[[], Sequence[discord.Guild]]) -> None:
        self._players = players
        self._guilds = guilds

    @in_servers
    @app_commands.command()
    async def join(self, interaction: discord.Interaction) -> None:
        """Join your voice channel."""
        member = interaction.user
        if not isinstance(member, discord.Member) or member.voice is None or member.voice.channel is None:
            raise MemberError("Join a voice channel first.")
        await self._players.join(member.voice.channel, requested_by=member)
        await Reply.of(interaction).finish(
            f"Joined {member.voice.channel.mention}. Type /speak and I'll say it."
        )

    @in_servers
    @app_commands.command()
    async def leave(self, interaction: discord.Interaction) -> None:
        """Leave the voice channel."""
        assert interaction.guild_id is not None, "the command exists only in servers"  # noqa: S101
        player, member = self._players.get(interaction.guild_id), interaction.user
        if player is not None and isinstance(member, discord.Member):
            queue.check_sending_away(player, member)
        left = await self._players.leave(interaction.guild_id)
        await Reply.of(interaction).finish(
            "I've left the voice channel." if left else "I'm not in a voice channel."
        )

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Tell the players who came, left or was moved."""
        await self._players.voice_state_changed(member, before, after)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Return to every target channel, after the start and after every new session."""
        await self._players.reconcile(self._guilds())

    @commands.Cog.listener()
    async def on_shard_resumed(self, shard_id: int) -> None:
        """Return to the target channels of a shard that had lost its connection."""
        await self._players.reconcile([guild for guild in self._guilds() if guild.shard_id == shard_id])

    @commands.Cog.listener()
    async def on_guild_available(self, guild: discord.Guild) -> None:
        """Return to the target channel of a server after an outage."""
        await self._players.reconcile([guild])

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Forget a server that the bot is no longer in."""
        await self._players.leave(guild.id)

    @commands.Cog.listener("on_guild_channel_update")
    @commands.Cog.listener("on_guild_role_update")
    @commands.Cog.listener("on_member_update")
    async def permissions_changed(
        self, _before: object, after: discord.abc.GuildChannel | discord.Role | discord.Member
    ) -> None:
        """Tell the players that permissions of the bot may have changed: in a channel, or by its roles.

        Of changes to other members it hears only with an intent.
        """
        self._players.permissions_changed(after.guild.id)


async def setup(bot: SpeechBot) -> None:
    """Load the cog with its parts."""
    await bot.add_cog(Connection(bot.players, guilds=lambda: bot.guilds))
