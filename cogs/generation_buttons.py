"""Buttons under every generation, and the menu of More…; they carry its id, so they outlive a restart."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

import discord

from bot.command_tree import acknowledge
from bot.delivery.history import EXPIRED
from bot.delivery.offer import brief
from bot.delivery.reply import Acknowledgement, Reply
from bot.delivery.request import SpeakRequest, title_of
from bot.delivery.voice_message import (
    comes_as_response,
    respond_with_voice_message,
    send_voice_message,
    voice_message_permission_error,
)
from bot.errors import MemberError
from bot.interaction import guild_id_of, scope_of, voice_channel_of, voice_permission_error
from bot.library.generations import Generation
from bot.limits import MAX_VOICE_NAME_GRAPHEMES
from bot.speech_bot import SpeechBot
from bot.text.labels import excerpt, one_line
from cogs.ui import Form, PersistentButton, Question, replace_message, row_of
from cogs.voice_text import saved


@dataclass(frozen=True, slots=True)
class Press:
    """Press of one button; ``message`` is the one it stands under.

    ``under`` is the interaction whose original response that message is, if it was so acknowledged, and
    ``menu`` what was chosen from, if the press was a choice in a menu of More….
    """

    interaction: discord.Interaction
    bot: SpeechBot
    message: discord.Message
    generation_id: str
    under: discord.Interaction
    menu: Reply | None = None

    @contextmanager
    def once(self, act: str) -> Iterator[None]:
        """Raise `MemberError` while the same of the same member is still being done."""
        with self.bot.history.once(act, self.generation_id, self.interaction.user.id):
            yield

    async def put_menu_away(self) -> None:
        """Remove the menu that was chosen from, if there was one."""
        if self.menu is not None:
            await self.menu.withdraw()

    async def generation(self) -> Generation:
        """Return the generation of the button. Raises `MemberError` if it is not kept any more."""
        guild_id = guild_id_of(self.interaction)
        return await self.bot.history.get(self.generation_id, guild_id=guild_id)

    async def own_generation(self, refusal: str) -> Generation:
        """Return it to who asked for it. Raises `MemberError` with ``refusal`` for everybody else."""
        generation = await self.generation()
        if generation.member_id != self.interaction.user.id:
            raise MemberError(refusal)
        return generation


_NOT_YOURS: Final = "Only the member who asked for this can make it again. Type /speak for your own."
_NOT_DELETED: Final = "Only the member who asked for this, or a moderator (Manage Messages), can delete it."

_RESPONSE_SECONDS: Final = 2.0
"""Of the three that Discord waits for a first response: the rest is for sending it."""

_REPORTED: Final = "Thank you. The moderators can see your report, and freeze the voice: /myna reports."


async def again(press: Press) -> None:
    """Make the generation anew, for who asked for it."""
    generation = await press.own_generation(_NOT_YOURS)
    access = press.bot.accesses.at(press.interaction)
    request = press.bot.history.clone_request(generation.id)
    for voice in request.request.voices if request else ():
        refusal = await access.permission_error(voice)
        if refusal is not None:
            raise MemberError(refusal)
    if request is None:
        scope = scope_of(press.interaction)
        request = await press.bot.resolver.resolve_generation(scope, generation, access)
    await press.bot.deliveries.deliver(press.interaction, request)


async def play(press: Press) -> None:
    """Play the generation in the voice channel of whoever presses."""
    interaction = press.interaction
    channel, member = voice_channel_of(interaction), interaction.user
    if channel is None or not isinstance(member, discord.Member):
        raise MemberError("Join a voice channel first.")
    reason = voice_permission_error(interaction, channel)
    if reason is not None:
        raise MemberError(reason)
    if not channel.permissions_for(member).speak:
        raise MemberError(f"You can't speak in {channel.mention}, so I won't either.")
    generation = await press.generation()
    slot = await press.bot.history.play(generation, press.message, channel, member)
    await Reply.of(interaction).finish(f"{slot.where}.")


async def as_voice_message(press: Press) -> None:
    """Send the generation as a voice message, for whoever may send one in this channel."""
    interaction, channel_id = press.interaction, press.message.channel.id
    is_response = comes_as_response(interaction)
    reason = None if is_response else voice_message_permission_error(interaction)
    if reason is not None:
        raise MemberError(f"{reason}.")
    if interaction.guild_id is not None and not _may_send_voice_messages(interaction):
        raise MemberError("You can't send voice messages here, so I won't either.")
    try:
        async with asyncio.timeout(_RESPONSE_SECONDS if is_response else None):
            generation = await press.generation()
            made = await press.bot.history.voice_message(
                generation, press.message, member_id=interaction.user.id
            )
    except TimeoutError:
        raise MemberError("That took too long for a voice message here. Try again.") from None
    if is_response:
        press.bot.history.note_response(generation, interaction)
        await respond_with_voice_message(interaction, made)
        await _take_back_if_withdrawn(press, generation)
        return
    # A reply needs Read Message History, a message without a reference does not.
    may_reply = interaction.guild_id is None or interaction.app_permissions.read_message_history
    answered = press.message if may_reply else None
    post = await send_voice_message(interaction.client, channel_id, made, reply_to=answered)
    await press.bot.history.note_voice_message(generation, post)
    await Reply.of(interaction).finish("Sent.")


async def _take_back_if_withdrawn(press: Press, generation: Generation) -> None:
    """Delete the response again if a voice in it was withdrawn while it was sent. Raises `MemberError` then.

    Nothing else could delete it later: the bot itself is not there.
    """
    interaction = press.interaction
    try:
        await press.bot.history.check(generation, None, interaction.user.id)
    except MemberError:
        with suppress(discord.HTTPException):
            await interaction.delete_original_response()
        raise


def _may_send_voice_messages(interaction: discord.Interaction) -> bool:
    """Return whether the member may send voice messages where they press."""
    allowed = interaction.permissions
    in_thread = isinstance(interaction.channel, discord.Thread)
    may_write = allowed.send_messages_in_threads if in_thread else allowed.send_messages
    return may_write and allowed.send_voice_messages


async def delete(press: Press) -> None:
    """Delete the message, and what is kept of the generation."""
    generation = await press.generation()
    if not _may_delete(press.interaction, generation):
        raise MemberError(_NOT_DELETED)
    await press.bot.history.forget(generation)
    with suppress(discord.NotFound):  # somebody was faster
        await press.under.delete_original_response()


def _may_delete(interaction: discord.Interaction, generation: Generation) -> bool:
    """Return whether a member asked for the generation, or moderates what stands here."""
    is_moderator = guild_id_of(interaction) is not None and interaction.permissions.manage_messages
    return generation.member_id == interaction.user.id or is_moderator


async def report(press: Press) -> None:
    """Report the voices of real people in the generation to the moderators."""
    interaction = press.interaction
    await press.bot.history.report(scope_of(interaction), press.generation_id, press.message)
    await Reply.of(interaction).finish(_REPORTED)


log = logging.getLogger(__name__)

_MIN_SOUND_NAME: Final = 2
_MAX_SOUND_NAME: Final = 32
"""What Discord takes as the name of a soundboard sound."""

_NO_SLOT: Final = 30045
"""Discord: the maximum number of soundboard sounds is reached."""

_PAUSES: Final = (1.0, 2.0, 4.0)
"""Seconds between the tries of removing one again."""

_NEEDS: Final = "the permission Create Expressions"
_UNUSABLE: Final = re.compile(r"[^\w\s'-]")


Named = Callable[[discord.Interaction, str], Awaitable[str]]
"""Goes on with the name that was typed, and returns what the member reads."""


class NameForm(Form):
    """Form that asks for a name, and goes on with ``named``."""

    def __init__(self, title: str, field: discord.ui.TextInput[NameForm], named: Named) -> None:
        super().__init__(title=title)
        self._field = field
        self._named = named
        self.add_item(discord.ui.Label(text="Name", component=field))

    acknowledgement = Acknowledgement.EPHEMERAL

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Go on with what was typed."""
        await Reply.of(interaction).finish(await self._named(interaction, self._field.value))


