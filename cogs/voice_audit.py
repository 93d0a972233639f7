"""/myna audit and /myna reports: who used which cloned voice, and the buttons to freeze one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord

from bot.interaction import scope_of
from bot.library.audit import AuditedVoice, Report, Use, check_moderator
from bot.library.library import Library
from bot.library.voice import Scope, Voice
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentButton, PersistentMenu, names_for, replace_message, row_of
from cogs.voice_text import ago, owner_of
from cogs.voice_views import pressed_voice

PAGE_SIZE: Final = 10
_MAX_CHARS: Final = 1_950  # Discord takes 2,000
_ALL: Final = "all"
_MENU_SIZE: Final = 25  # at Discord
_SHOWN_REPORTS: Final = 5


_LIKENESS: Final = "clone:"
"""Begins what stands for /clone after one member's recordings in a custom id; ids of voices have no colon."""


def _key_of(voice: AuditedVoice) -> str:
    return f"{_LIKENESS}{voice.speaker_id}" if voice.is_likeness else voice.voice_id


def _audited(key: str) -> AuditedVoice | None:
    """Return what a button or menu is about; None: everything."""
    if key.startswith(_LIKENESS):
        return AuditedVoice.likeness_of(int(key.removeprefix(_LIKENESS)))
    return None if key == _ALL else AuditedVoice(key)


async def audit_page(
    interaction: discord.Interaction, library: Library, voice: AuditedVoice | None, number: int
) -> tuple[str, discord.ui.View | None]:
    """Return a page of the record of a voice, or of all, in words, and its buttons.

    Of a voice that is gone there may still be uses, and reports to be put away.
    """
    scope = scope_of(interaction)
    page = await library.audit.page(scope, number, PAGE_SIZE, voice=voice)
    uses = page.entries
    reports = await library.audit.reports(scope, voice=voice)
    if voice is None:
        lines = _open_reports(len(reports))
        items = _menu_of(await _names(interaction, library, uses, reports))
    else:
        lines, items = await _standing(library, scope, voice, reports)
    lines += [_line(use) for use in uses] or ["Nobody has used a cloned voice here yet."]
    if page.pages > 1:
        lines.append(f"Page {page.number + 1} of {page.pages}, {page.total} uses.")
    key = _ALL if voice is None else _key_of(voice)
    if page.number > 0:
        items.append(AuditButton(page.number - 1, key, "Newer"))
    if page.number + 1 < page.pages:
        items.append(AuditButton(page.number + 1, key, "Older"))
    return "\n".join(lines)[:_MAX_CHARS], row_of(*items) if items else None


async def reports_page(
    interaction: discord.Interaction, library: Library
) -> tuple[str, discord.ui.View | None]:
    """Return the open reports, newest first, in words, and a menu to look into what they are about."""
    reports = await library.audit.reports(scope_of(interaction))
    if not reports:
        return "There are no open reports.", None
    names = await _names(interaction, library, (), reports)
    lines = _open_reports(len(reports))
    lines += [f"{excerpt(names[_key_of(one.voice)])} · {_report_line(one)}" for one in reports]
    return "\n".join(lines)[:_MAX_CHARS], row_of(*_menu_of(names))


def _menu_of(names: Mapping[str, str]) -> list[discord.ui.Item[Any]]:
    return [VoiceMenu(dict(list(names.items())[:_MENU_SIZE]))] if names else []


async def _names(
    interaction: discord.Interaction, library: Library, uses: Sequence[Use], reports: Sequence[Report]
) -> dict[str, str]:
    """Return the names of the voices that were reported or used, by their keys."""
    names = {_key_of(use.voice): use.voice_name for use in uses if use.voice_name}
    likenesses = {}
    for voice in (*(report.voice for report in reports), *(use.voice for use in uses)):
        if voice.is_likeness:
            if voice.speaker_id is not None:
                likenesses[_key_of(voice)] = voice.speaker_id
        elif voice.voice_id not in names and any(report.voice == voice for report in reports):
            found = await _voice_here(library, scope_of(interaction), voice)
            names[voice.voice_id] = found.name if found else "A voice that is deleted"
    known = await names_for(interaction, " ".join(f"<@{one}>" for one in likenesses.values()))
    for key, member_id in likenesses.items():
        names[key] = f"/clone, by {known.members.get(member_id, f'member {member_id}')}"
    return names


async def _voice_here(library: Library, scope: Scope, voice: AuditedVoice) -> Voice | None:
    found = await library.voices.unscoped(voice.voice_id)
    return found if found is not None and found.guild_id == scope.guild_id else None


def _open_reports(count: int) -> list[str]:
    if not count:
        return []
    are = "1 report is" if count == 1 else f"{count} reports are"
    return [f"{are} open. Choose the voice below to look into it."]


