"""Whose voice it is and for whom it was made, in the answer and inside the file."""

from __future__ import annotations

from typing import Final

import discord

from bot import __version__
from bot.audio.info_tags import COMMENT, SOFTWARE, TITLE
from bot.giving.order import Order
from bot.messages import REST_IS_MISSING
from bot.models import Speech
from bot.text.style import one_line

_TITLE_CHARS: Final = 60


def credit(order: Order, speech: Speech, *, member: str) -> str:
    """Return the words under every take; ``member`` is the name of who asked for it."""
    voice = discord.utils.escape_markdown(_whose(order))
    words = f"{voice}, for {discord.utils.escape_markdown(member)} · {speech.seconds:.1f} s"
    return f"{words}\n{REST_IS_MISSING}" if speech.rest_is_missing else words


def tags(order: Order, *, member: str) -> dict[str, str]:
    """Return the same as tags for a sound file."""
    return {
        TITLE: one_line(order.request.text, _TITLE_CHARS),
        COMMENT: f"{_whose(order)}, for {member}",
        SOFTWARE: f"Myna {__version__}",
    }


def _whose(order: Order) -> str:
    names = [voice.name for voice in order.voices]
    if order.likeness is not None:
        return f"AI-generated voice after {order.likeness}"
    if not names:
        return "AI-generated voice"
    if len(names) == 1:
        return f"AI-generated voice of {names[0]}"
    return f"AI-generated voices of {', '.join(names[:-1])} and {names[-1]}"
