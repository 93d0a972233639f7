"""Requests: what a member typed, resolved into words and voices; and whose voice it is, in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Protocol

import discord

from bot import __version__
from bot.audio.wav import COMMENT, SOFTWARE, TITLE
from bot.errors import MemberError, rest_is_missing
from bot.interaction import guild_id_of, scope_of
from bot.library.consent_rules import Standing
from bot.library.generations import Generation
from bot.library.guild_settings import GuildSettings, UsageRules
from bot.library.library import Library
from bot.library.voice import Kind, Scope, Voice, VoiceName, name_key, new_id, utc_now
from bot.models import Asker, Destination, Line, Speech, SpeechRequest, SpokenVoice
from bot.text.dialogue import check_lines, labels_in, lines_of
from bot.text.discord_markup import Names
from bot.text.labels import excerpt, one_line, quote
from bot.text.speakable import check_text, speakable
from untrusted.mark import MARK


@dataclass(frozen=True, slots=True)
class SpeakRequest:
    """Request of a member to have something said: ``to`` None leaves the destination to us.

    ``voices`` are the saved voices of the request, as the library knows them. ``likeness`` names the
    recording of /clone whose voice is imitated, if there is one. ``is_named``: the member asked for the
    voice; one that nobody named can be done without. ``note`` is what the member has to know of the recording
    of /clone. ``quote`` is the beginning of what they wrote, as people may read it.
    """

    request: SpeechRequest
    to: Destination | None = None
    likeness: str | None = None
    voices: tuple[Voice, ...] = ()
    is_named: bool = True
    note: str = ""
    quote: str = ""

    @property
    def cloned(self) -> tuple[Voice, ...]:
        """The saved voices of real people in it."""
        return tuple(voice for voice in self.voices if voice.kind is Kind.CLONED)

    @property
    def is_audited(self) -> bool:
        """Whether the voice of a real person is in it, whose every use is written down."""
        return bool(self.cloned) or self.likeness is not None

    @property
    def can_be_saved(self) -> bool:
        """Whether its generation can be saved as a voice: it has one voice, and no real person's."""
        return self.likeness is None and not self.cloned and len(self.voices) <= 1


async def asker_of(interaction: discord.Interaction, settings: GuildSettings) -> Asker:
    """Return who asks for speech, with what they may have of it here. Raises as `asker_by` does."""
    guild_id = guild_id_of(interaction)
    return asker_by(interaction, UsageRules() if guild_id is None else await settings.usage_rules(guild_id))


def asker_by(interaction: discord.Interaction, rules: UsageRules) -> Asker:
    """Return who asks for speech, with what ``rules`` let them have of it here.

    Raises `MemberError` where moderators have ruled that they may have none, or not in this channel.
    """
    member_id, channel = interaction.user.id, interaction.channel
    account = interaction.guild_id or member_id
    if guild_id_of(interaction) is None:
        return Asker(member_id, account)
    scope = scope_of(interaction)
    parent_id = channel.parent_id if isinstance(channel, discord.Thread) else None
    refusal = rules.permission_error(scope, {interaction.channel_id or 0, parent_id or 0})
    if refusal is not None:
        raise MemberError(refusal)
    return Asker(member_id, account, rules.allowance_of(scope))


def with_recordings(request: SpeakRequest, recorded: Mapping[str, Voice]) -> SpeakRequest:
    """Return ``request`` with those of its voices that are ``recorded``, by their ids, instead."""

    def one(voice: SpokenVoice | None) -> SpokenVoice | None:
        return spoken(recorded[voice.id]) if voice is not None and voice.id in recorded else voice

    speech = request.request
    lines = tuple(Line(one(line.voice), line.text) for line in speech.lines)
    voices = tuple(recorded.get(voice.id, voice) for voice in request.voices)
    return replace(request, request=replace(speech, voice=one(speech.voice), lines=lines), voices=voices)


def spoken(voice: Voice) -> SpokenVoice:
    """Return a saved voice as a request names it."""
    whose, kind = voice.speaker_id, voice.kind.value
    return SpokenVoice(voice.id, voice.name, voice.recording, voice.transcript, speaker_id=whose, kind=kind)


