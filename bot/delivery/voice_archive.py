"""Archives of voices: a voice as one zip file to take along, and back."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
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
_SIGNATURE: Final = "signature.txt"
_LARGEST: Final = {
    _VOICE: 16_384,
    _RECORDING: MAX_PORTABLE_BYTES,
    _TRANSCRIPT: 16_384,
    _CONSENT: 16_384,
    _SIGNATURE: 128,
}
"""The only files there may be, and their most bytes: what a zip claims of itself is not believed."""

_MOMENT: Final = (1980, 1, 1, 0, 0, 0)  # so that the same voice gives the same file
_NO_VOICE: Final = "That isn't a voice I exported, or it's damaged. Export the voice again."
_TOO_LARGE: Final = "That file is too large to be an exported voice."
_BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError, RuntimeError, ValueError)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Portable:
    """Voice without its server. ``consent`` is the record of its consent, as JSON, for a cloned one.

    ``signature`` is what the database has signed the `signable` rest of it with that exported it.
    """

    name: str
    kind: Kind
    wav: bytes = field(repr=False)
    transcript: str | None = field(default=None, repr=False)
    description: str | None = field(default=None, repr=False)
    speaker_id: int | None = None
    consent: Mapping[str, Any] | None = field(default=None, repr=False)
    signature: str | None = None

    @property
    def consent_id(self) -> str | None:
        """Return the id under which the consent was written down, if it was."""
        found = None if self.consent is None else self.consent.get("id")
        return found if isinstance(found, str) and len(found) <= 22 else None


def signable(voice: Portable) -> bytes:
    """Return all that a zip says of the voice but for its signature, always in the same form."""
    files = _files_of(replace(voice, signature=None))
    return b"".join(f"{name} {len(data)}\n".encode() + data for name, data in files.items())


def pack(voice: Portable) -> bytes:
    """Return the voice as a zip."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in _files_of(voice).items():
            archive.writestr(zipfile.ZipInfo(name, _MOMENT), data, zipfile.ZIP_DEFLATED)
    return target.getvalue()


def _files_of(voice: Portable) -> dict[str, bytes]:
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
    if voice.signature is not None:
        files[_SIGNATURE] = voice.signature.encode()
    return files


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
        signature = files[_SIGNATURE].decode() if _SIGNATURE in files else None
        return replace(_voice(about, files[_RECORDING], transcript, consent), signature=signature)
    except (*_BROKEN, KeyError, RecursionError, TypeError) as error:
        raise MemberError(_NO_VOICE) from error


def _voice(
    about: Mapping[str, Any], wav: bytes, transcript: str | None, consent: Mapping[str, Any] | None
) -> Portable:
    kind = Kind(about["kind"])
    speaker_id = _optional(about["speaker_id"], lambda value: int(_text(value)))
    if speaker_id is not None and (kind is not Kind.CLONED or not 0 < speaker_id < 2**63):
        raise ValueError("only a cloned voice has a speaker")
    if kind is Kind.STARTER:
        raise ValueError("a starter is in no server")
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


_NOT_SIGNED: Final = (
    "It can't speak: the file isn't signed by this bot's database, so I don't know whose voice "
    "it is. Its speaker can save the recording with /voice save. If you exported the file "
    "yourself, delete the voice and import it again with --trust."
)
_OPERATOR = 0
"""Id that nobody in Discord has; whoever runs these commands may do what moderators may."""


async def packed(library: Library, voice: Voice) -> bytes:
    """Return a voice as a signed zip: its recording, its transcript, and the record of its consent."""
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
    signature = await library.known_recordings.signature(await asyncio.to_thread(signable, portable))
    return await asyncio.to_thread(pack, replace(portable, signature=signature))


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


async def import_voice(
    settings: Settings, file: Path, guild_id: int, owner_id: int, *, trust: bool = False
) -> str:
    """Save the voice in ``file`` for a member of a server; return what was done.

    Anybody could write such a file. What this database has not signed, as it stands there, is taken for the
    voice of somebody whom nobody knows, and is silent; with ``trust`` the operator vouches for the file.
    Neither proves anybody's consent: a cloned voice gets the one that this bot itself has written down under
    the id in the file, or the owner's word here that they clone their own voice; whether that lets it speak
    is checked at every use. Raises `MemberError` and `LibraryError`.
    """
    try:
        data = await asyncio.to_thread(_voice_files_read, file)
    except OSError as error:
        raise MemberError(f"{file} cannot be read: {error.strerror}") from error
    found = await asyncio.to_thread(unpack, data)
    seconds = await asyncio.to_thread(_seconds, found.wav)
    async with _library(settings) as library:
        is_known = trust or await _is_signed(library, found)
        if not is_known:
            found = replace(found, kind=Kind.CLONED, speaker_id=None, consent=None)
        voice = await _save(library, Scope(guild_id, owner_id), found, seconds)
        refusal = await library.consents.permission_error(voice, guild_id)
    saved = f"{one_line(voice.name)} is saved. A running bot can use it at once."
    if not is_known:
        return f"{saved}\n{_NOT_SIGNED}"
    return saved if refusal is None else f"{saved}\nIt can't speak right now. {refusal}"


async def _is_signed(library: Library, found: Portable) -> bool:
    if found.signature is None:
        return False
    content = await asyncio.to_thread(signable, found)
    return await library.known_recordings.is_signed(content, found.signature)


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
    return Library(settings.database_address, settings.data_dir)


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
