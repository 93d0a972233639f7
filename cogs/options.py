"""Options and contexts that several commands share, in words a member understands."""

from __future__ import annotations

from typing import Any, Final, TypeVar

from discord import app_commands
from discord.app_commands import Choice

from bot.limits import MAX_GUIDANCE, MAX_STEPS, MIN_GUIDANCE, MIN_STEPS
from bot.models import Destination

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
