"""Our own copies of recordings: kept while a row needs them, deleted when none does any more.

Beside SQLite they are files in a folder. On PostgreSQL they are rows, which every process reads, and its
folder holds copies; what lies in a folder from before that is written into rows at the next start.

Three kinds of files can lie in the folder without a voice or an open question that names them:

- What this database has known (`RecordingRow`) and nothing names any more: it was declined, lapsed, was
  revoked, deleted, or never became a voice. It is deleted: at once by whoever deletes what named it, or at
  the next start, if that was cut off.
- What this database knows as just kept: its voice may be about to be saved. It stays an hour.
- What this database never knew: it belongs to another one, or to a newer copy of this one. It is put aside,
  and deleted after `ASIDE_DAYS`; when the database that knows it is back, it is brought back.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError, LibraryLimitError
from bot.library.database import Database, upsert, upsert_all
from bot.library.known_recordings import upload_hash
from bot.library.recording_folder import DataLimit, RecordingFolder, is_sha256
from bot.library.tables import ConsentRow, RecordingFileRow, RecordingRow, StarterRecordingRow, VoiceRow
from bot.library.voice import Clock, utc_now
from bot.limits import ASIDE_DAYS

log = logging.getLogger(__name__)

GRACE_SECONDS: Final = 3_600.0
"""So long a recording stays that nothing names: its voice may be about to be saved."""

_LOCK: Final = -1
"""For `Database.lock`: a recording is held, or dropped, never both. No server has this id."""


class Recordings:
    """The recordings in a folder, and on PostgreSQL in rows, as the database knows them."""

    def __init__(
        self, database: Database, folder: Path, *, limit: DataLimit | None = None, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._folder = RecordingFolder(folder)
        self._limit = limit
        self._now = now
        self._keeping = asyncio.Lock()  # two that fit alone need not fit together
        self._has_rows = not database.is_sqlite

    async def keep(self, wav: bytes, *, upload: str | None = None) -> str:
        """Keep a recording; return its SHA-256 in hexadecimal, under which it can be read.

        ``upload`` is the SHA-256 of the file that it was mended from. It stays an hour, and then while a
        voice or an open request names it. Raises `LibraryError`, and `LibraryLimitError` where the data
        folder may hold no more.
        """
        sha256 = await asyncio.to_thread(lambda: hashlib.sha256(wav).hexdigest())
        async with self._keeping:
            if not await self.has(sha256):
                await self._check_room(len(wav))
            # The row first: a file that this database does not know is never deleted for it.
            async with self._database.session() as session:
                kept: dict[str, Any] = {"kept_at": self._now(), "was_named": False, "unused_since": None}
                if upload is not None:
                    kept["upload_hash"] = await upload_hash(session, upload)
                await upsert(session, RecordingRow, {"sha256": sha256}, kept)
                await self._write_row(session, sha256, wav)
            await self._write_file(wav, sha256)
        return sha256

    async def _write_row(self, session: AsyncSession, sha256: str, wav: bytes) -> None:
        if self._has_rows:
            row = {"sha256": sha256, "size": len(wav), "wav": wav}
            await upsert_all(session, RecordingFileRow, [row])  # also in place of a damaged one

    async def _write_file(self, wav: bytes, sha256: str) -> None:
        """Write it into the folder. Raises `LibraryError`, unless it is a copy of what is in a row."""
        try:
            if self._has_rows and not await self._has_room(len(wav)):
                return
            await asyncio.to_thread(self._folder.keep, wav, sha256)
        except LibraryError as error:
            if not self._has_rows:
                raise
            log.debug("no copy of a recording is kept here: %s", error)

    async def _has_room(self, size: int) -> bool:
        return self._limit is None or await asyncio.to_thread(self._limit.make_room, size)

    async def _check_room(self, size: int) -> None:
        if self._has_rows and self._limit is not None and self._limit.max_bytes:
            async with self._database.reading() as session:
                used = await session.scalar(select(func.coalesce(func.sum(RecordingFileRow.size), 0)))
            if int(used or 0) + size > self._limit.max_bytes:
                megabytes = self._limit.max_bytes // 1024**2
                raise LibraryLimitError(
                    f"a recording is refused: all of them may have {megabytes} MB (DATA_MEGABYTES)"
                )
        elif not await self._has_room(size) and self._limit is not None:
            megabytes = self._limit.max_bytes // 1024**2
            raise LibraryLimitError(
                f"a recording is refused: DATA_DIR may hold {megabytes} MB (DATA_MEGABYTES)"
            )

    async def read(self, sha256: str) -> bytes:
        """Return a recording. Raises `LibraryError` if it is not there or is damaged."""
        try:
            return await asyncio.to_thread(self._folder.read, sha256)
        except LibraryError:
            if not self._has_rows:
                raise
        async with self._database.reading() as session:
            wanted = select(RecordingFileRow.wav).where(RecordingFileRow.sha256 == sha256)
            wav: bytes | None = await session.scalar(wanted)
        if wav is None:
            raise LibraryError("a recording is neither in the database nor in this folder")
        if await asyncio.to_thread(lambda: hashlib.sha256(wav).hexdigest()) != sha256:
            raise LibraryError("a recording in the database is damaged")
        await self._write_file(wav, sha256)
        return wav

    async def has(self, sha256: str) -> bool:
        """Return whether a recording is there."""
        if not self._has_rows:
            return await asyncio.to_thread(self._folder.has, sha256)
        async with self._database.reading() as session:
            return await _is_row(session, sha256)

    async def hold(self, session: AsyncSession, sha256: str) -> None:
        """Make sure that the recording which a voice of this transaction names is there when it commits.

        Raises `LibraryError` if it is not there now. After the commit `saved` is to be called.
        """
        await self._database.lock(session, _LOCK)
        is_there = await _is_row(session, sha256) if self._has_rows else await self.has(sha256)
        if not is_there:
            raise LibraryError("the recording of a new voice is not there")
        held = {"kept_at": self._now(), "was_named": True, "was_saved": True, "unused_since": None}
        await upsert(session, RecordingRow, {"sha256": sha256}, held)

    async def saved(self, sha256: str) -> None:
        """Mark the file: a voice was saved with it."""
        await asyncio.to_thread(self._folder.seal, [sha256])

    async def files_into_rows(self) -> int:
        """Write recordings into rows that lie in the folder and that the database names; return how many.

        They are from before there were such rows, or from a backup. Raises `LibraryError`.
        """
        if not self._has_rows:
            return 0
        async with self._database.reading() as session:
            named = await self._named(session)
            here = await asyncio.to_thread(self._folder.hashes)
            missing = here & named - set(await session.scalars(select(RecordingFileRow.sha256)))
        written = 0
        for sha256 in sorted(missing):
            try:
                wav = await asyncio.to_thread(self._folder.read, sha256)
            except LibraryError as error:  # or it was put aside, and is brought back by the next look
                log.warning("%s: %s stays where it is", error, sha256[:8])
                continue
            async with self._database.session() as session:
                await self._write_row(session, sha256, wav)
            written += 1
        return written

    async def drop_unused(self, among: Collection[str] | None = None) -> int:
        """Delete the recordings that nothing names any more; return how many went.

        ``among`` these hashes at once, after something that named them was deleted. Without it, all that the
        database has known, but for those just kept; and what it never knew is put aside. Raises
        `LibraryError` for what cannot be deleted now; the next time it is tried again.
        """
        if among is None:
            return await self._sweep()
        wanted = {sha256 for sha256 in among if is_sha256(sha256)}
        async with self._database.session() as session:
            await self._database.lock(session, _LOCK)
            rows = await session.scalars(select(RecordingRow).where(RecordingRow.sha256.in_(wanted)))
            was_saved = dict.fromkeys(wanted, False) | {row.sha256: row.was_saved for row in rows}
            for sha256 in await self._named(session, wanted):
                was_saved.pop(sha256, None)
            gone, failed = await self._drop(session, was_saved)
        _complain(failed)
        return gone

    async def _sweep(self) -> int:
        """Put the folder in order: drop, put aside, bring back; forget rows whose files never turned up."""
        now = self._now()
        oldest = now - timedelta(seconds=GRACE_SECONDS)
        async with self._database.session() as session:
            await self._database.lock(session, _LOCK)
            rows = (await session.scalars(select(RecordingRow))).all()
            named = await self._named(session)
            back = await asyncio.to_thread(self._folder.bring_back, named)
            unused = [
                row for row in rows if row.sha256 not in named and (row.was_named or row.kept_at < oldest)
            ]
            gone, failed = await self._drop(session, {row.sha256: row.was_saved for row in unused})
            elsewhere = RecordingRow.unused_since < now - timedelta(days=ASIDE_DAYS)
            await session.execute(delete(RecordingRow).where(elsewhere))
            known = {row.sha256 for row in rows} | named
            aside = await asyncio.to_thread(self._folder.put_unknown_aside, known, oldest, now)
            gone += await asyncio.to_thread(self._folder.drop_drafts, oldest)
            await asyncio.to_thread(self._folder.forget_aside, now - timedelta(days=ASIDE_DAYS))
            saved = {row.sha256 for row in rows if row.was_saved} & named
        await asyncio.to_thread(self._folder.seal, saved)
        if aside:
            log.warning(
                "%d recordings that this database never knew are put aside, for %d days", aside, ASIDE_DAYS
            )
        if back:
            log.warning("%d recordings that had been put aside are back", back)
        _complain(failed)
        return gone + aside

    async def _drop(self, session: AsyncSession, was_saved: dict[str, bool]) -> tuple[int, list[OSError]]:
        """Delete these files, and their rows; a row whose file is not here stays for whoever has the file."""
        now = self._now()
        gone, failed = await asyncio.to_thread(self._folder.drop, was_saved, now)
        if self._has_rows:
            # Its own row stays a while: what lies in the folders of other processes is a copy, and goes too.
            rows = delete(RecordingFileRow).where(RecordingFileRow.sha256.in_(was_saved))
            gone |= set(await session.scalars(rows.returning(RecordingFileRow.sha256)))
        else:
            await session.execute(delete(RecordingRow).where(RecordingRow.sha256.in_(gone)))
        stay = was_saved.keys() if self._has_rows else was_saved.keys() - gone
        elsewhere = (RecordingRow.sha256.in_(stay), RecordingRow.unused_since.is_(None))
        await session.execute(update(RecordingRow).where(*elsewhere).values(was_named=True, unused_since=now))
        return len(gone), failed

    async def _named(self, session: AsyncSession, among: Collection[str] | None = None) -> set[str]:
        """Return the recordings that voices, starters and open questions name, of all or ``among`` these."""
        voices, asked = select(VoiceRow.recording), _waiting(self._now())
        starters = select(StarterRecordingRow.recording)
        if among is not None:
            voices = voices.where(VoiceRow.recording.in_(among))
            asked = asked.where(ConsentRow.recording.in_(among))
            starters = starters.where(StarterRecordingRow.recording.in_(among))
        named: set[str | None] = set(await session.scalars(voices))
        named.update(await session.scalars(asked))
        named.update(await session.scalars(starters))
        return {sha256 for sha256 in named if sha256 is not None}


async def _is_row(session: AsyncSession, sha256: str) -> bool:
    found = select(RecordingFileRow.sha256).where(RecordingFileRow.sha256 == sha256)
    return await session.scalar(found) is not None


def _waiting(now: datetime) -> Select[str | None]:
    """Select the recordings of requests that can still become voices."""
    open_still = or_(ConsentRow.lapses_at.is_(None), ConsentRow.lapses_at > now)
    return select(ConsentRow.recording).where(ConsentRow.state == "asked", open_still)


def _complain(failed: list[OSError]) -> None:
    if failed:
        reason = failed[0].strerror or type(failed[0]).__name__
        raise LibraryError(f"{len(failed)} recordings cannot be deleted now: {reason}")
