"""Buttons under every generation. They carry its id, so they work after a restart too."""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

import discord

from bot.delivery.history import EXPIRED
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.request import SpeakRequest, title_of
from bot.delivery.voice_message import why_not_here
from bot.errors import MemberError
from bot.interaction import scope_of, voice_channel_of, why_not_voice
from bot.library.generations import Generation
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt, one_line
from cogs.ui import Form, PersistentItem, row_of
from cogs.voice_text import saved


@dataclass(frozen=True, slots=True)
class Press:
    """One press. ``message`` is the one with the button."""

    interaction: discord.Interaction
    bot: SpeechBot
    message: discord.Message
    take_id: str

    @classmethod
    @contextmanager
    def once(
        cls, interaction: discord.Interaction, bot: SpeechBot, act: str, take_id: str
    ) -> Iterator[Press]:
        """Yield the press. Raises `MemberError` while the same of the same member is still being done."""
        if interaction.message is None:
            raise MemberError(EXPIRED)
        with bot.under_takes.once(act, take_id, interaction.user.id):
            yield cls(interaction, bot, interaction.message, take_id)

    async def take(self) -> Generation:
        """Return the take under which the button stands. Raises `MemberError` if it is not kept any more."""
        return await self.bot.under_takes.take(self.take_id, guild_id=self.guild_id)

    async def own_take(self, refusal: str) -> Generation:
        """Return it to who asked for it. Raises `MemberError` with ``refusal`` for everybody else."""
        take = await self.take()
        if take.member_id != self.interaction.user.id:
            raise MemberError(refusal)
        return take

    @property
    def guild_id(self) -> int | None:
        """The server, if the bot is a member there."""
        return self.interaction.guild_id if self.interaction.is_guild_integration() else None


_NOT_YOURS: Final = "Only who asked for this can have it made again. Type /speak yourself."
_NOT_DELETED: Final = (
    "Only who asked for this can delete it, or a moderator with the permission Manage Messages."
)

_REPORTED: Final = "Thank you. The moderators can see your report, and freeze the voice: /voice audit."


async def again(press: Press) -> None:
    """Make a new take for who asked for the first."""
    take = await press.own_take(_NOT_YOURS)
    may_speak = press.bot.accesses.at(press.interaction).may_speak
    order = press.bot.keeping.order_again(take.id)
    for voice in order.request.voices if order else ():
        refusal = await may_speak(voice)
        if refusal is not None:
            raise MemberError(refusal)
    if order is None:
        order = await press.bot.ordering.again(scope_of(press.interaction), take, may_speak)
    await press.bot.deliveries.deliver(press.interaction, order)


async def play(press: Press) -> None:
    """Let the presser's voice channel hear it."""
    interaction = press.interaction
    channel, member = voice_channel_of(interaction), interaction.user
    if channel is None or not isinstance(member, discord.Member):
        raise MemberError("Join a voice channel first.")
    reason = why_not_voice(interaction, channel)
    if reason is not None:
        raise MemberError(reason)
    if not channel.permissions_for(member).speak:
        raise MemberError(f"You may not speak in {channel.mention}, so I do not speak there for you.")
    take = await press.take()
    place = await press.bot.under_takes.play(take, press.message, channel, member)
    await Reply.of(interaction).finish(f"{place.where}.")


async def as_voice_message(press: Press) -> None:
    """Send it as a voice message into the channel, for whoever may send one there."""
    interaction = press.interaction
    reason = why_not_here(interaction)
    if reason is not None:
        raise MemberError(f"{reason}.")
    allowed = interaction.permissions
    may_write = (
        allowed.send_messages_in_threads
        if isinstance(interaction.channel, discord.Thread)
        else allowed.send_messages
    )
    if not (may_write and allowed.send_voice_messages):
        raise MemberError("You may not send voice messages here, so I do not send one for you.")
    take = await press.take()
    await press.bot.under_takes.send_as_voice_message(
        take, press.message, interaction.client, member_id=interaction.user.id
    )
    await Reply.of(interaction).finish("Sent.")


