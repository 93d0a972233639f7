"""Credit of a generation: whose voice it is and for whom it was made, in the reply and in the file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from bot import __version__
from bot.audio.wav import COMMENT, SOFTWARE, TITLE
from bot.delivery.request import SpeakRequest
from bot.errors import REST_IS_MISSING
from bot.models import Speech
from bot.text.labels import excerpt, one_line
from untrusted.mark import MARK

_TITLE_CHARS: Final = 60
_NAME_CHARS: Final = 60


def credit(request: SpeakRequest, speech: Speech, *, member_id: int) -> str:
    """Return the words under every generation; who asked for it is mentioned, which pings nobody."""
    words = f"{_whose(request, excerpt)}, for <@{member_id}> · {speech.seconds:.1f} s"
    return "\n".join(filter(None, (words, request.note, REST_IS_MISSING if speech.rest_is_missing else "")))


def tags(request: SpeakRequest, *, member: str) -> dict[str, str]:
    """Return the tags of its sound file, in plain text; ``member`` is the name of who asked for it."""
    return {
        TITLE: one_line(request.request.text, _TITLE_CHARS),
        COMMENT: f"{_whose(request, one_line)}, for {one_line(member)}",
        SOFTWARE: f"Myna {__version__}",
    }


def _whose(request: SpeakRequest, shown: Callable[[str, int], str]) -> str:
    names = [shown(voice.name, _NAME_CHARS) for voice in request.voices]
    if request.likeness is not None:
        return f"{MARK} after {shown(request.likeness, _NAME_CHARS)}"
    if not names:
        return MARK
    if len(names) == 1:
        return f"{MARK} of {names[0]}"
    return f"{MARK}s of {', '.join(names[:-1])} and {names[-1]}"
