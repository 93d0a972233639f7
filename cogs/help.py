"""/help and /about, and the welcome in a new server, with buttons that do at once what they speak of."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from types import MappingProxyType
from typing import Final

import discord
from discord import app_commands
from discord.ext import commands

from bot.delivery.reply import UNREACHABLE, Acknowledgement, Reply
from bot.errors import LibraryError, MemberError
from bot.interaction import scope_of
from bot.limits import MAX_OPTION_CHARS
from bot.speech_bot import SpeechBot
from bot.text.discord_markup import Names
from cogs.consent import turn_cloning_on
from cogs.ui import (
    Form,
    PersistentButton,
    bot_of,
    everywhere,
    names_for,
    names_in,
    row_of,
)
from cogs.voice_picker import FOR_MEMBER, FOR_SERVER, send_picker
from cogs.voices import SaveForm, VoiceCommands

log = logging.getLogger(__name__)

HELP: Final = """\
**Say something** · `/speak` says it in your voice channel, and posts it here. For a message: \
right-click it, Apps, **Speak this**. `/read here` reads a whole channel aloud.
**Choose a voice** · `/voice list` lets you hear them, `/voice choose` makes one yours.
**Save your own** · `/voice save` keeps your voice from a recording, `/voice design` makes one up from a few \
words.
**Privacy** · Only you decide who speaks with your voice. Take it back at any time: `/privacy revoke`. \
`/privacy export` and `/privacy delete` are for everything I keep about you.
"""

FOR_MODERATORS: Final = """\
**For moderators** · `/myna setup` shows what is set here, with buttons that change it: the server's voice, \
cloning, limits, reports. `/myna reading settings` is how I read aloud.
"""

MORE: Final = (
    "`/usage` shows what you've used today, `/about` what makes the voice, and where the privacy policy and "
    "support are."
)

WELCOME: Final = """\
Hi, I'm Myna. I say what you type, in your voice channel and as a file.
- Everybody: `/speak` says something, `/help` shows the rest.
- Moderators: choose the voice that this server hears. Cloning is off; turn it on if members may save their \
own voices here.
What I say is made by AI, and every answer tells whose voice it is and who asked for it.
"""

SAMPLE: Final = "Hello! I'm Myna. Type slash speak, and I'll say it for you."
"""What a newcomer hears first."""

_STILL_NEW: Final = timedelta(days=1)
"""A server that invited the bot this recently, while it was not running, is welcomed at the next start."""

_MOST_CHANNELS: Final = 5
"""In so many the welcome is tried; Discord shuts out bots that are refused too often."""

_MODERATORS_CHOOSE: Final = (
    "Only moderators (Manage Server) can choose the server's voice. Choose your own: `/voice choose`."
)
_MODERATORS_CLONE: Final = "Only moderators (Manage Server) can turn cloning on. Ask one of them."
_ONLY_IN_SERVERS: Final = "That works only in a server I've been added to."


class Help(commands.Cog):
    """The commands that explain the others, and the welcome."""

    def __init__(self, bot: SpeechBot) -> None:
        self._bot = bot

    @everywhere
    @app_commands.command()
    async def help(self, interaction: discord.Interaction) -> None:
        """What you can do here, and how to begin."""
        moderators = "" if scope_of(interaction).is_private else FOR_MODERATORS
        view = row_of(*(HelpButton(act) for act in HelpButton.LABELS))
        await Reply.of(interaction).finish(f"{HELP}{moderators}{MORE}", view=view)

    @everywhere
    @app_commands.command()
    async def about(self, interaction: discord.Interaction) -> None:
        """What makes the voice, privacy policy, terms, support and source."""
        await Reply.of(interaction).finish("\n".join(_about(self._bot)))

    @commands.Cog.listener()
    async def on_guild_join(self, guild: discord.Guild) -> None:
        """Welcome the server."""
        await welcome(self._bot, guild)

    @commands.Cog.listener()
    async def on_ready(self) -> None:
        """Welcome the servers that invited the bot while it was away."""
        since = discord.utils.utcnow() - _STILL_NEW
        for guild in self._bot.guilds:
            if guild.me is not None and guild.me.joined_at is not None and guild.me.joined_at > since:
                await welcome(self._bot, guild)


def _about(bot: SpeechBot) -> Iterator[str]:
    settings = bot.settings
    yield f"**Myna {bot.version}** says what you type. Every voice you hear is made by AI."
    if settings.own_tts_gateway and not settings.has_preview_voice:
        yield f"What makes the voice, on the machine I run on: {bot.tts_health.credit}."
    elif settings.own_tts_gateway:
        yield (
            "What makes the voice: an offline preview (espeak-ng) on the machine I run on. It doesn't sound "
            "like a real person. With a key for the hosted voice model it would."
        )
    elif settings.hosted_tts_gateway:
        yield (
            "What makes the voice: the AI voice model VoxCPM2, hosted by Pixazo. It receives the text and, "
            "for a saved voice, its recording."
        )
    else:
        credit = f" {bot.tts_health.credit}." if bot.tts_health.credit else ""
        yield f"What makes the voice: a text-to-speech service that whoever runs this bot has chosen.{credit}"
    links = {
        "Privacy policy": settings.privacy_url,
        "Terms": settings.terms_url,
        "Support": settings.support_url,
        "Report a misuse": settings.report_url,
        "Source": settings.source_url,
    }
    for name, address in links.items():
        if address is not None:
            yield f"{name}: {address if '://' not in address else f'<{address}>'}"
    yield "What I keep about you, and how to delete it: `/privacy export`, `/privacy delete`."


class SayForm(Form):
    """Form for what is to be said."""

    def __init__(self) -> None:
        super().__init__(title="Say something")
        self._text: discord.ui.TextInput[SayForm] = discord.ui.TextInput(
            style=discord.TextStyle.paragraph, max_length=min(MAX_OPTION_CHARS, 4_000)
        )
        self.add_item(
            discord.ui.Label(
                text="What should I say?",
                description="In your voice channel if you're in one, and as a file here.",
                component=self._text,
            )
        )

    async def on_submit(self, interaction: discord.Interaction) -> None:
        """Say it as /speak does."""
        bot, text = bot_of(interaction), self._text.value
        names = await names_for(interaction, text)
        await _deliver(bot, interaction, text, names)


async def _deliver(bot: SpeechBot, interaction: discord.Interaction, text: str, names: Names) -> None:
    access = bot.accesses.at(interaction)
    request = await bot.resolver.resolve_request(scope_of(interaction), text, names, access=access)
    await bot.deliveries.deliver(interaction, request)


class HelpButton(PersistentButton, template=r"help:(?P<act>speak|choose|save)"):
    """Button under /help that does what its line speaks of."""

    LABELS: Final = MappingProxyType(
        {"speak": "Say something", "choose": "Choose a voice", "save": "Save my voice"}
    )

    def __init__(self, act: str) -> None:
        is_first = act == "speak"
        style = discord.ButtonStyle.primary if is_first else discord.ButtonStyle.secondary
        super().__init__(self.LABELS[act], style, act=act)
        self._act = act

    @property
    def acknowledgement(self) -> Acknowledgement:
        """How a press is acknowledged: a form has to be the first response itself."""
        return Acknowledgement.EPHEMERAL if self._act == "choose" else Acknowledgement.IMMEDIATE

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Open the form, or the menu."""
        if self._act == "speak":
            await SayForm().open(interaction)
        elif self._act == "save":
            voices = bot.tree.get_command("voice")
            assert isinstance(voices, VoiceCommands), "its extension is loaded before"  # noqa: S101
            await SaveForm(voices).open(interaction)
        else:
            await send_picker(interaction, bot.library, FOR_MEMBER)