async def delete(press: Press) -> None:
    """Delete the message, and what is kept of the take."""
    interaction = press.interaction
    take = await press.take()
    if take.member_id != interaction.user.id and not (
        press.guild_id is not None and interaction.permissions.manage_messages
    ):
        raise MemberError(_NOT_DELETED)
    await press.bot.under_takes.forget(take)
    with suppress(discord.NotFound):  # somebody was faster
        await interaction.delete_original_response()


async def report(press: Press) -> None:
    """Report the cloned voices in it to the moderators."""
    interaction = press.interaction
    take = await press.take()
    scope = scope_of(interaction)
    cloned = await press.bot.under_takes.cloned(take)
    if not cloned:
        raise MemberError("The voice in it was deleted or withdrawn, so there is nothing left to report.")
    for voice in cloned:
        await press.bot.library.audit.report(
            scope,
            voice.id,
            take_id=take.id,
            member_id=take.member_id,
            channel_id=interaction.channel_id,
            message_id=press.message.id,
        )
    await Reply.of(interaction).finish(_REPORTED)


log = logging.getLogger(__name__)

_MIN_SOUND_NAME: Final = 2
_MAX_SOUND_NAME: Final = 32
"""What Discord takes as the name of a soundboard sound."""

_NO_SLOT: Final = 30045
"""Discord: the maximum number of soundboard sounds is reached."""

_NEEDS: Final = "the permission Create Expressions"
_UNUSABLE: Final = re.compile(r"[^\w\s'-]")


Named = Callable[[discord.Interaction, str], Awaitable[str]]
"""Goes on with the name that was typed, and returns what the member reads."""


class NameForm(Form):
    """Asks for a name, and goes on with ``named``."""

    def __init__(self, title: str, field: discord.ui.TextInput[NameForm], named: Named) -> None:
        super().__init__(title=title)
        self._field = field
        self._named = named
        self.add_item(discord.ui.Label(text="Name", component=field))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How it is acknowledged when it is sent: for the member alone."""
        return Acknowledgement.EPHEMERAL

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Go on with what was typed."""
        await Reply.of(interaction).finish(await self._named(interaction, self._field.value))


async def save(press: Press) -> None:
    """Ask how the voice of the take shall be called, and save it."""

    async def named(interaction: discord.Interaction, name: str) -> str:
        take = await press.own_take("Only who asked for this can save its voice.")
        asked_by = interaction.user.display_name
        voice = await press.bot.under_takes.save(
            scope_of(interaction), take, press.message, name, asked_by=asked_by
        )
        return saved(voice)

    field = discord.ui.TextInput[NameForm](
        placeholder="What the voice will be called here", max_length=4 * MAX_VOICE_NAME_GRAPHEMES
    )
    await NameForm("Save this voice", field, named).open(press.interaction)


async def to_soundboard(press: Press) -> None:
    """Ask how the sound shall be called, and add it."""
    check_may_add(press.interaction)

    async def named(interaction: discord.Interaction, name: str) -> str:
        return await _add(press, interaction, name)

    field = discord.ui.TextInput[NameForm](
        placeholder="Its first words, unless you name it", required=False, max_length=_MAX_SOUND_NAME
    )
    await NameForm("To the soundboard", field, named).open(press.interaction)


async def _add(press: Press, interaction: discord.Interaction, name: str) -> str:
    """Add a take to the soundboard, and return what the member reads. Raises `MemberError`."""
    check_may_add(interaction)
    guild = interaction.guild
    assert guild is not None, "it was checked"  # noqa: S101
    take = await press.take()
    name = one_line(name)[:_MAX_SOUND_NAME] or _sound_name(title_of(take))
    if len(name) < _MIN_SOUND_NAME:
        raise MemberError(f"A sound needs a name of {_MIN_SOUND_NAME} to {_MAX_SOUND_NAME} characters.")
    clip = await press.bot.under_takes.clip(take, press.message, member_id=interaction.user.id)
    try:
        reason = f"asked for by {one_line(str(interaction.user))}"
        await guild.create_soundboard_sound(name=name, sound=clip.data, reason=reason)
    except discord.HTTPException as error:
        raise MemberError(_why_not_added(error)) from None
    words = f"**{excerpt(name)}** is on the soundboard now."
    return f"{words} Only its beginning: {clip.seconds:.1f} s fit." if clip.was_cut else words


