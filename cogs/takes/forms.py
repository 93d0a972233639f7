"""The buttons under a take that ask for a name first: Save voice, To soundboard."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable
from typing import Final

import discord

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.giving.order import title_of
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.text.style import excerpt, one_line
from cogs.lasting import Form
from cogs.scopes import scope_of
from cogs.takes.press import Press
from cogs.voice.saving import saved

log = logging.getLogger(__name__)

_MIN_SOUND_NAME: Final = 2
_MAX_SOUND_NAME: Final = 32
"""What Discord takes as the name of a soundboard sound."""

_NO_SLOT: Final = 30045
"""Discord: the maximum number of soundboard sounds is reached."""

_NEEDS: Final = "the permission Create Expressions"
_UNUSABLE: Final = re.compile(r"[^\w\s'-]")


Named = Callable[[discord.Interaction, str], Awaitable[str]]
"""Goes on with the name that was typed, and returns what the member reads."""


class NameForm(Form):
    """Asks for a name, and goes on with ``named``."""

    def __init__(self, title: str, field: discord.ui.TextInput[NameForm], named: Named) -> None:
        super().__init__(title=title)
        self._field = field
        self._named = named
        self.add_item(discord.ui.Label(text="Name", component=field))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How it is acknowledged when it is sent: for the member alone."""
        return Acknowledgement.EPHEMERAL

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Go on with what was typed."""
        await Answer.of(interaction).finish(await self._named(interaction, self._field.value))


async def save(press: Press) -> None:
    """Ask how the voice of the take shall be called, and save it."""

    async def named(interaction: discord.Interaction, name: str) -> str:
        take = await press.own_take("Only who asked for this can save its voice.")
        asked_by = interaction.user.display_name
        voice = await press.bot.under_takes.save(
            scope_of(interaction), take, press.message, name, asked_by=asked_by
        )
        return saved(voice)

    field = discord.ui.TextInput[NameForm](
        placeholder="What the voice will be called here", max_length=4 * MAX_VOICE_NAME_GRAPHEMES
    )
    await NameForm("Save this voice", field, named).open(press.interaction)


async def to_soundboard(press: Press) -> None:
    """Ask how the sound shall be called, and add it."""
    check_may_add(press.interaction)

    async def named(interaction: discord.Interaction, name: str) -> str:
        return await _add(press, interaction, name)

    field = discord.ui.TextInput[NameForm](
        placeholder="Its first words, unless you name it", required=False, max_length=_MAX_SOUND_NAME
    )
    await NameForm("To the soundboard", field, named).open(press.interaction)


async def _add(press: Press, interaction: discord.Interaction, name: str) -> str:
    """Add a take to the soundboard, and return what the member reads. Raises `MemberError`."""
    check_may_add(interaction)
    guild = interaction.guild
    assert guild is not None, "it was checked"  # noqa: S101
    take = await press.take()
    name = one_line(name)[:_MAX_SOUND_NAME] or _sound_name(title_of(take))
    if len(name) < _MIN_SOUND_NAME:
        raise MemberError(f"A sound needs a name of {_MIN_SOUND_NAME} to {_MAX_SOUND_NAME} characters.")
    clip = await press.bot.under_takes.clip(take, press.message, member_id=interaction.user.id)
    try:
        reason = f"asked for by {one_line(str(interaction.user))}"
        await guild.create_soundboard_sound(name=name, sound=clip.data, reason=reason)
    except discord.HTTPException as error:
        raise MemberError(_why_not_added(error)) from None
    words = f"**{excerpt(name)}** is on the soundboard now."
    return f"{words} Only its beginning: {clip.seconds:.1f} s fit." if clip.was_cut else words


def check_may_add(interaction: discord.Interaction) -> None:
    """Raise `MemberError` unless both the member and the bot may add sounds here."""
    if interaction.guild is None or not interaction.is_guild_integration():
        raise MemberError("I can add sounds only in servers I have been added to.")
    if not interaction.permissions.create_expressions:
        raise MemberError(f"To add a sound to the soundboard you need {_NEEDS}.")
    if not interaction.app_permissions.create_expressions:
        raise MemberError(f"I may not add sounds here: I need {_NEEDS}.")


def _why_not_added(error: discord.HTTPException) -> str:
    if error.code == _NO_SLOT:
        return "The soundboard of this server is full. Delete a sound there first."
    if isinstance(error, discord.Forbidden):
        return f"I may not add sounds here: I need {_NEEDS}."
    log.warning("a sound was not taken for a soundboard: %s", error)
    return "Discord did not take that as a sound. Try another name, or a shorter text."


def _sound_name(text: str) -> str:
    words = _UNUSABLE.sub("", one_line(text))
    name = " ".join(words.split())[:_MAX_SOUND_NAME].strip()
    return name if len(name) >= _MIN_SOUND_NAME else "Speech"
