"""Archives of voices: a voice as one zip file to take along, and back."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from bot.audio.wav import parse_wav
from bot.errors import AudioError, MemberError
from bot.library.consent_rules import Request
from bot.library.library import Library
from bot.library.voice import Kind, NewVoice, Scope, Voice, check_name
from bot.limits import (
    MAX_AUDIO_SECONDS,
    MAX_PORTABLE_BYTES,
    MAX_TRANSCRIPT_CHARS,
    MAX_VOICE_DESCRIPTION_CHARS,
    MIN_REFERENCE_SECONDS,
)
from bot.settings import Settings
from bot.text.labels import file_stem, one_line

_VERSION: Final = 1
_VOICE: Final = "voice.json"
_RECORDING: Final = "recording.wav"
_TRANSCRIPT: Final = "transcript.txt"
_CONSENT: Final = "consent.json"
_LARGEST: Final = {_VOICE: 16_384, _RECORDING: MAX_PORTABLE_BYTES, _TRANSCRIPT: 16_384, _CONSENT: 16_384}
"""The only files there may be, and their most bytes: what a zip claims of itself is not believed."""

_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # so that the same voice gives the same file
_NO_VOICE: Final = "That file is no voice of mine, or it is damaged. Export the voice again."
_TOO_LARGE: Final = "That file is too large to be a voice of mine."
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portable:
    """Voice without its server. ``consent`` is the record of its consent, as JSON, for a cloned one."""

    name: str
    kind: Kind
    wav: bytes = field(repr=False)
    transcript: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    speaker_id: int | None = None
    consent: Mapping[str, Any] | None = field(default=None, repr=False)

    @property
    def consent_id(self) -> str | None:
        """Return the id under which the consent was written down, if it was."""
        found = None if self.consent is None else self.consent.get("id")
        return found if isinstance(found, str) and len(found) <= 22 else None


def pack(voice: Portable) -> bytes:
    """Return the voice as a zip."""
    about = {
        "version": _VERSION,
        "name": voice.name,
        "kind": voice.kind.value,
        "description": voice.description,
        "speaker_id": None if voice.speaker_id is None else str(voice.speaker_id),
    }
    files = {_VOICE: _json(about), _RECORDING: voice.wav}
    if voice.transcript is not None:
        files[_TRANSCRIPT] = voice.transcript.encode()
    if voice.consent is not None:
        files[_CONSENT] = _json(voice.consent)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def unpack(data: bytes) -> Portable:
    """Return the voice in a zip, whoever made it; its recording is not checked.

    Raises `MemberError`, and nothing else, whatever the bytes are.
    """
    if len(data) > MAX_PORTABLE_BYTES:
        raise MemberError(_TOO_LARGE)
    try:
        files = _files(data)
        about = _object(files[_VOICE])
        if about.get("version") != _VERSION:
            raise MemberError("That voice was exported by a newer version of me. Update this one first.")
        transcript = files[_TRANSCRIPT].decode() if _TRANSCRIPT in files else None
        consent = _object(files[_CONSENT]) if _CONSENT in files else None
        return _voice(about, files[_RECORDING], transcript, consent)
    except (*_BROKEN, KeyError, RecursionError, TypeError) as error:
        raise MemberError(_NO_VOICE) from error


def _voice(
    about: Mapping[str, Any], wav: bytes, transcript: str | None, consent: Mapping[str, Any] | None
) -> Portable:
    kind = Kind(about["kind"])
    speaker_id = _optional(about["speaker_id"], lambda value: int(_text(value)))
    if (kind is Kind.CLONED) != (speaker_id is not None) or not 0 < (speaker_id or 1) < 2**63:
        raise ValueError("a cloned voice has a speaker, and no other has")
    if len(transcript or "") > MAX_TRANSCRIPT_CHARS:
        raise ValueError("the transcript is too long")
    description = _optional(about["description"], _text)
    if len(description or "") > MAX_VOICE_DESCRIPTION_CHARS:
        raise ValueError("the description is too long")
    return Portable(
        name=check_name(_text(about["name"])),
        kind=kind,
        wav=wav,
        transcript=transcript,
        description=description,
        speaker_id=speaker_id,
        consent=consent,
    )


def _files(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        entries = archive.infolist()
        names = [entry.filename for entry in entries]
        if len(set(names)) != len(names) or not {_VOICE, _RECORDING} <= set(names) <= set(_LARGEST):
            raise ValueError("other files than those of a voice")
        if any(entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for entry in entries):
            raise ValueError("packed in a way we do not use")
        return {entry.filename: _read(archive, entry) for entry in entries}


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    largest = _LARGEST[entry.filename]
    with archive.open(entry) as file:
        data = file.read(largest + 1)
    if len(data) > largest:
        raise MemberError(_TOO_LARGE)
    return data


def _record(consent: Request) -> dict[str, Any]:
    shares = consent.shares
    return {
        "id": consent.id,
        "guild_id": str(consent.guild_id),
        "asker_id": str(consent.asker_id),
        "speaker_id": str(consent.speaker_id),
        "state": consent.state.value,
        "policy_version": consent.policy_version,
        "recording": consent.recording,
        "sharing": shares.sharing.value,
        "role_id": None if shares.role_id is None else str(shares.role_id),
        "member_ids": [str(member_id) for member_id in sorted(shares.member_ids)],
        "asked_at": consent.asked_at.isoformat(),
        "answered_at": None if consent.answered_at is None else consent.answered_at.isoformat(),
    }


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=2).encode()


def _object(data: bytes) -> dict[str, Any]:
    value = json.loads(data)
    if not isinstance(value, dict):
        raise TypeError("no object")
    return value


def _optional(value: Any, read: Callable[[Any], T]) -> T | None:
    return None if value is None else read(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("no text")
    return value


_OPERATOR = 0
"""Id that nobody in Discord has; whoever runs these commands may do what moderators may."""


async def packed(library: Library, voice: Voice) -> bytes:
    """Return a voice as a zip: its recording, its transcript, and the record of its consent."""
    consent = await library.consents.request(voice.consent_id) if voice.consent_id else None
    portable = Portable(
        name=voice.name,
        kind=voice.kind,
        wav=await library.recordings.read(voice.recording),
        transcript=voice.transcript,
        description=voice.description,
        speaker_id=voice.speaker_id,
        consent=None if consent is None else _record(consent),
    )
    return await asyncio.to_thread(pack, portable)


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

    A file proves nobody's consent: anybody could write one. A cloned voice gets the consent that this bot
    itself has written down under the id in the file, or the owner's word here that they clone their own
    voice; whether that lets it speak is checked at every use. Without either it is saved and silent. Raises
    `MemberError` and `LibraryError`.
    """
    try:
        data = await asyncio.to_thread(_voice_files_read, file)
    except OSError as error:
        raise MemberError(f"{file} cannot be read: {error.strerror}") from error
    found = await asyncio.to_thread(unpack, data)
    seconds = await asyncio.to_thread(_seconds, found.wav)
    async with _library(settings) as library:
        voice = await _save(library, Scope(guild_id, owner_id), found, seconds)
        refusal = await library.consents.permission_error(voice, guild_id)
    saved = f"{one_line(voice.name)} is saved. A running bot proposes it at once."
    return saved if refusal is None else f"{saved}\nIt is silent for now. {refusal}"


async def _save(library: Library, scope: Scope, found: Portable, seconds: float) -> Voice:
    name = await library.voices.check_place(scope, found.name)
    new = NewVoice(
        name=name,
        kind=found.kind,
        recording=await library.recordings.keep(found.wav),
        seconds=seconds,
        transcript=found.transcript,
        description=found.description,
        speaker_id=found.speaker_id,
        consent_id=await _consent_here(library, scope, found) if found.kind is Kind.CLONED else None,
    )
    return await library.voices.save(scope, new)


async def _consent_here(library: Library, scope: Scope, found: Portable) -> str | None:
    """Return the id of a consent in our own records that lets the voice speak; None: there is none."""
    if found.consent_id is not None and await library.consents.request(found.consent_id) is not None:
        return found.consent_id
    if found.speaker_id == scope.member_id and await library.consents.has_attested(scope):
        return await library.consents.attest(scope)
    return None


def _library(settings: Settings) -> Library:
    url = settings.database_url
    return Library(url.reveal() if url else None, settings.data_dir)


def _voice_files_read(file: Path) -> bytes:
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
