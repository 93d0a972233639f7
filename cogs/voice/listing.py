"""/voice list, with pages to turn and recordings to hear; and /voice info."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import discord
from discord import app_commands

from bot.answer import Acknowledgement, Answer
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.scope import Scope
from bot.library.voices import Voice
from bot.speech_bot import SpeechBot
from bot.text.style import excerpt, one_line
from cogs.lasting import Lasting, replace_message, row_of
from cogs.scopes import scope_of
from cogs.voice.completion import known
from cogs.voice.hearing import may_hear, preview, why_not_hear
from cogs.voice.pressed import pressed_voice
from cogs.voice.words import all_about, line_of

PAGE_SIZE: Final = 8
"""Lines that fit into a message even when all the names are long."""

_MAX_CHARS: Final = 1_950  # Discord takes 2,000
_EMPTY: Final = "There are no voices here yet. /voice save keeps yours, /voice design makes up a new one."


class Listing(app_commands.Group):
    """Look at voices"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command(name="list")
    async def list_voices(self, interaction: discord.Interaction) -> None:
        """Show the voices you can use here, and hear them."""
        content, view = await page_of(self._library, scope_of(interaction), 0)
        await Answer.of(interaction).finish(content, view=view)

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def info(self, interaction: discord.Interaction, name: str) -> None:
        """Show everything about a voice, and hear its recording."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        refusal = await self._library.consents.may_speak(voice, scope.guild_id)
        is_heard = await why_not_hear(self._library, scope, voice) is None
        upload = await preview(self._library, voice) if is_heard else None
        await Answer.of(interaction).finish(all_about(voice, refusal), upload)


async def page_of(library: Library, scope: Scope, number: int) -> tuple[str, discord.ui.View | None]:
    """Return one page of the voices that this member may know of, in words, and its buttons."""
    page = await library.voices.page(scope, number, PAGE_SIZE)
    if not page.voices:
        return _EMPTY, None
    lines = [line_of(voice, scope.member_id) for voice in page.voices]
    if page.pages > 1:
        lines.append(f"Page {page.number + 1} of {page.pages}, {page.total} voices.")
    items: list[discord.ui.Item[Any]] = []
    heard = [voice for voice in page.voices if may_hear(scope, voice)]
    if heard:
        items.append(HearMenu(heard))
    if page.number > 0:
        items.append(PageButton(page.number - 1, "Back"))
    if page.number + 1 < page.pages:
        items.append(PageButton(page.number + 1, "Next"))
    return "\n".join(lines)[:_MAX_CHARS], row_of(*items) if items else None


class PageButton(
    Lasting,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"voice:page:(?P<number>\d{1,4})",
):
    """Turns to a page, as it is when it is pressed."""

    def __init__(self, number: str | int, label: str = "Page") -> None:
        super().__init__(discord.ui.Button(label=label, custom_id=f"voice:page:{number}"))
        self._number = int(number)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the page."""
        content, view = await page_of(bot.library, scope_of(interaction), self._number)
        await replace_message(interaction, content, view)


class HearMenu(Lasting, discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template="voice:hear"):
    """Chooses whose recording to hear."""

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        menu: discord.ui.Select[discord.ui.View] = discord.ui.Select(
            custom_id="voice:hear", placeholder="Hear a voice"
        )
        for voice in voices:
            menu.add_option(label=one_line(voice.name, 100), value=voice.id)
        if not voices:
            menu.add_option(label="…", value="-")  # it stands for the menu that was used
        super().__init__(menu)

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a choice is acknowledged: for the member alone."""
        return Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Give the recording."""
        scope = scope_of(interaction)
        voice = await pressed_voice(bot.library, scope, self.item.values[0])
        refusal = await why_not_hear(bot.library, scope, voice)
        if refusal is not None:
            raise MemberError(refusal)
        upload = await preview(bot.library, voice)
        await Answer.of(interaction).finish(f"The recording of **{excerpt(voice.name)}**:", upload)
