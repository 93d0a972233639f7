"""Status: what a running bot does at this moment, told to whoever may read its data folder.

The bot listens on a port of this machine that the system chooses, and writes into the folder which one it is,
with a key. Each process of a bot has a folder, and so a port, of its own.
"""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
import os
import secrets
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from bot import __version__
from bot.data_folder import PROCESS_FOLDER
from bot.errors import LibraryError
from bot.library.recording_folder import write_whole
from bot.metrics import EVENTS
from bot.monitor import Monitor
from bot.settings import HOSTED_TTS_BASE_URL
from bot.speech_bot import SpeechBot

log = logging.getLogger(__name__)

STATUS_FILE: Final = "status.json"
"""In the data folder, while the bot runs: where it can be asked, and with which key."""

_FURTHER: Final = f"{PROCESS_FOLDER.format('*')}/{STATUS_FILE}"
_HOST: Final = "127.0.0.1"
_SECONDS: Final = 10.0
_KEY_BYTES: Final = 32
_MAX_ANSWER: Final = 1024 * 1024
_MEGABYTE: Final = 1024**2

Status = Mapping[str, Any]
"""What one process says of itself, as JSON has it."""


class StatusSocket:
    """Where a running bot is asked what it does: one question, one answer. An async context manager.

    Where it cannot be opened, the bot works without it, and the log says so.
    """

    def __init__(self, folder: Path, monitor: Monitor) -> None:
        self._file = folder / STATUS_FILE
        self._monitor = monitor
        self._key = secrets.token_hex(_KEY_BYTES)
        self._began = time.monotonic()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(self._answer, _HOST, 0)
            port = self._server.sockets[0].getsockname()[1]
            where = json.dumps({"port": port, "key": self._key})
            await asyncio.to_thread(write_whole, self._file, where.encode())
        except OSError as error:
            log.warning("the bot cannot be asked for its status: %s", error.strerror or type(error).__name__)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
        with suppress(OSError):
            await asyncio.to_thread(self._file.unlink, missing_ok=True)

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with suppress(OSError, TimeoutError, asyncio.IncompleteReadError):
                async with asyncio.timeout(_SECONDS):
                    asked = await reader.readexactly(2 * _KEY_BYTES)
                    if hmac.compare_digest(asked, self._key.encode()):
                        writer.write(json.dumps(await self.status()).encode())
                        await writer.drain()
        finally:
            writer.close()

    async def status(self) -> Status:
        """Return what this process does now."""
        stops, others = self._monitor.problems()
        bot = self._monitor.bot
        about: dict[str, Any] = {
            "version": __version__,
            "process": os.getpid(),
            "up_seconds": round(time.monotonic() - self._began, 1),
            "memory_bytes": _memory(),
            "ready": not stops,
            "reasons": stops,
            "warnings": others,
            "requests": _requests(),
        }
        return about if bot is None else {**about, **await _of_bot(bot)}


async def _of_bot(bot: SpeechBot) -> Status:
    queue, budget, storage = bot.tts.queue, bot.library.usage.budget, bot.conditions.storage
    queued = [player.queued for player in bot.players.all]
    delays = [delay for _, delay in bot.latencies if math.isfinite(delay)]
    database = bot.library.database
    try:
        backup_age = await database.backup_age()
    except (LibraryError, OSError):
        backup_age = None
    own = f"its own ({bot.settings.own_engine})" if bot.settings.own_tts_gateway else None
    return {
        "discord": {
            "name": str(bot.user),
            "servers": len(bot.guilds),
            "shards": sorted(bot.shards),
            "lost_shards": sorted(one.id for one in bot.shards.values() if one.is_closed()),
            "latency_seconds": round(max(delays), 3) if delays else None,
        },
        "voice": {"channels": len(queued), "utterances": sum(queued)},
        "tts": {
            "gateway": own or bot.settings.tts_base_url or HOSTED_TTS_BASE_URL,
            "under_way": queue.under_way,
            "waiting": queue.waiting,
            "at_once": queue.limit.slots,
            "outage": None if bot.tts.outage is None else str(bot.tts.outage),
        },
        "budget": {
            "seconds_today": budget.seconds,
            "seconds_limit": budget.most_seconds,
            "calls_this_hour": budget.calls,
            "calls_limit": budget.most_calls,
        },
        "data": {
            "database": "SQLite" if database.is_sqlite else "PostgreSQL",
            "database_answers": storage.has_database,
            "bytes": storage.use.used,
            "bytes_limit": storage.max_bytes,
            "bytes_free_on_disk": storage.free_bytes,
            "backup_age_seconds": None if backup_age is None else round(backup_age),
        },
    }


