"""/privacy: what members decide about themselves, in every server at once."""

from __future__ import annotations

import asyncio
import json
from typing import Final

import discord
from discord import app_commands

from bot.delivery.offer import Upload
from bot.delivery.reply import Reply
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.privacy import Deleted
from bot.library.voice import Voice, name_key
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt
from cogs.ui import PersistentButton, everywhere, replace_message, row_of
from cogs.voice_views import spoken_by_member
from cogs.voices import SWITCHES

_SURE: Final = (
    "Delete everything I keep about you, in all servers?\n"
    "- Your voices, and all voices in which you are heard, with their recordings\n"
    "- What you agreed to and asked for, what you had said, and what you chose\n"
    "It cannot be brought back. /privacy export gives you a copy first. "
    "If you told me never to clone you, that stays."
)
_WORDS: Final = {
    "voices": ("voice with its recording", "voices with their recordings"),
    "consents": ("note of consent", "notes of consent"),
    "uses": ("note of use", "notes of use"),
    "reports": ("report", "reports"),
    "takes": ("take", "takes"),
    "chosen_voices": ("choice of a voice", "choices of voices"),
    "shared_with": ("voice shared with you", "voices shared with you"),
}


class PrivacyCommands(app_commands.Group):
    """Your data and your voice, in every server"""

    def __init__(self, library: Library) -> None:
        super().__init__(name="privacy")
        self._library = library

    @app_commands.command(name="never-clone-me")
    @app_commands.describe(wish="On: nobody may clone you, in any server, not even yourself")
    @app_commands.rename(wish="switch")
    @app_commands.choices(wish=SWITCHES)
    async def never_clone_me(self, interaction: discord.Interaction, wish: str) -> None:
        """Let nobody clone your voice, in any server; or let them ask again."""
        gone = await self._library.consents.never_clone(interaction.user.id, wish == "on")
        if wish == "on":
            words = f"From now on nobody can clone you, in any server. {_gone(gone)}"
        else:
            words = "You may clone your voice again, and others may ask you."
        await Reply.of(interaction).finish(words.strip())

    @app_commands.command()
    async def export(self, interaction: discord.Interaction) -> None:
        """Get everything I keep about you, from all servers, as a file."""
        found = await self._library.privacy.export(interaction.user.id)
        data = await asyncio.to_thread(_json, found)
        await Reply.of(interaction).finish("This is everything I keep about you.", Upload("myna.json", data))

    @app_commands.command()
    async def delete(self, interaction: discord.Interaction) -> None:
        """Delete everything I keep about you, in all servers."""
        member_id = interaction.user.id
        view = row_of(PrivacyButton("delete", member_id), PrivacyButton("keep", member_id))
        await Reply.of(interaction).finish(_SURE, view=view)

    @app_commands.command()
    @app_commands.describe(voice="Which voice; all in which you are heard if you name none")
    @app_commands.autocomplete(voice=spoken_by_member)
    async def revoke(self, interaction: discord.Interaction, voice: str | None = None) -> None:
        """Take back that your voice may be used; it is deleted at once, in every server."""
        member_id = interaction.user.id
        voice_id = None if voice is None else await self._heard(interaction, voice)
        gone = await self._library.consents.revoke(member_id, voice_id)
        if gone:
            await Reply.of(interaction).finish(f"Taken back. {_gone(gone)}")
        else:
            await Reply.of(interaction).finish("Taken back. There is no saved voice in which you are heard.")

    async def _heard(self, interaction: discord.Interaction, typed: str) -> str:
        """Return the id of the one voice that was typed or chosen.

        Raises `MemberError` where names do not say which.
        """
        found = await self._library.voices.complete_spoken_by(interaction.user.id, typed)
        same = [voice for voice in found if name_key(voice.name) == name_key(typed)]
        if len(same) > 1:
            raise MemberError("You are heard in several voices of that name. Choose one from the list.")
        return same[0].id if same else typed


class PrivacyButton(PersistentButton, template=r"privacy:(?P<answer>delete|keep):(?P<member>\d{1,20})"):
    """Button to delete everything, or to keep it."""

    _LABELS: Final = {
        "delete": ("Delete everything", discord.ButtonStyle.danger),
        "keep": ("Keep it", discord.ButtonStyle.secondary),
    }

    def __init__(self, answer: str, member: str | int) -> None:
        super().__init__(*self._LABELS[answer], answer=answer, member=member)
        self._is_delete = answer == "delete"
        self._member_id = int(member)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Delete everything of who presses, if that is who asked."""
        if interaction.user.id != self._member_id:
            raise MemberError("These buttons are somebody else's. For yours, type /privacy delete.")
        if not self._is_delete:
            await replace_message(interaction, "Nothing was deleted.")
            return
        bot.players.stop_all_of(self._member_id)
        bot.history.forget_clones_of(self._member_id)
        await bot.voice_designer.forget(self._member_id)
        deleted = await bot.library.privacy.delete(self._member_id)
        await bot.reference_posts.delete(deleted.posts)
        await replace_message(interaction, _report(deleted))


def _gone(voices: list[Voice]) -> str:
    if not voices:
        return ""
    names = ", ".join(f"**{excerpt(voice.name)}**" for voice in voices[:10])
    more = f" and {len(voices) - 10} more" if len(voices) > 10 else ""
    return f"Deleted, with recordings: {names}{more}."


def _report(deleted: Deleted) -> str:
    rows = {"voices": len(deleted.voices), **deleted.rows}
    counted = [
        f"{rows[kind]} {one if rows[kind] == 1 else more}"
        for kind, (one, more) in _WORDS.items()
        if rows.get(kind)
    ]
    lines = [f"Deleted: {', '.join(counted)}." if counted else "There was nothing of yours to delete."]
    if not deleted.is_scrubbed:
        lines.append("The last traces on the disk go within the hour.")
    return "\n".join(lines)


def _json(found: object) -> bytes:
    return json.dumps(found, ensure_ascii=False, indent=2).encode()


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(PrivacyButton)
    bot.tree.add_command(everywhere(PrivacyCommands(bot.library)))
