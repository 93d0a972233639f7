"""/voice audit: who used which cloned voice, and the buttons to freeze one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord

from bot.interaction import scope_of
from bot.library.audit import OWN_RECORDING, Report, Use, check_moderator
from bot.library.library import Library
from bot.library.voice import Scope, Voice
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentButton, PersistentMenu, replace_message, row_of
from cogs.voice_text import ago, owner_of
from cogs.voice_views import pressed_voice

PAGE_SIZE: Final = 10
_MAX_CHARS: Final = 1_950  # Discord takes 2,000
_ALL: Final = "all"
_MENU_SIZE: Final = 25  # at Discord


async def audit_page(
    library: Library, scope: Scope, voice: Voice | None, number: int
) -> tuple[str, discord.ui.View | None]:
    """Return a page of the record of a voice, or of all, in words, and its buttons."""
    voice_id = None if voice is None else voice.id
    page = await library.audit.page(scope, number, PAGE_SIZE, voice_id=voice_id)
    uses = page.entries
    reports = await library.audit.reports(scope, voice_id=voice_id)
    lines = [_standing(voice, len(reports))] if voice else _open_reports(len(reports))
    lines += [_line(use) for use in uses] or ["Nobody has used a cloned voice here yet."]
    if page.pages > 1:
        lines.append(f"Page {page.number + 1} of {page.pages}, {page.total} uses.")
    items = _switches(voice, bool(reports)) if voice else await _choices(library, scope, uses, reports)
    if page.number > 0:
        items.append(AuditButton(page.number - 1, voice_id or _ALL, "Newer"))
    if page.number + 1 < page.pages:
        items.append(AuditButton(page.number + 1, voice_id or _ALL, "Older"))
    return "\n".join(lines)[:_MAX_CHARS], row_of(*items) if items else None


async def _choices(
    library: Library, scope: Scope, uses: Sequence[Use], reports: Sequence[Report]
) -> list[discord.ui.Item[Any]]:
    """Return a menu of the voices that were reported or are on this page."""
    names = {use.voice_id: use.voice_name for use in uses if use.voice_name}
    for voice_id in {report.voice_id for report in reports} - set(names):
        voice = await library.voices.unscoped(voice_id)
        if voice is not None and voice.guild_id == scope.guild_id:
            names[voice.id] = voice.name
    return [VoiceMenu(dict(list(names.items())[:_MENU_SIZE]))] if names else []


def _open_reports(count: int) -> list[str]:
    if not count:
        return []
    are = "1 report is" if count == 1 else f"{count} reports are"
    return [f"{are} open. Choose the voice below to look into it."]


def _switches(voice: Voice, is_reported: bool) -> list[discord.ui.Item[Any]]:
    freeze = FreezeButton("thaw" if voice.is_frozen else "freeze", voice.id)
    return [freeze, FreezeButton("settle", voice.id)] if is_reported else [freeze]


def _standing(voice: Voice, reports: int) -> str:
    state = "frozen: nobody can speak with it" if voice.is_frozen else "in use"
    told = f" · {reports} open report{'s' if reports > 1 else ''}" if reports else ""
    return f"**{excerpt(voice.name)}** of {owner_of(voice)} is {state}.{told}"


def _line(use: Use) -> str:
    who = f"<@{use.member_id}>" if use.member_id else "somebody who has deleted their data"
    where = ""
    if use.message_id and use.channel_id:
        where = f" · https://discord.com/channels/{use.guild_id}/{use.channel_id}/{use.message_id}"
    return f"{ago(use.used_at)} · {who} · {_what(use)} · {use.seconds:.1f} s{where}"


def _what(use: Use) -> str:
    if use.voice_id == OWN_RECORDING:
        return "a recording of their own, with /clone"
    return f"**{excerpt(use.voice_name)}**" if use.voice_name else "a voice that is deleted"


async def _show(press: discord.Interaction, bot: SpeechBot, voice_id: str, number: int) -> None:
    """Show a page in the message whose button was pressed. Raises `MemberError`."""
    scope = scope_of(press)
    check_moderator(scope)
    voice = None if voice_id == _ALL else await pressed_voice(bot.library, scope, voice_id)
    await replace_message(press, *await audit_page(bot.library, scope, voice, number))


class AuditButton(PersistentButton, template=r"voice:audit:(?P<number>\d{1,6}):(?P<voice>[\w-]{22}|all)"):
    """Button that turns to a page of the record."""

    def __init__(self, number: str | int, voice: str, label: str = "Page") -> None:
        super().__init__(label, number=number, voice=voice)
        self._number, self._voice_id = int(number), voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the page."""
        await _show(interaction, bot, self._voice_id, self._number)


class VoiceMenu(PersistentMenu, template="voice:look"):
    """Menu to choose the voice to look into."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__("Look into a voice", names)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the record of the voice."""
        await _show(interaction, bot, self.item.values[0], 0)


class FreezeButton(PersistentButton, template=r"voice:(?P<act>freeze|thaw|settle):(?P<voice>[\w-]{22})"):
    """Button that freezes a voice at once, thaws it, or settles the reports about it."""

    _LABELS: Final = {"freeze": "Freeze", "thaw": "Unfreeze", "settle": "Put the reports away"}

    def __init__(self, act: str, voice: str) -> None:
        style = discord.ButtonStyle.danger if act == "freeze" else discord.ButtonStyle.secondary
        super().__init__(self._LABELS[act], style, act=act, voice=voice)
        self._act, self._voice_id = act, voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it, if this member is a moderator."""
        scope = scope_of(interaction)
        check_moderator(scope)
        voice = await pressed_voice(bot.library, scope, self._voice_id)
        if self._act == "settle":
            await bot.library.audit.settle(scope, voice.id)
        else:
            await bot.library.audit.freeze(scope, voice.id, self._act == "freeze")
        await _show(interaction, bot, voice.id, 0)
