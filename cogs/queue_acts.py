"""What can be done to a queue, by command or by button. Each returns what the member reads."""

from __future__ import annotations

import discord

from bot.errors import MemberError
from bot.playback.audience import humans_in
from bot.playback.player import GuildPlayer
from bot.playback.utterance import UtteranceState
from bot.text.style import excerpt
from cogs.rights import decides

MODERATORS = "somebody who may mute members"


def check_sending_away(player: GuildPlayer, member: discord.Member) -> None:
    """Raise `MemberError` unless the member may end what all hear: they decide, or nobody is deprived.

    Nobody is where nobody listens, or where nothing of anybody else's is said or waiting.
    """
    if decides(member, player) or player.channel is None or not humans_in(player.channel):
        return
    if any(entry.member_id != member.id for entry in player.utterances()):
        raise MemberError(f"Others are listening. Only {MODERATORS} can send me away now.")


def skip(player: GuildPlayer, member: discord.Member) -> str:
    """Drop what is being said: the member's own, or anybody's if they decide. Raises `MemberError`."""
    playing = next((entry for entry in player.utterances() if entry.state is UtteranceState.PLAYING), None)
    if playing is None:
        raise MemberError("Nothing is being said right now.")
    if playing.member_id != member.id and not decides(member, player):
        raise MemberError(f"That is somebody else's. They can skip it, or {MODERATORS}.")
    player.skip()
    return f"Skipped: {excerpt(playing.title)}"


def stop_mine(player: GuildPlayer, member: discord.Member) -> str:
    """Drop what the member asked for. Raises `MemberError` when there is nothing."""
    dropped = player.stop(member_id=member.id)
    if not dropped:
        raise MemberError("Nothing of yours is waiting.")
    return f"Stopped {dropped} of yours."


def stop_all(player: GuildPlayer, member: discord.Member) -> str:
    """Drop everything, if the member decides. Raises `MemberError`."""
    if not decides(member, player):
        raise MemberError(f"Only {MODERATORS} can stop what others asked for.")
    dropped = player.stop()
    if not dropped:
        raise MemberError("There is nothing to stop.")
    return f"Stopped {dropped}."


def bring_forward(player: GuildPlayer, member: discord.Member, utterance_id: int) -> str:
    """Let one be the next, if the member decides. Raises `MemberError`."""
    if not decides(member, player):
        raise MemberError(f"Only {MODERATORS} can change the order.")
    waiting = (entry for entry in player.utterances() if entry.state is not UtteranceState.PLAYING)
    utterance = next((entry for entry in waiting if entry.id == utterance_id), None)
    if utterance is None:
        raise MemberError("That is not waiting any more.")
    player.bring_forward(utterance)
    return f"Next: {excerpt(utterance.title)}"
