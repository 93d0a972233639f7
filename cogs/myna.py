"""/myna: what moderators rule in their server; and /usage, for everybody about themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any, Final

import discord
from discord import SelectDefaultValueType, app_commands
from discord.app_commands import Choice

from bot.delivery.reply import Reply
from bot.delivery.request import asker_of
from bot.interaction import scope_of
from bot.library.audit import check_moderator
from bot.library.guild_settings import UsageRules, zones_like
from bot.library.library import Library
from bot.library.usage import EVERYBODYS, MINE, THE_SERVERS, MemberUsage, ServerUsage, amount, day_of
from bot.library.voice import Scope, utc_now
from bot.limits import MAX_DAILY_SECONDS, MAX_RULED, USAGE_SHOWN_DAYS
from bot.models import Allowance
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentItem, bot_of, everywhere, in_servers, replace_message, row_of

_BAR_CHARS: Final = 20
_CHOICES: Final = 25  # at Discord
_WHOSE: Final = {
    MINE: "Your limit",
    THE_SERVERS: "This server's limit",
    EVERYBODYS: "My limit in all servers",
}
_FREE: Final = "Takes that I've kept are free."


class MynaCommands(app_commands.Group, name="myna", description="Set Myna up in this server"):
    """The group /myna, which Discord shows to moderators only."""

    def __init__(self, library: Library) -> None:
        super().__init__(default_permissions=discord.Permissions(manage_guild=True))
        self._library = library

    @app_commands.command()
    @app_commands.describe(
        seconds="New speech for each member a day, in seconds; 0 for no limit",
        time_zone="Days begin at midnight there, for example in Europe/Berlin",
    )
    async def limits(
        self,
        interaction: discord.Interaction,
        seconds: app_commands.Range[int, 0, MAX_DAILY_SECONDS] | None = None,
        time_zone: str | None = None,
    ) -> None:
        """Set who can use Myna here, where, and how much."""
        scope = scope_of(interaction)
        check_moderator(scope)
        changed: dict[str, Any] = {} if time_zone is None else {"time_zone": time_zone}
        if seconds is not None:
            changed["seconds_a_day"] = seconds or None
        settings = self._library.settings
        rules = (
            await settings.set_usage_rules(scope, **changed)
            if changed
            else await settings.usage_rules(scope.guild_id)
        )
        words, view = limits_page(rules, interaction.guild)
        await Reply.of(interaction).finish(words, view=view)

    @limits.autocomplete("time_zone")
    async def _zones(self, _interaction: discord.Interaction, typed: str) -> list[Choice[str]]:
        names = await asyncio.to_thread(zones_like, typed, _CHOICES)  # it reads a folder the first time
        return [Choice(name=name, value=name) for name in names]

    @app_commands.command()
    async def usage(self, interaction: discord.Interaction) -> None:
        """See how much new speech was made in this server."""
        scope = scope_of(interaction)
        check_moderator(scope)
        rules = await self._library.settings.usage_rules(scope.guild_id)
        used = await self._library.usage.of_server(scope.guild_id, Allowance(None, *rules.days))
        names = [await self._name(scope, voice_id) for voice_id, _ in used.voices]
        await Reply.of(interaction).finish(_server_in_words(used, names))

    async def _name(self, scope: Scope, voice_id: str) -> str:
        voice = await self._library.voices.unscoped(voice_id)
        if voice is None or voice.guild_id != scope.guild_id:
            return "a deleted voice"
        return f"**{excerpt(voice.name)}**"


@everywhere
@app_commands.command()
async def usage(interaction: discord.Interaction) -> None:
    """See how much new speech you've had today, and your limits."""
    library = bot_of(interaction).library
    asker = await asker_of(interaction, library.settings)
    await Reply.of(interaction).finish(_member_in_words(await library.usage.of_member(asker)))


def limits_page(rules: UsageRules, guild: discord.Guild | None) -> tuple[str, discord.ui.View]:
    """Return what moderators allow in a server, in words, and the menus that change it."""
    limit = f"{amount(rules.seconds_a_day)} of new speech a day" if rules.seconds_a_day else "no limit"
    midnight = int(day_of(utc_now(), Allowance(None, *rules.days)).ends.timestamp())
    excluded = [*_mentions("@&", rules.excluded_roles), *_mentions("@", rules.excluded_members)]
    lines = [
        "**Limits in this server**",
        f"- Each member: {limit}",
        f"- Without that limit: {_listed(_mentions('@&', rules.exempt_roles), 'nobody')}",
        f"- Can't use me: {_listed(excluded, 'nobody')}",
        f"- I can be used in: {_listed(_mentions('#', rules.allowed_channels), 'every channel')}",
        f"- Next day: <t:{midnight}:R>, at midnight in {rules.time_zone}",
        f"{_FREE} Change the seconds and the time zone with the options of /myna limits.",
    ]
    return "\n".join(lines), row_of(*(RuleMenu(rule, rules, guild) for rule in RuleMenu.RULES))


