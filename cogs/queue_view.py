"""The queue as members see it, with buttons that look again at every press."""

from __future__ import annotations

import logging
from functools import partial
from typing import Final

import discord

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.playback.holds import Hold
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers
from bot.playback.utterance import Utterance, UtteranceState
from bot.text.style import excerpt
from cogs import queue_acts
from cogs.lasting import Buttons
from cogs.rights import asked

log = logging.getLogger(__name__)

VIEW_SECONDS: Final = 14.5 * 60
"""A little less than Discord lets the message be edited after the last press, so that its end can be told."""

_STATES: Final = {
    UtteranceState.MAKING: "being made",
    UtteranceState.READY: "waiting",
    UtteranceState.PLAYING: "speaking now",
}
_STANDING_STILL: Final = {
    Hold.ASKED: "Paused. Type /resume to go on.",
    Hold.SILENCED: "Waiting: I am muted here, or may not speak. A moderator can change that.",
    Hold.ALONE: "Waiting until somebody listens.",
}
_MAX_CHARS: Final = 1_800  # Discord takes 2,000; the outcome of a press stands above
_AGAIN: Final = "Type /queue to see it again."


class QueueView(Buttons):
    """Buttons under the queue of a server. Whoever presses may do what they may do by command.

    With ``timeout`` None it answers the buttons of every such message, also from before a restart.
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

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: with the queue as it is now, which we have in memory."""
        return Acknowledgement.IMMEDIATE

    async def send(self, interaction: discord.Interaction, content: str) -> None:
        """Answer a command with ``content`` and these buttons, for its asker only."""
        self._message_of = interaction
        await Answer.of(interaction).alone(content, self)

    @discord.ui.button(label="Skip", custom_id="queue:skip", style=discord.ButtonStyle.primary)
    async def skip(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Skip what was being said when this was shown."""
        player, member = asked(self._players, interaction)
        if self._playing is not None and self._playing.state is UtteranceState.DONE:
            await self.show_again(interaction, "That is over already.")
            return
        await self.show_again(interaction, queue_acts.skip(player, member))

    @discord.ui.button(label="Cancel mine", custom_id="queue:mine")
    async def stop_mine(
        self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]
    ) -> None:
        """Drop what the presser asked for."""
        await self.show_again(interaction, queue_acts.stop_mine(*asked(self._players, interaction)))

    @discord.ui.button(label="Stop all", custom_id="queue:stop", style=discord.ButtonStyle.danger)
    async def stop_all(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Drop everything."""
        await self.show_again(interaction, queue_acts.stop_all(*asked(self._players, interaction)))

    @discord.ui.button(label="Refresh", custom_id="queue:refresh")
    async def refresh(self, interaction: discord.Interaction, _button: discord.ui.Button[QueueView]) -> None:
        """Show how it is now."""
        await self.show_again(interaction, "")

    async def bring_forward(self, interaction: discord.Interaction, utterance_id: int) -> None:
        """Let one be the next."""
        player, member = asked(self._players, interaction)
        await self.show_again(interaction, queue_acts.bring_forward(player, member, utterance_id))

    async def show_again(self, interaction: discord.Interaction, done: str) -> None:
        """Show the queue as it is now, under what was ``done``."""
        player, _member = asked(self._players, interaction)
        timeout = VIEW_SECONDS if self.timeout is None else self.timeout
        view = QueueView(self._players, player, timeout=timeout)
        view._message_of = interaction
        content = f"{done}\n\n{shown(player)}" if done else shown(player)
        edit = interaction.response.edit_message
        await Answer.of(interaction).respond(partial(edit, content=content, view=view))
        if self.timeout is not None:
            self.stop()

    async def on_timeout(self) -> None:
        """Say that the buttons are over."""
        if self._message_of is None:
            return
        try:
            await self._message_of.edit_original_response(content=_AGAIN, view=None)
        except (discord.HTTPException, OSError) as error:  # the message was dismissed
            log.debug("the end of a queue's buttons was not told: %r", error)


class _Forward(discord.ui.Select[QueueView]):
    """Chooses what is said next."""

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
            raise MemberError("That is not waiting any more.")
        await self._queue.bring_forward(interaction, int(self.values[0]))


def shown(player: GuildPlayer) -> str:
    """Return the queue in words: why it stands still, what is said, what comes next."""
    lines = [_STANDING_STILL[hold] for hold in _STANDING_STILL if hold in player.holds]
    queue = player.utterances()
    if not queue:
        lines.append("Nothing is waiting. Type /speak to have something said.")
    for number, entry in enumerate(queue, start=1):
        line = _line(number, entry)
        if sum(map(len, lines)) + len(lines) + len(line) > _MAX_CHARS:
            lines.append(f"… and {len(queue) - number + 1} more.")
            break
        lines.append(line)
    return "\n".join(lines)


def _line(number: int, entry: Utterance) -> str:
    length = f", {entry.seconds:.0f} s" if entry.seconds else ""
    return (
        f"{number}. <@{entry.member_id}>: {excerpt(entry.title)} ({_STATES.get(entry.state, 'done')}{length})"
    )
