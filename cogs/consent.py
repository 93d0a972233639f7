"""Consent questions: whose voice may be cloned, asked and answered with buttons."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Self

import discord
from discord.ext import commands, tasks

from bot.delivery.offer import Upload
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.voice_creation import NOT_SHARED, KeptRecording, VoiceCreation
from bot.errors import LibraryError, MemberError, SpeechBotError, sentence_for
from bot.interaction import scope_of, write_permission_error
from bot.library.consent_rules import CONSENT_HOURS, POLICY_VERSION, Consent, Request, Shares
from bot.library.library import Library
from bot.library.voice import NOBODY, Scope, Sharing
from bot.models import RecordingPlace
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt, file_stem
from cogs.attachments import FoundRecording
from cogs.ui import PersistentButton, Question, bot_of, replace_message, row_of

POLICY: Final = (
    "Cloning is off in this server. Before you turn cloning on, here are the rules:\n"
    "- Members clone their own voice. For somebody else's, that person has to agree with a button.\n"
    "- Every take says that it's AI-generated, which voice it is, and who asked for it.\n"
    "- Moderators see who used which voice and when (/myna audit); the words are not recorded.\n"
    "- Everybody can take their voice back at once, or never be cloned at all: /privacy."
)
OWN_VOICE: Final = (
    "Is this your own voice? I only clone voices with the speaker's consent. Someone else's? Run the command "
    "again and add them under `speaker`.\n"
    "Pressing the button records your confirmation and the time. "
    "You can take it back at any time: /privacy revoke."
)
NOTED: Final = "Noted. Now run your command again."
TURNED_ON: Final = "Cloning is on. Now run your command again."
_ON: Final = (
    "Cloning is on. Members can save their own voice with /voice save, or speak with it once: "
    "/clone. Anyone else is asked first."
)
_OFF: Final = (
    "Cloning is off. Cloned voices can't speak here until you turn it on again; starter and designed voices "
    "still can. To remove a cloned voice for good: /voice delete."
)


_PLACES: Final = {
    RecordingPlace.THIS_MACHINE: "The service that makes the speech gets it each time; it runs there too",
    RecordingPlace.STORAGE_CHANNEL: (
        "The service that makes the speech, which others may run, gets it each time, from a private channel"
    ),
    RecordingPlace.OWNER: (
        "The service that makes the speech, which others may run, gets it each time, from a private message "
        "to whoever runs me"
    ),
}


def question(asker: str, request: Request, place: RecordingPlace) -> str:
    """Return the question to the speaker, with all they agree to; ``asker`` is a mention."""
    author = (
        ""
        if request.author_id is None
        else f"- Both of you have to agree: {_AUTHOR.format(request.author_id)}.\n"
    )
    return (
        f"{_mentions(request)}, {asker} would like to save your voice from a recording, "
        f"as **{excerpt(request.name or 'Voice')}**. Listen plays it to you alone.\n"
        f"- Who may speak with it, and hear the recording: {users_in_words(asker, request.shares)}.\n"
        f"- Where the recording goes: it is kept on the machine that I run on. {_PLACES[place]}.\n"
        "- How long: until you take it back, which works at any time with /privacy revoke.\n"
        f"{author}"
        f"- If you do nothing, this lapses in {CONSENT_HOURS} hours, and nothing is kept."
    )


_AUTHOR: Final = "<@{}> wrote the message that the recording comes from"


def _mentions(request: Request) -> str:
    """Return the mentions of who has to agree."""
    return " and ".join(f"<@{asked_id}>" for asked_id in request.asked_ids)


def users_in_words(asker: str, shares: Shares) -> str:
    """Return who may use a voice, as the rest of a sentence."""
    if shares.sharing is Sharing.SERVER:
        return "everybody in this server"
    if shares.sharing is Sharing.ROLE:
        return f"{asker} and everybody with the role <@&{shares.role_id}>"
    if shares.sharing is Sharing.MEMBERS:
        names = ", ".join(f"<@{member_id}>" for member_id in sorted(shares.member_ids))
        return f"{asker} and {names}"
    return f"only {asker}"


log = logging.getLogger(__name__)

Proceed = Callable[[discord.Interaction], Awaitable[None]]
"""Goes on with what was asked for, as the reply to the interaction that it gets."""


async def cloning_on(interaction: discord.Interaction, library: Library, proceed: Proceed) -> None:
    """Call ``proceed`` if cloning is on here; a moderator may turn it on first.

    Raises `MemberError` for everybody else.
    """
    scope = scope_of(interaction)
    if scope.is_private or await library.settings.cloning_is_on(scope.guild_id):
        await proceed(interaction)
    elif scope.is_moderator:
        await TurnOn(library, proceed).ask(interaction, POLICY)
    else:
        raise MemberError("Cloning is off in this server. A moderator can turn it on: /myna cloning.")


async def turn_cloning_on(interaction: discord.Interaction, library: Library) -> None:
    """Turn cloning on once this moderator has accepted the policy; where it is on, say so."""
    if await library.consents.cloning_permission_error(scope_of(interaction), NOBODY) is None:
        await _say_on(interaction)
    else:
        await TurnOn(library, _say_on).ask(interaction, POLICY)


async def _say_on(interaction: discord.Interaction) -> None:
    await Reply.of(interaction).finish(_ON)


async def turn_cloning_off(library: Library, scope: Scope) -> str:
    """Turn it off, let what is cloned fall silent at once, and return what the moderator reads."""
    await library.settings.set_cloning(scope, False, policy=POLICY_VERSION)
    await library.consents.silence_guild(scope.guild_id)
    return _OFF


async def with_own_voice(interaction: discord.Interaction, library: Library, proceed: Proceed) -> None:
    """Call ``proceed`` once this member may clone their own voice here.

    What is missing is asked for with buttons that only they see; ``proceed`` then gets the press. Raises
    `MemberError` where it cannot be settled.
    """

    async def attested(newest: discord.Interaction) -> None:
        scope = scope_of(newest)
        refusal = await library.consents.cloning_permission_error(scope, scope.member_id)
        if refusal is not None:
            raise MemberError(refusal)
        if await library.consents.has_attested(scope):
            await proceed(newest)
        else:
            await MyOwn(library, proceed).ask(newest, OWN_VOICE)

    scope = scope_of(interaction)
    if await library.consents.is_never_cloned(scope.member_id):
        await attested(interaction)  # the refusal that comes first
    else:
        await cloning_on(interaction, library, attested)


class _ConsentQuestion(Question):
    """Question before something is cloned."""

    def __init__(self, library: Library, proceed: Proceed | None) -> None:
        super().__init__(proceed, "These buttons have expired. Run your command again.")
        self._library = library


class TurnOn(_ConsentQuestion):
    """Question to a moderator: may cloning be turned on?"""

    @discord.ui.button(
        label="Accept, and turn cloning on", custom_id="cloning:on", style=discord.ButtonStyle.primary
    )
    async def accept(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Turn it on for the server."""
        await self._library.settings.set_cloning(scope_of(press), True, policy=POLICY_VERSION)
        await self.go_on(press, TURNED_ON)