async def save(press: Press) -> None:
    """Save the voice of the generation, under a name that is asked for."""

    async def named(interaction: discord.Interaction, name: str) -> str:
        generation = await press.own_generation("Only the member who asked for this can save its voice.")
        scope, asked_by = scope_of(interaction), interaction.user.display_name
        return saved(await press.bot.history.save(scope, generation, press.message, name, asked_by=asked_by))

    field = discord.ui.TextInput[NameForm](
        placeholder="What to call the voice in this server", max_length=4 * MAX_VOICE_NAME_GRAPHEMES
    )
    await NameForm("Save this voice", field, named).open(press.interaction)


async def to_soundboard(press: Press) -> None:
    """Add the generation to the soundboard, under a name that is asked for."""
    check_may_add(press.interaction)

    async def named(interaction: discord.Interaction, name: str) -> str:
        added = await _add(press, interaction, name)
        await press.put_menu_away()
        return added

    field = discord.ui.TextInput[NameForm](
        placeholder="Leave it empty to use its first words", required=False, max_length=_MAX_SOUND_NAME
    )
    await NameForm("Add to soundboard", field, named).open(press.interaction)


async def _add(press: Press, interaction: discord.Interaction, name: str) -> str:
    """Return what the member reads once the sound is added. Raises `MemberError`."""
    check_may_add(interaction)
    guild = interaction.guild
    assert guild is not None, "it was checked"  # noqa: S101
    generation = await press.generation()
    name = one_line(name)[:_MAX_SOUND_NAME] or _sound_name(title_of(generation))
    if len(name) < _MIN_SOUND_NAME:
        raise MemberError(f"A sound needs a name of {_MIN_SOUND_NAME} to {_MAX_SOUND_NAME} characters.")
    clip = await press.bot.history.soundboard_clip(generation, press.message, member_id=interaction.user.id)
    try:
        reason = f"asked for by {one_line(str(interaction.user))}"
        sound = await guild.create_soundboard_sound(name=name, sound=clip.data, reason=reason)
    except discord.HTTPException as error:
        raise MemberError(_soundboard_refusal(error)) from None
    try:
        await press.bot.history.check(generation, guild, interaction.user.id)
    except MemberError:  # the voice was withdrawn while the sound was on its way
        await _remove(sound)
        raise
    words = f"Added **{excerpt(name)}** to the soundboard."
    return f"{words} It's the first {clip.seconds:.1f} s, all that fits." if clip.was_cut else words