def _mentions(sign: str, ids: Iterable[int]) -> list[str]:
    return [f"<{sign}{one}>" for one in sorted(ids)]


def _listed(shown: Sequence[str], otherwise: str) -> str:
    return ", ".join(shown) or otherwise


class RuleMenu(
    PersistentItem,
    discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]],
    template=r"myna:rule:(?P<rule>exempt|excluded|members|channels)",
):
    """Menu of roles, members or channels that a rule is about; it outlives a restart."""

    RULES: Final = {
        "exempt": ("exempt_roles", "Roles without the daily limit"),
        "excluded": ("excluded_roles", "Roles that can't use me"),
        "members": ("excluded_members", "Members who can't use me"),
        "channels": ("allowed_channels", "Channels where I can be used"),
    }

    def __init__(
        self, rule: str, rules: UsageRules | None = None, guild: discord.Guild | None = None
    ) -> None:
        self._field, placeholder = self.RULES[rule]
        chosen: frozenset[int] = frozenset() if rules is None else getattr(rules, self._field)
        options: dict[str, Any] = {
            "custom_id": self.id_of(rule=rule),
            "placeholder": placeholder,
            "min_values": 0,
            "max_values": MAX_RULED,
        }
        menu: Any
        if rule == "members":
            menu = discord.ui.UserSelect(
                **options, default_values=_shown(chosen, SelectDefaultValueType.user)
            )
        elif rule == "channels":
            there = [one for one in chosen if guild is None or guild.get_channel(one) is not None]
            shown = _shown(there, SelectDefaultValueType.channel)
            menu = discord.ui.ChannelSelect(**options, default_values=shown)
        else:
            there = [one for one in chosen if guild is None or guild.get_role(one) is not None]
            menu = discord.ui.RoleSelect(**options, default_values=_shown(there, SelectDefaultValueType.role))
        super().__init__(menu)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Keep what was chosen, if this member is a moderator, and show all rules as they are now."""
        scope = scope_of(interaction)
        check_moderator(scope)
        values: Sequence[Any] = self.item.values
        chosen = frozenset(one.id for one in values)
        rules = await bot.library.settings.set_usage_rules(scope, **{self._field: chosen})
        await replace_message(interaction, *limits_page(rules, interaction.guild))


def _shown(ids: Iterable[int], kind: SelectDefaultValueType) -> list[discord.SelectDefaultValue]:
    return [discord.SelectDefaultValue(id=one, type=kind) for one in sorted(ids)]


def _member_in_words(used: MemberUsage) -> str:
    lines = [f"You've had {amount(used.here)} of new speech here today."]
    lines += [
        f"- {_WHOSE[one.whose]}: {amount(one.used)} of {amount(one.limit)}. "
        f"It starts again <t:{int(one.ends.timestamp())}:R>."
        for one in used.limits
    ]
    return "\n".join([*lines, _FREE if used.limits else f"There's no limit. {_FREE}"])


def _server_in_words(used: ServerUsage, voices: Sequence[str]) -> str:
    most = max(seconds for _, seconds in used.days)
    if not most:
        return f"No new speech was made here in the last {USAGE_SHOWN_DAYS} days."
    chart = [f"{day:%b %d} {_bar(seconds / most)} {round(seconds)} s" for day, seconds in used.days]
    total = sum(seconds for _, seconds in used.days)
    lines = [f"**New speech here in the last {USAGE_SHOWN_DAYS} days**", "```", *chart, "```"]
    lines.append(f"Together: {amount(total)}, in {used.calls} call{'' if used.calls == 1 else 's'}.")
    if used.members:
        lines.append(f"Members: {', '.join(f'<@{who}> {round(seconds)} s' for who, seconds in used.members)}")
    named = zip(voices, used.voices, strict=True)
    if used.voices:
        lines.append(f"Voices: {', '.join(f'{name} {round(seconds)} s' for name, (_, seconds) in named)}")
    return "\n".join(lines)


def _bar(share: float) -> str:
    return "█" * max(1, round(_BAR_CHARS * share)) if share else "·"


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take choices in menus from before a restart."""
    bot.add_dynamic_items(RuleMenu)
    bot.tree.add_command(in_servers(MynaCommands(bot.library)))
    bot.tree.add_command(usage)