def _requests() -> Status:
    """Return how the requests for speech have ended since the start, and how soon they were heard."""
    ends: Counter[str] = Counter()
    sums = dict.fromkeys(("sum", "count"), 0.0)
    for family in EVENTS.collect():
        for sample in family.samples:
            if sample.name == "myna_generations_total":
                ends[sample.labels["outcome"]] += round(sample.value)
            for name in sums:
                if sample.name == f"myna_first_sound_seconds_{name}":
                    sums[name] += sample.value
    average = round(sums["sum"] / sums["count"], 2) if sums["count"] else None
    return {"ended": dict(ends), "first_sound_seconds": average}


def _memory() -> int | None:
    """Return how many bytes of memory this process has; None where the system does not say it simply."""
    found = EVENTS.get_sample_value("process_resident_memory_bytes")
    return None if found is None else round(found)


async def ask(data_dir: Path) -> list[Status]:
    """Return what each process of the running bot says of itself; none: no bot runs with this folder.

    Raises OSError where the folder cannot be read.
    """
    files = await asyncio.to_thread(lambda: [data_dir / STATUS_FILE, *sorted(data_dir.glob(_FURTHER))])
    found = await asyncio.gather(*map(_ask_one, files))
    return [one for one in found if one is not None]


async def _ask_one(file: Path) -> Status | None:
    """Return what the process says that has written this file; None: it is gone, and its port another's."""
    try:
        where = json.loads(await asyncio.to_thread(file.read_bytes))
        async with asyncio.timeout(_SECONDS):
            reader, writer = await asyncio.open_connection(_HOST, int(where["port"]))
            try:
                writer.write(str(where["key"]).encode())
                writer.write_eof()
                said = json.loads(await reader.read(_MAX_ANSWER))
            finally:
                writer.close()
    except (
        FileNotFoundError,
        ConnectionError,
        TimeoutError,
        ValueError,
        LookupError,
        TypeError,
        OverflowError,
    ):
        return None
    return said if isinstance(said, dict) else None


def screen(found: Sequence[Status]) -> str:
    """Return in lines what the processes of a bot say: one in full, of several a row each."""
    return "\n".join(_lines(found[0]) if len(found) == 1 else _rows(found))


def _rows(found: Sequence[Status]) -> Iterator[str]:
    ready = sum(one["ready"] for one in found)
    where = _many(sum(one["discord"]["servers"] for one in found if "discord" in one), "server")
    yield f"Myna {found[0]['version']} in {where}: {ready} of {len(found)} processes serve."
    known = next((one for one in found if "budget" in one), None)
    if known is not None:
        yield f"  Budget       {_budget(known['budget'])}"
        yield f"  Data         {_data(known['data'])}"
    for one in found:
        yield f"  {one['process']:<12} {', '.join(_row(one))}"
        yield from (f"  ! {sentence}" for sentence in (*one["reasons"], *one["warnings"]))


def _row(one: Status) -> Iterator[str]:
    yield f"up {_duration(one['up_seconds'])}"
    if "discord" in one:
        yield _many(len(one["discord"]["shards"]), "shard")
        yield _many(one["discord"]["servers"], "server")
        yield _many(one["voice"]["channels"], "channel")
        yield _many(one["tts"]["under_way"], "call")
    if one["memory_bytes"] is not None:
        yield f"{one['memory_bytes'] / _MEGABYTE:,.0f} MB"


