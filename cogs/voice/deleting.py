"""/voice delete, which asks once more; and /voice export, for who wants to keep a copy."""

from __future__ import annotations

import discord
from discord import app_commands

from bot.answer import Answer, Upload
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.rights import may_delete
from bot.speech_bot import SpeechBot
from bot.text.style import excerpt, file_stem
from bot.voice_files import packed
from cogs.lasting import Lasting, replace_message, row_of
from cogs.scopes import scope_of
from cogs.voice.completion import known
from cogs.voice.pressed import pressed_voice


class Deleting(app_commands.Group):
    """Export and delete voices"""

    def __init__(self, library: Library) -> None:
        super().__init__()
        self._library = library

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def delete(self, interaction: discord.Interaction, name: str) -> None:
        """Delete a voice and its recording for good."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if not may_delete(scope, voice):
            raise MemberError("Only its owner, a moderator, or whoever is heard in it can delete this voice.")
        await Answer.of(interaction).finish(
            f"Delete **{excerpt(voice.name)}** and its recording for good? It cannot be brought back.",
            view=row_of(DeleteButton("delete", voice.id), DeleteButton("keep", voice.id)),
        )

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def export(self, interaction: discord.Interaction, name: str) -> None:
        """Get a voice as a file: its recording, its transcript, and the record of its consent."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if scope.member_id not in (voice.owner_id, voice.speaker_id):
            raise MemberError("Only its owner, or whoever is heard in it, can export this voice.")
        upload = Upload(f"{file_stem(voice.name)}.zip", await packed(self._library, voice))
        await Answer.of(interaction).finish(f"**{excerpt(voice.name)}**, to take along.", upload)


class DeleteButton(
    Lasting,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"voice:(?P<answer>delete|keep):(?P<voice>[\w-]{22})",
):
    """Delete it, or keep it."""

    def __init__(self, answer: str, voice: str) -> None:
        label, style = (
            ("Delete it", discord.ButtonStyle.danger)
            if answer == "delete"
            else ("Keep it", discord.ButtonStyle.secondary)
        )
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"voice:{answer}:{voice}"))
        self._is_delete = answer == "delete"
        self._voice_id = voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Delete the voice, if this member may."""
        scope = scope_of(interaction)
        if not self._is_delete:
            await replace_message(interaction, "Nothing was deleted.")
            return
        voice = await pressed_voice(bot.library, scope, self._voice_id)
        voice = await bot.library.voices.delete(scope, voice.id)
        await replace_message(interaction, f"**{excerpt(voice.name)}** and its recording are deleted.")
