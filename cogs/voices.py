"""/voice: saved voices, from the first recording to the last trace of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.command_tree import acknowledged, takes_recording
from bot.delivery.history import GenerationHistory
from bot.delivery.offer import Upload
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.voice_archive import packed
from bot.delivery.voice_creation import Brief, VoiceCreation
from bot.errors import MemberError
from bot.interaction import scope_of
from bot.library.consent_rules import Shares
from bot.library.library import Library
from bot.library.starters import DEFAULT_STARTER, STARTERS
from bot.library.voice import Kind, Scope, Sharing, Voice, may_delete, may_rename, may_transcribe
from bot.limits import MAX_OPTION_CHARS, MAX_TRANSCRIPT_CHARS
from bot.speech_bot import SpeechBot
from bot.text.labels import check_style, excerpt, file_stem, one_line
from cogs.attachments import (
    RECORDING_OPTIONS,
    SAVE_MENU,
    FoundRecording,
    recording_by,
    recording_from,
    recording_in,
    reference_from,
)
from cogs.consent import Asking, with_own_voice
from cogs.ui import (
    Form,
    PersistentButton,
    PersistentMenu,
    Speed,
    everywhere,
    replace_message,
    row_of,
    tempo_of,
)
from cogs.voice_design import DesignButton, reply_with_design
from cogs.voice_picker import FOR_MEMBER, ChooseButton, PickMenu, PlayButton, choose, send_picker
from cogs.voice_text import all_about, line_of, sample_in, saved, users_of
from cogs.voice_views import (
    hearing_permission_error,
    is_none,
    known,
    pressed_voice,
    preview,
    usable_or_none,
)

_WHO: Final = [
    Choice(name="only me", value=Sharing.ME.value),
    Choice(name="everyone here", value=Sharing.SERVER.value),
]

_MAX_TYPED: Final = 100

PAGE_SIZE: Final = 8
"""Lines that fit into a message even when all the names are long."""

_MAX_CHARS: Final = 1_950  # Discord takes 2,000
_STARTERS: Final = (
    f"Ready to use: {', '.join(f'**{starter.name}**' for starter in STARTERS)}. Hear them with /voice choose."
)
_EMPTY: Final = (
    f"{_STARTERS}\nNobody has saved a voice here yet. /voice save keeps yours, /voice design makes a new one."
)
_WITH: Final = [
    Choice(name="only me", value=Sharing.ME.value),
    Choice(name="some members: name them", value=Sharing.MEMBERS.value),
    Choice(name="a role: name it", value=Sharing.ROLE.value),
    Choice(name="everyone here", value=Sharing.SERVER.value),
]

_ANOTHER: Final = "Another member who may use it"
_MAX_TITLE: Final = 40
"""Of a voice's name in the title of a form, which has 45 characters at Discord."""

_FORM_SECONDS: Final = 2.0
"""A form is a first response, for which Discord waits three seconds; the voice is looked up before."""

_FORM_TOO_LATE: Final = "I can't reach my database right now. Try again in a minute."
_EXACT: Final = "Exact words of the recording; improves the likeness."
_NAME_STAYS: Final = "Its speaker agreed to the name, so it stays."
_NOT_EDITED: Final = "Only its owner, its speaker or a moderator can edit this voice."


