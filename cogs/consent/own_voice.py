"""What has to be settled before somebody clones their own voice: is it on here, and is it theirs."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Final, Self

import discord

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.library.consent import POLICY_VERSION
from bot.library.library import Library
from cogs.consent.words import NOTED, OWN_VOICE, POLICY, TURNED_ON
from cogs.lasting import Buttons, replace_message
from cogs.scopes import scope_of

log = logging.getLogger(__name__)

Proceed = Callable[[discord.Interaction], Awaitable[None]]
"""Goes on with what was asked for, as the answer to the interaction that it gets."""

_SECONDS: Final = 14 * 60.0
"""A little less than Discord lets the question be taken away again."""

_TOO_LATE: Final = "That took a while, so the buttons are gone. Type your command again."


def check_cloning(interaction: discord.Interaction, library: Library) -> bool:
    """Return whether cloning is on here, from memory; False for a moderator, who may turn it on first.

    Raises `MemberError` for everybody else.
    """
    scope = scope_of(interaction)
    if scope.is_private or library.settings.cloning_is_on(scope.guild_id):
        return True
    if not scope.is_moderator:
        raise MemberError("Cloning is off in this server. A moderator can turn it on: /voice cloning.")
    return False


async def cloning_on(interaction: discord.Interaction, library: Library, proceed: Proceed) -> None:
    """Call ``proceed`` if cloning is on here; a moderator may turn it on first.

    Raises `MemberError` for everybody else.
    """
    if check_cloning(interaction, library):
        await proceed(interaction)
    else:
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


class _Question(Buttons):
    """One question to one member, and what comes after a yes.

    Without ``proceed`` it takes the presses on questions from before a restart: what they agree to counts,
    only what they had typed is forgotten.
    """

    def __init__(self, library: Library, proceed: Proceed | None) -> None:
        super().__init__(timeout=None if proceed is None else _SECONDS)
        self._library = library
        self._proceed = proceed
        self._asked: Answer | None = None

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: as what was asked for, which goes on with it."""
        if self._asked is None:
            return Acknowledgement.UPDATE
        return Acknowledgement.EPHEMERAL if self._asked.is_ephemeral else Acknowledgement.PUBLIC

    async def ask(self, interaction: discord.Interaction, words: str) -> None:
        """Ask where only this member sees it."""
        self._asked = Answer.of(interaction)
        await self._asked.alone(words, self)

    async def go_on(self, press: discord.Interaction, otherwise: str) -> None:
        """Go on with what was asked for; where that is forgotten, answer ``otherwise``."""
        if self._asked is None:  # it goes on listening: there may be more such questions
            await replace_message(press, otherwise)
            return
        proceed, self._proceed = self._proceed, None
        self.stop()
        if proceed is None:  # pressed twice at once
            await Answer.of(press).alone(otherwise)
        else:
            await self._asked.withdraw()
            await proceed(press)

    async def on_timeout(self) -> None:
        """Say that it is too late."""
        if self._asked is not None:
            await self._asked.withdraw(_TOO_LATE)


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