def generation_of(
    request: SpeakRequest, *, guild_id: int | None, member_id: int, cache_key: str
) -> Generation:
    """Return the generation of ``request`` as it is kept for the buttons under it, with a new id."""
    speech = request.request
    lines = speech.lines or (Line[SpokenVoice](None, speech.text),)
    speakers = [line.voice or speech.voice for line in lines]
    voice_ids = tuple(voice.id if voice else "" for voice in speakers)
    return Generation(
        id=new_id(),
        guild_id=guild_id,
        member_id=member_id,
        lines=tuple(line.text for line in lines),
        style=speech.style,
        guidance=speech.guidance,
        steps=speech.steps,
        tempo=speech.tempo,
        voice_ids=voice_ids if any(voice_ids) else (),
        likeness=request.likeness,
        cache_key=cache_key,
        created_at=utc_now(),
    )


def title_of(generation: Generation) -> str:
    """Return the words of a kept generation, as one text."""
    return " / ".join(generation.lines)


_FORGOTTEN: Final = "I don't keep recordings of /clone. Type /clone again."


class FoundAccess(Protocol):
    """Access to voices in one place, for those that were just found there."""

    async def permission_error_of(self, found: Standing) -> str | None:
        """Return why a voice may not speak now, as a sentence for the member; None: it may."""


class RequestResolver:
    """Resolver of requests: it finds the words and the voice for everything that is to be said.

    The voice is the one that is named; else the member's own choice here; else the default voice of the
    server, which is a starter unless moderators have chosen another. A style asks for a new voice every time.
    Where the TTS gateway has a voice of its own and ``clones`` none, that one is the default.
    """

    def __init__(self, library: Library, *, clones: bool = True) -> None:
        self._library = library
        self._clones = clones

    async def resolve_request(
        self,
        scope: Scope,
        text: str,
        names: Names,
        *,
        access: FoundAccess,
        voice: str | None = None,
        style: str | None = None,
        guidance: float | None = None,
        steps: int | None = None,
        tempo: float | None = None,
        to: Destination | None = None,
    ) -> SpeakRequest:
        """Return the request for ``text`` as it was typed; it may be a dialogue.

        ``voice`` is a name or an id; ``access`` says whether it may speak. Without a ``tempo`` it is the
        member's own where no voice is named. Raises `MemberError`: an unknown voice, one that may not speak
        now, or a text that cannot be said.
        """
        usable = await self._library.voices.named(scope, labels_in(text))
        lines = lines_of(text, lambda label: usable.get(name_key(label)))
        request = SpeechRequest("", style=style, guidance=guidance, steps=steps, tempo=tempo or 1.0)
        named = await self._named(scope, voice, access) if voice else None
        dialogue = check_lines(lines, names) if lines else ()
        said = "" if lines else check_text(speakable(text, names))
        found, quoted = named, quote(text, names)
        if found is None and (any(line.voice is None for line in dialogue) if lines else style is None):
            found, own_tempo = await self._unnamed(scope, access)
            request = replace(request, tempo=tempo or own_tempo)
        if lines:
            return _in_lines(request, await self._voiced(scope, dialogue, found, access), to, quoted)
        return SpeakRequest(
            _with(request, said, found),
            to,
            voices=(found,) if found else (),
            is_named=named is not None,
            quote=quoted,
        )

    async def resolve_generation(
        self, scope: Scope, generation: Generation, access: FoundAccess
    ) -> SpeakRequest:
        """Return the request that makes a kept generation anew, in the same voices. Raises `MemberError`."""
        if generation.likeness is not None:
            raise MemberError(_FORGOTTEN)
        ids = [voice_id for voice_id in dict.fromkeys(generation.voice_ids) if voice_id]
        known = await self._all_named(scope, ids, access)
        request = SpeechRequest(
            "",
            style=generation.style,
            guidance=generation.guidance,
            steps=generation.steps,
            tempo=generation.tempo,
            fresh=True,
        )
        quoted = quote(title_of(generation), Names())  # what was hidden of it is not kept
        if len(generation.lines) == 1:
            voice = next(iter(known.values()), None)
            again = _with(request, generation.lines[0], voice)
            return SpeakRequest(again, voices=tuple(known.values()), quote=quoted)
        lines = [
            Line(known.get(voice_id), text)
            for voice_id, text in zip(generation.voice_ids, generation.lines, strict=True)
        ]
        return _in_lines(request, lines, None, quoted)

    async def _named(self, scope: Scope, name: str, access: FoundAccess) -> Voice:
        """Return the voice with this name or id. Raises `MemberError` if it may not speak now."""
        found = await self._library.voices.find_standing(scope, name)
        refusal = await access.permission_error_of(found)
        if refusal is not None:
            raise MemberError(refusal)
        return found.voice

    async def _all_named(
        self, scope: Scope, voice_ids: Iterable[str], access: FoundAccess
    ) -> dict[str, Voice]:
        """Return these voices by their ids, looked up together. Raises `MemberError` as `_named` does."""
        looked_up = [self._named(scope, voice_id, access) for voice_id in voice_ids]
        found = await asyncio.gather(*looked_up, return_exceptions=True)
        voices = {}
        for voice in found:
            if isinstance(voice, BaseException):
                raise voice
            voices[voice.id] = voice
        return voices

    async def _unnamed(self, scope: Scope, access: FoundAccess) -> tuple[Voice | None, float]:
        """Return the voice for what names none, and the member's tempo.

        A voice that may not speak now is passed over: nobody has asked for it.
        """
        chosen = await self._library.voices.chosen_voices(scope)
        for found in (chosen.mine, chosen.default, chosen.starter if self._clones else None):
            if found is not None and await access.permission_error_of(found) is None:
                return found.voice, chosen.tempo
        return None, chosen.tempo

    async def _voiced(
        self,
        scope: Scope,
        lines: Sequence[Line[VoiceName]],
        otherwise: Voice | None,
        access: FoundAccess,
    ) -> list[Line[Voice]]:
        """Return the lines with their voices; ``otherwise`` says what stands before the first name."""
        ids = dict.fromkeys(line.voice.id for line in lines if line.voice)
        voices = await self._all_named(scope, ids, access)
        return [Line(voices[line.voice.id] if line.voice else otherwise, line.text) for line in lines]


