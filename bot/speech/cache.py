"""Cache of finished speech for a day: the same request again costs nothing."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import re
import secrets
import struct
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeVar
from urllib.parse import parse_qsl, urlencode, urlsplit
from weakref import WeakSet

from bot.audio.wav import parse_wav, write_wav
from bot.errors import AudioError
from bot.models import ReferenceAudio, Speech, SpeechRequest, SpokenVoice


def member_label(member_id: int) -> str:
    """Return the label of speech that this member asked for."""
    return f"member {member_id}"


def voice_label(voice_id: str) -> str:
    """Return the label of speech in this saved voice, or likeness."""
    return f"voice {voice_id}"


def recording_label(sha256: str) -> str:
    """Return the label of speech that was cloned from the recording with this hash."""
    return f"recording {sha256}"


def speech_label(key: str) -> str:
    """Return the label of the speech that is kept under ``key``, for one that is to go alone."""
    return f"speech {key}"


def labels_of(request: SpeechRequest, member_id: int, key: str) -> list[str]:
    """Return the labels of the speech of ``request`` that this member asked for, kept under ``key``."""
    labels = [member_label(member_id), speech_label(key)]
    for voice in request.voices:
        labels.append(voice_label(voice.id))
        if voice.recording:
            labels.append(recording_label(voice.recording))
    return labels


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


MAX_LABELS: Final = 64
"""Speech that concerns more people and voices than this is not kept."""

_HEAD: Final = struct.Struct("<8sH")  # magic, number of labels
_MAGIC: Final = b"MYNAlab1"
_DIGEST_BYTES: Final = 16

HEAD_BYTES: Final = _HEAD.size + (MAX_LABELS + 1) * _DIGEST_BYTES
"""The longest head: so much of a file is needed for `labels_in`."""

Labels = frozenset[bytes]


def digests(labels: Iterable[str]) -> Labels:
    """Return what stands for ``labels`` on the disk."""
    return frozenset(_digest(label.encode()) for label in labels)


def head(labels: Labels) -> bytes:
    """Return the bytes that go before the speech; ``labels`` are at most `MAX_LABELS`."""
    body = _HEAD.pack(_MAGIC, len(labels)) + b"".join(sorted(labels))
    return body + _digest(body)


def labels_in(data: bytes) -> tuple[Labels, int] | None:
    """Return the labels at the beginning of ``data`` and where the speech begins.

    None: this is no file of ours, or its head is damaged, so that nobody knows whose it is.
    """
    if len(data) < _HEAD.size:
        return None
    magic, count = _HEAD.unpack_from(data)
    end = _HEAD.size + count * _DIGEST_BYTES
    start = end + _DIGEST_BYTES
    if magic != _MAGIC or count > MAX_LABELS or data[end:start] != _digest(data[:end]):
        return None
    return frozenset(data[at : at + _DIGEST_BYTES] for at in range(_HEAD.size, end, _DIGEST_BYTES)), start


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).digest()


_HEADER: Final = struct.Struct("<8sdII")  # magic, time of making, number of frames, bytes of the WAV
_CACHE_FILE_MAGIC: Final = b"MYNAspk1"
_CACHE_FILE_DIGEST_BYTES: Final = 32

HEADER_BYTES: Final = _HEADER.size
"""So much of a file is needed for `made_at`."""


@dataclass(frozen=True, slots=True)
class KeptSpeech:
    """A finished speech and the frames it is played as."""

    speech: Speech
    frames: tuple[bytes, ...] = field(repr=False)


def packed(kept: KeptSpeech, made_at: float) -> bytes:
    """Return ``kept`` as the bytes of a file; ``made_at`` is in seconds since 1970."""
    wav = write_wav(kept.speech.pcm)
    lengths = struct.pack(f"<{len(kept.frames)}H", *map(len, kept.frames))
    body = b"".join(
        (_HEADER.pack(_CACHE_FILE_MAGIC, made_at, len(kept.frames), len(wav)), lengths, *kept.frames, wav)
    )
    return body + hashlib.sha256(body).digest()


def made_at(header: bytes) -> float | None:
    """Return when the speech behind these first bytes of a file was made; None if it is no file of ours."""
    if len(header) < HEADER_BYTES:
        return None
    magic, seconds, _, _ = _HEADER.unpack_from(header)
    return float(seconds) if magic == _CACHE_FILE_MAGIC else None


def unpacked(data: bytes) -> KeptSpeech | None:
    """Return what `packed` was given; None if a single bit is different."""
    body, digest = data[:-_CACHE_FILE_DIGEST_BYTES], data[-_CACHE_FILE_DIGEST_BYTES:]
    if made_at(body) is None or hashlib.sha256(body).digest() != digest:
        return None
    _, _, count, wav_bytes = _HEADER.unpack_from(body)
    start, end = HEADER_BYTES + 2 * count, len(body) - wav_bytes
    lengths = struct.unpack_from(f"<{count}H", body, HEADER_BYTES)
    if start + sum(lengths) != end:
        return None
    try:
        pcm = parse_wav(body[end:]).samples.tobytes()
    except AudioError:
        return None
    return KeptSpeech(Speech(pcm), tuple(_pieces(body, start, lengths)))


def _pieces(body: bytes, start: int, lengths: Sequence[int]) -> list[bytes]:
    pieces = []
    for length in lengths:
        pieces.append(body[start : start + length])
        start += length
    return pieces


log = logging.getLogger(__name__)

KEEP_SECONDS: Final = 24 * 3600.0
"""How long speech is kept; whoever asks again the next day gets a new take."""

_CLOCK_SECONDS: Final = 60.0  # made later than this from now: the clock was wrong, then or now
_NAME: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class _Entry:
    made_at: float
    size: int
    labels: Labels


class CacheFolder:
    """Keeps speech under opaque keys of 64 hexadecimal digits, readable by our own user only.

    It blocks, and is used by one thread at a time. It never raises for a fault of the disk: what cannot be
    kept or read is not there. The folder is ours alone: what else lies in it is thrown away.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_bytes: int,
        keep_seconds: float = KEEP_SECONDS,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._keep_seconds = keep_seconds
        self._clock = clock
        self._entries: OrderedDict[str, _Entry] = OrderedDict()  # the least recently used first
        self._has_complained = False

    @property
    def size(self) -> int:
        """The bytes that are kept."""
        return sum(entry.size for entry in self._entries.values())

    def open(self) -> None:
        """Find what an earlier run has kept, and throw away what is too old or not ours."""
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = [self._examined(Path(entry.path)) for entry in os.scandir(self._folder)]
        except OSError as error:
            self._complain(error)
            return
        for _, name, entry in sorted(filter(None, found), key=lambda one: one[0]):
            self._entries[name] = entry
        self.purge()
        self._make_room(0)

    def get(self, key: str, labels: Collection[str] = ()) -> KeptSpeech | None:
        """Return what is kept under ``key``, unless it is too old or damaged.

        From now on it has these ``labels`` too: `forget` finds it for whoever used it as well.
        """
        self.purge()
        if key not in self._entries:
            return None
        path = self._folder / key
        try:
            data = path.read_bytes()
            kept = _speech_in(data)
            os.utime(path)  # so that the next run knows what was used last
        except OSError as error:
            log.debug("kept speech could not be read: %s", error.strerror)
            kept = None
        if kept is None:
            self._drop(key)
        else:
            self._entries.move_to_end(key)
            self._add_labels(key, data, digests(labels))
        return kept

    def put(self, key: str, kept: KeptSpeech, labels: Collection[str] = ()) -> None:
        """Keep it, in place of what is least recently used. ``labels`` say whose it is, see `forget`."""
        now, marks = self._clock(), digests(labels)
        data = head(marks) + packed(kept, now)
        if len(data) > self._max_bytes or len(marks) > MAX_LABELS:
            return
        self._drop(key)
        self._make_room(len(data))
        try:
            self._write(key, data)
        except OSError as error:
            self._complain(error)
            return
        self._has_complained = False
        self._entries[key] = _Entry(now, len(data), marks)

    def forget(self, *labels: str) -> int:
        """Throw away everything with one of these labels; return how much it was."""
        marks = digests(labels)
        found = [key for key, entry in self._entries.items() if not marks.isdisjoint(entry.labels)]
        for key in found:
            self._drop(key)
            if (self._folder / key).exists():
                log.error("kept speech could not be deleted; delete %s in the cache by hand", key)
        return len(found)

    def purge(self) -> None:
        """Throw away what is too old."""
        now = self._clock()
        for key, entry in list(self._entries.items()):
            if (
                not now - self._keep_seconds < entry.made_at <= now + 60
            ):  # later than now: the clock was wrong
                self._drop(key)

    def _add_labels(self, key: str, data: bytes, marks: Labels) -> None:
        entry = self._entries[key]
        marks |= entry.labels
        if marks == entry.labels:
            return
        found = labels_in(data)
        data = head(marks) + data[found[1] if found else 0 :]
        try:
            if len(marks) > MAX_LABELS:
                self._drop(key)
            else:
                self._write(key, data)
                self._entries[key] = _Entry(entry.made_at, len(data), marks)
        except OSError as error:
            self._complain(error)
            self._drop(key)  # rather than keep it for somebody whom it does not name

    def _make_room(self, size: int) -> None:
        kept = self.size
        while self._entries and kept + size > self._max_bytes:
            oldest = next(iter(self._entries))
            kept -= self._entries[oldest].size
            self._drop(oldest)

    def _write(self, key: str, data: bytes) -> None:
        """Write all or nothing: under another name first."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        draft = self._folder / f"{key}.{secrets.token_hex(4)}"
        try:
            with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data)
            draft.replace(self._folder / key)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise

    def _examined(self, path: Path) -> tuple[float, str, _Entry] | None:
        """Return when this file was used, its name, and what it is; a file that is not ours is deleted."""
        if path.is_dir() and not path.is_symlink():
            return None
        if _NAME.fullmatch(path.name) and not path.is_symlink():
            with path.open("rb") as file:
                start = file.read(HEAD_BYTES + HEADER_BYTES)
            labels = labels_in(start)
            since = made_at(start[labels[1] :]) if labels else None
            if labels is not None and since is not None:
                status = path.stat()
                return status.st_mtime, path.name, _Entry(since, status.st_size, labels[0])
        path.unlink()
        return None

    def _drop(self, key: str) -> None:
        if self._entries.pop(key, None) is not None:
            with contextlib.suppress(OSError):
                (self._folder / key).unlink(missing_ok=True)

    def _complain(self, error: OSError) -> None:
        if not self._has_complained:
            log.warning("no speech is kept for later: %s", error.strerror or type(error).__name__)
        self._has_complained = True


def _speech_in(data: bytes) -> KeptSpeech | None:
    labels = labels_in(data)
    return unpacked(data[labels[1] :]) if labels else None


PURGE_SECONDS: Final = 3600.0
"""What is too old is thrown away this often, even while nobody asks for anything."""

T = TypeVar("T")


class Keeping:
    """The leave to keep one speech that is being made. `SpeechCache.forget` takes it away for good.

    Whoever makes the speech has it from `SpeechCache.keeping` and holds it until the speech is put there.
    """

    def __init__(self, labels: Collection[str]) -> None:
        self.labels = set(labels)
        self.is_forgotten = False

    def add(self, labels: Collection[str]) -> None:
        """Let these labels count too: somebody else waits for the same speech."""
        self.labels |= set(labels)


class SpeechCache:
    """A `CacheFolder` in a thread of its own, as an async context manager.

    ``folder`` None: nothing is kept.
    """

    def __init__(self, folder: CacheFolder | None, *, purge_seconds: float = PURGE_SECONDS) -> None:
        self._folder = folder
        self._purge_seconds = purge_seconds
        self._keepings: WeakSet[Keeping] = WeakSet()
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="speech-cache")
        self._purging: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        if self._folder is not None:
            await self._run(self._folder.open)
            self._purging = asyncio.create_task(self._purge(self._folder), name="speech-cache")
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._purging is not None:
            self._purging.cancel()
        await asyncio.to_thread(self._worker.shutdown)

    def keeping(self, labels: Collection[str]) -> Keeping:
        """Return the leave to keep speech with these ``labels``, as long as none of them is forgotten."""
        keeping = Keeping(labels)
        self._keepings.add(keeping)
        return keeping

    async def get(self, key: str, keeping: Keeping | None = None) -> KeptSpeech | None:
        """Return what is kept under ``key``; from now on it has the labels of ``keeping`` too."""
        folder = self._folder
        if folder is None or (keeping is not None and keeping.is_forgotten):
            return None
        labels = frozenset(keeping.labels) if keeping else frozenset()
        return await self._run(lambda: folder.get(key, labels))

    async def put(self, key: str, kept: KeptSpeech, keeping: Keeping | None = None) -> None:
        """Keep it; what cannot or may not be kept is not, and nobody has to know."""
        folder = self._folder
        if folder is None or (keeping is not None and keeping.is_forgotten):
            return
        labels = frozenset(keeping.labels) if keeping else frozenset()
        await self._run(lambda: folder.put(key, kept, labels))

    async def forget(self, *labels: str) -> None:
        """Throw away what has one of these labels, and do not keep what is being made with one now."""
        for keeping in self._keepings:
            keeping.is_forgotten |= not keeping.labels.isdisjoint(labels)
        folder = self._folder
        if folder is not None:
            await self._run(lambda: folder.forget(*labels))

    async def _purge(self, folder: CacheFolder) -> None:
        while True:
            await asyncio.sleep(self._purge_seconds)
            await self._run(folder.purge)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)
