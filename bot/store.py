"""What is kept of each guild across restarts: one small JSON file."""

from __future__ import annotations

import asyncio
import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from bot.limits import FULL_VOLUME, MAX_VOLUME, MIN_VOLUME

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GuildNotes:
    """What we know of one guild: its volume in percent, and the voice channel we mean to be in."""

    volume: int = FULL_VOLUME
    channel_id: int | None = None


NOTHING: Final = GuildNotes()


class GuildStore:
    """Keeps the notes of all guilds in memory, and in the file at ``path`` a moment after each change.

    An async context manager: entered it has read the file, left it has written it. A file that makes no
    sense is moved aside; one that cannot be written is an error in the log, and tried again with the next
    change.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._notes: dict[int, GuildNotes] = {}
        self._changed = False
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._notes = await asyncio.to_thread(_read, self._path)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writing is not None:
            await self._writing

    def volumes(self) -> dict[int, int]:
        """Return the volume of every guild that has another than the usual one."""
        return {guild_id: notes.volume for guild_id, notes in self._notes.items()}

    def channels(self) -> dict[int, int]:
        """Return, by guild, the voice channel we mean to be in."""
        return {guild: notes.channel_id for guild, notes in self._notes.items() if notes.channel_id}

    def remember_volume(self, guild_id: int, volume: int) -> None:
        """Keep the volume of a guild."""
        self._put(guild_id, replace(self._notes.get(guild_id, NOTHING), volume=volume))

    def remember_channel(self, guild_id: int, channel_id: int | None) -> None:
        """Keep where we mean to be in a guild; None: nowhere."""
        self._put(guild_id, replace(self._notes.get(guild_id, NOTHING), channel_id=channel_id))

    def _put(self, guild_id: int, notes: GuildNotes) -> None:
        if notes == NOTHING:
            self._notes.pop(guild_id, None)
        else:
            self._notes[guild_id] = notes
        self._changed = True
        if self._writing is None:
            self._writing = asyncio.create_task(self._write(), name="guild-store")

    async def _write(self) -> None:
        try:
            while self._changed:
                self._changed = False
                found = {str(guild): asdict(notes) for guild, notes in self._notes.items()}
                await asyncio.to_thread(_replace, self._path, json.dumps(found, indent=1) + "\n")
        except OSError as error:
            log.error("%s cannot be written (%s); free some space", self._path.name, error.strerror)
        finally:
            self._writing = None


def _read(path: Path) -> dict[int, GuildNotes]:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {int(guild): _notes(**fields) for guild, fields in found.items()}
    except FileNotFoundError:
        return {}
    except (ValueError, TypeError, AttributeError, RecursionError):
        aside = path.with_suffix(".broken")
        log.warning("%s makes no sense; moved to %s, begun anew", path.name, aside.name)
        path.replace(aside)
        return {}


def _notes(volume: int = FULL_VOLUME, channel_id: int | None = None) -> GuildNotes:
    return GuildNotes(
        volume=min(max(int(volume), MIN_VOLUME), MAX_VOLUME),
        channel_id=None if channel_id is None else int(channel_id),
    )


def _replace(path: Path, text: str) -> None:
    """Write ``text`` so that at any moment the file is whole: the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
