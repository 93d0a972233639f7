"""/voice: saved voices, from the first recording to the last trace of it."""

from __future__ import annotations

from bot.speech_bot import SpeechBot
from cogs.voice.auditing import AuditButton, Auditing, FreezeButton, VoiceMenu
from cogs.voice.changing import Changing, TranscriptButton
from cogs.voice.choosing import Choosing
from cogs.voice.deleting import DeleteButton, Deleting
from cogs.voice.designing import DesignButton, Designing
from cogs.voice.group import voice_group
from cogs.voice.listing import HearMenu, Listing, PageButton
from cogs.voice.saving import Saving
from cogs.voice.sharing import Giving
from cogs.voice.switching import Switching


async def setup(bot: SpeechBot) -> None:
    """Add the commands, and take presses on buttons from before a restart."""
    bot.add_dynamic_items(
        *(PageButton, HearMenu, DeleteButton, DesignButton, AuditButton, VoiceMenu, FreezeButton)
    )
    library = bot.library
    bot.add_view(TranscriptButton(library, None))
    bot.tree.add_command(
        voice_group(
            Saving(library, bot.voice_making, bot.under_takes),
            Designing(library),
            Listing(library),
            Choosing(library),
            Giving(library),
            Changing(library),
            Deleting(library),
            Auditing(library),
            Switching(library),
        )
    )