class MyOwn(_ConsentQuestion):
    """Question to a member: is it their own voice?"""

    @discord.ui.button(
        label="This is my own voice", custom_id="cloning:own", style=discord.ButtonStyle.primary
    )
    async def mine(self, press: discord.Interaction, _button: discord.ui.Button[Self]) -> None:
        """Note that they have attested it."""
        await self._library.consents.attest(scope_of(press))
        await self.go_on(press, NOTED)


_NO_PLACE: Final = (
    "I can't send messages in this channel, so I can't ask them here. Try a channel where I can."
)
_A_BOT: Final = "A bot can't agree to be cloned. To keep one of my takes, press Save voice under it."
_LOOK_SECONDS: Final = 10.0
"""The asker looks at a bot that is thinking meanwhile."""

_ONE_OF_TWO: Final = "Noted. The other person has to agree too. Until then, nothing is saved."

LAPSED: Final = "Nobody answered in time. Nothing was saved."


class Asking:
    """Questions to members about their voice, and what follows from their answers."""

    def __init__(self, library: Library, creation: VoiceCreation) -> None:
        self._library = library
        self._creation = creation

    async def begin(
        self,
        interaction: discord.Interaction,
        found: FoundRecording,
        *,
        name: str,
        shares: Shares = NOT_SHARED,
    ) -> None:
        """Ask somebody whether their voice may be saved, as the reply to a command.

        Who wrote the message with the recording is asked too. Raises `MemberError`: they cannot be asked,
        which is found out before anything is fetched or kept.
        """
        for person in found.people:
            if person.bot:
                raise MemberError(_A_BOT)
            if await self._library.consents.is_never_cloned(person.id):
                raise MemberError("That member doesn't want to be cloned.")

        async def proceed(newest: discord.Interaction) -> None:
            scope = scope_of(newest)
            for person in found.people:
                await self._check(newest, person)
            recorded = await self._creation.record(found.attachment, scope=scope, speaker_id=found.speaker.id)
            try:
                words = await self._ask(newest, found, recorded, name, shares)
            except BaseException:  # nothing is kept of a question that was not asked
                with suppress(LibraryError):
                    await self._creation.drop(recorded.recording)
                raise
            await Reply.of(newest).finish_privately(words)

        await cloning_on(interaction, self._library, proceed)

    async def _check(self, interaction: discord.Interaction, speaker: discord.abc.User) -> None:
        refusal = await self._library.consents.question_permission_error(scope_of(interaction), speaker.id)
        if refusal is not None:
            raise MemberError(refusal)
        if not await _is_here(interaction.guild, speaker):
            raise MemberError("The speaker is no longer in this server, so I can't ask them.")
        refusal = write_permission_error(interaction)
        if refusal is not None:
            raise MemberError(f"{refusal} to ask them. A moderator can give it to my role.")
        if not isinstance(interaction.channel, discord.abc.Messageable):
            raise MemberError(_NO_PLACE)

    async def _ask(
        self,
        interaction: discord.Interaction,
        found: FoundRecording,
        recorded: KeptRecording,
        name: str,
        shares: Shares,
    ) -> str:
        """Ask in this channel and return what the asker reads."""
        request = await self._library.consents.ask(
            scope_of(interaction),
            found.speaker.id,
            recording=recorded.recording,
            name=name,
            sharing=shares.sharing,
            role_id=shares.role_id,
            member_ids=shares.member_ids,
            author_id=None if found.author is None else found.author.id,
        )
        channel, place = interaction.channel, bot_of(interaction).reference_posts.place
        assert isinstance(channel, discord.abc.Messageable), "it was checked"  # noqa: S101
        try:
            message = await channel.send(
                question(interaction.user.mention, request, place),
                view=row_of(*(ConsentButton(answer, request.id) for answer in ("listen", "yes", "no"))),
                allowed_mentions=discord.AllowedMentions(
                    users=[discord.Object(asked_id) for asked_id in request.asked_ids]
                ),
            )
        except BaseException as error:
            await self._library.consents.withdraw_question(request.id)
            if isinstance(error, discord.Forbidden):
                raise MemberError(_NO_PLACE) from None
            raise
        await self._library.consents.posted(request.id, message.channel.id, message.id)
        asked = f"I've asked {_mentions(request)}: {message.jump_url}. You'll see their answer there."
        return "\n".join([asked, *recorded.findings])

    async def _agreed(self, press: discord.Interaction, request: Request) -> None:
        """Save the voice that was agreed to, and tell both."""
        try:
            voice = await self._creation.save_agreed(request)
        except SpeechBotError as error:
            words = f"{_mentions(request)} agreed, but I couldn't save it. {sentence_for(error)}"
            await replace_message(press, words)
            return
        words = f"{_mentions(request)} agreed to **{excerpt(voice.name)}**. To take it back: /privacy revoke."
        await replace_message(press, words)
        with suppress(discord.HTTPException):
            await press.followup.send(
                f"<@{request.asker_id}>: the voice **{excerpt(voice.name)}** is yours to use. "
                f"Type /speak with voice: {excerpt(voice.name)}.",
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(request.asker_id)]),
            )

    async def play_recording(self, press: discord.Interaction, request_id: str) -> None:
        """Give the speaker the recording that they are asked about, for them alone.

        Raises `MemberError` for everybody else, and when there is nothing to answer any more.
        """
        request = await self._library.consents.question_to(press.user.id, request_id)
        wav = await self._library.recordings.read(request.recording or "")
        name = request.name or "Voice"
        words = f"This is the recording for **{excerpt(name)}**. Only you can see this."
        await Reply.of(press).finish(words, Upload(f"{file_stem(name)}.wav", wav))

    async def answer(self, press: discord.Interaction, request_id: str, *, yes: bool) -> None:
        """Carry out an answer. Raises `MemberError` for whoever may not give one."""
        asked = await self._library.consents.request(request_id)
        answered = await self._library.consents.answer(request_id, press.user.id, yes)
        request = await self._library.consents.request(request_id)
        if answered is Consent.GRANTED and request is not None:
            await self._agreed(press, request)
            return
        if answered is Consent.ASKED:
            await Reply.of(press).finish_privately(_ONE_OF_TWO)
            return
        await self._drop_recording(asked)
        words = f"{press.user.mention} said no. Nothing was saved."
        await replace_message(press, words)

    async def close_lapsed(self, client: discord.Client) -> None:
        """Close the questions that nobody has answered in time, and delete what was kept for them."""
        if not await self._library.processes.leads():
            return
        for request in await self._library.consents.sweep():
            await self._drop_recording(request)
            if request.channel_id is None or request.message_id is None:
                continue
            channel = client.get_partial_messageable(request.channel_id)
            with suppress(discord.HTTPException, OSError):
                await channel.get_partial_message(request.message_id).edit(content=LAPSED, view=None)

    async def _drop_recording(self, request: Request | None) -> None:
        """Delete the recording of a question that came to nothing."""
        if request is not None and request.recording is not None:
            await self._library.recordings.drop_unused([request.recording])