async def _remove(sound: discord.SoundboardSound) -> None:
    for pause in (*_PAUSES, None):
        try:
            await sound.delete(reason="its voice was withdrawn")
            return
        except discord.NotFound:
            return
        except (discord.HTTPException, OSError) as error:
            if pause is None:
                log.error("a sound of a withdrawn voice stays on a soundboard: %s", brief(error))
                return
        await asyncio.sleep(pause)


def check_may_add(interaction: discord.Interaction) -> None:
    """Raise `MemberError` unless both the member and the bot may add sounds here."""
    if interaction.guild is None or not interaction.is_guild_integration():
        raise MemberError("I can only add sounds in servers I've been added to.")
    if not interaction.permissions.create_expressions:
        raise MemberError(f"You need {_NEEDS} to add a sound.")
    if not interaction.app_permissions.create_expressions:
        raise MemberError(f"I can't add sounds here: I need {_NEEDS}.")


def _soundboard_refusal(error: discord.HTTPException) -> str:
    if error.code == _NO_SLOT:
        return "This server's soundboard is full. Delete a sound there first."
    if isinstance(error, discord.Forbidden):
        return f"I can't add sounds here: I need {_NEEDS}."
    log.warning("a sound was not taken for a soundboard: %s", error)
    return "Discord rejected that sound. Try another name, or a shorter text."


def _sound_name(text: str) -> str:
    words = _UNUSABLE.sub("", one_line(text))
    name = " ".join(words.split())[:_MAX_SOUND_NAME].strip()
    return name if len(name) >= _MIN_SOUND_NAME else "Speech"


@dataclass(frozen=True, slots=True)
class GenerationAct:
    """Act of a button, or of a choice: what it says, what it does, and how a press is acknowledged."""

    label: str
    carry_out: Callable[[Press], Awaitable[None]]
    acknowledgement: Acknowledgement = Acknowledgement.EPHEMERAL
    style: discord.ButtonStyle = discord.ButtonStyle.secondary


_ACTS_OF_MENU: Final[Mapping[str, GenerationAct]] = MappingProxyType(
    {
        "play": GenerationAct("Play in my channel", play),
        "voice": GenerationAct("Send as voice message", as_voice_message),
        "sound": GenerationAct("Add to soundboard", to_soundboard, Acknowledgement.IMMEDIATE),
        "report": GenerationAct("Report", report),
        "delete": GenerationAct("Delete", delete, Acknowledgement.UPDATE),
    }
)
_TOO_LATE: Final = "This menu has expired. Press More… again."


async def more(press: Press) -> None:
    """Show what else can be done with the generation, to whoever presses."""
    acts = await _offered_to(press)
    if not acts:
        raise MemberError(EXPIRED)
    await MoreMenu(acts, press).ask(press.interaction, "What do you want to do with this take?")


