"""A folder of kept speech: bounded, the least recently used goes first, nothing older than a day."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from bot.takes.cache_file import HEADER_BYTES, KeptSpeech, made_at, packed, unpacked
from bot.takes.cache_labels import HEAD_BYTES, MAX_LABELS, Labels, digests, head, labels_in

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
