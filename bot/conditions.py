"""Conditions: what keeps the bot from its work at this moment, each as a sentence that says what to do."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from time import monotonic
from typing import Final, Protocol

from bot.errors import LibraryError, TTSCreditError, TTSDeniedError, TTSError, TTSQuotaError
from bot.library.recording_folder import DataLimit, DataUse
from bot.library.usage import Budget, Usage
from bot.tts.client import TTSClient

log = logging.getLogger(__name__)

LOOK_SECONDS: Final = 30.0
"""So often it is looked whether anything is in the way."""

_MEASURED_EVERY: Final = 10  # looks: every file under DATA_DIR is asked for its size
_DATABASE_SECONDS: Final = 10.0
_LEAST_FREE_BYTES: Final = 200 * 1024**2
_MEGABYTE: Final = 1024**2

_SHORTEST_SECONDS: Final = 1.0  # of speech that is worth being made

LASTING_DATABASE_SECONDS: Final = 120.0  # a restart of PostgreSQL is no news
LASTING_SERVICE_SECONDS: Final = 600.0


OVER: Final = {
    "database": "The database answers again, and everything works.",
    "service": "The voice service works again, and so do I.",
    "recordings": "Recordings of saved voices reach their place again, so those voices speak.",
    "disk": "The disk of DATA_DIR has room again.",
    "data": "DATA_DIR has room again, so new voices can be saved.",
}
"""What the operator reads when a condition of which they are told here is over, by its word."""

OF_MACHINE: Final = {"disk", "data"}
"""Those that other machines with processes of the same bot do not have."""


@dataclass(frozen=True, slots=True)
class Condition:
    """Something that is in the way; ``what`` is a word for it, and ``sentence`` says what to do.

    ``stops``: nobody gets new speech. ``patience`` is for how many seconds it may last before the operator is
    told, if it is one of those in `OVER`.
    """

    what: str
    sentence: str
    stops: bool = True
    patience: float = 0.0


@dataclass(frozen=True, slots=True)
class Storage:
    """What the data folder holds, the room left on its disk, and whether the database has answered."""

    use: DataUse
    max_bytes: int
    free_bytes: int
    has_database: bool


class RecordingPoster(Protocol):
    """What posts the recordings of saved voices, so that the TTS gateway can fetch them."""

    is_refused: bool | None
    """Whether the last one was not taken; None: none was posted yet."""


class Conditions:
    """Conditions of one bot, looked at every `LOOK_SECONDS` by `watch`.

    ``service`` names the TTS gateway for the operator, ``place`` where recordings are posted.
    """

    def __init__(
        self,
        usage: Usage,
        tts: TTSClient,
        posts: RecordingPoster,
        limit: DataLimit,
        *,
        service: str,
        place: str,
    ) -> None:
        self._usage = usage
        self._tts = tts
        self._posts = posts
        self._place = place
        self._limit = limit
        self._service = service
        self.looks = 0
        """How often it was looked."""
        self._since: dict[str, float] = {}
        self._here = set(OVER)  # at the last look; before the first one, whatever a former bot has told of
        self._told: set[str] = set()
        self.storage = Storage(DataUse(0, 0), limit.max_bytes, 0, has_database=True)
        """What was found at the last look."""
        self.current: tuple[Condition, ...] = ()
        """What was in the way at the last look."""

    async def look(self) -> None:
        """Look at everything now."""
        failure = await self._ask_database()
        if self.looks % _MEASURED_EVERY == 0:
            use = await asyncio.to_thread(self._limit.measure)
        else:
            use = self.storage.use
        self.looks += 1
        free = await asyncio.to_thread(self._free_bytes)
        self.storage = Storage(use, self._limit.max_bytes, free, has_database=failure is None)
        found = (
            _of_database(failure),
            _of_service(self._tts.outage, self._service),
            _of_posts(self._posts, self._place),
            _of_disk(self.storage),
            _of_budget(self._usage.budget),
        )
        self.current = tuple(one for one in found if one is not None)
        self._since = {one.what: self._since.get(one.what, monotonic()) for one in self.current}

    async def watch(self) -> AsyncIterator[Condition | str]:
        """Look again and again; yield what the operator is to be told: a condition that lasts, and the word

        for one that is over, of which they may have been told. It never ends.
        """
        while True:
            try:
                await self.look()
            except OSError as error:
                log.warning("it could not be looked whether anything is in the way: %s", error.strerror)
            for change in self._news():
                yield change
            await asyncio.sleep(LOOK_SECONDS)

    def _news(self) -> list[Condition | str]:
        here = {one.what: one for one in self.current if one.what in OVER}
        gone = self._here - here.keys()
        if not self._tts.has_served:  # so it is not known whether the voice service works again
            gone.discard("service")
        if self._posts.is_refused is None:
            gone.discard("recordings")
        self._here = here.keys() | (self._here - gone)
        self._told &= self._here
        now = monotonic()
        begun = [
            one
            for what, one in here.items()
            if what not in self._told and now - self._since[what] >= one.patience
        ]
        self._told |= {one.what for one in begun}
        return [*sorted(gone), *begun]

    async def _ask_database(self) -> str | None:
        """Return why the database does not answer; None: it does."""
        try:
            async with asyncio.timeout(_DATABASE_SECONDS):
                await self._usage.look()
        except LibraryError as error:
            return str(error)
        except TimeoutError:
            return f"no answer within {_DATABASE_SECONDS:.0f} s"
        return None

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self._limit.data_dir).free


def _of_database(failure: str | None) -> Condition | None:
    if failure is None:
        return None
    return Condition(
        "database",
        f"The database doesn't answer ({failure}), so nobody gets speech. Check that it runs, and "
        "DATABASE_URL.",
        patience=LASTING_DATABASE_SECONDS,
    )


def _of_service(outage: TTSError | None, service: str) -> Condition | None:
    if outage is None:
        return None
    if isinstance(outage, TTSCreditError):
        return Condition("credit", "The voice credit is used up, so nobody gets new speech. Top it up.")
    if isinstance(outage, TTSQuotaError):
        return Condition(
            "quota", f"The voice service takes no more calls for a while: {outage}. I go on when it does."
        )
    if isinstance(outage, TTSDeniedError):
        return Condition(
            "key", "The voice service rejects the key, so nobody gets new speech. Check TTS_API_KEY."
        )
    return Condition(
        "service",
        f"The voice service ({service}) isn't working: {outage}. Nobody gets new speech. Check that it runs; "
        "I keep trying.",
        patience=LASTING_SERVICE_SECONDS,
    )


def _of_posts(posts: RecordingPoster, place: str) -> Condition | None:
    if not posts.is_refused:
        return None
    return Condition(
        "recordings",
        f"I can't post recordings in {place}, so saved voices can't speak. Let me see it, send messages and "
        "attach files there.",
        stops=False,
    )


def _of_disk(storage: Storage) -> Condition | None:
    if storage.free_bytes < _LEAST_FREE_BYTES:
        return Condition(
            "disk",
            f"The disk of DATA_DIR has only {storage.free_bytes // _MEGABYTE} MB left. Free some space "
            "before I can't save anything.",
            stops=False,
        )
    if storage.max_bytes and storage.use.held >= storage.max_bytes:
        return Condition(
            "data",
            f"DATA_DIR holds the {storage.max_bytes // _MEGABYTE:,} MB it may, so nobody can save new "
            "voices. Set DATA_MEGABYTES higher, or delete voices.",
            stops=False,
        )
    return None


def _of_budget(budget: Budget) -> Condition | None:
    if budget.most_seconds and budget.seconds > budget.most_seconds - _SHORTEST_SECONDS:
        return Condition("budget", "DAILY_SECONDS is used up. New speech is made again from midnight UTC on.")
    if budget.most_calls and budget.calls >= budget.most_calls:
        return Condition(
            "budget", "MAX_CALLS_PER_HOUR is reached. New speech is made again in the next hour."
        )
    return None