class ConsentButton(PersistentButton, template=r"consent:(?P<answer>listen|yes|no):(?P<request>[\w-]{22})"):
    """Button of one member, Listen, I agree or No; their press counts whenever it comes."""

    _LABELS: Final = {
        "listen": ("Listen", discord.ButtonStyle.primary),
        "yes": ("I agree", discord.ButtonStyle.success),
        "no": ("No", discord.ButtonStyle.secondary),
    }

    def __init__(self, answer: str, request: str) -> None:
        super().__init__(*self._LABELS[answer], answer=answer, request=request)
        self._answer = answer
        self._request_id = request

    @property
    def acknowledgement(self) -> Acknowledgement:
        """What they hear is for them alone; what they say is for all to read."""
        return Acknowledgement.EPHEMERAL if self._answer == "listen" else Acknowledgement.UPDATE

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Let them hear the recording, or carry out the answer."""
        asking = Asking(bot.library, bot.voice_creation)
        if self._answer == "listen":
            await asking.play_recording(interaction, self._request_id)
        else:
            await asking.answer(interaction, self._request_id, yes=self._answer == "yes")


async def _is_here(guild: discord.Guild | None, person: discord.abc.User) -> bool:
    """Whether ``person`` is a member of ``guild``. The author of a message comes without saying so."""
    if guild is None:
        return False
    if guild.get_member(person.id) is not None:
        return True
    try:
        async with asyncio.timeout(_LOOK_SECONDS):
            await guild.fetch_member(person.id)
    except discord.NotFound:
        return False
    except TimeoutError:
        raise MemberError("Discord didn't tell me in time whether they're still here. Try again.") from None
    return True


class Consenting(commands.Cog):
    """Questions that outlive a restart; it closes those that nobody answers."""

    def __init__(self, client: discord.Client, asking: Asking) -> None:
        self._client = client
        self._asking = asking

    async def cog_load(self) -> None:
        """Start to close lapsed questions."""
        self._sweep.start()

    async def cog_unload(self) -> None:
        """Stop it."""
        self._sweep.cancel()

    @tasks.loop(minutes=5)
    async def _sweep(self) -> None:
        await self._asking.close_lapsed(self._client)

    @_sweep.before_loop
    async def _until_connected(self) -> None:
        await self._client.wait_until_ready()


async def setup(bot: SpeechBot) -> None:
    """Load the cog, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(ConsentButton)
    bot.add_view(TurnOn(bot.library, None))
    bot.add_view(MyOwn(bot.library, None))
    await bot.add_cog(Consenting(bot, Asking(bot.library, bot.voice_creation)))
