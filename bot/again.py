"""The button Again: a new take of what was made before."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import discord

from bot.answer import Answer
from bot.errors import MemberError
from bot.tree import answer_error

Redo = Callable[[discord.Interaction], Awaitable[None]]
"""Carries out an order once more, as the answer to the press that it is given."""


class AgainButton(discord.ui.View):
    """A button under ``answer`` for the member who asked for it.

    It goes away before the answer can no longer be changed.
    """

    def __init__(self, answer: Answer, *, member_id: int, redo: Redo) -> None:
        super().__init__(timeout=answer.seconds_to_change)
        self._answer = answer
        self._member_id = member_id
        self._redo = redo

    @discord.ui.button(label="Again", style=discord.ButtonStyle.secondary)
    async def again(self, interaction: discord.Interaction, _button: discord.ui.Button[AgainButton]) -> None:
        """Make it again."""
        await self._redo(interaction)

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Return whether this member may press it; others are told why not."""
        if interaction.user.id == self._member_id:
            return True
        await answer_error(
            interaction, MemberError("Only who asked for this can have it made again. Type /speak yourself.")
        )
        return False

    async def on_timeout(self) -> None:
        """Take the button away."""
        await self._answer.drop_buttons()

    async def on_error(
        self, interaction: discord.Interaction, error: Exception, _item: discord.ui.Item[Any], /
    ) -> None:
        """Answer with the sentence for ``error``, and log it."""
        await answer_error(interaction, error)