class VoiceCommands(app_commands.Group, name="voice", description="Save, design, share and delete voices"):
    """The group /voice."""

    def __init__(self, library: Library, creation: VoiceCreation, history: GenerationHistory) -> None:
        super().__init__()
        self._library = library
        self._creation = creation
        self._history = history
        self._asking = Asking(library, creation)
        self.menu = acknowledged(Acknowledgement.IMMEDIATE)(
            everywhere(app_commands.ContextMenu(name=SAVE_MENU, callback=self.save_message))
        )

    @takes_recording(file="recording", link="message")
    @app_commands.command()
    @app_commands.describe(
        name="What the voice will be called here",
        recording="A recording of your own voice, 5 to 15 seconds; without it, your last take",
        share_with="Who can use it (default: only you)",
        **RECORDING_OPTIONS,
    )
    @app_commands.choices(share_with=_WHO)
    async def save(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, _MAX_TYPED],
        recording: discord.Attachment | None = None,
        message: str | None = None,
        speaker: discord.User | None = None,
        transcript: app_commands.Range[str, 1, MAX_TRANSCRIPT_CHARS] | None = None,
        share_with: str | None = None,
    ) -> None:
        """Save a voice from a recording, and speak with it whenever you like."""
        name = await self._library.voices.check_place(scope_of(interaction), name)
        if recording is None and message is None and speaker is None:
            asked_by = interaction.user.display_name
            voice = await self._history.save_last(scope_of(interaction), name, asked_by=asked_by)
            await Reply.of(interaction).finish(saved(voice))
            return
        found = await recording_from(interaction, recording, message, speaker, menu=SAVE_MENU)
        sharing = Sharing(share_with) if share_with else Sharing.ME
        await self.save_found(interaction, found, name, transcript, sharing)

    async def save_message(self, interaction: discord.Interaction, message: discord.Message) -> None:
        """Ask under which name the voice in a message's recording is saved."""
        reference_from(recording_in(message))  # refuse before the member has typed anything
        await SaveForm(self, message).open(interaction)

    async def save_found(
        self,
        interaction: discord.Interaction,
        found: FoundRecording,
        name: str,
        transcript: str | None,
        sharing: Sharing,
    ) -> None:
        """Save the voice in a recording of the member's own; or ask whose it is, first."""
        name, shares = await self._library.voices.check_place(scope_of(interaction), name), Shares(sharing)
        if found.speaker.id != interaction.user.id:
            await self._asking.begin(interaction, found, name=name, shares=shares)
            return

        async def proceed(newest: discord.Interaction) -> None:
            scope = scope_of(newest)
            recorded = await self._creation.record(
                found.attachment, transcript, scope=scope, speaker_id=scope.member_id
            )
            voice = await self._creation.save_own(scope, name, recorded, shares)
            await Reply.of(newest).finish(saved(voice, recorded))

        await with_own_voice(interaction, self._library, proceed)

    @app_commands.command()
    @app_commands.describe(
        name="What the voice will be called here",
        description="How it should sound, for example: an old man, slow and deep",
    )
    async def design(
        self,
        interaction: discord.Interaction,
        name: app_commands.Range[str, 1, 100],
        description: app_commands.Range[str, 1, MAX_OPTION_CHARS],
    ) -> None:
        """Make a new voice from a description, and choose one of three takes."""
        scope = scope_of(interaction)
        style = check_style(description)
        name = await self._library.voices.check_place(scope, name)
        sample = sample_in(str(interaction.locale))
        asked_by = interaction.user.display_name
        await reply_with_design(interaction, Brief(scope, name, style, sample, asked_by))

    @app_commands.command(name="list")
    @app_commands.describe(name="Everything about one voice, and its recording")
    @app_commands.autocomplete(name=known)
    async def list_voices(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """See the voices you can use here, and hear them."""
        scope = scope_of(interaction)
        if name is not None:
            voice = await self._library.voices.find_to_manage(scope, name)
            await reply_with_voice(interaction, self._library, voice)
            return
        content, view = await page_of(self._library, scope, 0)
        await Reply.of(interaction).finish(content, view=view)

    @app_commands.command()
    @app_commands.describe(
        name="Which voice; leave it out to hear them first; none to use the server's voice",
        speed="How fast you speak here from now on, from 0.5 to 2; the pitch stays the same",
    )
    @app_commands.autocomplete(name=usable_or_none)
    async def choose(
        self, interaction: discord.Interaction, name: str | None = None, speed: Speed | None = None
    ) -> None:
        """Choose your voice in this server, and how fast it speaks."""
        scope, voices, tempo = scope_of(interaction), self._library.voices, tempo_of(speed)
        if name is None and tempo is None:
            await send_picker(interaction, self._library, FOR_MEMBER)
            return
        lines = []
        if name is not None and is_none(name):
            await voices.choose(scope, None)
            lines.append("Cleared. You'll use the server's voice.")
        elif name is not None:
            voice = await voices.find(scope, name)
            lines.append(await choose(self._library, scope, FOR_MEMBER, voice))
        if tempo is not None:
            await voices.set_tempo(scope, tempo)
            lines.append(f"Your speed here is {tempo:g} from now on.")
        await Reply.of(interaction).finish("\n".join(lines))

    @app_commands.command()
    @app_commands.describe(
        name="Which of your voices",
        share_with="Who can use it from now on, besides you",
        role="With a role: which one",
        member="With members: who",
        member_2=_ANOTHER,
        member_3=_ANOTHER,
        member_4=_ANOTHER,
        member_5=_ANOTHER,
    )
    @app_commands.choices(share_with=_WITH)
    @app_commands.autocomplete(name=known)
    async def share(
        self,
        interaction: discord.Interaction,
        name: str,
        share_with: str,
        role: discord.Role | None = None,
        member: discord.User | None = None,
        member_2: discord.User | None = None,
        member_3: discord.User | None = None,
        member_4: discord.User | None = None,
        member_5: discord.User | None = None,
    ) -> None:
        """Choose who can use your voice."""
        named = (member, member_2, member_3, member_4, member_5)
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if scope.is_private and share_with != Sharing.ME.value:
            raise MemberError("Outside servers, your voices are only yours. Save it in a server to share it.")
        voice = await self._library.voices.share(
            scope,
            voice.id,
            Sharing(share_with),
            role_id=role.id if role else None,
            member_ids=frozenset(one.id for one in named if one is not None),
        )
        lines = [f"**{excerpt(voice.name)}** can now be used by {users_of(voice)}."]
        refusal = await self._library.consents.permission_error(voice, scope.guild_id)
        if refusal is not None:
            lines.append(f"It can't speak right now. {refusal}")
        await Reply.of(interaction).finish("\n".join(lines))

    @acknowledged(Acknowledgement.IMMEDIATE)
    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def edit(self, interaction: discord.Interaction, name: str) -> None:
        """Change a voice's name, or the transcript of its recording for a closer match."""
        scope = scope_of(interaction)
        try:
            async with asyncio.timeout(_FORM_SECONDS):
                voice = await self._library.voices.find_to_manage(scope, name)
        except TimeoutError:
            raise MemberError(_FORM_TOO_LATE) from None
        form = EditForm(self._library, scope, voice)
        if not form.children:
            raise MemberError(_NOT_EDITED)
        await form.open(interaction)

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def delete(self, interaction: discord.Interaction, name: str) -> None:
        """Delete a voice and its recording for good."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if not may_delete(scope, voice):
            raise MemberError("Only its owner, its speaker or a moderator can delete this voice.")
        await Reply.of(interaction).finish(
            f"Delete **{excerpt(voice.name)}** and its recording for good? You can't undo this.",
            view=row_of(DeleteButton("delete", voice.id), DeleteButton("keep", voice.id)),
        )

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def export(self, interaction: discord.Interaction, name: str) -> None:
        """Get a voice as a file: its recording, its transcript, and the record of its consent."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if voice.kind is Kind.CLONED and scope.member_id != voice.speaker_id:
            raise MemberError("Only its speaker can export this voice, because it's their recording.")
        if scope.member_id not in (voice.owner_id, voice.speaker_id):
            raise MemberError("Only its owner can export this voice.")
        upload = Upload(f"{file_stem(voice.name)}.zip", await packed(self._library, voice))
        await Reply.of(interaction).finish(f"Here's **{excerpt(voice.name)}** as a file.", upload)


class SaveForm(Form):
    """Form for a recording: the name of the voice, what is said in it, and who may use it.

    The recording is that in ``message``. Without one the form asks for it as a file.
    """

    acknowledgement = Acknowledgement.EPHEMERAL

    def __init__(self, voices: VoiceCommands, message: discord.Message | None = None) -> None:
        super().__init__(title=SAVE_MENU if message else "Save your voice")
        self._voices = voices
        self._message = message
        self._name: discord.ui.TextInput[SaveForm] = discord.ui.TextInput(
            placeholder="What the voice will be called here", max_length=_MAX_TYPED
        )
        self._transcript: discord.ui.TextInput[SaveForm] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, required=False, max_length=MAX_TRANSCRIPT_CHARS
        )
        self._who: discord.ui.Select[SaveForm] = discord.ui.Select(
            options=[
                discord.SelectOption(label=who.name, value=who.value, default=who.value == Sharing.ME.value)
                for who in _WHO
            ]
        )
        self._recording: discord.ui.FileUpload[SaveForm] = discord.ui.FileUpload(
            required=True, min_values=1, max_values=1
        )
        self.add_item(discord.ui.Label(text="Name", component=self._name))
        if message is None:
            self.add_item(
                discord.ui.Label(
                    text="A recording of your own voice",
                    description="5 to 15 seconds is best: only you, no music.",
                    component=self._recording,
                )
            )
        self.add_item(
            discord.ui.Label(
                text="What is said in the recording?",
                description=_EXACT,
                component=self._transcript,
            )
        )
        self.add_item(discord.ui.Label(text="Who may use it?", component=self._who))

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Save it, or ask whose voice it is."""
        transcript = self._transcript.value.strip() or None
        if self._message is None:
            found = await recording_from(interaction, self._recording.values[0], None, None, menu=SAVE_MENU)
        else:
            found = await recording_by(self._message, interaction.user)
        sharing = Sharing(self._who.values[0])
        await self._voices.save_found(interaction, found, self._name.value, transcript, sharing)


async def page_of(library: Library, scope: Scope, number: int) -> tuple[str, discord.ui.View | None]:
    """Return one page of the voices that this member may know of, in words, and its buttons."""
    page = await library.voices.page(scope, number, PAGE_SIZE)
    if not page.entries:
        return f"{await _speaks_as(library, scope)}\n{_EMPTY}", None
    lines = [await _speaks_as(library, scope)]
    lines += [line_of(voice, scope.member_id) for voice in page.entries]
    if page.pages > 1:
        lines.append(f"Page {page.number + 1} of {page.pages}, {page.total} voices.")
    lines.append(_STARTERS)
    items: list[discord.ui.Item[Any]] = [HearMenu(page.entries)]
    if page.number > 0:
        items.append(PageButton(page.number - 1, "Back"))
    if page.number + 1 < page.pages:
        items.append(PageButton(page.number + 1, "Next"))
    return "\n".join(lines)[:_MAX_CHARS], row_of(*items)


async def _speaks_as(library: Library, scope: Scope) -> str:
    """Return the line that says which voice speaks for this member here."""
    chosen = await library.voices.chosen_voices(scope)
    now = chosen.mine or chosen.default or chosen.starter
    name = now.voice.name if now is not None else DEFAULT_STARTER.name
    at_speed = f" at speed {chosen.tempo:g}" if chosen.tempo != 1.0 else ""
    return f"You speak as **{excerpt(name)}** here{at_speed}. /voice choose changes that."


async def reply_with_voice(interaction: discord.Interaction, library: Library, voice: Voice) -> None:
    """Reply with everything this member may know of a voice, and with its recording if they may hear it."""
    scope = scope_of(interaction)
    refusal = await library.consents.permission_error(voice, scope.guild_id)
    is_heard = await hearing_permission_error(library, scope, voice) is None
    upload = await preview(library, voice) if is_heard else None
    await Reply.of(interaction).finish(all_about(voice, scope, refusal), upload)


class PageButton(PersistentButton, template=r"voice:page:(?P<number>\d{1,4})"):
    """Button that turns to a page, as it is when it is pressed."""

    def __init__(self, number: str | int, label: str = "Page") -> None:
        super().__init__(label, number=number)
        self._number = int(number)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Show the page."""
        content, view = await page_of(bot.library, scope_of(interaction), self._number)
        await replace_message(interaction, content, view)


