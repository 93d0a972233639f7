"""/voice save: from a recording of one's own, or of somebody who agrees."""

from __future__ import annotations

from typing import Final

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.answer import Answer
from bot.giving.under_takes import UnderTakes
from bot.library.consent import Shares
from bot.library.library import Library
from bot.library.voices import Sharing, Voice
from bot.limits import MAX_TRANSCRIPT_CHARS
from bot.text.style import excerpt
from bot.voice_making import NOT_SHARED, Recorded, VoiceMaking
from cogs.consent.own_voice import with_own_voice
from cogs.consent.question import Asking
from cogs.recordings import recording_from
from cogs.scopes import scope_of

_WHO: Final = [
    Choice(name="only me", value=Sharing.ME.value),
    Choice(name="everyone here", value=Sharing.SERVER.value),
]
_MAX_TYPED: Final = 100


class Saving(app_commands.Group):
    """Save voices"""

    def __init__(self, library: Library, making: VoiceMaking, under_takes: UnderTakes) -> None:
        super().__init__()
        self._library = library
        self._making = making
        self._under_takes = under_takes
        self._asking = Asking(library, making)

    @app_commands.command()
    @app_commands.describe(
        name="What the voice will be called here",
        recording="A recording of your own voice, 5 to 15 seconds; without one it is the last I said for you",
        message="Or a link to a message with such a recording",
        of="Whose voice it is, if it is not yours; they are asked first",
        transcript="What is said in the recording, word for word; makes the voice more alike",
        who="Who may use it; only you unless you choose",
    )
    @app_commands.choices(who=_WHO)
    async def save(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, _MAX_TYPED],
        recording: discord.Attachment | None = None,
        message: str | None = None,
        of: discord.User | None = None,
        transcript: app_commands.Range[str, 1, MAX_TRANSCRIPT_CHARS] | None = None,
        who: str | None = None,
    ) -> None:
        """Save a voice from a recording, to speak with it whenever you like."""
        name = await self._library.voices.check_place(scope_of(interaction), name)
        if recording is None and message is None and of is None:
            await self._save_last(interaction, name)
            return
        found = await recording_from(interaction, recording, message, of)
        shares = Shares(Sharing(who)) if who else NOT_SHARED
        if found.speaker.id != interaction.user.id:
            await self._asking.begin(interaction, found.speaker, found.attachment, name=name, shares=shares)
            return

        async def proceed(newest: discord.Interaction) -> None:
            scope = scope_of(newest)
            recorded = await self._making.record(found.attachment, transcript, member_id=newest.user.id)
            voice = await self._making.save_own(scope, name, recorded, shares)
            await Answer.of(newest).finish(saved(voice, recorded))

        await with_own_voice(interaction, self._library, proceed)

    async def _save_last(self, interaction: discord.Interaction, name: str) -> None:
        asked_by = interaction.user.display_name
        voice = await self._under_takes.save_last(scope_of(interaction), name, asked_by=asked_by)
        await Answer.of(interaction).finish(saved(voice))


def saved(voice: Voice, recorded: Recorded | None = None) -> str:
    """Return what the owner of a new voice reads: what was found and done, and how to use it."""
    findings = list(recorded.findings) if recorded is not None else []
    if recorded is not None and not findings:
        findings = ["The recording is good as it is."]
    who = "Everybody here" if voice.sharing is Sharing.SERVER else "Only you"
    return "\n".join([
        f"Saved as **{excerpt(voice.name)}**, from {voice.seconds:.1f} s of speech.",
        *findings,
        f"Type /speak with voice: {excerpt(voice.name)}. {who} may use it; /voice share changes that.",
    ])  # fmt: skip
