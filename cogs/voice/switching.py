"""/voice cloning: whether members of a server may clone voices at all."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.answer import Answer
from bot.errors import MemberError
from bot.library.consent import POLICY_VERSION
from bot.library.library import Library
from bot.library.reports import check_moderator
from bot.library.scope import Scope
from bot.library.voice import NOBODY
from bot.library.voices import Kind
from bot.library.withdrawal import Withdrawal
from bot.limits import MAX_VOICES_PER_GUILD
from cogs.consent.own_voice import TurnOn
from cogs.consent.words import POLICY
from cogs.scopes import scope_of

SWITCHES: Final = [Choice(name="on", value="on"), Choice(name="off", value="off")]

_ON: Final = "Cloning is on. Members clone their voice with /clone or /voice save; others are asked first."
_OFF: Final = (
    "Cloning is off. Cloned voices are silent here from now on; designed ones still speak. "
    "The cloned ones come back when it is turned on again; /voice delete removes one for good."
)


class Switching(app_commands.Group):
    """Turn cloning on and off"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command()
    @app_commands.describe(cloning="On or off, for everyone in this server")
    @app_commands.rename(cloning="switch")
    @app_commands.choices(cloning=SWITCHES)
    async def cloning(self, interaction: discord.Interaction, cloning: str) -> None:
        """Turn the cloning of voices on or off in this server. For moderators."""
        scope = scope_of(interaction)
        if scope.is_private:
            raise MemberError("Outside servers there is nothing to switch: you clone only your own voice.")
        check_moderator(scope)
        if cloning == "off":
            await self._turn_off(scope)
            await Answer.of(interaction).finish(_OFF)
        elif await self._library.consents.refusal(scope, NOBODY) is None:
            await Answer.of(interaction).finish(_ON)
        else:
            await TurnOn(self._library, _say_on).ask(interaction, POLICY)

    async def _turn_off(self, scope: Scope) -> None:
        """Turn it off, and let what is cloned fall silent at once, in the queue too."""
        await self._library.settings.set_cloning(scope, False, policy=POLICY_VERSION)
        page = await self._library.voices.page(scope, 0, MAX_VOICES_PER_GUILD)
        cloned = [replace(voice, is_frozen=True) for voice in page.voices if voice.kind is Kind.CLONED]
        likenesses = await self._library.consents.likenesses_in(scope.guild_id)
        await self._library.withdrawals.announce(Withdrawal(cloned, is_final=False, likenesses=likenesses))


async def _say_on(press: discord.Interaction) -> None:
    await Answer.of(press).finish(_ON)
