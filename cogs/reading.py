"""/read, /spoken-name and /myna reading: what people write in a channel is heard in a voice channel."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import discord
from discord import SelectDefaultValueType, app_commands
from discord.ext import commands

from bot.command_tree import acknowledged
from bot.delivery.reply import Acknowledgement, Reply
from bot.errors import MemberError
from bot.interaction import is_in_charge, scope_of
from bot.library.audit import check_moderator
from bot.library.reading import ReadingRules
from bot.limits import (
    MAX_NAME_PAUSE,
    MAX_PREFIX_CHARS,
    MAX_READ_SECONDS,
    MAX_READ_WAIT,
    MAX_RULED,
    MAX_SPOKEN_NAME_CHARS,
    MIN_NAME_PAUSE,
    MIN_READ_SECONDS,
    MIN_READ_WAIT,
)
from bot.reading.readers import Readers
from bot.reading.rules import check_spoken_name
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import ON_OR_OFF, PersistentItem, bot_of, in_servers, replace_message, row_of

_NO_PREFIX: Final = "none"
_ON: Final = "on"

_MUTED: Final = "I no longer read what you write in this server. /read mute-me state: off undoes it."
_UNMUTED: Final = "I read what you write again, where I read aloud and you sit with me."


class ReadCommands(app_commands.Group, name="read", description="Read what people write here aloud"):
    """The group /read."""

    def __init__(self, bot: SpeechBot) -> None:
        super().__init__()
        self._readers = bot.readers
        self._reading = bot.library.reading

    @acknowledged(Acknowledgement.PUBLIC)
    @app_commands.command()
    async def here(self, interaction: discord.Interaction) -> None:
        """Read what people write in this channel aloud in your voice channel."""
        member, channel_id = _member(interaction), interaction.channel_id or 0
        there = await self._readers.begin(member, channel_id)
        await Reply.of(interaction).finish(
            f"I read <#{channel_id}> aloud in {there.mention}, everyone there in their own voice. "
            "Start a message with ; to keep me from reading it. /read stop ends it."
        )

    @acknowledged(Acknowledgement.PUBLIC)
    @app_commands.command()
    async def stop(self, interaction: discord.Interaction) -> None:
        """Stop reading this channel aloud."""
        member, channel_id = _member(interaction), interaction.channel_id or 0
        _check_may_stop(interaction, member)
        if not await self._readers.end(member.guild.id, channel_id):
            raise MemberError("I don't read this channel aloud. /read here begins it.")
        bound = {one.channel_id: one.voice_channel_id for one in self._readers.bound(member.guild.id)}
        words = "I've stopped reading this channel aloud."
        if channel_id in bound:
            words = (
                f"I've stopped reading this channel aloud, until <#{bound[channel_id]}> has been empty once."
            )
        await Reply.of(interaction).finish(words)

    @app_commands.command(name="mute-me")
    @app_commands.choices(state=ON_OR_OFF)
    @app_commands.describe(state="On unless you choose: nothing you write is read")
    async def mute_me(self, interaction: discord.Interaction, state: str = _ON) -> None:
        """Don't read what I write in this server."""
        member = _member(interaction)
        await self._reading.set_member(member.guild.id, member.id, is_muted=state == _ON)
        if state == _ON:
            self._readers.forget_member(member.guild.id, member.id)
        await Reply.of(interaction).finish(_MUTED if state == _ON else _UNMUTED)


@in_servers
@app_commands.command(name="spoken-name")
@app_commands.describe(name="How your name sounds, in letters; leave it out for your name here")
async def spoken_name(
    interaction: discord.Interaction, name: app_commands.Range[str, 1, MAX_SPOKEN_NAME_CHARS] | None = None
) -> None:
    """Choose what you're called when messages are read aloud."""
    member, said = _member(interaction), check_spoken_name(name) if name else None
    await bot_of(interaction).library.reading.set_member(member.guild.id, member.id, spoken_name=said)
    words = (
        f"I call you {excerpt(said)} when I read aloud." if said else "I call you by your name here again."
    )
    await Reply.of(interaction).finish(words)


def _member(interaction: discord.Interaction) -> discord.Member:
    member = interaction.user
    if not isinstance(member, discord.Member):
        raise MemberError("That works only in a server I've been added to.")
    return member


def _check_may_stop(interaction: discord.Interaction, member: discord.Member) -> None:
    """Raise `MemberError` unless the member sits with the bot, or moderates."""
    player = bot_of(interaction).players.get(member.guild.id)
    sits_here = player is not None and member.voice is not None and member.voice.channel == player.channel
    moderates = interaction.permissions.manage_guild or interaction.permissions.mute_members
    if not (player is None or sits_here or moderates or is_in_charge(member, player)):
        raise MemberError("Join me in the voice channel first. Moderators can stop me from anywhere.")


# -- /myna reading --------------------------------------------------------------------------------


