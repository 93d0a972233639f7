"""Parts of the user interface that cogs share: items that outlive a restart, options, names."""

from __future__ import annotations

import asyncio
import re
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Self, TypeVar, cast
from weakref import WeakKeyDictionary

import discord
from discord import app_commands
from discord.app_commands import Choice

from bot.command_tree import acknowledge, answer_error
from bot.delivery.reply import Acknowledgement, Reply
from bot.errors import MemberError
from bot.library.voice import check_name
from bot.limits import MAX_GUIDANCE, MAX_SPEED, MAX_STEPS, MIN_GUIDANCE, MIN_SPEED, MIN_STEPS
from bot.models import Destination
from bot.speech_bot import SpeechBot
from bot.text.discord_markup import Names
from bot.text.labels import one_line

_FORM_SECONDS: Final = 15 * 60.0
"""A form is forgotten after this long; discord.py keeps one that was closed for ever otherwise."""


class Acknowledged:
    """Base of views, forms, buttons and menus: acknowledged before any of their own code runs.

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


QUESTION_SECONDS: Final = 14 * 60.0
"""A little less than Discord lets a message that only one member sees be edited."""


MAX_OPEN_PER_MEMBER: Final = 10
"""Forms, as many questions and as many queues that wait for one member. An app shows one form at a time."""

MAX_OPEN: Final = 300
"""Of each in the whole process. They are 15 kB and a task each, for a quarter of an hour."""


class OpenItems:
    """What waits for members for some minutes; with too many of a kind, the oldest of a member's give way."""

    def __init__(self) -> None:
        self._waiting: OrderedDict[Form | Buttons, int] = OrderedDict()  # whose they are, oldest first

    async def add(self, item: Form | Buttons, member_id: int) -> None:
        """Let ``item`` wait, and end what gives way to it."""
        self._waiting = OrderedDict(
            (one, whose) for one, whose in self._waiting.items() if not one.is_finished()
        )
        alike = [one for one in self._waiting if _kind(one) is _kind(item)]
        theirs = [one for one in alike if self._waiting[one] == member_id]
        self._waiting[item] = member_id
        for old in {*theirs[: 1 - MAX_OPEN_PER_MEMBER], *alike[: 1 - MAX_OPEN]}:
            del self._waiting[old]
            old.stop()
            await old.on_timeout()


def _kind(item: Form | Buttons) -> type:
    return next(kind for kind in (Form, Question, Buttons) if isinstance(item, kind))


_open_items: WeakKeyDictionary[discord.Client, OpenItems] = WeakKeyDictionary()


async def wait_for_member(item: Form | Buttons, interaction: discord.Interaction) -> None:
    """Let ``item`` wait for whoever it was shown to; what gives way to it ends."""
    await _open_items.setdefault(interaction.client, OpenItems()).add(item, interaction.user.id)


class Question(Buttons):
    """Question that only one member sees, and what comes after their answer.

    ``proceed`` gets the press, and what was chosen, once. Without it this takes the presses on questions from
    before a restart: what they agree to counts, only what they had typed is forgotten. ``too_late`` takes the
    place of a question that nobody has answered in time.
    """

    def __init__(self, proceed: Callable[..., Awaitable[None]] | None, too_late: str) -> None:
        super().__init__(timeout=None if proceed is None else QUESTION_SECONDS)
        self._proceed = proceed
        self._too_late = too_late
        self._asked: Reply | None = None

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: as what was asked for, which goes on with it."""
        if self._asked is None:
            return Acknowledgement.UPDATE
        return Acknowledgement.EPHEMERAL if self._asked.is_ephemeral else Acknowledgement.PUBLIC

    async def ask(self, interaction: discord.Interaction, words: str) -> None:
        """Ask where only this member sees it."""
        self._asked = Reply.of(interaction)
        await self._asked.finish_privately(words, self)
        await wait_for_member(self, interaction)

    async def go_on(self, press: discord.Interaction, otherwise: str, *chosen: str) -> None:
        """Go on with what was asked for; where that is forgotten, reply with ``otherwise``."""
        if self._asked is None:  # it goes on listening: there may be more such questions
            await replace_message(press, otherwise)
            return
        proceed, self._proceed = self._proceed, None
        self.stop()
        if proceed is None:  # answered twice at once
            await Reply.of(press).finish_privately(otherwise)
        else:
            await self._asked.withdraw()
            await proceed(press, *chosen)

    async def on_timeout(self) -> None:
        """Say that it is too late."""
        if self._asked is not None:
            await self._asked.withdraw(self._too_late)


class Form(Acknowledged, discord.ui.Modal):
    """Form to be filled in. The reply to it is for everybody to see.

    It is a first response, so that it opens without asking the database or Discord anything, and is judged
    when it is sent.
    """

    def __init__(self, *, title: str = discord.utils.MISSING) -> None:
        super().__init__(title=title, timeout=_FORM_SECONDS)

    acknowledgement = Acknowledgement.PUBLIC

    async def open(self, interaction: discord.Interaction) -> None:
        """Open it, as the first response to ``interaction``."""
        response = interaction.response
        # discord.py 2.7.1 does so too late: Discord may have opened it although its answer was lost.
        interaction.client._connection.store_view(self)
        try:
            await Reply.of(interaction).respond(partial(response.send_modal, self))
        except BaseException:
            self.stop()
            raise
        await wait_for_member(self, interaction)


_GROUP: Final = re.compile(r"\(\?P<(?P<name>\w+)>[^()]*\)")


class PersistentItem(Acknowledged, ABC):
    """Base of a `discord.ui.DynamicItem` that outlives a restart: it is made anew at every press.

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