async def welcome(bot: SpeechBot, guild: discord.Guild) -> None:
    """Introduce the bot in ``guild``, once ever, where it may write; nowhere: it stays silent."""
    channels = list(islice(_channels_to_write_in(guild), _MOST_CHANNELS))
    try:
        if not channels or not await bot.library.settings.begin_welcome(guild.id):
            return
        for channel in channels:
            try:
                await channel.send(
                    WELCOME, view=row_of(*(WelcomeButton(act) for act in WelcomeButton.LABELS))
                )
            except discord.HTTPException as error:  # what it may was changed meanwhile, for example
                log.info("a welcome was refused: %s", error)
            except UNREACHABLE as error:  # it may have arrived all the same, and never comes twice
                log.warning("whether a new server was welcomed is unknown: %s", error)
                return
            else:
                return
        await bot.library.settings.undo_welcome(guild.id)
    except LibraryError as error:
        log.warning("a new server is not welcomed: %s", error)


def _channels_to_write_in(guild: discord.Guild) -> Iterator[discord.TextChannel]:
    """Yield the text channels in which the bot may write: the system channel, then as they are listed."""
    listed = guild.text_channels
    system = guild.system_channel
    for channel in [*([system] if system else []), *(one for one in listed if one != system)]:
        allowed = channel.permissions_for(guild.me)
        if allowed.view_channel and allowed.send_messages:
            yield channel


class WelcomeButton(PersistentButton, template=r"welcome:(?P<act>hear|voice|cloning)"):
    """Button under the welcome."""

    LABELS: Final = MappingProxyType(
        {"hear": "Hear it", "voice": "Choose the server's voice", "cloning": "Turn cloning on"}
    )

    acknowledgement = Acknowledgement.EPHEMERAL

    def __init__(self, act: str) -> None:
        is_first = act == "hear"
        style = discord.ButtonStyle.primary if is_first else discord.ButtonStyle.secondary
        super().__init__(self.LABELS[act], style, act=act)
        self._act = act

    async def pressed(self, interaction: discord.Interaction, bot: SpeechBot) -> None:
        """Do it for whoever may."""
        scope = scope_of(interaction)
        if scope.is_private:
            raise MemberError(_ONLY_IN_SERVERS)
        if self._act == "hear":
            with bot.history.once("hear", str(scope.guild_id), interaction.user.id):
                await _deliver(bot, interaction, SAMPLE, names_in(interaction))
        elif self._act == "voice":
            if not scope.is_moderator:
                raise MemberError(_MODERATORS_CHOOSE)
            await send_picker(interaction, bot.library, FOR_SERVER)
        else:
            if not scope.is_moderator:
                raise MemberError(_MODERATORS_CLONE)
            await turn_cloning_on(interaction, bot.library)


async def setup(bot: SpeechBot) -> None:
    """Load the cog, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(HelpButton, WelcomeButton)
    await bot.add_cog(Help(bot))
