"""Voices into files and back, for the operator at the command line."""

from __future__ import annotations

import asyncio
from pathlib import Path

from bot.audio.wav import parse_wav
from bot.errors import AudioError, MemberError
from bot.library.library import Library
from bot.library.portable import Portable, pack, portable, unpack
from bot.library.scope import Scope
from bot.library.voices import Kind, NewVoice, Voice
from bot.limits import MAX_AUDIO_SECONDS, MAX_PORTABLE_BYTES, MIN_REFERENCE_SECONDS
from bot.settings import Settings
from bot.text.style import file_stem, one_line

_OPERATOR = 0
"""Nobody in Discord has this id; whoever runs these commands may do what moderators may."""


async def packed(library: Library, voice: Voice) -> bytes:
    """Return a voice as a zip: its recording, its transcript, and the record of its consent."""
    consent = await library.consents.request(voice.consent_id) if voice.consent_id else None
    wav = await library.recordings.read(voice.recording)
    return await asyncio.to_thread(pack, portable(voice, wav, consent))


async def export_voice(settings: Settings, name: str, guild_id: int, to: Path | None) -> str:
    """Write a voice of a server into ``to``, by default a file named after it; return what was done.

    Raises `MemberError` and `LibraryError`.
    """
    async with _library(settings) as library:
        scope = Scope(guild_id, _OPERATOR, is_moderator=True)
        voice = await library.voices.find_to_manage(scope, name)
        data = await packed(library, voice)
    path = to or Path(f"{file_stem(voice.name)}.zip")
    try:
        await asyncio.to_thread(_write_new, path, data)
    except OSError as error:
        raise MemberError(f"{path} cannot be written: {error.strerror}") from error
    return f"{one_line(voice.name)} is in {path}."


async def import_voice(settings: Settings, file: Path, guild_id: int, owner_id: int) -> str:
    """Save the voice in ``file`` for a member of a server; return what was done.

    A file gives nobody's consent: anybody could write one. A cloned voice hangs on the consent that this
    bot itself has written down under the id in the file, or on the owner's word here that they clone their
    own voice; whether that lets it speak is checked at every use, as ever. Without either it is saved and
    silent. Raises `MemberError` and `LibraryError`.
    """
    try:
        data = await asyncio.to_thread(_read, file)
    except OSError as error:
        raise MemberError(f"{file} cannot be read: {error.strerror}") from error
    found = await asyncio.to_thread(unpack, data)
    seconds = await asyncio.to_thread(_seconds, found.wav)
    async with _library(settings) as library:
        voice = await _save(library, Scope(guild_id, owner_id), found, seconds)
        refusal = await library.consents.may_speak(voice, guild_id)
    saved = f"{one_line(voice.name)} is saved. A running bot proposes it after its next start."
    return saved if refusal is None else f"{saved}\nIt is silent for now. {refusal}"


async def _save(library: Library, scope: Scope, found: Portable, seconds: float) -> Voice:
    name = await library.voices.check_place(scope, found.name)
    new = NewVoice(
        name=name,
        kind=found.kind,
        recording=await library.recordings.keep(found.wav),
        seconds=seconds,
        transcript=found.transcript,
        language=found.language,
        description=found.description,
        speaker_id=found.speaker_id,
        consent_id=await _consent_here(library, scope, found) if found.kind is Kind.CLONED else None,
    )
    return await library.voices.save(scope, new)


async def _consent_here(library: Library, scope: Scope, found: Portable) -> str | None:
    """Return the id of the consent in our own records that the voice can hang on."""
    if found.consent_id is not None and await library.consents.request(found.consent_id) is not None:
        return found.consent_id
    if found.speaker_id == scope.member_id and await library.consents.has_attested(scope):
        return await library.consents.attest(scope)
    return None


def _library(settings: Settings) -> Library:
    url = settings.database_url
    return Library(url.reveal() if url else None, settings.data_dir)


def _read(file: Path) -> bytes:
    with file.open("rb") as source:
        return source.read(MAX_PORTABLE_BYTES + 1)


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb") as target:
        target.write(data)


def _seconds(wav: bytes) -> float:
    try:
        seconds = parse_wav(wav, max_seconds=MAX_AUDIO_SECONDS).seconds
    except AudioError as error:
        raise MemberError("The recording in that file is damaged. Export the voice again.") from error
    if seconds < MIN_REFERENCE_SECONDS:
        raise MemberError("The recording in that file is too short for a voice.")
    return seconds