class ReadingCommands(app_commands.Group, name="reading", description="How I read aloud in this server"):
    """The group /myna reading, for moderators."""

    def __init__(self, bot: SpeechBot) -> None:
        super().__init__()
        self._readers = bot.readers
        self._reading = bot.library.reading

    @app_commands.command()
    @app_commands.describe(
        longest="Seconds a message is read; longer ones end in “and so on”",
        wait="Seconds a message can wait before it's left out",
        names="Say who speaks",
        pause="Seconds of silence after which a name is said again: 10 to 60, or 0 for never",
        prefix="Messages that begin with this aren't read; “none” for no such sign",
        outsiders="Read members who aren't in the voice channel",
        bots="Read other bots and webhooks",
        emoji="Say what emoji show, up to three in a message",
        announce="Say who joins and leaves the voice channel",
    )
    @app_commands.choices(
        names=ON_OR_OFF, outsiders=ON_OR_OFF, bots=ON_OR_OFF, emoji=ON_OR_OFF, announce=ON_OR_OFF
    )
    async def settings(
        self,
        interaction: discord.Interaction,
        longest: app_commands.Range[int, MIN_READ_SECONDS, MAX_READ_SECONDS] | None = None,
        wait: app_commands.Range[int, MIN_READ_WAIT, MAX_READ_WAIT] | None = None,
        names: str | None = None,
        pause: app_commands.Range[int, 0, MAX_NAME_PAUSE] | None = None,
        prefix: app_commands.Range[str, 1, MAX_PREFIX_CHARS] | None = None,
        outsiders: str | None = None,
        bots: str | None = None,
        emoji: str | None = None,
        announce: str | None = None,
    ) -> None:
        """See and set how I read aloud in this server."""
        scope = scope_of(interaction)
        check_moderator(scope)
        if pause is not None and 0 < pause < MIN_NAME_PAUSE:
            raise MemberError(
                f"Choose a pause of {MIN_NAME_PAUSE} to {MAX_NAME_PAUSE} seconds, or 0 for never."
            )
        switched = {
            "says_names": names,
            "reads_outsiders": outsiders,
            "reads_bots": bots,
            "names_emoji": emoji,
            "announces": announce,
        }
        changed: dict[str, Any] = {
            name: value == _ON for name, value in switched.items() if value is not None
        }
        numbers = {"longest_seconds": longest, "longest_wait": wait, "name_pause": pause}
        changed |= {name: value for name, value in numbers.items() if value is not None}
        if prefix is not None:
            sign = prefix.strip()
            if not sign:
                raise MemberError("Type the signs that begin such messages, for example !")
            changed["prefix"] = "" if sign.casefold() == _NO_PREFIX else sign
        rules = (
            await self._reading.set_rules(scope, **changed)
            if changed
            else await self._reading.rules(scope.guild_id)
        )
        words, view = rules_page(rules, self._readers, interaction)
        await Reply.of(interaction).finish(words, view=view)

    @app_commands.command()
    @app_commands.describe(text="Which channel is read", voice="In which voice channel; its own chat too")
    async def bind(
        self,
        interaction: discord.Interaction,
        text: discord.TextChannel | discord.VoiceChannel | discord.StageChannel,
        voice: discord.VoiceChannel | discord.StageChannel,
    ) -> None:
        """Always read a text channel in a voice channel."""
        check_moderator(scope_of(interaction))
        await self._readers.bind(_member(interaction).guild, text.id, voice.id)
        await Reply.of(interaction).finish(
            f"When someone in {voice.mention} writes in {text.mention}, I join and read it aloud."
        )

    @app_commands.command()
    @app_commands.describe(text="Which channel; this one unless you choose")
    async def unbind(
        self,
        interaction: discord.Interaction,
        text: discord.TextChannel | discord.VoiceChannel | discord.StageChannel | None = None,
    ) -> None:
        """Stop always reading a text channel."""
        scope = scope_of(interaction)
        check_moderator(scope)
        channel_id = text.id if text is not None else interaction.channel_id or 0
        if not await self._readers.unbind(scope.guild_id, channel_id):
            raise MemberError(f"I don't read <#{channel_id}> aloud.")
        await Reply.of(interaction).finish(f"I no longer read <#{channel_id}> aloud.")

    @app_commands.command()
    @app_commands.describe(member="Whose messages", state="On unless you choose: nothing they write is read")
    @app_commands.choices(state=ON_OR_OFF)
    async def silence(self, interaction: discord.Interaction, member: discord.User, state: str = _ON) -> None:
        """Don't read what a member writes."""
        scope = scope_of(interaction)
        check_moderator(scope)
        silenced = (await self._reading.rules(scope.guild_id)).silenced_members - {member.id}
        if state == _ON:
            silenced |= {member.id}
        await self._reading.set_rules(scope, silenced_members=silenced)
        if state == _ON:
            self._readers.forget_member(scope.guild_id, member.id)
        told = "no longer read" if state == _ON else "read"
        await Reply.of(interaction).finish(f"I {told} what {member.mention} writes.")