def _with(request: SpeechRequest, text: str, voice: Voice | None) -> SpeechRequest:
    return replace(request, text=text, voice=spoken(voice) if voice else None)


def _in_lines(
    request: SpeechRequest, lines: list[Line[Voice]], to: Destination | None, quoted: str
) -> SpeakRequest:
    voices = {line.voice.id: line.voice for line in lines if line.voice}
    said = tuple(Line(spoken(line.voice) if line.voice else None, line.text) for line in lines)
    shown = [f"{line.voice.name}: {line.text}" if line.voice else line.text for line in lines]
    in_lines = replace(request, text=" / ".join(shown), lines=said)
    return SpeakRequest(in_lines, to, voices=tuple(voices.values()), quote=quoted)


_TITLE_CHARS: Final = 60
_NAME_CHARS: Final = 60


def credit(request: SpeakRequest, speech: Speech, *, member_id: int) -> str:
    """Return the words under every generation; who asked for it is mentioned, which pings nobody."""
    preview = " · offline preview voice" if speech.is_preview else ""
    names = [excerpt(voice.name, _NAME_CHARS) for voice in request.voices]
    whose = f"AI voice{'s' if len(names) > 1 else ''}{f': {_listed(names)}' if names else ''}"
    if request.likeness is not None:
        whose = f"AI voice cloned from {excerpt(request.likeness, _NAME_CHARS)}"
    words = f"{whose} · requested by <@{member_id}> · {speech.seconds:.1f} s{preview}"
    missing = rest_is_missing(speech.why) if speech.rest_is_missing else ""
    return "\n".join(filter(None, (words, request.note, missing)))


def tags(request: SpeakRequest, *, member: str) -> dict[str, str]:
    """Return the tags of its sound file, in plain text; ``member`` is the name of who asked for it."""
    names = [one_line(voice.name, _NAME_CHARS) for voice in request.voices]
    whose = f"{MARK}{'s' if len(names) > 1 else ''}{f' of {_listed(names)}' if names else ''}"
    if request.likeness is not None:
        whose = f"{MARK} after {one_line(request.likeness, _NAME_CHARS)}"
    return {
        TITLE: one_line(request.request.text, _TITLE_CHARS),
        COMMENT: f"{whose}, for {one_line(member)}",
        SOFTWARE: f"Myna {__version__}",
    }


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))
