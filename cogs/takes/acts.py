"""What the buttons under a take do at once: Again, Play, As voice message, Delete, Report."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

import discord

from bot.answer import Answer
from bot.destinations import voice_channel_of, why_not_voice
from bot.errors import MemberError
from bot.giving.voice_posting import why_not_here
from cogs.scopes import scope_of
from cogs.takes.press import Press

_NOT_YOURS: Final = "Only who asked for this can have it made again. Type /speak yourself."
_NOT_DELETED: Final = (
    "Only who asked for this can delete it, or a moderator with the permission Manage Messages."
)

_REPORTED: Final = "Thank you. The moderators can see your report, and freeze the voice: /voice audit."


async def again(press: Press) -> None:
    """Make a new take for who asked for the first."""
    take = await press.own_take(_NOT_YOURS)
    may_speak = press.bot.accesses.at(press.interaction).may_speak
    order = press.bot.keeping.order_again(take.id)
    for voice in order.request.voices if order else ():
        refusal = await may_speak(voice)
        if refusal is not None:
            raise MemberError(refusal)
    if order is None:
        order = await press.bot.ordering.again(scope_of(press.interaction), take, may_speak)
    await press.bot.delivery.carry_out(press.interaction, order)


async def play(press: Press) -> None:
    """Let the presser's voice channel hear it."""
    interaction = press.interaction
    channel, member = voice_channel_of(interaction), interaction.user
    if channel is None or not isinstance(member, discord.Member):
        raise MemberError("Join a voice channel first.")
    reason = why_not_voice(interaction, channel)
    if reason is not None:
        raise MemberError(reason)
    if not channel.permissions_for(member).speak:
        raise MemberError(f"You may not speak in {channel.mention}, so I do not speak there for you.")
    take = await press.take()
    place = await press.bot.under_takes.play(take, press.message, channel, member)
    await Answer.of(interaction).finish(f"{place.where}.")


async def as_voice_message(press: Press) -> None:
    """Send it as a voice message into the channel, for whoever may send one there."""
    interaction = press.interaction
    reason = why_not_here(interaction)
    if reason is not None:
        raise MemberError(f"{reason}.")
    allowed = interaction.permissions
    may_write = (
        allowed.send_messages_in_threads
        if isinstance(interaction.channel, discord.Thread)
        else allowed.send_messages
    )
    if not (may_write and allowed.send_voice_messages):
        raise MemberError("You may not send voice messages here, so I do not send one for you.")
    take = await press.take()
    await press.bot.under_takes.send_as_voice_message(
        take, press.message, interaction.client, member_id=interaction.user.id
    )
    await Answer.of(interaction).finish("Sent.")


async def delete(press: Press) -> None:
    """Delete the message, and what is kept of the take."""
    interaction = press.interaction
    take = await press.take()
    if take.member_id != interaction.user.id and not (
        press.guild_id is not None and interaction.permissions.manage_messages
    ):
        raise MemberError(_NOT_DELETED)
    await press.bot.under_takes.forget(take)
    with suppress(discord.NotFound):  # somebody was faster
        await interaction.delete_original_response()


async def report(press: Press) -> None:
    """Report the cloned voices in it to the moderators."""
    interaction = press.interaction
    take = await press.take()
    scope = scope_of(interaction)
    cloned = await press.bot.under_takes.cloned(take)
    if not cloned:
        raise MemberError("The voice in it was deleted or withdrawn, so there is nothing left to report.")
    for voice in cloned:
        await press.bot.library.audit.report(
            scope,
            voice.id,
            take_id=take.id,
            member_id=take.member_id,
            channel_id=interaction.channel_id,
            message_id=press.message.id,
        )
    await Answer.of(interaction).finish(_REPORTED)
