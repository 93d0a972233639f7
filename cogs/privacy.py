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
from cogs.ui import ON_OR_OFF, PersistentButton, everywhere, replace_message, row_of
from cogs.voice_views import spoken_by_member

_SURE: Final = (
    "Delete everything I keep about you, in all servers?\n"
    "- Your voices, and all voices in which you are heard, with their recordings\n"
    "- What you agreed to and asked for, what you had said, and what you chose\n"
    "You can't undo this. /privacy export gives you a copy first.\n"
    "This stays, for those it protects: that nobody may clone you, if you said so; what a moderator has "
    "frozen, and whom they turned me off for; for 180 days who has used voices of others, and reports, but "
    "not who made them; and for three days how much you've used of your limits."
)
_MOST_NAMED: Final = 10
"""Voices that one message names."""

_WORDS: Final = {
    "voices": ("voice with its recording", "voices with their recordings"),
    "consents": ("note of consent", "notes of consent"),
    "uses": ("note of use", "notes of use"),
    "reports": ("mention as a reporter", "mentions as a reporter"),
    "takes": ("take", "takes"),
    "chosen_voices": ("choice of a voice", "choices of voices"),
    "read_aloud": ("wish for reading aloud", "wishes for reading aloud"),
    "shared_with": ("voice shared with you", "voices shared with you"),
}


class PrivacyCommands(app_commands.Group):
    """Your data and your voice, in every server"""

    def __init__(self, library: Library) -> None:
        super().__init__(name="privacy")
        self._library = library

    @app_commands.command(name="never-clone-me")
    @app_commands.describe(state="On: nobody can clone you, in any server, not even yourself")
    @app_commands.choices(state=ON_OR_OFF)
    async def never_clone_me(self, interaction: discord.Interaction, state: str) -> None:
        """Block or allow cloning of your voice in every server."""
        member_id = interaction.user.id
        if state == "off":
            await self._library.consents.never_clone(member_id, False)
            await Reply.of(interaction).finish("You can clone your voice again, and others can ask you.")
            return
        voices = await self._library.voices.spoken_by(member_id)
        if not voices:
            await Reply.of(interaction).finish(await _never_cloned(self._library, member_id))
            return
        words = (
            f"Block everyone from cloning you, in every server? {_to_be_deleted(interaction.client, voices)}"
        )
        view = row_of(PrivacyButton("never", member_id), PrivacyButton("cancel", member_id))
        await Reply.of(interaction).finish(words, view=view)

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
        voices = await self._library.privacy.voices(member_id)
        named = f"\n{_to_be_deleted(interaction.client, voices)}" if voices else ""
        view = row_of(PrivacyButton("delete", member_id), PrivacyButton("keep", member_id))
        await Reply.of(interaction).finish(f"{_SURE}{named}", view=view)

    @app_commands.command()
    @app_commands.describe(voice="Which voice (default: every voice that uses yours)")
    @app_commands.autocomplete(voice=spoken_by_member)
    async def revoke(self, interaction: discord.Interaction, voice: str | None = None) -> None:
        """Withdraw consent and delete your cloned voice everywhere."""
        member_id = interaction.user.id
        voice_id = None if voice is None else await self._heard(interaction, voice)
        heard = await self._library.voices.spoken_by(member_id)
        voices = [one for one in heard if voice_id in (None, one.id)]
        if not voices:  # there is nothing to be sorry for, or no such voice
            await Reply.of(interaction).finish(await _taken_back(self._library, member_id, voice_id))
            return
        words = f"Withdraw your consent? {_to_be_deleted(interaction.client, voices)}"
        which = voice_id or RevokeButton.ALL
        view = row_of(RevokeButton(member_id, which), PrivacyButton("cancel", member_id))
        await Reply.of(interaction).finish(words, view=view)

    async def _heard(self, interaction: discord.Interaction, typed: str) -> str:
        """Return the id of the one voice that was typed or chosen.

        Raises `MemberError` where names do not say which.
        """
        found = await self._library.voices.complete_spoken_by(interaction.user.id, typed)
        same = [voice for voice in found if name_key(voice.name) == name_key(typed)]
        if len(same) > 1:
            raise MemberError("Several voices with that name use yours. Choose one from the list.")
        return same[0].id if same else typed


