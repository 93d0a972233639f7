"""The question to somebody else, whether their voice may be saved, and the buttons they answer it with."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from typing import Final

import discord

from bot.answer import Answer
from bot.errors import MemberError, SpeechBotError
from bot.library.consent import Consent, Request, Shares
from bot.library.library import Library
from bot.messages import sentence_for
from bot.speech_bot import SpeechBot
from bot.text.style import excerpt
from bot.voice_making import NOT_SHARED, Recorded, VoiceMaking
from cogs.consent.own_voice import cloning_on
from cogs.consent.words import question
from cogs.lasting import Lasting, bot_of, replace_message, row_of
from cogs.scopes import scope_of

log = logging.getLogger(__name__)

_NO_PLACE: Final = (
    "I cannot write in this channel, so I cannot ask them here. Try it in a channel where I may write."
)
_A_BOT: Final = "A bot cannot agree to be cloned. To keep one of my own takes, press Save voice under it."
_LOOK_SECONDS: Final = 10.0
"""The asker looks at a bot that is thinking meanwhile."""

LAPSED: Final = "Nobody answered in time. Nothing was saved."


class Asking:
    """Asks members for their voice, and carries out what they answer."""

    def __init__(self, library: Library, making: VoiceMaking) -> None:
        self._library = library
        self._making = making

    async def begin(
        self,
        interaction: discord.Interaction,
        speaker: discord.abc.User,
        attachment: discord.Attachment,
        *,
        name: str,
        shares: Shares = NOT_SHARED,
    ) -> None:
        """Answer a command that would save somebody else's voice: ask them, if that is possible here.

        Raises `MemberError`; before anything is fetched or kept if they can not be asked at all.
        """
        if speaker.bot:
            raise MemberError(_A_BOT)
        if await self._library.consents.is_never_cloned(speaker.id):
            raise MemberError("That member does not want to be cloned.")

        async def proceed(newest: discord.Interaction) -> None:
            await self._check(newest, speaker)
            recorded = await self._making.record(attachment, member_id=newest.user.id)
            await Answer.of(newest).alone(await self._ask(newest, speaker, recorded, name, shares))

        await cloning_on(interaction, self._library, proceed)

    async def _check(self, interaction: discord.Interaction, speaker: discord.abc.User) -> None:
        refusal = await self._library.consents.refusal(scope_of(interaction), speaker.id)
        if refusal is not None:
            raise MemberError(refusal)
        if not await _is_here(interaction.guild, speaker):
            raise MemberError("Whose voice it is has left this server, so they cannot be asked here.")
        if not isinstance(interaction.channel, discord.abc.Messageable) or not _may_write(interaction):
            raise MemberError(_NO_PLACE)

    async def _ask(
        self,
        interaction: discord.Interaction,
        speaker: discord.abc.User,
        recorded: Recorded,
        name: str,
        shares: Shares,
    ) -> str:
        """Ask in this channel and return what the asker reads."""
        request = await self._library.consents.ask(
            scope_of(interaction),
            speaker.id,
            recording=recorded.recording,
            name=name,
            sharing=shares.sharing,
            role_id=shares.role_id,
            member_ids=shares.member_ids,
        )
        channel, place = interaction.channel, bot_of(interaction).reference_posts.place
        assert isinstance(channel, discord.abc.Messageable), "it was checked"  # noqa: S101
        try:
            message = await channel.send(
                question(interaction.user.mention, request, place),
                view=row_of(ConsentButton("yes", request.id), ConsentButton("no", request.id)),
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(speaker.id)]),
            )
        except discord.Forbidden:
            await self._library.consents.answer(request.id, speaker.id, False)
            raise MemberError(_NO_PLACE) from None
        await self._library.consents.posted(request.id, message.channel.id, message.id)
        asked = f"I have asked {speaker.mention}: {message.jump_url}. You will read there what they say."
        return "\n".join([asked, *recorded.findings])

    async def _agreed(self, press: discord.Interaction, request: Request) -> None:
        """Save the voice that was agreed to, and tell both."""
        try:
            voice = await self._making.save_agreed(request)
        except SpeechBotError as error:
            words = f"{press.user.mention} agreed, but it could not be saved. {sentence_for(error)}"
            await replace_message(press, words)
            return
        words = f"{press.user.mention} agreed to **{excerpt(voice.name)}**. To take it back: /privacy revoke."
        await replace_message(press, words)
        with suppress(discord.HTTPException):
            await press.followup.send(
                f"<@{request.asker_id}>: the voice **{excerpt(voice.name)}** is yours to use. "
                f"Type /speak with voice: {excerpt(voice.name)}.",
                allowed_mentions=discord.AllowedMentions(users=[discord.Object(request.asker_id)]),
            )

    async def answer(self, press: discord.Interaction, request_id: str, *, yes: bool) -> None:
        """Take the answer. Raises `MemberError` for whoever may not give one."""
        asked = await self._library.consents.request(request_id)
        answered = await self._library.consents.answer(request_id, press.user.id, yes)
        request = await self._library.consents.request(request_id)
        if answered is Consent.GRANTED and request is not None:
            await self._agreed(press, request)
            return
        await self._drop_recording(asked)
        words = f"{press.user.mention} said no. Nothing was saved."
        await replace_message(press, words)

    async def close_lapsed(self, client: discord.Client) -> None:
        """Take the buttons of questions away that nobody has answered in time, and what was kept for them."""
        for request in await self._library.consents.sweep():
            await self._drop_recording(request)
            if request.channel_id is None or request.message_id is None:
                continue
            channel = client.get_partial_messageable(request.channel_id)
            with suppress(discord.HTTPException, OSError):
                await channel.get_partial_message(request.message_id).edit(content=LAPSED, view=None)

    async def _drop_recording(self, request: Request | None) -> None:
        """Delete what was kept for a question that came to nothing; over, it no longer names it."""
        if request is not None and request.recording is not None:
            await self._library.recordings.drop_unused([request.recording])


class ConsentButton(
    Lasting,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=r"consent:(?P<answer>yes|no):(?P<request>[\w-]{22})",
):
    """I agree, or No: the press of one member decides, whenever it comes."""

    def __init__(self, answer: str, request: str) -> None:
        label, style = (
            ("I agree", discord.ButtonStyle.success)
            if answer == "yes"
            else ("No", discord.ButtonStyle.secondary)
        )
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=f"consent:{answer}:{request}"))
        self._yes = answer == "yes"
        self._request_id = request

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Take the answer."""
        asking = Asking(bot.library, bot.voice_making)
        await asking.answer(interaction, self._request_id, yes=self._yes)


def _may_write(interaction: discord.Interaction) -> bool:
    allowed = interaction.app_permissions
    return allowed.view_channel and allowed.send_messages


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
        raise MemberError("Discord did not tell me in time whether they are still here. Try again.") from None
    return True
