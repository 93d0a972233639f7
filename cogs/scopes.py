"""Who asks, and where, as the library wants to know it."""

from __future__ import annotations

import discord

from bot.library.scope import Scope


def scope_of(interaction: discord.Interaction) -> Scope:
    """Return the scope of whoever used a command or pressed a button.

    Outside servers, and in servers the bot was not added to, it is their own private shelf. A moderator is
    who may manage the server, by the permissions that Discord sends along with this very interaction.
    """
    member = interaction.user
    if (
        interaction.guild_id is None
        or not interaction.is_guild_integration()
        or not isinstance(member, discord.Member)
    ):
        return Scope.alone(member.id)
    return Scope(
        guild_id=interaction.guild_id,
        member_id=member.id,
        role_ids=frozenset(role.id for role in member.roles),
        is_moderator=interaction.permissions.manage_guild,
    )
