"""Cache of speech for a day, finished or still to be fetched: the same request again costs nothing."""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Coroutine, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar, TypeVarTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

from bot.audio.maker import Maker, is_of_that_time
from bot.errors import AudioError, LibraryError
from bot.library.cached_speeches import CachedSpeeches, Keeping, member_label, recording_label, voice_label
from bot.models import ReferenceAudio, Speech, SpeechRequest, SpokenVoice

log = logging.getLogger(__name__)

_VERSION: Final = "speech 2"  # changes whenever equal orders begin to sound different
_SIGNATURE: Final = ("ex", "is", "hm")
"""The parts of a Discord address that say until when it opens; the same file has new ones every day."""


def speech_key(request: SpeechRequest, source: str) -> str:
    """Return 64 hexadecimal digits that are equal for equal speech, and tell nothing of what it says.

    ``source`` stands for the TTS gateway and its defaults.
    """
    fields = (
        *(_VERSION, source, request.style, request.guidance, request.steps, request.tempo),
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


class CacheFolder:
    """Files of kept speech under opaque keys, readable by our own user only.

    It blocks, and is used by one thread at a time. It never raises for a fault of the disk. The folder is
    ours alone: what else lies in it is thrown away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def path_of(self, key: str) -> Path:
        """Return where the speech under ``key`` lies."""
        return self._path / key

    def draft_of(self, key: str) -> Path:
        """Return a new place, where speech for ``key`` is written before it is taken over."""
        return self._path / f"{key}.{secrets.token_hex(4)}"

    def take_over(self, draft: Path, keeping: Keeping) -> bool:
        """Give the speech of ``draft`` its key; return False if the disk does not do so.

        Of speech that must not be kept any more nothing is there afterwards.
        """
        try:
            draft.replace(self._path / keeping.key)
        except OSError as error:
            log.warning("no speech is kept for later: %s", error.strerror or type(error).__name__)
            return False
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
        return is_of_that_time(path, made[path.name])
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
        maker: Maker,
        *,
        max_bytes: int,
        tidy_seconds: float = TIDY_SECONDS,
    ) -> None:
        self._speeches = speeches
        self._folder = folder
        self._maker = maker
        self._max_bytes = max_bytes
        self._tidy_seconds = tidy_seconds
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="speech-cache")
        self._tidying_up = asyncio.Lock()
        self._writing: set[asyncio.Task[bool]] = set()  # who tidies up misses no file before it has its row
        self._being_kept: dict[str, asyncio.Task[None]] = {}
        self._keys: set[str] = set()  # what may be there; the database says whether it is
        self._under_way: set[asyncio.Task[None]] = set()
        self._has_complained = False
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
        await self.settled()
        await asyncio.to_thread(self._worker.shutdown)

    def keeping(self, key: str, labels: Iterable[str]) -> Keeping:
        """Return the leave to keep speech with these ``labels``, as long as none of them is forgotten."""
        return self._speeches.keeping(key, labels)

    async def get(self, key: str, keeping: Keeping | None = None) -> Speech | None:
        """Return what is kept under ``key``; from now on it concerns whom ``keeping`` names too."""
        if key not in self._keys and key not in self._being_kept:
            return None
        if key in self._being_kept:  # whoever got it may ask for it before it is written
            await asyncio.wait([self._being_kept[key]])
        try:
            made_at = await self._speeches.find(key)
        except LibraryError as error:
            log.warning("kept speech is not looked for: %s", error)
            return None
        try:
            kept = None if made_at is None else await self._maker.read(self._folder.path_of(key), made_at)
        except AudioError as error:
            log.warning("kept speech could not be read: %s", error)
            return None
        if kept is None or (keeping is not None and keeping.is_forgotten):
            return None
        self._behind(self._note_use(key, keeping))
        return kept

    async def put(self, speech: Speech, keeping: Keeping) -> None:
        """Keep it, in place of what is least recently used. Whoever is cancelled here only stops waiting."""
        if self._max_bytes:
            before = self._being_kept.get(keeping.key)
            task = self._being_kept[keeping.key] = self._behind(self._put(speech, keeping, before))
            await asyncio.shield(task)

    async def _put(self, speech: Speech, keeping: Keeping, before: asyncio.Task[None] | None) -> None:
        try:
            if before is not None:  # one file of a key at a time
                await asyncio.wait([before])
            is_there = await self._written_in_turn(speech, keeping)
            if not is_there:
                await self.forget(keys=[keeping.key])
        except LibraryError as error:
            log.warning("no speech is kept for later: %s", error)
        finally:
            if self._being_kept.get(keeping.key) is asyncio.current_task():
                del self._being_kept[keeping.key]

    def _behind(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Return a task that is waited for when the cache is closed."""
        task = asyncio.create_task(work, name="speech-cache")
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)
        return task

    async def _written_in_turn(self, speech: Speech, keeping: Keeping) -> bool:
        async with self._tidying_up:
            writing = asyncio.create_task(self._written(speech, keeping))
            self._writing.add(writing)
        try:
            return await writing
        finally:
            self._writing.discard(writing)

    async def _written(self, speech: Speech, keeping: Keeping) -> bool:
        """Write the row and then the file of a speech; return False if there may be a row without a file."""
        made_at, draft = self._speeches.now(), self._folder.draft_of(keeping.key)
        try:
            size = await self._maker.write(speech, draft, made_at)
        except AudioError as error:
            if not self._has_complained:
                log.warning("no speech is kept for later: %s. Check the disk of DATA_DIR.", error)
            self._has_complained = True
            return keeping.key not in self._keys
        self._has_complained = False
        try:
            gone = await self._speeches.note(
                keeping, size, made_at, most_bytes=self._max_bytes, is_new=keeping.key not in self._keys
            )
            if gone is None:
                return True
            await self._run(self._folder.drop, gone)
            is_there = await self._run(self._folder.take_over, draft, keeping)
            self._keys -= set(gone)
            self._keys.add(keeping.key)
            return is_there
        finally:
            await self._run(self._folder.drop, [draft.name])

    async def settled(self) -> None:
        """Wait until everything is written, or dropped, that was to be kept."""
        while self._under_way:
            await asyncio.wait(set(self._under_way))

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
            async with self._tidying_up:
                if self._writing:
                    await asyncio.wait(self._writing)
                made = await self._speeches.tidy(most_bytes=self._max_bytes)
                self._keys = set(made)
                await self._run(self._folder.drop_all_but, made)
        except LibraryError as error:
            log.warning("kept speech is not tidied up: %s", error)

    async def _run(self, work: Callable[[*Ts], T], *arguments: *Ts) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._worker, work, *arguments)