async def _standing(
    library: Library, scope: Scope, voice: AuditedVoice, reports: Sequence[Report]
) -> tuple[list[str], list[discord.ui.Item[Any]]]:
    """Return how a voice stands, with the reports about it, and the buttons that change that."""
    is_frozen: bool | None = None
    found = None
    if voice.is_likeness:
        is_frozen = await library.audit.is_likeness_frozen(scope, voice.speaker_id or 0)
    else:
        found = await _voice_here(library, scope, voice)
        is_frozen = found.is_frozen if found else None
    states = {None: "is deleted", True: "is frozen: nobody can speak with it", False: "is in use"}
    told = f" · {len(reports)} open report{'s' if len(reports) > 1 else ''}" if reports else ""
    standing = f"{_named(voice, found)} {states[is_frozen]}.{told}"
    lines = [standing, *(_report_line(one) for one in reports[:_SHOWN_REPORTS])]
    items: list[discord.ui.Item[Any]] = []
    if is_frozen is not None:
        items.append(FreezeButton("thaw" if is_frozen else "freeze", _key_of(voice)))
    if reports:
        items.append(FreezeButton("settle", _key_of(voice)))
    return lines, items


def _named(voice: AuditedVoice, found: Voice | None) -> str:
    """Return what the record is about, in words; ``found`` is the saved voice, if it is still there."""
    if voice.is_likeness:
        return f"What /clone makes of recordings that <@{voice.speaker_id}> calls their own"
    return f"**{excerpt(found.name)}** of {owner_of(found)}" if found else "That voice"


def _report_line(report: Report) -> str:
    who = f" · made for <@{report.member_id}>" if report.member_id else ""
    return f"Reported {ago(report.reported_at)}{who}{_link(report)}"


def _line(use: Use) -> str:
    who = f"<@{use.member_id}>" if use.member_id else "somebody who has deleted their data"
    return f"{ago(use.used_at)} · {who} · {_what(use)} · {use.seconds:.1f} s{_link(use)}"


def _link(entry: Use | Report) -> str:
    if not (entry.message_id and entry.channel_id):
        return ""
    return f" · https://discord.com/channels/{entry.guild_id}/{entry.channel_id}/{entry.message_id}"


def _what(use: Use) -> str:
    if use.voice.is_likeness:
        is_own = use.speaker_id in (None, use.member_id)
        return f"a recording of {'their own' if is_own else f'<@{use.speaker_id}>'}, with /clone"
    return f"**{excerpt(use.voice_name)}**" if use.voice_name else "a voice that is deleted"


async def _show(press: discord.Interaction, bot: SpeechBot, key: str, number: int) -> None:
    """Show a page in the message whose button was pressed. Raises `MemberError`."""
    check_moderator(scope_of(press))
    await replace_message(press, *await audit_page(press, bot.library, _audited(key), number))


_KEY: Final = r"[\w-]{22}|clone:\d{1,20}"


class AuditButton(PersistentButton, template=rf"voice:audit:(?P<number>\d{{1,6}}):(?P<voice>{_KEY}|all)"):
    """Button that turns to a page of the record."""

    def __init__(self, number: str | int, voice: str, label: str = "Page") -> None:
        super().__init__(label, number=number, voice=voice)
        self._number, self._key = int(number), voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the page."""
        await _show(interaction, bot, self._key, self._number)


class VoiceMenu(PersistentMenu, template="voice:look"):
    """Menu to choose the voice to look into."""

    def __init__(self, names: Mapping[str, str] | None = None) -> None:
        super().__init__("Look into a voice", names)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the record of the voice."""
        await _show(interaction, bot, self.item.values[0], 0)


class FreezeButton(PersistentButton, template=rf"voice:(?P<act>freeze|thaw|settle):(?P<voice>{_KEY})"):
    """Button that freezes a voice at once, thaws it, or settles the reports about it."""

    _LABELS: Final = {"freeze": "Freeze", "thaw": "Unfreeze", "settle": "Dismiss reports"}

    def __init__(self, act: str, voice: str) -> None:
        style = discord.ButtonStyle.danger if act == "freeze" else discord.ButtonStyle.secondary
        super().__init__(self._LABELS[act], style, act=act, voice=voice)
        self._act, self._key = act, voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it, if this member is a moderator."""
        scope = scope_of(interaction)
        check_moderator(scope)
        voice = _audited(self._key)
        assert voice is not None, "its template names one"  # noqa: S101
        is_freeze = self._act == "freeze"
        if self._act == "settle":
            if not await bot.library.audit.settle(scope, voice) and not voice.is_likeness:
                await pressed_voice(bot.library, scope, voice.voice_id)  # it may be another server's
        elif voice.is_likeness:
            await bot.library.audit.freeze_likeness(scope, voice.speaker_id or 0, is_freeze)
        else:
            await pressed_voice(bot.library, scope, voice.voice_id)
            await bot.library.audit.freeze(scope, voice.voice_id, is_freeze)
        await _show(interaction, bot, self._key, 0)