def check_may_add(interaction: discord.Interaction) -> None:
    """Raise `MemberError` unless both the member and the bot may add sounds here."""
    if interaction.guild is None or not interaction.is_guild_integration():
        raise MemberError("I can add sounds only in servers I have been added to.")
    if not interaction.permissions.create_expressions:
        raise MemberError(f"To add a sound to the soundboard you need {_NEEDS}.")
    if not interaction.app_permissions.create_expressions:
        raise MemberError(f"I may not add sounds here: I need {_NEEDS}.")


def _why_not_added(error: discord.HTTPException) -> str:
    if error.code == _NO_SLOT:
        return "The soundboard of this server is full. Delete a sound there first."
    if isinstance(error, discord.Forbidden):
        return f"I may not add sounds here: I need {_NEEDS}."
    log.warning("a sound was not taken for a soundboard: %s", error)
    return "Discord did not take that as a sound. Try another name, or a shorter text."


def _sound_name(text: str) -> str:
    words = _UNUSABLE.sub("", one_line(text))
    name = " ".join(words.split())[:_MAX_SOUND_NAME].strip()
    return name if len(name) >= _MIN_SOUND_NAME else "Speech"


Act = Callable[[Press], Awaitable[None]]

_ACTS: Final[Mapping[str, Act]] = MappingProxyType(
    {
        "again": again,
        "play": play,
        "voice": as_voice_message,
        "save": save,
        "sound": to_soundboard,
        "delete": delete,
        "report": report,
    }
)
_ACKNOWLEDGEMENTS: Final = {
    "again": Acknowledgement.PUBLIC,
    "save": Acknowledgement.IMMEDIATE,
    "sound": Acknowledgement.IMMEDIATE,
    "delete": Acknowledgement.UPDATE,
}
"""All others are for the presser alone."""

_LABELS: Final = {
    "again": "Again",
    "play": "Play in my channel",
    "voice": "As voice message",
    "save": "Save voice",
    "sound": "To soundboard",
    "delete": "Delete",
    "report": "Report",
}
_STYLES: Final = {
    "again": discord.ButtonStyle.primary,
    "delete": discord.ButtonStyle.danger,
    "report": discord.ButtonStyle.danger,
}


class TakeButton(
    PersistentItem,
    discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]],
    template=rf"take:(?P<act>{'|'.join(_ACTS)}):(?P<take>[A-Za-z0-9_-]{{22}})",
):
    """One of the buttons under a take. What the presser may do is looked up at the press."""

    def __init__(self, act: str, take: str) -> None:
        super().__init__(
            discord.ui.Button(
                label=_LABELS[act],
                style=_STYLES.get(act, discord.ButtonStyle.secondary),
                custom_id=self.id_of(act=act, take=take),
            )
        )
        self._act = act
        self._take_id = take

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: by what it does."""
        return _ACKNOWLEDGEMENTS.get(self._act, Acknowledgement.EPHEMERAL)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it."""
        with Press.once(interaction, bot, self._act, self._take_id) as press:
            await _ACTS[self._act](press)


def buttons_under(take_id: str, order: SpeakRequest, in_server: bool) -> discord.ui.View:
    """Return the buttons under a take: those that can do anything where it stands."""
    shown = ["again"]
    if in_server:
        shown += ["play", "voice"]
    if order.may_be_saved:
        shown.append("save")
    if in_server:
        shown.append("sound")
    shown.append("delete")
    if in_server and order.cloned:
        shown.append("report")
    return row_of(*(TakeButton(act, take_id) for act in shown))


async def setup(bot: SpeechBot) -> None:
    """Take presses, also on buttons from before a restart, and put buttons under what is said from now on."""
    bot.add_dynamic_items(TakeButton)
    bot.keeping.buttons = buttons_under
