"""Parts of the user interface that cogs share: items that outlive a restart, options, names."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from contextlib import suppress
from functools import partial
from typing import Any, Final, Self, TypeVar, cast

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.command_tree import acknowledge, answer_error
from bot.delivery.reply import Acknowledgement, Reply
from bot.errors import MemberError
from bot.library.voice import check_name
from bot.limits import MAX_GUIDANCE, MAX_STEPS, MIN_GUIDANCE, MIN_STEPS
from bot.models import Destination
from bot.speech_bot import SpeechBot
from bot.text.discord_markup import Names

_FORM_SECONDS: Final = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""


class Acknowledged:
    """What views, forms, buttons and menus are besides: acknowledged before any of their own code runs.

    What they raise is answered as a failed command is.
    """

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press, a choice or a filled-in form is acknowledged."""
        return Acknowledgement.UPDATE

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Acknowledge it; return whether Discord took that."""
        return await acknowledge(interaction, self.acknowledgement)

    async def on_error(self, interaction: discord.Interaction, error: Exception, /, *_item: Any) -> None:
        """Answer with the sentence for ``error``, for this member only, and log it."""
        await answer_error(interaction, error)


class Buttons(Acknowledged, discord.ui.View):
    """Buttons and menus under a message. Their callbacks need not acknowledge anything."""


class Form(Acknowledged, discord.ui.Modal):
    """Asks for something to be typed. What is sent is answered for everybody to see.

    It is a first response, so that it opens without asking the database or Discord anything, and is judged
    when it is sent.
    """

    def __init__(self, *, title: str = discord.utils.MISSING) -> None:
        super().__init__(title=title, timeout=_FORM_SECONDS)

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How it is acknowledged when it is sent."""
        return Acknowledgement.PUBLIC

    async def open(self, interaction: discord.Interaction) -> None:
        """Open it, as the first response to ``interaction``."""
        response = interaction.response
        await Reply.of(interaction).respond(partial(response.send_modal, self))


_GROUP: Final = re.compile(r"\(\?P<(?P<name>\w+)>[^()]*\)")


class PersistentItem(Acknowledged, ABC):
    """What a `discord.ui.DynamicItem` is besides that outlives a restart: made anew at every press.

    All it knows stands in its custom id, which its template declares once: the groups of it name the
    parameters it is made with, which come back as strings, and `id_of` writes them into it.
    """

    def id_of(self, **fields: object) -> str:
        """Return the custom id that says ``fields``. Raises ValueError if it would not be found again."""
        template = cast("discord.ui.DynamicItem[Any]", self).template
        custom_id = _GROUP.sub(lambda group: str(fields[group["name"]]), template.pattern)
        found = template.fullmatch(custom_id)
        if found is None or found.groupdict() != {name: str(value) for name, value in fields.items()}:
            raise ValueError(f"{template.pattern} cannot say {fields}")
        return custom_id

    @classmethod
    async def from_custom_id(
        cls, _interaction: discord.Interaction, _item: discord.ui.Item[Any], match: re.Match[str], /
    ) -> Self:
        """Return the one that was pressed."""
        return cls(**match.groupdict())

    async def callback(self, interaction: discord.Interaction) -> None:
        """Do it; discord.py only logs what is raised here, so it is answered here."""
        try:
            await self.pressed(interaction, bot_of(interaction))
        except Exception as error:
            await self.on_error(interaction, error)

    @abstractmethod
    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do what the press asks for. What it raises is answered as a failed command is."""


def bot_of(interaction: discord.Interaction) -> SpeechBot:
    """Return the bot; what outlives a restart is given nothing else."""
    bot = interaction.client
    assert isinstance(bot, SpeechBot), "no other client loads this"  # noqa: S101
    return bot


def row_of(*items: discord.ui.Item[Any]) -> discord.ui.View:
    """Return these buttons and menus, which are registered by their custom ids and never time out."""
    view = discord.ui.View(timeout=None)
    for item in items:
        view.add_item(item)
    return view


async def replace_message(
    press: discord.Interaction, content: str, view: discord.ui.View | None = None
) -> None:
    """Let the message whose button was pressed, and acknowledged, say ``content`` alone from now on."""
    await press.edit_original_response(
        content=content, view=view, attachments=[], allowed_mentions=discord.AllowedMentions.none()
    )


DESTINATIONS: Final = [
    Choice(name="here, as a file", value=Destination.HERE.value),
    Choice(name="my voice channel", value=Destination.VOICE_CHANNEL.value),
    Choice(name="both", value=Destination.BOTH.value),
    Choice(name="here, as a voice message", value=Destination.VOICE_MESSAGE.value),
]

GUIDANCES: Final = [
    Choice(name="free: the most natural, less exact", value=MIN_GUIDANCE),
    Choice(name="loose", value=1.5),
    Choice(name="balanced", value=2.0),
    Choice(name="close", value=2.5),
    Choice(name="strict: the most exact, less natural", value=MAX_GUIDANCE),
]
"""`cfg_value`. VoxCPM's documentation: lower is more natural, higher follows the text more strictly."""

STEPS: Final = [
    Choice(name="quick", value=MIN_STEPS),
    Choice(name="normal", value=10),
    Choice(name="careful", value=20),
    Choice(name="the most careful, three times as slow", value=MAX_STEPS),
]
"""`dit_steps`. VoxCPM's documentation: 4 to 30, the time grows with them."""

T = TypeVar("T", bound=Any)


def everywhere(command: T) -> T:
    """Allow ``command`` in servers, in direct messages, and to people who installed the app themselves."""
    installs = app_commands.allowed_installs(guilds=True, users=True)
    contexts = app_commands.allowed_contexts(guilds=True, dms=True, private_channels=True)
    return contexts(installs(command))


def in_servers(command: T) -> T:
    """Allow ``command`` only in servers the bot was added to."""
    installs = app_commands.allowed_installs(guilds=True, users=False)
    contexts = app_commands.allowed_contexts(guilds=True, dms=False, private_channels=False)
    return contexts(installs(command))


_UNUSABLE: Final = re.compile(r"[^\w\s'-]")


def names_in(interaction: discord.Interaction, message: discord.Message | None = None) -> Names:
    """Return the names known where ``interaction`` happens, and those ``message`` mentions."""
    members: dict[int, str] = {interaction.user.id: interaction.user.display_name}
    roles: dict[int, str] = {}
    channels: dict[int, str] = {}
    guild = interaction.guild
    if guild is not None and interaction.is_guild_integration():
        members |= {member.id: member.display_name for member in guild.members}
        roles = {role.id: role.name for role in guild.roles}
        channels = {channel.id: channel.name for channel in guild.channels}
    if message is not None:
        members |= {user.id: user.display_name for user in message.mentions}
    return Names(members=members, roles=roles, channels=channels, now=discord.utils.utcnow())


def name_of(person: discord.abc.User) -> str:
    """Return a name for the voice of ``person``: theirs, without the characters that no voice may have."""
    for candidate in (person.display_name, _UNUSABLE.sub(" ", person.display_name)[:32], person.name):
        with suppress(MemberError):
            return check_name(candidate)
    return "Voice"
