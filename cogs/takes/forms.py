"""The buttons under a take that ask for a name first: Save voice, To soundboard."""

from __future__ import annotations

import logging
import re
from typing import Final

import discord

from bot.answer import Answer
from bot.errors import MemberError
from bot.giving.order import title_of
from bot.library.takes import Take
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.text.style import one_line
from bot.tree import answer_error
from cogs.scopes import scope_of
from cogs.takes.press import Press
from cogs.voice.saving import saved

log = logging.getLogger(__name__)

_SECONDS: Final = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""

_MIN_SOUND_NAME: Final = 2
_MAX_SOUND_NAME: Final = 32
"""What Discord takes as the name of a soundboard sound."""

_NO_SLOT: Final = 30045
"""Discord: the maximum number of soundboard sounds is reached."""

_NEEDS: Final = "the permission Create Expressions"


class _NameForm(discord.ui.Modal):
    """Asks for a name, and goes on with it."""

    def __init__(self, press: Press, take: Take, title: str, name: discord.ui.TextInput[_NameForm]) -> None:
        super().__init__(title=title, timeout=_SECONDS)
        self._press = press
        self._take = take
        self._input = name
        self.add_item(discord.ui.Label(text="Name", component=name))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Go on with what was typed."""
        await Answer.of(interaction).defer(ephemeral=True)
        await Answer.of(interaction).finish(await self.named(interaction, self._input.value))

    async def named(self, interaction: discord.Interaction, name: str) -> str:
        """Do it, and return what the member reads."""
        raise NotImplementedError

    async def on_error(self, interaction: discord.Interaction, error: Exception, /) -> None:  # type: ignore[override]  # as in discord.py
        """Answer as a failed command is answered."""
        await answer_error(interaction, error)


class _SaveForm(_NameForm):
    def __init__(self, press: Press, take: Take) -> None:
        field = discord.ui.TextInput[_NameForm](
            placeholder="What the voice will be called here", max_length=4 * MAX_VOICE_NAME_GRAPHEMES
        )
        super().__init__(press, take, "Save this voice", field)

    async def named(self, interaction: discord.Interaction, name: str) -> str:
        scope = scope_of(interaction)
        voice = await self._press.bot.under_takes.save(
            scope, self._take, self._press.message, name, asked_by=interaction.user.display_name
        )
        return saved(voice)


class _SoundForm(_NameForm):
    def __init__(self, press: Press, take: Take) -> None:
        field = discord.ui.TextInput[_NameForm](
            default=_sound_name(title_of(take)), min_length=_MIN_SOUND_NAME, max_length=_MAX_SOUND_NAME
        )
        super().__init__(press, take, "To the soundboard", field)

    async def named(self, interaction: discord.Interaction, name: str) -> str:
        check_may_add(interaction)
        guild = interaction.guild
        assert guild is not None, "it was checked"  # noqa: S101
        name = one_line(name)[:_MAX_SOUND_NAME]
        if len(name) < _MIN_SOUND_NAME:
            raise MemberError(f"A sound needs a name of {_MIN_SOUND_NAME} to {_MAX_SOUND_NAME} characters.")
        clip = await self._press.bot.under_takes.clip(
            self._take, self._press.message, member_id=interaction.user.id
        )
        try:
            await guild.create_soundboard_sound(
                name=name, sound=clip.data, reason=f"asked for by {interaction.user}"
            )
        except discord.HTTPException as error:
            raise MemberError(_why_not_added(error)) from None
        words = f"**{discord.utils.escape_markdown(name)}** is on the soundboard now."
        return f"{words} Only its beginning: {clip.seconds:.1f} s fit." if clip.was_cut else words


async def save(press: Press) -> None:
    """Ask how the voice of the take shall be called."""
    take = await press.own_take("Only who asked for this can save its voice.")
    await press.bot.under_takes.check_saving(take)
    await press.interaction.response.send_modal(_SaveForm(press, take))


async def to_soundboard(press: Press) -> None:
    """Ask how the sound shall be called."""
    check_may_add(press.interaction)
    await press.interaction.response.send_modal(_SoundForm(press, await press.take()))


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
    words = re.sub(r"[^\w\s'-]", "", one_line(text))
    name = " ".join(words.split())[:_MAX_SOUND_NAME].strip()
    return name if len(name) >= _MIN_SOUND_NAME else "Speech"
