"""Orders: what a member wants said, by whom, and where; and how one is kept as a take."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.library.clock import utc_now
from bot.library.takes import Take
from bot.library.voice import Kind, Voice, new_id
from bot.models import Destination, Line, SpeechRequest, SpokenVoice

LINE_END: Final = "\x1e"
"""Between the lines of a dialogue in a kept take: no text that can be said has this character."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a member wants said: ``to`` None leaves the destination to us.

    ``voices`` are the saved voices of the request, as the library knows them. ``likeness`` names the
    recording whose voice is imitated, if that of the request is not a saved one. ``casts``: the first take
    of it becomes the voice of the server that has none yet. ``is_named``: the member asked for the voice;
    one that nobody named can be done without.
    """

    request: SpeechRequest
    to: Destination | None = None
    likeness: str | None = None
    voices: tuple[Voice, ...] = ()
    casts: bool = False
    is_named: bool = True

    @property
    def cloned(self) -> tuple[Voice, ...]:
        """The saved voices of real people in it."""
        return tuple(voice for voice in self.voices if voice.kind is Kind.CLONED)

    @property
    def may_be_saved(self) -> bool:
        """Whether its take can become a voice of its own: one voice, and nobody's."""
        return self.likeness is None and not self.cloned and len(self.voices) <= 1


def spoken(voice: Voice) -> SpokenVoice:
    """Return a saved voice as a request names it."""
    return SpokenVoice(voice.id, voice.name, voice.recording, voice.transcript)


def take_of(order: Order, *, guild_id: int | None, member_id: int, cache_key: str) -> Take:
    """Return ``order`` as it is kept for the buttons under its take, with a new id."""
    request = order.request
    lines = request.lines or (Line[SpokenVoice](None, request.text),)
    speakers = [line.voice or request.voice for line in lines]
    voice_ids = tuple(voice.id if voice else "" for voice in speakers)
    return Take(
        id=new_id(),
        guild_id=guild_id,
        member_id=member_id,
        text=LINE_END.join(line.text for line in lines),
        style=request.style,
        guidance=request.guidance,
        steps=request.steps,
        voice_ids=voice_ids if any(voice_ids) else (),
        likeness=order.likeness,
        cache_key=cache_key,
        created_at=utc_now(),
    )


def title_of(take: Take) -> str:
    """Return what was said in a kept take, as one text."""
    return " / ".join(take.text.split(LINE_END))
