"""Which voice speaks when none is named: /voice use for oneself, /voice default for the server."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.answer import Answer
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.reports import check_moderator
from bot.text.style import excerpt
from cogs.scopes import scope_of
from cogs.voice.completion import is_none, known, usable_or_none


class Choosing(app_commands.Group):
    """Choose voices"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command()
    @app_commands.describe(name="Which voice; none takes your choice back")
    @app_commands.autocomplete(name=usable_or_none)
    async def use(self, interaction: discord.Interaction, name: str) -> None:
        """Choose the voice you speak with here when you name none."""
        scope, voices = scope_of(interaction), self._library.voices
        if is_none(name):
            await voices.choose(scope, None)
            await Answer.of(interaction).finish("You have chosen no voice here, so the server's is used.")
            return
        voice = await voices.find(scope, name)
        refusal = await self._library.consents.may_speak(voice, scope.guild_id)
        if refusal is not None:
            raise MemberError(refusal)
        await voices.choose(scope, voice.id)
        await Answer.of(interaction).finish(
            f"From now on you speak as **{excerpt(voice.name)}** here, unless you name another voice."
        )

    @app_commands.command()
    @app_commands.describe(name="Which voice; none lets the next take make a new one")
    @app_commands.autocomplete(name=known)
    async def default(self, interaction: discord.Interaction, name: str) -> None:
        """Choose the voice of this server, for all who have chosen none. For moderators."""
        scope, voices = scope_of(interaction), self._library.voices
        check_moderator(scope)
        if is_none(name):
            await voices.set_default(scope, None)
            await Answer.of(interaction).finish("There is no default voice here any more.")
            return
        voice = await voices.find_to_manage(scope, name)
        await voices.set_default(scope, voice.id)
        whose = "your voice" if scope.is_private else "the voice of this server"
        others = "" if scope.is_private else ", for all who have chosen no other"
        await Answer.of(interaction).finish(f"**{excerpt(voice.name)}** is {whose} now{others}.")