class PrivacyButton(
    PersistentButton, template=r"privacy:(?P<answer>delete|keep|never|cancel):(?P<member>\d{1,20})"
):
    """Button to delete everything, or never to be cloned, or to leave all as it is."""

    _LABELS: Final = {
        "delete": ("Delete everything", discord.ButtonStyle.danger),
        "keep": ("Keep it", discord.ButtonStyle.secondary),
        "never": ("Never clone me", discord.ButtonStyle.danger),
        "cancel": ("Cancel", discord.ButtonStyle.secondary),
    }

    def __init__(self, answer: str, member: str | int) -> None:
        super().__init__(*self._LABELS[answer], answer=answer, member=member)
        self._answer = answer
        self._member_id = int(member)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it for who presses, if that is who asked."""
        _check_whose(interaction, self._member_id)
        if self._answer == "delete":
            words = await self._delete(bot)
        elif self._answer == "never":
            words = await _never_cloned(bot.library, self._member_id)
        else:
            words = "Nothing was deleted."
        await replace_message(interaction, words)

    async def _delete(self, bot: SpeechBot) -> str:
        """Delete everything, and return what the member reads."""
        bot.players.stop_all_of(self._member_id)
        bot.history.forget_member(self._member_id)
        await bot.voice_designer.forget(self._member_id)
        deleted = await bot.library.privacy.delete(self._member_id)
        await bot.reference_posts.delete(deleted.posts)
        return _report(deleted)


class RevokeButton(
    PersistentButton, template=r"privacy:revoke:(?P<member>\d{1,20}):(?P<voice>all|[\w-]{22})"
):
    """Button to take back that one's voice may be used: one saved voice, or all."""

    ALL: Final = "all"

    def __init__(self, member: str | int, voice: str) -> None:
        super().__init__("Take it back", discord.ButtonStyle.danger, member=member, voice=voice)
        self._member_id = int(member)
        self._voice_id = None if voice == self.ALL else voice

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Take it back for who presses, if that is who asked."""
        _check_whose(interaction, self._member_id)
        await replace_message(interaction, await _taken_back(bot.library, self._member_id, self._voice_id))


def _check_whose(interaction: discord.Interaction, member_id: int) -> None:
    if interaction.user.id != member_id:
        raise MemberError("These buttons aren't yours. Type /privacy for your own.")


async def _taken_back(library: Library, member_id: int, voice_id: str | None) -> str:
    """Take back what this member agreed to, and return what they read. Raises `MemberError`."""
    gone = await library.consents.revoke(member_id, voice_id)
    return f"Taken back. {_gone(gone) or 'No saved voice uses yours.'}"


async def _never_cloned(library: Library, member_id: int) -> str:
    """Let nobody clone this member from now on, and return what they read."""
    gone = await library.consents.never_clone(member_id, True)
    return f"From now on, nobody can clone you in any server. {_gone(gone)}".strip()


def _to_be_deleted(client: discord.Client, voices: list[Voice]) -> str:
    """Return which voices would go, and where they are."""
    lines = [f"- **{excerpt(voice.name)}**, {_where(client, voice)}" for voice in voices[:_MOST_NAMED]]
    if len(voices) > _MOST_NAMED:
        lines.append(f"- and {len(voices) - _MOST_NAMED} more")
    them = (
        "This is deleted for good, with its recording"
        if len(voices) == 1
        else ("These are deleted for good, with their recordings")
    )
    return "\n".join([f"{them}:", *lines])


def _where(client: discord.Client, voice: Voice) -> str:
    if voice.guild_id == voice.owner_id:
        return "outside servers"
    guild = client.get_guild(voice.guild_id)
    if guild is None:
        is_elsewhere = isinstance(client, SpeechBot) and not client.shards_held.hold(voice.guild_id)
        return "in another server" if is_elsewhere else "in a server that I have left"
    return f"in {excerpt(guild.name)}"


def _gone(voices: list[Voice]) -> str:
    if not voices:
        return ""
    names = ", ".join(f"**{excerpt(voice.name)}**" for voice in voices[:_MOST_NAMED])
    more = f" and {len(voices) - _MOST_NAMED} more" if len(voices) > _MOST_NAMED else ""
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
        lines.append("The last traces on the disk are gone within the hour.")
    return "\n".join(lines)


def _json(found: object) -> bytes:
    return json.dumps(found, ensure_ascii=False, indent=2).encode()


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(PrivacyButton, RevokeButton)
    bot.tree.add_command(everywhere(PrivacyCommands(bot.library)))
