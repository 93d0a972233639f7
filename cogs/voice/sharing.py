"""/voice share: who may use a voice."""

from __future__ import annotations

from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.answer import Answer
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.voices import Sharing
from bot.text.style import excerpt
from cogs.scopes import scope_of
from cogs.voice.completion import known
from cogs.voice.words import may_use

_WITH: Final = [
    Choice(name="only me", value=Sharing.ME.value),
    Choice(name="some members: name them", value=Sharing.MEMBERS.value),
    Choice(name="a role: name it", value=Sharing.ROLE.value),
    Choice(name="everyone here", value=Sharing.SERVER.value),
]
_ANOTHER: Final = "Another member who may use it"


class Giving(app_commands.Group):
    """Share voices"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command()
    @app_commands.rename(sharing="with")
    @app_commands.describe(
        name="Which of your voices",
        sharing="Who may use it from now on, besides you",
        role="With a role: which one",
        member="With members: who",
        member_2=_ANOTHER,
        member_3=_ANOTHER,
        member_4=_ANOTHER,
        member_5=_ANOTHER,
    )
    @app_commands.choices(sharing=_WITH)
    @app_commands.autocomplete(name=known)
    async def share(
        self,
        interaction: discord.Interaction,
        name: str,
        sharing: str,
        role: discord.Role | None = None,
        member: discord.User | None = None,
        member_2: discord.User | None = None,
        member_3: discord.User | None = None,
        member_4: discord.User | None = None,
        member_5: discord.User | None = None,
    ) -> None:
        """Say who may use a voice of yours."""
        named = (member, member_2, member_3, member_4, member_5)
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if scope.is_private and sharing != Sharing.ME.value:
            raise MemberError("Outside servers your voices are only yours. Save it in a server to share it.")
        voice = await self._library.voices.share(
            scope,
            voice.id,
            Sharing(sharing),
            role_id=role.id if role else None,
            member_ids=frozenset(one.id for one in named if one is not None),
        )
        lines = [f"**{excerpt(voice.name)}**: who may use it now: {may_use(voice)}."]
        refusal = await self._library.consents.may_speak(voice, scope.guild_id)
        if refusal is not None:
            lines.append(f"It is silent for now. {refusal}")
        await Answer.of(interaction).finish("\n".join(lines))
