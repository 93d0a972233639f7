"""/voice: saved voices, from the first recording to the last trace of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Self

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
from bot.library.audit import AuditedVoice, check_moderator
from bot.library.consent_rules import POLICY_VERSION, Shares
from bot.library.library import Library
from bot.library.starters import DEFAULT_STARTER, STARTERS
from bot.library.voice import NOBODY, Kind, Scope, Sharing, Voice, may_delete, may_hear, may_transcribe
from bot.library.voices import NOT_TRANSCRIBED
from bot.limits import MAX_OPTION_CHARS, MAX_TRANSCRIPT_CHARS
from bot.speech_bot import SpeechBot
from bot.text.labels import check_style, excerpt, file_stem
from cogs.attachments import (
    RECORDING_OPTIONS,
    SAVE_MENU,
    FoundRecording,
    recording_by,
    recording_from,
    recording_in,
    reference_from,
)
from cogs.consent import POLICY, Asking, TurnOn, with_own_voice
from cogs.ui import (
    Form,
    PersistentButton,
    PersistentMenu,
    Question,
    Speed,
    everywhere,
    replace_message,
    row_of,
    tempo_of,
)
from cogs.voice_audit import AuditButton, FreezeButton, VoiceMenu, audit_page
from cogs.voice_design import DesignButton, reply_with_design
from cogs.voice_picker import FOR_MEMBER, FOR_SERVER, ChooseButton, PickMenu, PlayButton, choose, send_picker
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
    f"Ready to use: {', '.join(f'**{starter.name}**' for starter in STARTERS)}. Hear them with /voice use."
)
_EMPTY: Final = (
    f"{_STARTERS}\nNobody has saved a voice here yet. /voice save keeps yours, /voice design makes a new one."
)
_TRANSCRIPT_TOO_LATE: Final = "That took a while, so the button is gone. Type /voice transcript again."
_WITH: Final = [
    Choice(name="only me", value=Sharing.ME.value),
    Choice(name="some members: name them", value=Sharing.MEMBERS.value),
    Choice(name="a role: name it", value=Sharing.ROLE.value),
    Choice(name="everyone here", value=Sharing.SERVER.value),
]

_ANOTHER: Final = "Another member who may use it"
SWITCHES: Final = [Choice(name="on", value="on"), Choice(name="off", value="off")]
_ON: Final = "Cloning is on. Members clone their voice with /clone or /voice save; others are asked first."
_OFF: Final = (
    "Cloning is off. Cloned voices are silent here from now on; designed ones still speak. "
    "The cloned ones come back when it is turned on again; /voice delete removes one for good."
)


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
        recording="A recording of your own voice, 5 to 15 seconds; without one it is the last I said for you",
        who="Who may use it; only you unless you choose",
        **RECORDING_OPTIONS,
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
            asked_by = interaction.user.display_name
            voice = await self._history.save_last(scope_of(interaction), name, asked_by=asked_by)
            await Reply.of(interaction).finish(saved(voice))
            return
        found = await recording_from(interaction, recording, message, of, menu=SAVE_MENU)
        await self.save_found(interaction, found, name, transcript, Sharing(who) if who else Sharing.ME)

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
        """Make up a new voice from a description: choose one of three takes."""
        scope = scope_of(interaction)
        style = check_style(description)
        name = await self._library.voices.check_place(scope, name)
        sample = sample_in(str(interaction.locale))
        asked_by = interaction.user.display_name
        await reply_with_design(interaction, Brief(scope, name, style, sample, asked_by))

    @app_commands.command(name="list")
    async def list_voices(self, interaction: discord.Interaction) -> None:
        """Show the voices you can use here, and hear them."""
        content, view = await page_of(self._library, scope_of(interaction), 0)
        await Reply.of(interaction).finish(content, view=view)

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def info(self, interaction: discord.Interaction, name: str) -> None:
        """Show everything about a voice, and hear its recording."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        refusal = await self._library.consents.permission_error(voice, scope.guild_id)
        is_heard = await hearing_permission_error(self._library, scope, voice) is None
        upload = await preview(self._library, voice) if is_heard else None
        await Reply.of(interaction).finish(all_about(voice, scope, refusal), upload)

    @app_commands.command()
    @app_commands.describe(
        name="Which voice; leave it out to hear them first; none takes your choice back",
        speed="How fast you speak here from now on, from 0.5 to 2; the pitch stays the same",
    )
    @app_commands.autocomplete(name=usable_or_none)
    async def use(
        self, interaction: discord.Interaction, name: str | None = None, speed: Speed | None = None
    ) -> None:
        """Choose the voice you speak with here when you name none, and how fast."""
        scope, voices, tempo = scope_of(interaction), self._library.voices, tempo_of(speed)
        if name is None and tempo is None:
            await send_picker(interaction, self._library, FOR_MEMBER)
            return
        lines = []
        if name is not None and is_none(name):
            await voices.choose(scope, None)
            lines.append("You now speak in this server's voice.")
        elif name is not None:
            voice = await voices.find(scope, name)
            lines.append(await choose(self._library, scope, FOR_MEMBER, voice))
        if tempo is not None:
            await voices.set_tempo(scope, tempo)
            lines.append(f"Your speed here is {tempo:g} from now on.")
        await Reply.of(interaction).finish("\n".join(lines))

    @app_commands.command()
    @app_commands.describe(
        name="Which voice; leave it out to hear them first; none brings the first one back"
    )
    @app_commands.autocomplete(name=usable_or_none)
    async def default(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """Choose the voice of this server, for all who have chosen none. For moderators."""
        scope, voices = scope_of(interaction), self._library.voices
        check_moderator(scope)
        if name is None:
            await send_picker(interaction, self._library, FOR_SERVER)
            return
        if is_none(name):
            await voices.set_default(scope, None)
            starter = f"**{DEFAULT_STARTER.name}**"
            await Reply.of(interaction).finish(f"{starter} speaks here again, as it did at the start.")
            return
        voice = await voices.find(scope, name)
        await Reply.of(interaction).finish(await choose(self._library, scope, FOR_SERVER, voice))

    @app_commands.command()
    @app_commands.rename(sharing="with")
    @app_commands.describe(
        name="Which of your voices",
        sharing="Who may use it from now on, besides you",
        role="With a role: which one",
        member="With members: who",
        member_2=_ANOTHER,
        member_3=_ANOTHER,
        member_4=_ANOTHER,
        member_5=_ANOTHER,
    )
    @app_commands.choices(sharing=_WITH)
    @app_commands.autocomplete(name=known)
    async def share(
        self,
        interaction: discord.Interaction,
        name: str,
        sharing: str,
        role: discord.Role | None = None,
        member: discord.User | None = None,
        member_2: discord.User | None = None,
        member_3: discord.User | None = None,
        member_4: discord.User | None = None,
        member_5: discord.User | None = None,
    ) -> None:
        """Say who may use a voice of yours."""
        named = (member, member_2, member_3, member_4, member_5)
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if scope.is_private and sharing != Sharing.ME.value:
            raise MemberError("Outside servers your voices are only yours. Save it in a server to share it.")
        voice = await self._library.voices.share(
            scope,
            voice.id,
            Sharing(sharing),
            role_id=role.id if role else None,
            member_ids=frozenset(one.id for one in named if one is not None),
        )
        lines = [f"**{excerpt(voice.name)}**: who may use it now: {users_of(voice)}."]
        refusal = await self._library.consents.permission_error(voice, scope.guild_id)
        if refusal is not None:
            lines.append(f"It is silent for now. {refusal}")
        await Reply.of(interaction).finish("\n".join(lines))

    @app_commands.command()
    @app_commands.describe(name="Which voice", to="What it will be called")
    @app_commands.autocomplete(name=known)
    async def rename(
        self, interaction: discord.Interaction, name: str, to: app_commands.Range[str, 1, 100]
    ) -> None:
        """Give a voice another name."""
        scope = scope_of(interaction)
        before = await self._library.voices.find_to_manage(scope, name)
        voice = await self._library.voices.rename(scope, before.id, to)
        await Reply.of(interaction).finish(
            f"**{excerpt(before.name)}** is called **{excerpt(voice.name)}** now."
        )

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def transcript(self, interaction: discord.Interaction, name: str) -> None:
        """Write down what is said in a voice's recording; it comes out more alike then."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if not may_transcribe(scope, voice):
            raise MemberError(NOT_TRANSCRIBED)
        view = TranscriptButton(self._library, voice)
        await view.send(interaction)

    @app_commands.command()
    @app_commands.describe(name="Which voice")
    @app_commands.autocomplete(name=known)
    async def delete(self, interaction: discord.Interaction, name: str) -> None:
        """Delete a voice and its recording for good."""
        scope = scope_of(interaction)
        voice = await self._library.voices.find_to_manage(scope, name)
        if not may_delete(scope, voice):
            raise MemberError("Only its owner, a moderator, or whoever is heard in it can delete this voice.")
        await Reply.of(interaction).finish(
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
        if voice.kind is Kind.CLONED and scope.member_id != voice.speaker_id:
            raise MemberError("Only whoever is heard in it can export this voice: its recording is theirs.")
        if scope.member_id not in (voice.owner_id, voice.speaker_id):
            raise MemberError("Only its owner can export this voice.")
        upload = Upload(f"{file_stem(voice.name)}.zip", await packed(self._library, voice))
        await Reply.of(interaction).finish(f"**{excerpt(voice.name)}**, to take along.", upload)

    @app_commands.command()
    @app_commands.describe(name="Which voice; all of them if you name none")
    @app_commands.autocomplete(name=known)
    async def audit(self, interaction: discord.Interaction, name: str | None = None) -> None:
        """Show who used which cloned voice and when, and freeze one. For moderators."""
        scope = scope_of(interaction)
        check_moderator(scope)
        voice = None if name is None else await self._library.voices.find_to_manage(scope, name)
        looked_at = None if voice is None else AuditedVoice(voice.id, voice.speaker_id)
        content, view = await audit_page(interaction, self._library, looked_at, 0)
        await Reply.of(interaction).finish(content, view=view)

    @app_commands.command()
    @app_commands.describe(cloning="On or off, for everyone in this server")
    @app_commands.rename(cloning="switch")
    @app_commands.choices(cloning=SWITCHES)
    async def cloning(self, interaction: discord.Interaction, cloning: str) -> None:
        """Turn the cloning of voices on or off in this server. For moderators."""
        scope = scope_of(interaction)
        if scope.is_private:
            raise MemberError("Outside servers there is nothing to switch: you clone only your own voice.")
        check_moderator(scope)
        if cloning == "off":
            await self._turn_off(scope)
            await Reply.of(interaction).finish(_OFF)
        else:
            await turn_cloning_on(self._library, interaction)

    async def _turn_off(self, scope: Scope) -> None:
        """Turn it off, and let what is cloned fall silent at once, in the queue too."""
        await self._library.settings.set_cloning(scope, False, policy=POLICY_VERSION)
        await self._library.consents.silence_guild(scope.guild_id)


async def turn_cloning_on(library: Library, interaction: discord.Interaction) -> None:
    """Turn cloning on once this moderator has accepted the policy; where it is on, say so."""
    if await library.consents.cloning_permission_error(scope_of(interaction), NOBODY) is None:
        await Reply.of(interaction).finish(_ON)
    else:
        await TurnOn(library, _say_on).ask(interaction, POLICY)


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
                    description="5 to 15 seconds are best: only you, no music.",
                    component=self._recording,
                )
            )
        self.add_item(
            discord.ui.Label(
                text="What is said in the recording?",
                description="Word for word, if you know it; makes the voice more alike.",
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
        return _EMPTY, None
    lines = [line_of(voice, scope.member_id) for voice in page.entries]
    if page.pages > 1:
        lines.append(f"Page {page.number + 1} of {page.pages}, {page.total} voices.")
    lines.append(_STARTERS)
    items: list[discord.ui.Item[Any]] = []
    heard = [voice for voice in page.entries if may_hear(scope, voice)]
    if heard:
        items.append(HearMenu(heard))
    if page.number > 0:
        items.append(PageButton(page.number - 1, "Back"))
    if page.number + 1 < page.pages:
        items.append(PageButton(page.number + 1, "Next"))
    return "\n".join(lines)[:_MAX_CHARS], row_of(*items) if items else None


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
    """Menu to choose whose recording to hear."""

    def __init__(self, voices: Sequence[Voice] = ()) -> None:
        super().__init__("Hear a voice", {voice.id: voice.name for voice in voices})

    acknowledgement = Acknowledgement.EPHEMERAL

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Give the recording."""
        scope = scope_of(interaction)
        voice = await pressed_voice(bot.library, scope, self.item.values[0])
        refusal = await hearing_permission_error(bot.library, scope, voice)
        if refusal is not None:
            raise MemberError(refusal)
        upload = await preview(bot.library, voice)
        await Reply.of(interaction).finish(f"The recording of **{excerpt(voice.name)}**:", upload)


class TranscriptButton(Question):
    """Transcript of a voice, with a button that opens the form to mend it.

    The form holds the transcript, which has to be looked up first, and a form cannot follow on that.
    Without a ``voice`` it takes the presses on buttons from before a restart.
    """

    def __init__(self, library: Library, voice: Voice | None) -> None:
        super().__init__(None if voice is None else self._open_form, _TRANSCRIPT_TOO_LATE)
        self._library = library
        self._voice = voice

    acknowledgement = Acknowledgement.IMMEDIATE

    async def send(self, interaction: discord.Interaction) -> None:
        """Reply with the transcript and the button, for this member only."""
        assert self._voice is not None, "only what is shown is sent"  # noqa: S101
        said = self._voice.transcript
        now = f"What is said in its recording: “{excerpt(said, 1_500)}”" if said else "It has no transcript."
        await self.ask(interaction, f"**{excerpt(self._voice.name)}**\n{now}")

    @discord.ui.button(label="Write it down", custom_id="voice:transcript", style=discord.ButtonStyle.primary)
    async def write(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Open the form."""
        if self._proceed is None:
            raise MemberError(_TRANSCRIPT_TOO_LATE)
        await self._proceed(press)

    async def _open_form(self, press: discord.Interaction) -> None:
        assert self._voice is not None, "only what is shown is pressed"  # noqa: S101
        await TranscriptForm(self._library, self._voice).open(press)


class TranscriptForm(Form):
    """Form with what is said in the recording, to be mended."""

    def __init__(self, library: Library, voice: Voice) -> None:
        super().__init__(title="What is said in the recording?")
        self._library = library
        self._voice = voice
        self._words: discord.ui.TextInput[TranscriptForm] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph,
            default=voice.transcript,
            required=False,
            max_length=MAX_TRANSCRIPT_CHARS,
        )
        self.add_item(
            discord.ui.Label(
                text="Word for word",
                description="As it is heard, in the language that is spoken. Empty: there is none.",
                component=self._words,
            )
        )

    acknowledgement = Acknowledgement.EPHEMERAL

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Keep what was typed."""
        voice = await self._library.voices.set_transcript(
            scope_of(interaction), self._voice.id, self._words.value
        )
        has = "has a new transcript" if voice.transcript else "has no transcript any more"
        await Reply.of(interaction).finish(f"**{excerpt(voice.name)}** {has}.")


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


async def _say_on(press: discord.Interaction) -> None:
    await Reply.of(press).finish(_ON)


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(
        *(PageButton, HearMenu, DeleteButton, DesignButton, AuditButton, VoiceMenu, FreezeButton),
        *(PickMenu, PlayButton, ChooseButton),
    )
    library = bot.library
    bot.add_view(TranscriptButton(library, None))
    voices = VoiceCommands(library, bot.voice_creation, bot.history)
    bot.tree.add_command(everywhere(voices))
    bot.tree.add_command(voices.menu)
