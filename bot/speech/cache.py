"""Cache of finished speech for a day: the same request again costs nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import os
import secrets
import struct
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import accumulate, pairwise
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar, TypeVarTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from bot.errors import LibraryError
from bot.library.cached_speeches import CachedSpeeches, Keeping, member_label, recording_label, voice_label
from bot.models import ReferenceAudio, SpeechRequest, SpokenVoice

log = logging.getLogger(__name__)

_VERSION: Final = "speech 2"  # changes whenever equal orders begin to sound different
_SIGNATURE: Final = ("ex", "is", "hm")
"""The parts of a Discord address that say until when it opens; the same file has new ones every day."""


def speech_key(request: SpeechRequest, source: str) -> str:
    """Return 64 hexadecimal digits that are equal for equal speech, and tell nothing of what it says.

    ``source`` stands for the TTS gateway and its defaults.
    """
    fields = (
        *(_VERSION, source, request.style, request.guidance, request.steps),
        [(_voice(line.voice or request.voice, request.reference), line.text) for line in request.lines]
        or [(_voice(request.voice, request.reference), request.text)],
    )
    return hashlib.sha256(json.dumps(fields).encode("utf-8", "surrogatepass")).hexdigest()


def _voice(voice: SpokenVoice | None, reference: ReferenceAudio | None) -> tuple[str | None, ...]:
    """Return who speaks. A saved voice is its recording, wherever that may lie now.

    Its id counts too: what one server has made is not heard in another, and goes when its voice goes.
    """
    if voice is not None and voice.url is not None:
        return "likeness", voice.id, *_identity(ReferenceAudio(voice.url, voice.transcript))
    if voice is not None:
        return "saved", voice.id, voice.recording, voice.transcript
    return _identity(reference)


def _identity(reference: ReferenceAudio | None) -> tuple[str | None, str | None]:
    if reference is None:
        return None, None
    parts = urlsplit(reference.url)
    kept = [(name, value) for name, value in parse_qsl(parts.query) if name not in _SIGNATURE]
    return parts._replace(query=urlencode(kept), fragment="").geturl(), reference.transcript


def labels_of(request: SpeechRequest, member_id: int) -> list[str]:
    """Return the labels of the speech of ``request`` that this member asked for."""
    labels = [member_label(member_id)]
    for voice in request.voices:
        labels.append(voice_label(voice.id))
        if voice.recording:
            labels.append(recording_label(voice.recording))
    return labels


_HEADER: Final = struct.Struct("<8sdII")  # magic, time of making, number of frames, bytes of the WAV
_MAGIC: Final = b"MYNAspk2"
_DIGEST_BYTES: Final = 32


@dataclass(frozen=True, slots=True)
class KeptSpeech:
    """A finished speech as a WAV, and the frames it is played as."""

    wav: bytes = field(repr=False)
    frames: tuple[bytes, ...] = field(repr=False)


def packed(kept: KeptSpeech, made_at: datetime) -> bytes:
    """Return ``kept`` as the bytes of a file, which tell when it was made."""
    lengths = struct.pack(f"<{len(kept.frames)}H", *map(len, kept.frames))
    header = _HEADER.pack(_MAGIC, made_at.timestamp(), len(kept.frames), len(kept.wav))
    body = b"".join((header, lengths, *kept.frames, kept.wav))
    return body + hashlib.sha256(body).digest()


def unpacked(data: bytes, made_at: datetime) -> KeptSpeech | None:
    """Return what `packed` was given; None if a single bit is different, or it was made at another time."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if not _was_made(body[: _HEADER.size], made_at) or hashlib.sha256(body).digest() != digest:
        return None
    _, _, count, wav_bytes = _HEADER.unpack_from(body)
    start, end = _HEADER.size + 2 * count, len(body) - wav_bytes
    lengths = struct.unpack_from(f"<{count}H", body, _HEADER.size)
    if start + sum(lengths) != end:
        return None
    bounds = pairwise(accumulate(lengths, initial=start))
    return KeptSpeech(body[end:], tuple(body[begin:end] for begin, end in bounds))


def _was_made(header: bytes, at: datetime) -> bool:
    return len(header) == _HEADER.size and _HEADER.unpack(header)[:2] == (_MAGIC, at.timestamp())


