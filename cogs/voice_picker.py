"""Picker of voices: a menu of them, a button to hear the one in it, and a button to choose it.

Its buttons outlive a restart: which voice stands in the menu is in their ids.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import discord

from bot.delivery.reply import Acknowledgement, Reply
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.audit import check_moderator
from bot.library.library import Library
from bot.library.starters import DEFAULT_STARTER, recorded, starter_of
from bot.library.voice import Kind, Scope, Voice, VoiceName
from bot.models import Asker
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentButton, PersistentMenu, bot_of, replace_message, row_of
from cogs.voice_views import hearing_permission_error, preview

FOR_SERVER: Final = "server"
FOR_MEMBER: Final = "mine"
"""For whom a voice is chosen."""

_TEMPLATE: Final = r"voice:{}:(?P<whose>server|mine):(?P<voice>[\w-]{{1,22}})"
_QUESTIONS: Final = {
    FOR_SERVER: "Which voice should speak here for everyone who hasn't chosen another?",
    FOR_MEMBER: "Which voice should speak for you here when you don't name one?",
}
_MAX_CHOICES: Final = 25


async def send_picker(interaction: discord.Interaction, library: Library, whose: str) -> None:
    """Reply with the picker, which begins with the voice that speaks now. `MemberError` for who may not."""
    scope = scope_of(interaction)
    chosen = await library.voices.chosen_voices(scope)
    now = (chosen.mine if whose == FOR_MEMBER else None) or chosen.default or chosen.starter
    voice_id = now.voice.id if now is not None else DEFAULT_STARTER.id
    content, view = await _page(library, scope, whose, voice_id)
    await Reply.of(interaction).finish(content, view=view)


async def _page(library: Library, scope: Scope, whose: str, voice_id: str) -> tuple[str, discord.ui.View]:
    """Return the picker with this voice in its menu. Raises `MemberError` if this member may not use it."""
    if whose == FOR_SERVER:
        check_moderator(scope)
    voice = await library.voices.find(scope, voice_id)
    starter = starter_of(voice.id)
    about = VoiceName(voice.id, voice.name, starter.word if starter else "")
    names = await library.voices.complete(scope, "", _MAX_CHOICES)
    if about not in names:
        names = [*names[: _MAX_CHOICES - 1], about]
    shown = f"**{excerpt(voice.name)}**" + (f": {about.word}" if about.word else "")
    items: list[discord.ui.Item[Any]] = [
        PickMenu(whose, names, voice.id),
        PlayButton(whose, voice.id),
        ChooseButton(whose, voice.id, voice.name),
    ]
    return f"{_QUESTIONS[whose]}\n{shown}", row_of(*items)


class PickMenu(PersistentMenu, template=r"voice:pick:(?P<whose>server|mine)"):
    """Menu with the voices to choose from."""

    def __init__(self, whose: str, voices: Sequence[VoiceName] = (), chosen: str | None = None) -> None:
        super().__init__(
            "Pick a voice",
            {voice.id: voice.name for voice in voices},
            words={voice.id: voice.word for voice in voices},
            chosen=chosen,
            whose=whose,
        )
        self._whose = whose

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Put the voice into the buttons."""
        picked = self.item.values[0]
        content, view = await _page(bot.library, scope_of(interaction), self._whose, picked)
        await replace_message(interaction, content, view)


class PlayButton(PersistentButton, template=_TEMPLATE.format("play")):
    """Button to hear the voice before it is chosen."""

    def __init__(self, whose: str, voice: str) -> None:
        super().__init__("▶ Play", whose=whose, voice=voice)
        self._voice_id = voice

    acknowledgement = Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Give its recording, which is made now for a starter that was never used."""
        scope = scope_of(interaction)
        voice = await bot.library.voices.find(scope, self._voice_id)
        refusal = await hearing_permission_error(bot.library, scope, voice)
        if refusal is not None:
            raise MemberError(refusal)
        if voice.kind is Kind.STARTER:
            voice = await starter_with_recording(interaction, voice)
        upload = await preview(bot.library, voice)
        await Reply.of(interaction).finish(f"This is **{excerpt(voice.name)}**.", upload)


class ChooseButton(PersistentButton, template=_TEMPLATE.format("choose")):
    """Button to choose the voice, for the server or for oneself."""

    def __init__(self, whose: str, voice: str, name: str = "it") -> None:
        super().__init__(f"Choose {excerpt(name, 32)}", discord.ButtonStyle.primary, whose=whose, voice=voice)
        self._whose, self._voice_id = whose, voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Choose it, and say so."""
        scope = scope_of(interaction)
        voice = await bot.library.voices.find(scope, self._voice_id)
        await replace_message(interaction, await choose(bot.library, scope, self._whose, voice))


async def choose(library: Library, scope: Scope, whose: str, voice: Voice) -> str:
    """Choose a voice for the server or the member, and return what they read. Raises `MemberError`."""
    if whose == FOR_SERVER:
        check_moderator(scope)
        await library.voices.set_default(scope, voice.id)
        if not scope.is_private:
            return f"**{excerpt(voice.name)}** now speaks here for everyone who hasn't chosen another voice."
    else:
        refusal = await library.consents.permission_error(voice, scope.guild_id)
        if refusal is not None:
            raise MemberError(refusal)
        await library.voices.choose(scope, voice.id)
    return f"From now on you speak as **{excerpt(voice.name)}** here, unless you name another voice."


async def starter_with_recording(interaction: discord.Interaction, voice: Voice) -> Voice:
    """Return a starter with its recording; one that was never used is made now. Raises `MemberError`."""
    starters = bot_of(interaction).starters
    found = await starters.find(voice)
    if found is not None:
        return found
    making = starters.make(voice, Asker(interaction.user.id, interaction.guild_id or interaction.user.id))
    Reply.of(interaction).show_progress(making)
    return recorded(voice, await making.recording())