_DAY: Final = 86_400.0
_MAX_UNFETCHED: Final = 500
_MAX_FETCHES: Final = 5  # of one address, each of several tries; then it is made anew


@dataclass(slots=True)
class _Unfetched:
    member_id: int
    voice_id: str | None
    url: str
    until: float
    tries: int = 0


class UnfetchedGenerations:
    """Addresses of generations that were made and could not be fetched, kept for a day for whoever asked.

    The same request of theirs fetches it again, a few times, and is no call of the TTS gateway. They are only
    in memory, and go with their voice and their member.
    """

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._kept: OrderedDict[str, _Unfetched] = OrderedDict()  # by request and member, oldest first

    def keep(self, request: SpeechRequest, member_id: int, url: str) -> None:
        """Keep the address of what was made for ``request``; one that is kept already only grows old."""
        voice_id = request.voice.id if request.voice else None
        made = _Unfetched(member_id, voice_id, url, self._clock() + _DAY)
        kept = self._kept.setdefault(_unfetched_key(request, member_id), made)
        if kept.tries >= _MAX_FETCHES:
            self.forget(request, member_id)
        while self._kept and (len(self._kept) > _MAX_UNFETCHED or self._oldest.until <= self._clock()):
            self._kept.popitem(last=False)

    @property
    def _oldest(self) -> _Unfetched:
        return next(iter(self._kept.values()))

    def find(self, request: SpeechRequest, member_id: int) -> str | None:
        """Return the address of what was made for this, to be tried again; None: there is none."""
        kept = self._kept.get(_unfetched_key(request, member_id))
        if kept is None or self._clock() >= kept.until:
            return None
        kept.tries += 1
        return kept.url

    def forget(self, request: SpeechRequest, member_id: int) -> None:
        """Forget what was made for this: it is fetched."""
        self._kept.pop(_unfetched_key(request, member_id), None)

    def forget_all(self, *, voice_ids: Collection[str] = (), members: Collection[str] = ()) -> None:
        """Forget what was made in these voices, and what for members with these labels."""
        for key, kept in list(self._kept.items()):
            if kept.voice_id in voice_ids or (members and member_label(kept.member_id) in members):
                del self._kept[key]


def _unfetched_key(request: SpeechRequest, member_id: int) -> str:
    return f"{member_id} {speech_key(request, '')}"
