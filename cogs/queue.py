"""/skip, /stop and /queue."""

from __future__ import annotations

import discord
from discord import app_commands
from discord.ext import commands

from bot.errors import MemberError
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.utterance import Utterance, UtteranceState
from bot.speech_bot import SpeechBot
from cogs.options import in_servers

_STATES = {
    UtteranceState.MAKING: "being made",
    UtteranceState.READY: "waiting",
    UtteranceState.PLAYING: "speaking now",
}


class Queue(commands.Cog):
    """Shows and shortens what is waiting to be said."""

    def __init__(self, players: GuildPlayers) -> None:
        self._players = players

    @in_servers
    @app_commands.command()
    async def skip(self, interaction: discord.Interaction) -> None:
        """Skip what is being said: your own, or anybody's if you may mute members."""
        player, member = self._player_for(interaction)
        playing = next(
            (entry for entry in player.utterances() if entry.state is UtteranceState.PLAYING), None
        )
        if playing is None:
            raise MemberError("Nothing is being said right now.")
        if playing.member_id != member.id and not _decides(member, player):
            raise MemberError("That is somebody else's. They can skip it, or anybody who may mute members.")
        player.skip()
        await interaction.response.send_message(f"Skipped: {playing.title}")

    @in_servers
    @app_commands.command()
    async def stop(self, interaction: discord.Interaction) -> None:
        """Drop what is waiting: your own, or everything if you may mute members."""
        player, member = self._player_for(interaction)
        everything = _decides(member, player)
        dropped = player.stop() if everything else player.stop(member_id=member.id)
        if not dropped:
            raise MemberError("There is nothing to stop." if everything else "Nothing of yours is waiting.")
        whose = "" if everything else " of yours"
        await interaction.response.send_message(f"Stopped {dropped}{whose}.")

    @in_servers
    @app_commands.command()
    async def queue(self, interaction: discord.Interaction) -> None:
        """Show what is being said and what comes next."""
        player, _member = self._player_for(interaction)
        lines = [_line(number, entry) for number, entry in enumerate(player.utterances(), start=1)]
        text = "\n".join(lines) or "Nothing is waiting. Type /speak to have something said."
        await interaction.response.send_message(text[:2000], ephemeral=True)

    def _player_for(self, interaction: discord.Interaction) -> tuple[GuildPlayer, discord.Member]:
        player = self._players.get(interaction.guild_id or 0)
        if player is None or not isinstance(interaction.user, discord.Member):
            raise MemberError("I am not in a voice channel. Join one and type /join.")
        return player, interaction.user


def _decides(member: discord.Member, player: GuildPlayer) -> bool:
    """Whether ``member`` decides for everybody: a moderator, or the only person listening."""
    channel = player.channel
    if channel is None:
        return False
    listeners = [other for other in channel.members if not other.bot]
    return channel.permissions_for(member).mute_members or listeners == [member]


def _line(number: int, entry: Utterance) -> str:
    length = f", {entry.seconds:.0f} s" if entry.seconds else ""
    return f"{number}. <@{entry.member_id}>: {entry.title} ({_STATES.get(entry.state, 'done')}{length})"


async def setup(bot: SpeechBot) -> None:
    """Load the cog; the only line that knows where its parts live."""
    await bot.add_cog(Queue(bot.players))
