"""/skip, /stop, /queue, /pause and /resume."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.command_tree import acknowledged
from bot.delivery.reply import Acknowledgement, Reply
from bot.errors import MemberError
from bot.interaction import is_in_charge, player_of
from bot.playback.permissions import listeners_in
from bot.playback.player import GuildPlayer, PauseReason
from bot.playback.players import GuildPlayers
from bot.playback.queue import Utterance, UtteranceState
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import Buttons, in_servers, wait_for_member


def check_sending_away(player: GuildPlayer, member: discord.Member) -> None:
    """Raise `MemberError` unless the member may send the bot away.

    They may if they are in charge, if nobody listens, or if nothing of anybody else's is said or waiting.
    """
    if is_in_charge(member, player) or player.channel is None or not listeners_in(player.channel):
        return
    if any(entry.member_id != member.id for entry in player.utterances()):
        raise MemberError("Others are listening. Only a moderator (Mute Members) can send me away now.")


def skip(player: GuildPlayer, member: discord.Member) -> str:
    """Skip what is being said: the member's own, or anybody's if they are in charge. Raises `MemberError`."""
    playing = next((entry for entry in player.utterances() if entry.state is UtteranceState.PLAYING), None)
    if playing is None:
        raise MemberError("Nothing is playing.")
    if playing.member_id != member.id and not is_in_charge(member, player):
        raise MemberError("Only the member who asked, or a moderator (Mute Members), can skip this.")
    player.skip()
    return f"Skipped: {excerpt(playing.title)}"


def stop_mine(player: GuildPlayer, member: discord.Member) -> str:
    """Stop what the member asked for. Raises `MemberError` when there is nothing."""
    dropped = player.stop(member_id=member.id)
    if not dropped:
        raise MemberError("You have nothing in the queue.")
    return f"Cleared your {_items(dropped)}."


def stop_all(player: GuildPlayer, member: discord.Member) -> str:
    """Stop everything, if the member is in charge. Raises `MemberError`."""
    if not is_in_charge(member, player):
        raise MemberError("Only a moderator (Mute Members) can clear everyone's items.")
    dropped = player.stop()
    if not dropped:
        raise MemberError("The queue is empty.")
    return f"Cleared {_items(dropped)}."


def _items(count: int) -> str:
    return f"{count} item{'' if count == 1 else 's'}"


def bring_forward(player: GuildPlayer, member: discord.Member, utterance_id: int) -> str:
    """Make one utterance the next, if the member is in charge. Raises `MemberError`."""
    if not is_in_charge(member, player):
        raise MemberError("Only a moderator (Mute Members) can change the order.")
    waiting = (entry for entry in player.utterances() if entry.state is not UtteranceState.PLAYING)
    utterance = next((entry for entry in waiting if entry.id == utterance_id), None)
    if utterance is None:
        raise MemberError("That's no longer waiting.")
    player.bring_forward(utterance)
    return f"Next: {excerpt(utterance.title)}"


log = logging.getLogger(__name__)

VIEW_SECONDS: Final = 14.5 * 60
"""A little less than Discord lets the message be edited after the last press, so that its end can be told."""

_STATES: Final = {
    UtteranceState.MAKING: "being made",
    UtteranceState.READY: "waiting",
    UtteranceState.PLAYING: "speaking now",
}
_STANDING_STILL: Final = {
    PauseReason.ASKED: "Paused. Type /resume to continue.",
    PauseReason.SILENCED: "Waiting: I'm muted here, or can't speak. A moderator can change that.",
    PauseReason.ALONE: "Waiting for someone to listen.",
}
_MAX_CHARS: Final = 1_800  # Discord takes 2,000; the outcome of a press stands above
_AGAIN: Final = "Type /queue to see it again."


class QueueView(Buttons):
    """Buttons under the queue of a server; they allow what the commands allow.

    With ``timeout`` None it takes the presses under every such message, also from before a restart.
    """

    def __init__(
        self, players: GuildPlayers, player: GuildPlayer | None = None, *, timeout: float | None
    ) -> None:
        super().__init__(timeout=timeout)
        self._players = players
        self._message_of: discord.Interaction | None = None
        queue = player.utterances() if player else []
        self._playing = next((entry for entry in queue if entry.state is UtteranceState.PLAYING), None)
        waiting = [entry for entry in queue if entry is not self._playing]
        if player is None or len(waiting) > 1:
            self.add_item(_Forward(self, waiting))
        self.skip.disabled = player is not None and self._playing is None
        self.stop_mine.disabled = self.stop_all.disabled = player is not None and not queue

    acknowledgement = Acknowledgement.IMMEDIATE

    async def send(self, interaction: discord.Interaction, content: str) -> None:
        """Reply to a command with ``content`` and these buttons, for its asker only."""
        self._message_of = interaction
        await Reply.of(interaction).finish_privately(content, self)
        await wait_for_member(self, interaction)

    @discord.ui.button(label="Skip", custom_id="queue:skip", style=discord.ButtonStyle.primary)
    async def skip(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Skip the utterance that was playing when this was shown."""
        player, member = player_of(self._players, interaction)
        if self._playing is not None and self._playing.state is UtteranceState.DONE:
            await self.show_again(interaction, "That's already over.")
            return
        await self.show_again(interaction, skip(player, member))

    @discord.ui.button(label="Cancel mine", custom_id="queue:mine")
    async def stop_mine(
        self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]
    ) -> None:
        """Drop what the presser asked for."""
        await self.show_again(interaction, stop_mine(*player_of(self._players, interaction)))

    @discord.ui.button(label="Stop all", custom_id="queue:stop", style=discord.ButtonStyle.danger)
    async def stop_all(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Drop everything."""
        await self.show_again(interaction, stop_all(*player_of(self._players, interaction)))

    @discord.ui.button(label="Refresh", custom_id="queue:refresh")
    async def refresh(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Show how it is now."""
        await self.show_again(interaction, "")

    async def bring_forward(self, interaction: discord.Interaction, utterance_id: int) -> None:
        """Make one utterance the next."""
        player, member = player_of(self._players, interaction)
        await self.show_again(interaction, bring_forward(player, member, utterance_id))

    async def show_again(self, interaction: discord.Interaction, done: str) -> None:
        """Show the queue as it is now, under what was ``done``."""
        player, _member = player_of(self._players, interaction)
        timeout = VIEW_SECONDS if self.timeout is None else self.timeout
        view = QueueView(self._players, player, timeout=timeout)
        view._message_of = interaction
        content = f"{done}\n\n{shown(player)}" if done else shown(player)
        edit = interaction.response.edit_message
        await Reply.of(interaction).respond(partial(edit, content=content, view=view))
        if self.timeout is not None:
            self.stop()
        await wait_for_member(view, interaction)

    async def on_timeout(self) -> None:
        """Say that the buttons are over."""
        if self._message_of is None:
            return
        try:
            await self._message_of.edit_original_response(content=_AGAIN, view=None)
        except (discord.HTTPException, OSError) as error:  # the message was dismissed
            log.debug("the end of a queue's buttons was not told: %r", error)


class _Forward(discord.ui.Select[QueueView]):
    """Menu to choose what is said next."""

    def __init__(self, queue: QueueView, waiting: list[Utterance]) -> None:
        super().__init__(custom_id="queue:forward", placeholder="Say next (moderators)")
        self._queue = queue
        for entry in waiting[:25]:
            self.add_option(
                label=entry.title or "…", value=str(entry.id), description=_STATES.get(entry.state)
            )
        if not waiting:
            self.add_option(label="…", value="0")  # it stands for the menus of other messages

    async def callback(self, interaction: discord.Interaction) -> None:
        """Bring it forward."""
        if not self.values[0].isdecimal():
            raise MemberError("That's no longer waiting.")
        await self._queue.bring_forward(interaction, int(self.values[0]))


def shown(player: GuildPlayer) -> str:
    """Return the queue in words: why it is paused, what is said, what comes next."""
    lines = [_STANDING_STILL[hold] for hold in _STANDING_STILL if hold in player.holds]
    queue = player.utterances()
    if not queue and not player.also_waiting:
        lines.append("The queue is empty. Type /speak to add something.")
    for number, entry in enumerate(queue, start=1):
        line = _line(number, entry)
        if sum(map(len, lines)) + len(lines) + len(line) > _MAX_CHARS:
            lines.append(f"… and {len(queue) - number + 1} more.")
            break
        lines.append(line)
    if player.also_waiting:
        lines.append(player.also_waiting)
    return "\n".join(lines)


def _line(number: int, entry: Utterance) -> str:
    length = f", {entry.seconds:.0f} s" if entry.seconds else ""
    return (
        f"{number}. <@{entry.member_id}>: {excerpt(entry.title)} ({_STATES.get(entry.state, 'done')}{length})"
    )


class Pause(commands.Cog):
    """Commands that pause the bot, and let it go on."""

    def __init__(self, players: GuildPlayers) -> None:
        self._players = players

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def pause(self, interaction: discord.Interaction) -> None:
        """Pause what I'm saying; /resume continues."""
        if not self._player_for(interaction).pause():
            raise MemberError("Already paused. Type /resume to continue.")
        await Reply.of(interaction).say("Paused. Type /resume to continue.")

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def resume(self, interaction: discord.Interaction) -> None:
        """Continue where I paused."""
        if not self._player_for(interaction).resume():
            raise MemberError("Nothing is paused.")
        await Reply.of(interaction).say("Resumed.")

    def _player_for(self, interaction: discord.Interaction) -> GuildPlayer:
        player, member = player_of(self._players, interaction)
        if not is_in_charge(member, player):
            raise MemberError("Only a moderator (Mute Members), or someone alone with me, can do that.")
        return player


class Queue(commands.Cog):
    """Commands that show the queue and shorten it; its buttons work for ``view_seconds``."""

    def __init__(self, players: GuildPlayers, *, view_seconds: float = VIEW_SECONDS) -> None:
        self._players = players
        self._view_seconds = view_seconds

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def skip(self, interaction: discord.Interaction) -> None:
        """Skip what's playing: your own, or anyone's if you can mute members."""
        await Reply.of(interaction).say(skip(*player_of(self._players, interaction)))

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def stop(self, interaction: discord.Interaction) -> None:
        """Clear the queue: your own items, or everything if you can mute members."""
        player, member = player_of(self._players, interaction)
        act = stop_all if is_in_charge(member, player) else stop_mine
        await Reply.of(interaction).say(act(player, member))

    @in_servers
    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    async def queue(self, interaction: discord.Interaction) -> None:
        """Show what's playing and what comes next."""
        player, _member = player_of(self._players, interaction)
        view = QueueView(self._players, player, timeout=self._view_seconds)
        await view.send(interaction, shown(player))


async def setup(bot: SpeechBot) -> None:
    """Load the cogs with their parts."""
    await bot.add_cog(Queue(bot.players))
    await bot.add_cog(Pause(bot.players))
    bot.add_view(QueueView(bot.players, timeout=None))  # for messages from before a restart