def rules_page(
    rules: ReadingRules, readers: Readers, interaction: discord.Interaction
) -> tuple[str, discord.ui.View]:
    """Return how messages are read in a server, in words, and the menu of who may change the dictionary."""
    bound = readers.bound(interaction.guild_id or 0)
    shown = ", ".join(f"<#{one.channel_id}> in <#{one.voice_channel_id}>" for one in bound)
    pause = f", and after {rules.name_pause} s of silence" if rules.name_pause else ""
    signs = f"`;` or `{rules.prefix}`" if rules.prefix else "`;`"
    lines = [
        "**Reading aloud in this server**",
        f"- Always: {shown or 'no channel. Add one with /myna reading bind'}",
        f"- A message: up to {rules.longest_seconds} s; left out if it would wait more than "
        f"{rules.longest_wait} s",
        f"- Names: {f'when the speaker changes{pause}' if rules.says_names else 'not said'}",
        f"- Never read: what begins with {signs}, @silent messages, answers of commands",
        f"- Members outside the voice channel: {_read(rules.reads_outsiders)}",
        f"- Bots and webhooks: {_read(rules.reads_bots)}",
        f"- Emoji: {'by name, up to three' if rules.names_emoji else 'not said'}",
        f"- Who joins and leaves: {'said' if rules.announces else 'not said'}",
        f"- Members I don't read: {_mentions('@', rules.silenced_members) or 'none'}",
        f"- The dictionary can be changed by: {_mentions('@&', rules.dictionary_roles) or 'moderators'}",
    ]
    if not readers.sees_messages:
        lines.append("I can't see what people write here: I lack the Message Content Intent.")
    return "\n".join(lines), row_of(DictionaryRoles(rules))


def _read(is_read: bool) -> str:
    return "read" if is_read else "not read"


def _mentions(sign: str, ids: Iterable[int]) -> str:
    return ", ".join(f"<{sign}{one}>" for one in sorted(ids))


class DictionaryRoles(
    PersistentItem,
    discord.ui.DynamicItem[discord.ui.RoleSelect[discord.ui.View]],
    template="reading:dictionary",
):
    """Menu of the roles that may change the dictionary; it outlives a restart."""

    def __init__(self, rules: ReadingRules | None = None) -> None:
        chosen = rules.dictionary_roles if rules is not None else frozenset()
        super().__init__(
            discord.ui.RoleSelect(
                custom_id=self.id_of(),
                placeholder="Roles that may change the dictionary",
                min_values=0,
                max_values=MAX_RULED,
                default_values=[
                    discord.SelectDefaultValue(id=one, type=SelectDefaultValueType.role)
                    for one in sorted(chosen)
                ],
            )
        )

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Let these roles change it, if the presser is a moderator, and show all rules as they are now."""
        scope = scope_of(interaction)
        check_moderator(scope)
        chosen = frozenset(role.id for role in self.item.values)
        rules = await bot.library.reading.set_rules(scope, dictionary_roles=chosen)
        await replace_message(interaction, *rules_page(rules, bot.readers, interaction))


# -- what happens at Discord ----------------------------------------------------------------------


class ReadingEvents(commands.Cog):
    """Tells the readers what is written, edited and deleted, and who comes and goes."""

    def __init__(self, readers: Readers) -> None:
        self._readers = readers

    @commands.Cog.listener()
    async def on_message(self, message: discord.Message) -> None:
        """Tell that a message was written."""
        await self._readers.on_message(message)

    @commands.Cog.listener()
    async def on_raw_message_edit(self, event: discord.RawMessageUpdateEvent) -> None:
        """Tell that one was edited."""
        await self._readers.on_edit(event.message)

    @commands.Cog.listener()
    async def on_raw_message_delete(self, event: discord.RawMessageDeleteEvent) -> None:
        """Tell that one was deleted."""
        await self._readers.on_delete(event.guild_id, event.channel_id, [event.message_id])

    @commands.Cog.listener()
    async def on_raw_bulk_message_delete(self, event: discord.RawBulkMessageDeleteEvent) -> None:
        """Tell that many were deleted at once."""
        await self._readers.on_delete(event.guild_id, event.channel_id, event.message_ids)

    @commands.Cog.listener()
    async def on_guild_channel_delete(self, channel: discord.abc.GuildChannel) -> None:
        """Tell that a channel is gone."""
        await self._readers.on_channel_deleted(channel)

    @commands.Cog.listener()
    async def on_guild_remove(self, guild: discord.Guild) -> None:
        """Tell that the bot is not in a server any more."""
        await self._readers.on_guild_left(guild.id)

    @commands.Cog.listener()
    async def on_voice_state_update(
        self, member: discord.Member, before: discord.VoiceState, after: discord.VoiceState
    ) -> None:
        """Tell who came, left or was moved."""
        self._readers.on_voice_state(member, before, after)


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and pass on the events."""
    await bot.add_cog(ReadingEvents(bot.readers))
    bot.add_dynamic_items(DictionaryRoles)
    bot.tree.add_command(in_servers(ReadCommands(bot)))
    bot.tree.add_command(spoken_name)
    myna = bot.tree.get_command("myna")
    assert isinstance(myna, app_commands.Group), "cogs.myna is loaded before"  # noqa: S101
    myna.add_command(ReadingCommands(bot))