class HearMenu(PersistentMenu, template="voice:hear"):
    """Menu to choose a voice to hear, and to read all about."""

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        super().__init__("Hear a voice", {voice.id: voice.name for voice in voices})

    acknowledgement = Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Give the recording, and all there is to say."""
        voice = await pressed_voice(bot.library, scope_of(interaction), self.item.values[0])
        await reply_with_voice(interaction, bot.library, voice)


class TranscriptButton(PersistentButton, template="voice:transcript"):
    """Button of a former version, which opened a form for the transcript."""

    def __init__(self) -> None:
        super().__init__("Write it down")

    acknowledgement = Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Say what does that now."""
        raise MemberError("The transcript is now in /voice edit.")


class EditForm(Form):
    """Form with a voice's name and transcript: of these, what this member may change."""

    acknowledgement = Acknowledgement.EPHEMERAL

    def __init__(self, library: Library, scope: Scope, voice: Voice) -> None:
        super().__init__(title=f"Edit {one_line(voice.name, _MAX_TITLE)}")
        self._library = library
        self._voice = voice
        self._name: discord.ui.TextInput[EditForm] = discord.ui.TextInput(
            default=voice.name, max_length=_MAX_TYPED
        )
        self._words: discord.ui.TextInput[EditForm] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph,
            default=voice.transcript,
            required=False,
            max_length=MAX_TRANSCRIPT_CHARS,
        )
        if may_rename(scope, voice):
            self.add_item(discord.ui.Label(text="Name", component=self._name))
        if may_transcribe(scope, voice):
            self.add_item(
                discord.ui.Label(
                    text="Transcript",
                    description=_EXACT if may_rename(scope, voice) else f"{_EXACT} {_NAME_STAYS}",
                    component=self._words,
                )
            )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Keep what was changed. A name that cannot be used does not cost the transcript."""
        scope, voice, voices = scope_of(interaction), self._voice, self._library.voices
        shown = set(self.walk_children())
        lines = []
        if self._words in shown and self._words.value.strip() != (voice.transcript or ""):
            after = await voices.set_transcript(scope, voice.id, self._words.value)
            changed = "has a new transcript" if after.transcript else "no longer has a transcript"
            lines.append(f"**{excerpt(voice.name)}** {changed}.")
        if self._name in shown and self._name.value.strip() != voice.name:
            try:
                after = await voices.rename(scope, voice.id, self._name.value)
            except MemberError as error:
                if not lines:
                    raise
                lines.append(f"Its name stays. {error}")
            else:
                lines.append(f"**{excerpt(voice.name)}** is now called **{excerpt(after.name)}**.")
        await Reply.of(interaction).finish("\n".join(lines) or "Nothing was changed.")


class DeleteButton(PersistentButton, template=r"voice:(?P<answer>delete|keep):(?P<voice>[\w-]{22})"):
    """Button to delete a voice, or to keep it."""

    _LABELS: Final = {
        "delete": ("Delete it", discord.ButtonStyle.danger),
        "keep": ("Keep it", discord.ButtonStyle.secondary),
    }

    def __init__(self, answer: str, voice: str) -> None:
        super().__init__(*self._LABELS[answer], answer=answer, voice=voice)
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


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(
        *(PageButton, HearMenu, TranscriptButton, DeleteButton, DesignButton),
        *(PickMenu, PlayButton, ChooseButton),
    )
    library = bot.library
    voices = VoiceCommands(library, bot.voice_creation, bot.history)
    bot.tree.add_command(everywhere(voices))
    bot.tree.add_command(voices.menu)
