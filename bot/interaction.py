"""Interaction context: who asks, where, and what they and the bot may do there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import discord

from bot.errors import MemberError
from bot.library.voice import Scope
from bot.models import Destination
from bot.playback.permissions import VoiceChannelLike, missing_permission, speak_permission_error
from bot.playback.player import GuildPlayer
from bot.playback.players import GuildPlayers

INVITED: Final = discord.Permissions(
    view_channel=True,
    send_messages=True,
    send_messages_in_threads=True,
    attach_files=True,
    read_message_history=True,
    connect=True,
    speak=True,
    send_voice_messages=True,
    create_expressions=True,
)
"""What an invitation asks for: every permission that the bot asks for by itself, and no other.

Move Members (to join a full channel) and Mute Members (to speak on a stage) a server may add.
"""

_SCOPES: Final = ("bot", "applications.commands")


def invitation(application_id: int) -> str:
    """Return the address at which whoever manages a server adds the bot to it."""
    return discord.utils.oauth_url(application_id, permissions=INVITED, scopes=_SCOPES)


_HEARD = (Destination.VOICE_CHANNEL, Destination.BOTH)


@dataclass(frozen=True, slots=True)
class Target:
    """Where a speech goes, and the voice channel if it is heard in one.

    ``note`` says why it is not heard in the member's own, where nothing else was asked for.
    """

    to: Destination
    channel: VoiceChannelLike | None = None
    note: str = ""


def target_of(interaction: discord.Interaction, wish: Destination | None) -> Target:
    """Return the target of a speech. Raises `MemberError` where the wish cannot be fulfilled."""
    channel, note = None, ""
    if wish is None or wish in _HEARD:
        channel = voice_channel_of(interaction)
        reason = voice_permission_error(interaction, channel)
        if reason is not None:
            if wish is not None:
                raise MemberError(reason)
            channel, note = None, reason if channel is not None else ""
    target = Target(wish or (Destination.BOTH if channel else Destination.HERE), channel, note)
    no_file = file_permission_error(interaction)
    if target.to is Destination.HERE and no_file is not None:
        raise MemberError(f"{note} {no_file}".strip())
    return target


def guild_id_of(interaction: discord.Interaction) -> int | None:
    """Return the id of the server, if the bot is a member there."""
    return interaction.guild_id if interaction.is_guild_integration() else None


def file_permission_error(interaction: discord.Interaction) -> str | None:
    """Return why the bot can send no file where ``interaction`` happens, as a sentence; None: it can.

    Without "View Channel" there is no other permission either, so that one is named first.
    """
    allowed = interaction.app_permissions
    if not interaction.is_guild_integration() or interaction.channel_id is None:
        if allowed.attach_files:
            return None
        return 'I can only send files here if you can: you need the permission "Attach Files".'
    if not allowed.view_channel:
        return missing_permission("View Channel", interaction.channel_id)
    if not allowed.attach_files:
        return missing_permission("Attach Files", interaction.channel_id)
    return None


def write_permission_error(interaction: discord.Interaction) -> str | None:
    """Return why the bot cannot write where ``interaction`` happens, in a few words; None: it can.

    Without the first permission there are no others either; in a thread Send Messages has no effect.
    """
    allowed = interaction.app_permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    needed = {
        "View Channel": allowed.view_channel,
        "Send Messages in Threads" if in_thread else "Send Messages": (
            allowed.send_messages_in_threads if in_thread else allowed.send_messages
        ),
    }
    missing = next((name for name, is_given in needed.items() if not is_given), None)
    return None if missing is None else f'I need the permission "{missing}" here'


def voice_channel_of(interaction: discord.Interaction) -> VoiceChannelLike | None:
    """Return the voice channel in which the member is, if the bot can know of it."""
    user = interaction.user
    if not interaction.is_guild_integration() or not isinstance(user, discord.Member):
        return None
    return user.voice.channel if user.voice else None


def voice_permission_error(interaction: discord.Interaction, channel: VoiceChannelLike | None) -> str | None:
    """Return why the bot cannot be heard in ``channel``, the member's own, as a sentence; None: it can."""
    if interaction.guild is None or not interaction.is_guild_integration():
        return "I can only speak in voice channels of servers I've been added to. Try output: here."
    if channel is None:
        return "Join a voice channel first, or choose output: here."
    return speak_permission_error(channel, interaction.guild.me)


def scope_of(interaction: discord.Interaction) -> Scope:
    """Return the scope of whoever used a command or pressed a button.

    Outside servers, and in servers the bot was not added to, it is private. A moderator is a member who may
    manage the server, by the permissions that Discord sends along with this very interaction.
    """
    member, guild_id = interaction.user, guild_id_of(interaction)
    if guild_id is None or not isinstance(member, discord.Member):
        return Scope.alone(member.id)
    return Scope(
        guild_id=guild_id,
        member_id=member.id,
        role_ids=frozenset(role.id for role in member.roles),
        is_moderator=interaction.permissions.manage_guild,
    )


def player_of(players: GuildPlayers, interaction: discord.Interaction) -> tuple[GuildPlayer, discord.Member]:
    """Return the player of this server and the member who asks.

    Raises `MemberError` when the bot is in no voice channel.
    """
    player = players.get(interaction.guild_id or 0)
    if player is None or not isinstance(interaction.user, discord.Member):
        raise MemberError("I'm not in a voice channel. Join one and type /join.")
    return player, interaction.user


def is_in_charge(member: discord.Member, player: GuildPlayer) -> bool:
    """Return whether ``member`` may decide for all listeners: as a moderator, or as the only one."""
    channel = player.channel
    if channel is None:
        return False
    listeners = [other for other in channel.members if not other.bot]
    return channel.permissions_for(member).mute_members or listeners == [member]