async def _offered_to(press: Press) -> list[str]:
    """Return the acts of the menu that can come to anything where it stands, for this member."""
    interaction, history = press.interaction, press.bot.history
    guild_id = guild_id_of(interaction)
    generation = await history.find(press.generation_id, guild_id=guild_id)
    in_server, is_kept = guild_id is not None, generation is not None
    is_heard = in_server and await history.can_be_reported(scope_of(interaction), generation, press.message)
    applies = {
        "play": is_kept and in_server,
        "voice": is_kept and (interaction.guild_id is None or _may_send_voice_messages(interaction)),
        "sound": is_kept and in_server and interaction.permissions.create_expressions,
        "report": is_heard,
        "delete": generation is not None and _may_delete(interaction, generation),
    }
    return [act for act in _ACTS_OF_MENU if applies[act]]


class MoreMenu(Question):
    """Menu of what else can be done with the generation of ``press``, for who has pressed.

    Without it this takes the choices from before a restart.
    """

    def __init__(self, acts: Sequence[str], press: Press | None) -> None:
        super().__init__(None if press is None else self.carry_out, _TOO_LATE)
        self._press = press
        self.add_item(_MoreOptions(self, acts))

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a choice is acknowledged: as the act says, once it is known which it is."""
        return Acknowledgement.IMMEDIATE

    async def carry_out(self, interaction: discord.Interaction, act_name: str) -> None:
        """Do what was chosen, and put the menu away; a form does so itself when it is sent."""
        if self._press is None or self._asked is None:
            if await acknowledge(interaction, Acknowledgement.UPDATE):
                await replace_message(interaction, _TOO_LATE)
            return
        press = replace(self._press, interaction=interaction, menu=self._asked)
        act = _ACTS_OF_MENU[act_name]
        if not await _acknowledged(interaction, act_name, act):
            return
        try:
            with press.once(act_name):
                await act.carry_out(press)
        except Exception as error:  # answered before the menu goes: it may be the first response
            await self.on_error(interaction, error)
        if act.acknowledgement is not Acknowledgement.IMMEDIATE:
            self.stop()
            await press.put_menu_away()


class _MoreOptions(discord.ui.Select[MoreMenu]):
    """Options of the menu: the acts."""

    def __init__(self, menu: MoreMenu, acts: Sequence[str]) -> None:
        super().__init__(custom_id="more:act", placeholder="Choose what to do")
        self._menu = menu
        for act in acts:
            self.add_option(label=_ACTS_OF_MENU[act].label, value=act)
        if not acts:
            self.add_option(label="…", value="-")  # it stands for the menu that was used

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do it."""
        await self._menu.carry_out(interaction, self.values[0])


async def _acknowledged(interaction: discord.Interaction, act_name: str, act: GenerationAct) -> bool:
    """Acknowledge a press as its act says, but where a voice message has to be the first response itself."""
    if act_name == "voice" and comes_as_response(interaction):
        return True
    return await acknowledge(interaction, act.acknowledgement)


_ACTS: Final[Mapping[str, GenerationAct]] = MappingProxyType(
    {
        "again": GenerationAct("Again", again, Acknowledgement.PUBLIC, discord.ButtonStyle.primary),
        "save": GenerationAct("Save voice", save, Acknowledgement.IMMEDIATE),
        "more": GenerationAct("More…", more, Acknowledgement.UPDATE),
        **_ACTS_OF_MENU,  # they were buttons once, and there are such messages
    }
)


class GenerationButton(
    PersistentButton, template=rf"take:(?P<act>{'|'.join(_ACTS)}):(?P<generation>[A-Za-z0-9_-]{{22}})"
):
    """Button under a generation; whether a member may press it is looked up at the press."""

    def __init__(self, act: str, generation: str) -> None:
        self._act, self._act_name, self._generation_id = _ACTS[act], act, generation
        super().__init__(self._act.label, self._act.style, act=act, generation=generation)

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Acknowledge the press."""
        return await _acknowledged(interaction, self._act_name, self._act)

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it."""
        if interaction.message is None:
            raise MemberError(EXPIRED)
        press = Press(interaction, bot, interaction.message, self._generation_id, under=interaction)
        with press.once(self._act_name):
            await self._act.carry_out(press)


def buttons_under(generation_id: str, request: SpeakRequest) -> discord.ui.View:
    """Return the buttons under a generation: in one row, and those that everybody looks for."""
    shown = ["again", "save", "more"] if request.can_be_saved else ["again", "more"]
    return row_of(*(GenerationButton(act, generation_id) for act in shown))


async def setup(bot: SpeechBot) -> None:
    """Load the buttons, and put them under every generation from now on."""
    bot.add_dynamic_items(GenerationButton)
    bot.add_view(MoreMenu((), None))
    bot.history.buttons = buttons_under
