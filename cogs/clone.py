"""/clone, and the message menu Clone this voice."""

from __future__ import annotations

from dataclasses import dataclass

import discord
from discord import app_commands
from discord.ext import commands

from bot.command_tree import acknowledged, takes_recording
from bot.delivery.delivery import Deliveries
from bot.delivery.reference_uploads import ReferencePosts
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.request import SpeakRequest
from bot.delivery.voice_creation import VoiceCreation
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.library import Library
from bot.limits import MAX_OPTION_CHARS, MAX_TRANSCRIPT_CHARS
from bot.models import Destination, SpeechRequest, SpokenVoice
from bot.speech_bot import SpeechBot
from bot.text.labels import quote
from bot.text.speakable import check_text, speakable
from cogs.attachments import (
    CLONE_MENU,
    RECORDING_OPTIONS,
    FoundRecording,
    recording_by,
    recording_from,
    recording_in,
    reference_from,
)
from cogs.consent import Asking, with_own_voice
from cogs.ui import DESTINATIONS, Form, everywhere, name_of, names_for


@dataclass(frozen=True, slots=True)
class Wording:
    """What is to be said: as a voice can say it, and its beginning as people may read it."""

    text: str
    quote: str


async def _wording(interaction: discord.Interaction, text: str) -> Wording:
    names = await names_for(interaction, text)
    return Wording(check_text(speakable(text, names)), quote(text, names))


class Clone(commands.Cog):
    """Commands that speak in the voice of a recording."""

    def __init__(
        self, deliveries: Deliveries, library: Library, creation: VoiceCreation, posts: ReferencePosts
    ) -> None:
        self._deliveries = deliveries
        self._posts = posts
        self._library = library
        self._creation = creation
        self._asking = Asking(library, creation)
        self.menu = acknowledged(Acknowledgement.IMMEDIATE)(
            everywhere(app_commands.ContextMenu(name=CLONE_MENU, callback=self.clone_message))
        )

    @everywhere
    @acknowledged(Acknowledgement.PUBLIC)
    @takes_recording(file="recording", link="message")
    @app_commands.command()
    @app_commands.describe(
        text="What to say",
        recording="A recording of your own voice, 5 to 15 seconds",
        output="Where to send it (default: voice channel and here)",
        **RECORDING_OPTIONS,
    )
    @app_commands.choices(output=DESTINATIONS)
    async def clone(
        self,
        interaction: discord.Interaction,
        text: app_commands.Range[str, 1, MAX_OPTION_CHARS],
        recording: discord.Attachment | None = None,
        message: str | None = None,
        transcript: app_commands.Range[str, 1, MAX_TRANSCRIPT_CHARS] | None = None,
        speaker: discord.User | None = None,
        output: str | None = None,
    ) -> None:
        """Say something in the voice of a recording."""
        said = await _wording(interaction, text)
        found = await recording_from(interaction, recording, message, speaker, menu=CLONE_MENU)
        if found.speaker.id != interaction.user.id:
            await self._ask(interaction, found)
            return
        destination = Destination(output) if output else None
        await self._speak(interaction, said, found.attachment, transcript, destination)

    async def clone_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask what to say in the voice of a message's recording; or ask whose voice it is, first."""
        reference_from(recording_in(message))  # refuse before the member has typed anything
        if message.author.id == interaction.user.id:
            await CloneForm(self, message).open(interaction)
            return
        await Reply.of(interaction).acknowledge(Acknowledgement.EPHEMERAL)
        found = await recording_by(message, interaction.user)
        if found.speaker.id == interaction.user.id:
            raise MemberError(f"That's your own message, forwarded. Choose {CLONE_MENU} on your own.")
        await self._ask(interaction, found)

    async def speak_after(
        self,
        interaction: discord.Interaction,
        said: Wording,
        message: discord.Message,
        transcript: str | None,
    ) -> None:
        """Say it in the voice of the recording in a message of the member's own, if it is theirs."""
        found = await recording_by(message, interaction.user)
        if found.speaker.id != interaction.user.id:
            await self._ask(interaction, found)
            return
        await self._speak(interaction, said, found.attachment, transcript, None)

    async def _ask(self, interaction: discord.Interaction, found: FoundRecording) -> None:
        speaker = found.speaker
        await self._asking.begin(interaction, found, name=name_of(speaker))

    async def _speak(
        self,
        interaction: discord.Interaction,
        said: Wording,
        recording: discord.Attachment,
        transcript: str | None,
        to: Destination | None,
    ) -> None:
        """Speak in the voice of a recording that is the member's own, if it is good enough.

        Whether they may is judged here, however long ago the command or the form was opened.
        """

        async def proceed(newest: discord.Interaction) -> None:
            url, scope, member_id = reference_from(recording).url, scope_of(newest), newest.user.id
            examined = await self._creation.examine(recording, scope=scope, speaker_id=member_id)
            # Asked last, since what was mended is posted now: nothing of a revoked voice is.
            likeness = await self._library.consents.own_likeness(scope)
            voice = SpokenVoice(likeness, "after your recording", "", transcript, url, speaker_id=member_id)
            voice, note = await self._posts.mended(voice, examined)
            request = SpeechRequest(said.text, voice=voice)
            likeness = recording.filename
            await self._deliveries.deliver(
                newest, SpeakRequest(request, to, likeness=likeness, note=note, quote=said.quote)
            )

        await with_own_voice(interaction, self._library, proceed)


class CloneForm(Form, title=CLONE_MENU):
    """Asks for the text, and for the transcript if the member has it."""

    text: discord.ui.Label[CloneForm] = discord.ui.Label(
        text="What should it say?",
        component=discord.ui.TextInput(style=discord.TextStyle.paragraph, max_length=MAX_OPTION_CHARS),
    )
    transcript: discord.ui.Label[CloneForm] = discord.ui.Label(
        text="What is said in the recording?",
        description="Exact words, if you know them; improves the likeness.",
        component=discord.ui.TextInput(
            style=discord.TextStyle.paragraph, required=False, max_length=MAX_TRANSCRIPT_CHARS
        ),
    )

    def __init__(self, clone: Clone, message: discord.Message) -> None:
        super().__init__()
        self._clone = clone
        self._message = message

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Speak what was typed."""
        said = await _wording(interaction, _typed(self.text))
        transcript = _typed(self.transcript).strip() or None
        await self._clone.speak_after(interaction, said, self._message, transcript)


def _typed(label: discord.ui.Label[CloneForm]) -> str:
    field = label.component
    return field.value if isinstance(field, discord.ui.TextInput) else ""


async def setup(bot: SpeechBot) -> None:
    """Load the cog with its parts."""
    cog = Clone(bot.deliveries, bot.library, bot.voice_creation, bot.reference_posts)
    await bot.add_cog(cog)
    bot.tree.add_command(cog.menu)
