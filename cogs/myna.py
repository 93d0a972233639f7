"""/myna: what moderators set in their server; and /usage, for everybody about themselves."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any, Final

import discord
from discord import SelectDefaultValueType, app_commands
from discord.app_commands import Choice

from bot.command_tree import acknowledged
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.request import asker_of
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.audit import AuditedVoice, check_moderator
from bot.library.guild_settings import AnswerRules, UsageRules, zones_like
from bot.library.library import Library
from bot.library.starters import DEFAULT_STARTER, starter_of
from bot.library.usage import EVERYBODYS, MINE, THE_SERVERS, MemberUsage, ServerUsage, amount, day_of
from bot.library.voice import Scope, utc_now
from bot.limits import MAX_DAILY_SECONDS, MAX_RULED, MAX_VOLUME, MIN_VOLUME, USAGE_SHOWN_DAYS
from bot.models import Allowance
from bot.playback.player import Volumes
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.consent import turn_cloning_off, turn_cloning_on
from cogs.ui import (
    ON_OR_OFF,
    PersistentButton,
    PersistentItem,
    PersistentMenu,
    bot_of,
    everywhere,
    in_servers,
    replace_message,
    row_of,
)
from cogs.voice_audit import AuditButton, FreezeButton, VoiceMenu, audit_page, reports_page
from cogs.voice_picker import FOR_SERVER, choose, send_picker
from cogs.voice_views import is_none, known, usable_or_none

_BAR_CHARS: Final = 20
_CHOICES: Final = 25  # at Discord
_WHOSE: Final = {
    MINE: "Your limit",
    THE_SERVERS: "This server's limit",
    EVERYBODYS: "My limit in all servers",
}
_VOLUMES: Final = (25, 50, 75, 100, 125, 150, 200)
_FREE: Final = "Takes that I've kept are free."


class MynaCommands(app_commands.Group, name="myna", description="Set Myna up in this server"):
    """The group /myna, which Discord shows to moderators only."""

    def __init__(self, library: Library, volumes: Volumes) -> None:
        super().__init__(default_permissions=discord.Permissions(manage_guild=True))
        self._library = library
        self._volumes = volumes

    @app_commands.command()
    async def setup(self, interaction: discord.Interaction) -> None:
        """See what is set in this server, and change it."""
        words, view = await setup_page(interaction, self._library, self._volumes)
        await Reply.of(interaction).finish(words, view=view)

    @app_commands.command()
    @app_commands.describe(state="On or off, for everyone in this server")
    @app_commands.choices(state=ON_OR_OFF)
    async def cloning(self, interaction: discord.Interaction, state: str) -> None:
        """Turn voice cloning on or off in this server."""
        scope = scope_of(interaction)
        check_moderator(scope)
        if state == "off":
            await Reply.of(interaction).finish(await turn_cloning_off(self._library, scope))
        else:
            await turn_cloning_on(interaction, self._library)

    @app_commands.command()
    @app_commands.describe(
        name="Which voice; leave it out to hear them first; none brings the first one back"
    )
    @app_commands.autocomplete(name=usable_or_none)
    async def voice(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """Set the server's default voice."""
        scope, voices = scope_of(interaction), self._library.voices
        check_moderator(scope)
        if name is None:
            await send_picker(interaction, self._library, FOR_SERVER)
        elif is_none(name):
            await voices.set_default(scope, None)
            await Reply.of(interaction).finish(
                f"Default voice removed. **{DEFAULT_STARTER.name}** speaks here again."
            )
        else:
            found = await voices.find(scope, name)
            await Reply.of(interaction).finish(await choose(self._library, scope, FOR_SERVER, found))

    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    @app_commands.describe(percent="10 to 200 (default: 100). Leave it out to see the volume")
    async def volume(
        self,
        interaction: discord.Interaction,
        percent: app_commands.Range[int, MIN_VOLUME, MAX_VOLUME] | None = None,
    ) -> None:
        """Set how loud I speak in this server."""
        guild_id = scope_of(interaction).guild_id
        if percent is None:
            await Reply.of(interaction).say(f"Volume here: {self._volumes.get(guild_id)}%.", ephemeral=True)
            return
        _check_volume(interaction)
        self._volumes.set(guild_id, percent)
        await Reply.of(interaction).say(f"Volume set to {percent}%. Applies from the next message.")

    @app_commands.command()
    @app_commands.describe(name="Which voice (default: all of them)")
    @app_commands.autocomplete(name=known)
    async def audit(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """See who used which cloned voice and when, and freeze one."""
        scope = scope_of(interaction)
        check_moderator(scope)
        found = None if name is None else await self._library.voices.find_to_manage(scope, name)
        looked_at = None if found is None else AuditedVoice(found.id, found.speaker_id)
        words, view = await audit_page(interaction, self._library, looked_at, 0)
        await Reply.of(interaction).finish(words, view=view)

    @app_commands.command()
    async def reports(self, interaction: discord.Interaction) -> None:
        """See what members have reported."""
        check_moderator(scope_of(interaction))
        words, view = await reports_page(interaction, self._library)
        await Reply.of(interaction).finish(words, view=view)

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
        check_moderator(scope_of(interaction))
        await Reply.of(interaction).finish(await usage_page(scope_of(interaction), bot_of(interaction)))


async def usage_page(scope: Scope, bot: SpeechBot) -> str:
    """Return in words how much new speech was made in a server, and which channels were read with it."""
    library, read = bot.library, bot.readers.made_lately(scope.guild_id)
    rules = await library.settings.usage_rules(scope.guild_id)
    used = await library.usage.of_server(scope.guild_id, Allowance(None, *rules.days))
    words = _server_in_words(used, [await _name(scope, library, voice_id) for voice_id, _ in used.voices])
    shown = [f"<#{channel_id}> {seconds} s" for channel_id, seconds in sorted(read.items())]
    return (
        f"{words}\nRead aloud in the last hour, counted anew when I restart: {', '.join(shown)}"
        if shown
        else words
    )


async def _name(scope: Scope, library: Library, voice_id: str) -> str:
    starter = starter_of(voice_id)
    if starter is not None:
        return f"**{starter.name}**"
    voice = await library.voices.unscoped(voice_id)
    if voice is None or voice.guild_id != scope.guild_id:
        return "a deleted voice"
    return f"**{excerpt(voice.name)}**"


def _check_volume(interaction: discord.Interaction) -> None:
    allowed = interaction.permissions
    if not (allowed.mute_members or allowed.manage_guild):
        raise MemberError("You need Mute Members or Manage Server to change the volume.")


async def setup_page(
    interaction: discord.Interaction, library: Library, volumes: Volumes
) -> tuple[str, discord.ui.View]:
    """Return what is set in a server, in words, and the buttons that change it.

    Raises `MemberError` for whoever is no moderator.
    """
    scope = scope_of(interaction)
    check_moderator(scope)
    chosen = await library.voices.chosen_voices(scope)
    speaking = chosen.default or chosen.starter
    voice = DEFAULT_STARTER.name if speaking is None else speaking.voice.name
    is_cloning = await library.settings.cloning_is_on(scope.guild_id)
    cloning = "on, for everyone's own voice" if is_cloning else "off, only starter and designed voices"
    (rules, answers), volume = await library.settings.rules(scope.guild_id), volumes.get(scope.guild_id)
    limit = f"{amount(rules.seconds_a_day)} of new speech a day" if rules.seconds_a_day else "no limit"
    reports = len(await library.audit.reports(scope))
    lines = [
        "**Myna in this server**",
        f"- Server's voice: **{excerpt(voice)}**",
        f"- Cloning: {cloning}",
        f"- Volume: {volume}%",
        f"- Each member: {limit}",
        f"- I can be used in: {_listed(_mentions('#', rules.allowed_channels), 'every channel')}",
        f"- Takes: {_in_words(answers)}",
        f"- Open reports: {reports or 'none'}",
    ]
    acts = ["voice", "off" if is_cloning else "on", "limits", "usage", "reports" if reports else "audit"]
    buttons = [SetupButton(act) for act in acts]
    return "\n".join(lines), row_of(*buttons, VolumeMenu(volume), AnswerMenu(answers))


class SetupButton(PersistentButton, template=r"myna:setup:(?P<act>voice|on|off|limits|usage|reports|audit)"):
    """Button under what is set in a server; it allows what its command allows."""

    LABELS: Final = MappingProxyType({
        "voice": "Choose the server's voice",
        "on": "Turn cloning on",
        "off": "Turn cloning off",
        "limits": "Set limits",
        "usage": "See usage",
        "reports": "See reports",
        "audit": "See who used which voice",
    })  # fmt: skip

    def __init__(self, act: str) -> None:
        super().__init__(self.LABELS[act], act=act)
        self._act = act

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: what opens something leaves the message as it is."""
        return Acknowledgement.UPDATE if self._act == "off" else Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it for a moderator."""
        scope, library = scope_of(interaction), bot.library
        check_moderator(scope)
        if self._act == "off":
            await turn_cloning_off(library, scope)
            await replace_message(interaction, *await setup_page(interaction, library, bot.volumes))
        elif self._act == "on":
            await turn_cloning_on(interaction, library)
        elif self._act == "voice":
            await send_picker(interaction, library, FOR_SERVER)
        elif self._act == "usage":
            await Reply.of(interaction).finish(await usage_page(scope, bot))
        else:
            words, view = await self._page(interaction, library)
            await Reply.of(interaction).finish(words, view=view)

    async def _page(
        self, interaction: discord.Interaction, library: Library
    ) -> tuple[str, discord.ui.View | None]:
        if self._act == "reports":
            return await reports_page(interaction, library)
        if self._act == "audit":
            return await audit_page(interaction, library, None, 0)
        rules = await library.settings.usage_rules(scope_of(interaction).guild_id)
        return limits_page(rules, interaction.guild)


class VolumeMenu(PersistentMenu, template="myna:volume"):
    """Menu of volumes."""

    def __init__(self, volume: int = 0) -> None:
        volumes = sorted({*_VOLUMES, volume} - {0})
        names = {str(one): f"Volume {one}%" for one in volumes}
        super().__init__("Volume", names, chosen=str(volume) if volume else None)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Set it, and show it."""
        scope, typed = scope_of(interaction), self.item.values[0]
        _check_volume(interaction)
        if not (typed.isdecimal() and MIN_VOLUME <= int(typed) <= MAX_VOLUME):
            raise MemberError("That volume isn't in the menu. Type /myna volume.")
        check_moderator(scope)
        bot.volumes.set(scope.guild_id, int(typed))
        await replace_message(interaction, *await setup_page(interaction, bot.library, bot.volumes))


class AnswerMenu(
    PersistentItem, discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template="myna:answers"
):
    """Menu of what is in an answer with speech."""

    LABELS: Final = MappingProxyType({
        "quotes_text": "Quote the text above each take",
        "sends_ogg": "Send Ogg files: much smaller than WAV",
    })  # fmt: skip

    def __init__(self, answers: AnswerRules | None = None) -> None:
        menu: discord.ui.Select[discord.ui.View] = discord.ui.Select(
            custom_id=self.id_of(),
            placeholder="Takes: without the text, as WAV",
            min_values=0,
            max_values=len(self.LABELS),
        )
        for name, label in self.LABELS.items():
            menu.add_option(label=label, value=name, default=answers is not None and getattr(answers, name))
        super().__init__(menu)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Set it, and show it."""
        chosen = {name: name in self.item.values for name in self.LABELS}
        await bot.library.settings.set_answer_rules(scope_of(interaction), **chosen)
        await replace_message(interaction, *await setup_page(interaction, bot.library, bot.volumes))


def _in_words(answers: AnswerRules) -> str:
    shown = "with" if answers.quotes_text else "without"
    return f"{shown} the text, as {'Ogg' if answers.sends_ogg else 'WAV'}"


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
    bot.add_dynamic_items(RuleMenu, SetupButton, VolumeMenu, AnswerMenu, AuditButton, VoiceMenu, FreezeButton)
    bot.tree.add_command(in_servers(MynaCommands(bot.library, bot.volumes)))
    bot.tree.add_command(usage)
