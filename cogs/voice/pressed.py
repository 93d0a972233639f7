"""The voice that a button or menu is about, for whoever presses it."""

from __future__ import annotations

from typing import Final

from bot.errors import MemberError
from bot.library.library import Library
from bot.library.scope import Scope
from bot.library.shelf import NO_SUCH_VOICE
from bot.library.voices import Voice

GONE: Final = "That voice is not here any more. /voice list shows what there is."
"""For a button whose voice is gone, belongs to another server, or must not be known to who presses."""


async def pressed_voice(library: Library, scope: Scope, voice_id: str) -> Voice:
    """Return the voice that a button is about. Raises `MemberError` if it is gone for this member."""
    try:
        return await library.voices.find_to_manage(scope, voice_id)
    except MemberError as error:
        raise MemberError(GONE if str(error) == NO_SUCH_VOICE else str(error)) from None
