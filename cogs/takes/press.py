"""A press of a button under a take: who, where, which; and never the same twice at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import discord

from bot.errors import MemberError
from bot.giving.under_takes import EXPIRED
from bot.library.takes import Take
from bot.speech_bot import SpeechBot


@dataclass(frozen=True, slots=True)
class Press:
    """One press. ``message`` is the one with the button."""

    interaction: discord.Interaction
    bot: SpeechBot
    message: discord.Message
    take_id: str

    @classmethod
    @contextmanager
    def once(
        cls, interaction: discord.Interaction, bot: SpeechBot, act: str, take_id: str
    ) -> Iterator[Press]:
        """Yield the press. Raises `MemberError` while the same of the same member is still being done."""
        if interaction.message is None:
            raise MemberError(EXPIRED)
        with bot.under_takes.once(act, take_id, interaction.user.id):
            yield cls(interaction, bot, interaction.message, take_id)

    async def take(self) -> Take:
        """Return the take under which the button stands. Raises `MemberError` if it is not kept any more."""
        return await self.bot.under_takes.take(self.take_id, guild_id=self.guild_id)

    async def own_take(self, refusal: str) -> Take:
        """Return it to who asked for it. Raises `MemberError` with ``refusal`` for everybody else."""
        take = await self.take()
        if take.member_id != self.interaction.user.id:
            raise MemberError(refusal)
        return take

    @property
    def guild_id(self) -> int | None:
        """The server, if the bot is a member there."""
        return self.interaction.guild_id if self.interaction.is_guild_integration() else None