class PersistentButton(
    PersistentItem, discord.ui.DynamicItem[discord.ui.Button[discord.ui.View]], template="-"
):
    """Button that outlives a restart; ``fields`` are what its custom id says."""

    def __init__(
        self, label: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary, **fields: object
    ) -> None:
        super().__init__(discord.ui.Button(label=label, style=style, custom_id=self.id_of(**fields)))


class PersistentMenu(
    PersistentItem, discord.ui.DynamicItem[discord.ui.Select[discord.ui.View]], template="-"
):
    """Menu of voices that outlives a restart; ``names`` are theirs, by their ids, and some have ``words``.

    ``chosen`` is the id of the one that stands in it; ``fields`` are what its custom id says.
    """

    def __init__(
        self,
        placeholder: str,
        names: Mapping[str, str] | None,
        *,
        words: Mapping[str, str] = MappingProxyType({}),
        chosen: str | None = None,
        **fields: object,
    ) -> None:
        menu: discord.ui.Select[discord.ui.View] = discord.ui.Select(
            custom_id=self.id_of(**fields), placeholder=placeholder
        )
        for voice_id, name in (names or {"-": "…"}).items():  # it stands for the menu that was used
            menu.add_option(
                label=one_line(name, 100),
                value=voice_id,
                description=words.get(voice_id) or None,
                default=voice_id == chosen,
            )
        super().__init__(menu)


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


ON_OR_OFF: Final = [Choice(name="on", value="on"), Choice(name="off", value="off")]

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

QUALITIES: Final = [
    Choice(name="quick", value=MIN_STEPS),
    Choice(name="normal", value=10),
    Choice(name="careful", value=20),
    Choice(name="best (3× slower)", value=MAX_STEPS),
]
"""`dit_steps`. VoxCPM's documentation: 4 to 30, the time grows with them."""

Speed = app_commands.Range[float, MIN_SPEED, MAX_SPEED]
"""An option: how much faster than it was made it is heard."""


def tempo_of(speed: float | None) -> float | None:
    """Return the tempo of a ``speed`` that somebody typed: nobody hears less than a hundredth."""
    return None if speed is None else round(speed, 2)


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


_MENTIONED: Final = re.compile(r"<@!?(\d{1,20})>")
_MAX_LOOKED_UP: Final = 5
"""So many mentions of one text are looked up; others are somebody."""

_LOOK_SECONDS: Final = 2.0


async def names_for(interaction: discord.Interaction, text: str) -> Names:
    """Return the names known where ``interaction`` happens, and of those whom ``text`` mentions.

    Discord keeps us no list of members: who is not known is asked for, a few of them, together and not for
    long. Whom Discord does not name in time stays without a name.
    """
    names = names_in(interaction)
    guild = interaction.guild
    unknown = [int(found) for found in _MENTIONED.findall(text) if int(found) not in names.members]
    if guild is None or not interaction.is_guild_integration() or not unknown:
        return names
    looked_up = list(dict.fromkeys(unknown))[:_MAX_LOOKED_UP]
    tasks = [asyncio.create_task(guild.fetch_member(one)) for one in looked_up]
    done, late = await asyncio.wait(tasks, timeout=_LOOK_SECONDS)
    for task in late:
        task.cancel()
    await asyncio.gather(*late, return_exceptions=True)
    found = [task.result() for task in done if task.exception() is None]
    return replace(names, members={**names.members, **{one.id: one.display_name for one in found}})


def name_of(person: discord.abc.User) -> str:
    """Return a name for the voice of ``person``: theirs, without the characters that no voice may have."""
    for candidate in (person.display_name, _UNUSABLE.sub(" ", person.display_name)[:32], person.name):
        with suppress(MemberError):
            return check_name(candidate)
    return "Voice"
