"""Requests: what a member typed, resolved into what is said and in which voices."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.errors import MemberError
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.voice import Kind, Scope, Voice, VoiceName, name_key, new_id, utc_now
from bot.models import Destination, Line, MaySpeak, SpeechRequest, SpokenVoice
from bot.text.dialogue import check_lines, labels_in, lines_of
from bot.text.discord_markup import Names
from bot.text.speakable import check_text, speakable


@dataclass(frozen=True, slots=True)
class SpeakRequest:
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


def generation_of(order: SpeakRequest, *, guild_id: int | None, member_id: int, cache_key: str) -> Generation:
    """Return ``order`` as it is kept for the buttons under its take, with a new id."""
    request = order.request
    lines = request.lines or (Line[SpokenVoice](None, request.text),)
    speakers = [line.voice or request.voice for line in lines]
    voice_ids = tuple(voice.id if voice else "" for voice in speakers)
    return Generation(
        id=new_id(),
        guild_id=guild_id,
        member_id=member_id,
        lines=tuple(line.text for line in lines),
        style=request.style,
        guidance=request.guidance,
        steps=request.steps,
        voice_ids=voice_ids if any(voice_ids) else (),
        likeness=order.likeness,
        cache_key=cache_key,
        created_at=utc_now(),
    )


def title_of(take: Generation) -> str:
    """Return what was said in a kept take, as one text."""
    return " / ".join(take.lines)


_FORGOTTEN: Final = "I do not keep the recording that this was made from. Type /clone again."


class RequestResolver:
    """Finds the voice for everything that is to be said.

    The one that is named; else the member's own choice here; else the server's; else the first take becomes
    the server's. A style asks for a new voice every time.
    """

    def __init__(self, library: Library) -> None:
        self._library = library

    async def order(
        self,
        scope: Scope,
        text: str,
        names: Names,
        *,
        may_speak: MaySpeak,
        voice: str | None = None,
        style: str | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        to: Destination | None = None,
        can_cast: bool = True,
    ) -> SpeakRequest:
        """Return what is to be said of ``text`` as it was written; it may be a dialogue.

        ``voice`` is a name or an id; what ``may_speak`` says decides. Unless it ``can_cast``, the first
        take does not become the server's voice. Raises `MemberError`: an unknown voice, one that may not
        speak now, or a text that cannot be said.
        """
        lines = await self._lines(scope, text)
        request = SpeechRequest("", style=style, guidance=guidance, steps=steps)
        named = await self._named(scope, voice, may_speak) if voice else None
        if lines:
            voiced = await self._voiced(scope, check_lines(lines, names), named, may_speak)
            return _in_lines(request, voiced, to)
        said = check_text(speakable(text, names))
        found, casts = named, False
        if found is None and style is None:
            found, casts = await self._unnamed(scope, may_speak)
        request = _with(request, said, found)
        voices = (found,) if found else ()
        return SpeakRequest(request, to, voices=voices, casts=casts and can_cast, is_named=named is not None)

    async def again(self, scope: Scope, take: Generation, may_speak: MaySpeak) -> SpeakRequest:
        """Return the order that makes a kept take anew, in the same voices. Raises `MemberError`."""
        if take.likeness is not None:
            raise MemberError(_FORGOTTEN)
        ids = [voice_id for voice_id in dict.fromkeys(take.voice_ids) if voice_id]
        known = await self._all_named(scope, ids, may_speak)
        request = SpeechRequest("", style=take.style, guidance=take.guidance, steps=take.steps, fresh=True)
        if len(take.lines) == 1:
            voice = next(iter(known.values()), None)
            return SpeakRequest(_with(request, take.lines[0], voice), voices=tuple(known.values()))
        lines = [
            Line(known.get(voice_id), text) for voice_id, text in zip(take.voice_ids, take.lines, strict=True)
        ]
        return _in_lines(request, lines, None)

    async def _named(self, scope: Scope, name: str, may_speak: MaySpeak) -> Voice:
        """Return the voice with this name or id. Raises `MemberError` if it may not speak now."""
        voice = await self._library.voices.find(scope, name)
        refusal = await may_speak(spoken(voice))
        if refusal is not None:
            raise MemberError(refusal)
        return voice

    async def _all_named(
        self, scope: Scope, voice_ids: Iterable[str], may_speak: MaySpeak
    ) -> dict[str, Voice]:
        """Return these voices by their ids, looked up together. Raises `MemberError` as `_named` does."""
        looked_up = [self._named(scope, voice_id, may_speak) for voice_id in voice_ids]
        found = await asyncio.gather(*looked_up, return_exceptions=True)
        voices = {}
        for voice in found:
            if isinstance(voice, BaseException):
                raise voice
            voices[voice.id] = voice
        return voices

    async def _unnamed(self, scope: Scope, may_speak: MaySpeak) -> tuple[Voice | None, bool]:
        """Return the voice for what names none, and whether the first take is to become it.

        A voice that may not speak now is passed over: nobody has asked for it.
        """
        chosen = await self._library.voices.chosen_voices(scope)
        for voice in (chosen.mine, chosen.default):
            if voice is not None and await may_speak(spoken(voice)) is None:
                return voice, False
        return None, chosen.default is None

    async def _lines(self, scope: Scope, text: str) -> list[Line[VoiceName]]:
        usable = await self._library.voices.named(scope, labels_in(text))
        return lines_of(text, lambda label: usable.get(name_key(label)))

    async def _voiced(
        self, scope: Scope, lines: Sequence[Line[VoiceName]], named: Voice | None, may_speak: MaySpeak
    ) -> list[Line[Voice]]:
        """Return the lines with their voices; ``named`` says what stands before the first name."""
        ids = dict.fromkeys(line.voice.id for line in lines if line.voice)
        voices = await self._all_named(scope, ids, may_speak)
        if named is None and any(line.voice is None for line in lines):
            named, _ = await self._unnamed(scope, may_speak)
        return [Line(voices[line.voice.id] if line.voice else named, line.text) for line in lines]


def _with(request: SpeechRequest, text: str, voice: Voice | None) -> SpeechRequest:
    return replace(request, text=text, voice=spoken(voice) if voice else None)


def _in_lines(request: SpeechRequest, lines: list[Line[Voice]], to: Destination | None) -> SpeakRequest:
    voices = {line.voice.id: line.voice for line in lines if line.voice}
    said = tuple(Line(spoken(line.voice) if line.voice else None, line.text) for line in lines)
    shown = [f"{line.voice.name}: {line.text}" if line.voice else line.text for line in lines]
    return SpeakRequest(
        replace(request, text=" / ".join(shown), lines=said), to, voices=tuple(voices.values())
    )