def _lines(status: Status) -> Iterator[str]:
    how = "serves everybody" if status["ready"] else "isn't ready"
    up = _duration(status["up_seconds"])
    yield f"Myna {status['version']} {how} (process {status['process']}, up {up})."
    yield from (f"  ! {sentence}" for sentence in (*status["reasons"], *status["warnings"]))
    if "discord" in status:
        yield f"  Discord      {_discord(status['discord'])}"
        voice = status["voice"]
        queued = _many(voice["utterances"], "utterance")
        yield f"  Voice        {_many(voice['channels'], 'channel')}, {queued} queued"
        yield f"  TTS gateway  {_tts(status['tts'])}"
    yield f"  Speech       {_speech(status['requests'])}"
    if failed := _failures(status["requests"]):
        yield f"               {failed}"
    if "budget" in status:
        yield f"  Budget       {_budget(status['budget'])}"
        yield f"  Data         {_data(status['data'])}"
    if status["memory_bytes"] is not None:
        yield f"  Memory       {status['memory_bytes'] / _MEGABYTE:,.0f} MB"


def _discord(discord: Status) -> str:
    lost, away = discord["lost_shards"], discord["latency_seconds"]
    shards = _many(len(discord["shards"]), "shard")
    broken = f", {len(lost)} of them not connected" if lost else ""
    far = f", {1_000 * away:.0f} ms away" if away is not None else ""
    return f"{discord['name']} in {_many(discord['servers'], 'server')}; {shards}{broken}{far}"


def _tts(tts: Status) -> str:
    outage = f"; {tts['outage']}" if tts["outage"] else ""
    return (
        f"{tts['gateway']}: {tts['under_way']} of {_many(tts['at_once'], 'call')} at once, "
        f"{tts['waiting']} waiting{outage}"
    )


_NOT_FAILED: Final = ("made", "kept", "dropped")
_FAILURES_SHOWN: Final = 3


def _speech(requests: Status) -> str:
    ended, soon = requests["ended"], requests["first_sound_seconds"]
    words = ", ".join(f"{ended.get(name, 0):,} {name}" for name in _NOT_FAILED)
    heard = f"; first sound after {soon:.1f} s on average" if soon is not None else ""
    return f"since the start: {words}{heard}"


def _failures(requests: Status) -> str:
    failed = Counter({name: count for name, count in requests["ended"].items() if name not in _NOT_FAILED})
    often = ", ".join(f"{name} {count:,}" for name, count in failed.most_common(_FAILURES_SHOWN) if count)
    return f"{failed.total():,} failed, most often: {often}" if often else ""


def _budget(budget: Status) -> str:
    return (
        f"{_of(budget['seconds_today'], budget['seconds_limit'])} seconds of new speech today, "
        f"{_of(budget['calls_this_hour'], budget['calls_limit'])} calls this hour"
    )


def _data(data: Status) -> str:
    answers = "" if data["database_answers"] else ", which doesn't answer"
    megabytes = _of(data["bytes"] / _MEGABYTE, data["bytes_limit"] / _MEGABYTE)
    age = data["backup_age_seconds"]
    backup = f"; newest backup {_duration(age)} old" if age is not None else ""
    free = f"{data['bytes_free_on_disk'] / _MEGABYTE:,.0f} MB free on its disk"
    return f"{data['database']}{answers}; DATA_DIR holds {megabytes} MB, {free}{backup}"


def _of(count: float, most: float) -> str:
    return f"{count:,.0f} of {most:,.0f}" if most else f"{count:,.0f}"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _duration(seconds: float) -> str:
    minutes, hours, days = (round(seconds // size) for size in (60, 3_600, 86_400))
    if not minutes:
        return f"{seconds:.0f} s"
    if not hours:
        return f"{minutes} min"
    return f"{hours} h {minutes % 60} min" if not days else f"{_many(days, 'day')} {hours % 24} h"
