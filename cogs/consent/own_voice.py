"""What has to be settled before somebody clones their own voice: is it on here, and is it theirs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final, Self

import discord

from bot.errors import MemberError
from bot.library.consent import POLICY_VERSION
from bot.library.library import Library
from bot.tree import answer_error
from cogs.consent.words import NOTED, OWN_VOICE, POLICY, TURNED_ON
from cogs.scopes import scope_of

log = logging.getLogger(__name__)

Proceed = Callable[[discord.Interaction], Awaitable[None]]
"""Goes on with what was asked for, as the answer to the interaction that it gets."""

_SECONDS: Final = 14 * 60.0
"""A little less than Discord lets the question be taken away again."""

_TOO_LATE: Final = "That took a while, so the buttons are gone. Type your command again."


async def cloning_on(interaction: discord.Interaction, library: Library, proceed: Proceed) -> None:
    """Call ``proceed`` if cloning is on here; a moderator may turn it on first.

    Raises `MemberError` for everybody else.
    """
    scope = scope_of(interaction)
    if scope.is_private or library.settings.cloning_is_on(scope.guild_id):
        await proceed(interaction)
        return
    if not scope.is_moderator:
        raise MemberError("Cloning is off in this server. A moderator can turn it on: /voice cloning.")
    await TurnOn(library, proceed).ask(interaction, POLICY)


async def with_own_voice(interaction: discord.Interaction, library: Library, proceed: Proceed) -> None:
    """Call ``proceed`` once this member may clone their own voice here.

    What is missing is asked for with buttons that only they see; ``proceed`` then gets the press. Raises
    `MemberError` where it cannot be settled.
    """

    async def attested(newest: discord.Interaction) -> None:
        scope = scope_of(newest)
        refusal = await library.consents.refusal(scope, scope.member_id)
        if refusal is not None:
            raise MemberError(refusal)
        if await library.consents.has_attested(scope):
            await proceed(newest)
        else:
            await MyOwn(library, proceed).ask(newest, OWN_VOICE)

    scope = scope_of(interaction)
    if await library.consents.is_never_cloned(scope.member_id):
        await attested(interaction)  # the refusal that comes first
    else:
        await cloning_on(interaction, library, attested)


class _Question(discord.ui.View):
    """One question to one member, and what comes after a yes.

    Without ``proceed`` it takes the presses on questions from before a restart: what they agree to counts,
    only what they had typed is forgotten.
    """

    def __init__(self, library: Library, proceed: Proceed | None) -> None:
        super().__init__(timeout=None if proceed is None else _SECONDS)
        self._library = library
        self._proceed = proceed
        self._asked: discord.Interaction | None = None

    async def ask(self, interaction: discord.Interaction, words: str) -> None:
        """Ask where only this member sees it."""
        self._asked = interaction
        await interaction.response.send_message(words, view=self, ephemeral=True)

    async def go_on(self, press: discord.Interaction, otherwise: str) -> None:
        """Go on with what was asked for; where that is forgotten, answer ``otherwise``."""
        proceed, self._proceed = self._proceed, None
        self.stop()
        if proceed is None:
            await press.response.edit_message(content=otherwise, view=None)
            return
        await self._take_away()
        await proceed(press)

    async def on_timeout(self) -> None:
        """Say that it is too late."""
        if self._asked is not None:
            with suppress(discord.HTTPException):
                await self._asked.edit_original_response(content=_TOO_LATE, view=None)

    async def on_error(
        self, interaction: discord.Interaction, error: Exception, _item: discord.ui.Item[Any], /
    ) -> None:
        """Answer with the sentence for ``error``, and log it."""
        await answer_error(interaction, error)

    async def _take_away(self) -> None:
        if self._asked is not None:
            with suppress(discord.HTTPException):
                await self._asked.delete_original_response()


class TurnOn(_Question):
    """Asks a moderator whether cloning may be turned on."""

    @discord.ui.button(
        label="Accept, and turn cloning on", custom_id="cloning:on", style=discord.ButtonStyle.primary
    )
    async def accept(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Turn it on for the server."""
        await self._library.settings.set_cloning(scope_of(press), True, policy=POLICY_VERSION)
        await self.go_on(press, TURNED_ON)


class MyOwn(_Question):
    """Asks a member whether it is their own voice."""

    @discord.ui.button(
        label="This is my own voice", custom_id="cloning:own", style=discord.ButtonStyle.primary
    )
    async def mine(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Write it down."""
        await self._library.consents.attest(scope_of(press))
        await self.go_on(press, NOTED)