class CacheFolder:
    """Files of kept speech under opaque keys, readable by our own user only.

    It blocks, and is used by one thread at a time. It never raises for a fault of the disk. The folder is
    ours alone: what else lies in it is thrown away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._has_complained = False

    def read(self, key: str, made_at: datetime) -> KeptSpeech | None:
        """Return the speech under ``key`` that was made then; None if it is not there or damaged."""
        try:
            return unpacked((self._path / key).read_bytes(), made_at)
        except OSError as error:
            log.debug("kept speech could not be read: %s", error.strerror)
            return None

    def write(self, keeping: Keeping, data: bytes) -> bool:
        """Write all or nothing, under another name first; return False if the disk does not take it.

        Of speech that must not be kept any more nothing is there afterwards.
        """
        draft = self._path / f"{keeping.key}.{secrets.token_hex(4)}"
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(data)
                draft.replace(self._path / keeping.key)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            if not self._has_complained:
                log.warning("no speech is kept for later: %s", error.strerror or type(error).__name__)
            self._has_complained = True
            return False
        self._has_complained = False
        if keeping.is_forgotten:  # whoever forgot it before it was here could not delete it
            self.drop([keeping.key])
        return True

    def drop(self, names: Iterable[str]) -> None:
        """Delete these files; one that cannot be deleted now is tried again by `drop_all_but`."""
        for name in names:
            try:
                (self._path / name).unlink(missing_ok=True)
            except OSError as error:
                log.warning("kept speech could not be deleted yet: %s", error.strerror)

    def drop_all_but(self, made: Mapping[str, datetime]) -> None:
        """Delete every file but those of the speech that was ``made`` then, by its keys."""
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = [path for path in self._path.iterdir() if path.is_symlink() or not path.is_dir()]
        except OSError as error:
            log.debug("the folder of kept speech could not be looked through: %s", error.strerror)
        else:
            self.drop([path.name for path in found if not _is_one_of(made, path)])


def _is_one_of(made: Mapping[str, datetime], path: Path) -> bool:
    if path.name not in made or path.is_symlink():
        return False
    try:
        with path.open("rb") as file:
            return _was_made(file.read(_HEADER.size), made[path.name])
    except OSError:
        return False


TIDY_SECONDS: Final = 3600.0
"""What is too old is thrown away this often, even while nobody asks for anything."""

T = TypeVar("T")
Ts = TypeVarTuple("Ts")


class SpeechCache:
    """Cache of finished speech: files in a folder, as `CachedSpeeches` knows them, at most ``max_bytes``.

    An async context manager. What cannot be kept or read, for a fault of the disk or the database, is not
    there, and nobody has to know.

    The row comes before its file and goes before it, and both tell when the speech was made. So whenever
    the process is killed, what is left is a row without its file, which is of no use to anybody, or a file
    without its row, or with that of a later one: nobody gets it, and the next start deletes it.
    """

    def __init__(
        self,
        speeches: CachedSpeeches,
        folder: CacheFolder,
        *,
        max_bytes: int,
        tidy_seconds: float = TIDY_SECONDS,
    ) -> None:
        self._speeches = speeches
        self._folder = folder
        self._max_bytes = max_bytes
        self._tidy_seconds = tidy_seconds
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="speech-cache")
        self._writing = asyncio.Lock()  # no file is missed by who tidies up between its row and itself
        self._being_kept: set[str] = set()
        self._keys: set[str] = set()  # what may be there; the database says whether it is
        self._notes: set[asyncio.Task[None]] = set()
        self._tidying: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        await self._tidy()
        self._tidying = asyncio.create_task(self._keep_tidy(), name="speech-cache")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
        await asyncio.gather(*self._notes)
        await asyncio.to_thread(self._worker.shutdown)

    def keeping(self, key: str, labels: Iterable[str]) -> Keeping:
        """Return the leave to keep speech with these ``labels``, as long as none of them is forgotten."""
        return self._speeches.keeping(key, labels)

    async def get(self, key: str, keeping: Keeping | None = None) -> KeptSpeech | None:
        """Return what is kept under ``key``; from now on it concerns whom ``keeping`` names too."""
        if key not in self._keys and key not in self._being_kept:
            return None
        if key in self._being_kept:  # whoever got it may ask for it before it is written
            async with self._writing:
                pass
        try:
            made_at = await self._speeches.find(key)
        except LibraryError as error:
            log.warning("kept speech is not looked for: %s", error)
            return None
        kept = None if made_at is None else await self._run(self._folder.read, key, made_at)
        if kept is None or (keeping is not None and keeping.is_forgotten):
            return None
        note = asyncio.create_task(self._note_use(key, keeping), name="speech-cache")
        self._notes.add(note)
        note.add_done_callback(self._notes.discard)
        return kept

    async def put(self, kept: KeptSpeech, keeping: Keeping) -> None:
        """Keep it, in place of what is least recently used."""
        if not self._max_bytes:
            return
        self._being_kept.add(keeping.key)
        try:
            async with self._writing:
                made_at = self._speeches.now()
                data = await self._run(packed, kept, made_at)
                gone = await self._speeches.note(
                    keeping,
                    len(data),
                    made_at,
                    most_bytes=self._max_bytes,
                    is_new=keeping.key not in self._keys,
                )
                if gone is None:
                    return
                await self._run(self._folder.drop, gone)
                is_there = await self._run(self._folder.write, keeping, data)
                self._keys -= set(gone)
                self._keys.add(keeping.key)
            if not is_there:
                await self.forget(keys=[keeping.key])
        except LibraryError as error:
            log.warning("no speech is kept for later: %s", error)
        finally:
            self._being_kept.discard(keeping.key)

    async def forget(self, labels: Collection[str] = (), keys: Collection[str] = ()) -> None:
        """Throw away what has one of these labels or keys, and do not keep what is being made with one now.

        Raises `LibraryError` where it may be left, for a fault of the database.
        """
        gone = await self._speeches.forget_now(labels, keys)
        self._keys -= {*keys, *gone}
        await self._run(self._folder.drop, {*keys, *gone})

    async def _note_use(self, key: str, keeping: Keeping | None) -> None:
        try:
            await self._speeches.used(key, keeping)
        except LibraryError as error:
            log.warning("the use of kept speech is not noted: %s", error)

    async def _keep_tidy(self) -> None:
        while True:
            await asyncio.sleep(self._tidy_seconds)
            await self._tidy()

    async def _tidy(self) -> None:
        try:
            async with self._writing:
                made = await self._speeches.tidy(most_bytes=self._max_bytes)
                self._keys = set(made)
                await self._run(self._folder.drop_all_but, made)
        except LibraryError as error:
            log.warning("kept speech is not tidied up: %s", error)

    async def _run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)
