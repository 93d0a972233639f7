"""Cached speeches: which finished speech is kept as a file, whom it concerns, and when it goes.

The row decides: a file without one is never played, and deleted. So speech is gone in the transaction that
deletes the member, the voice or the generation it is of, and the file follows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from weakref import WeakSet

from sqlalchemy import ColumnElement, delete, func, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.database import Database, insert_missing, upsert_all
from bot.library.tables import CachedSpeechLabelRow, CachedSpeechRow
from bot.library.voice import Clock, utc_now

KEPT_FOR: Final = timedelta(days=1)
"""How long speech is kept; whoever asks again the next day gets a new generation."""

_CLOCK_ERROR: Final = timedelta(minutes=1)  # made later than this from now: the clock was wrong, then or now

_LOCK: Final = -3
"""For `Database.lock`: speech is kept, or what it is of is deleted, one after the other. No server has it."""


def member_label(member_id: int) -> str:
    """Return the label of speech that this member asked for."""
    return _digest(f"member {member_id}")


def voice_label(voice_id: str) -> str:
    """Return the label of speech in this saved voice, or likeness."""
    return _digest(f"voice {voice_id}")


def recording_label(sha256: str) -> str:
    """Return the label of speech that was cloned from the recording with this hash."""
    return _digest(f"recording {sha256}")


def _digest(label: str) -> str:
    return hashlib.blake2b(label.encode(), digest_size=16).hexdigest()


class Keeping:
    """The leave to keep one speech that is being made. `CachedSpeeches.forget` takes it away for good.

    Whoever makes the speech has it from `CachedSpeeches.keeping` and holds it until the speech is kept.
    """

    def __init__(self, key: str, labels: Iterable[str]) -> None:
        self.key = key
        self.labels = set(labels)
        self.is_forgotten = False

    def add(self, labels: Iterable[str]) -> None:
        """Let these labels count too: somebody else waits for the same speech."""
        self.labels |= set(labels)


@dataclass(frozen=True, slots=True)
class _Noted:
    keeping: Keeping
    size: int
    made_at: datetime
    most_bytes: int
    is_new: bool


class CachedSpeeches:
    """The index of the speech that is kept, by keys that tell nothing of its words. ``now`` is its clock."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self.now = now
        self._keepings: WeakSet[Keeping] = WeakSet()
        self._bytes: int | None = None  # as far as this process knows; None: it has not looked yet

    def keeping(self, key: str, labels: Iterable[str]) -> Keeping:
        """Return the leave to keep speech with these ``labels``, as long as none of them is forgotten."""
        keeping = Keeping(key, labels)
        self._keepings.add(keeping)
        return keeping

    async def find(self, key: str) -> datetime | None:
        """Return when the speech under ``key`` was made, which is in its file too; None: there is none."""
        wanted = select(CachedSpeechRow.made_at).where(CachedSpeechRow.key == key, not_(self._is_stale()))
        async with self._database.reading() as session:
            return await session.scalar(wanted)

    async def used(self, key: str, keeping: Keeping | None = None) -> None:
        """Note that the speech under ``key`` was used now, and concerns whom ``keeping`` names too."""
        used = update(CachedSpeechRow).where(CachedSpeechRow.key == key).values(used_at=self.now())
        async with self._database.session() as session:
            if keeping is None:
                await session.execute(used)
            elif not keeping.is_forgotten and await session.scalar(used.returning(CachedSpeechRow.key)):
                await insert_missing(session, CachedSpeechLabelRow, _label_rows(keeping))

    async def note(
        self, keeping: Keeping, size: int, made_at: datetime, *, most_bytes: int, is_new: bool = False
    ) -> list[str] | None:
        """Note speech of ``size`` bytes, in place of what was kept under its key; its file is written after.

        ``is_new``: as far as is known there is none under it, whose labels would have to go.
        Returns the keys of what has to go for it, so that all is at most ``most_bytes``; their files are
        deleted first. None: it must not be kept, or is too large.
        """
        if size > most_bytes:
            return None
        noted = _Noted(keeping, size, made_at, most_bytes, is_new)
        gone = await self._database.write_together(self._note, noted)
        # It is the oldest where the clock has gone back.
        return None if gone is None or keeping.key in gone else gone

    async def _note(self, session: AsyncSession, noted: Sequence[_Noted]) -> list[list[str] | None]:
        await self._database.lock(session, _LOCK)
        kept = {one.keeping.key: one for one in noted if not one.keeping.is_forgotten}
        known = [one.keeping.key for one in kept.values() if not one.is_new]
        if known:
            await _delete(session, CachedSpeechRow.key.in_(known))
        made = [
            {"key": key, "bytes": one.size, "made_at": one.made_at, "used_at": one.made_at}
            for key, one in kept.items()
        ]
        await upsert_all(session, CachedSpeechRow, made)
        labels = [label for one in kept.values() for label in _label_rows(one.keeping)]
        await insert_missing(session, CachedSpeechLabelRow, labels)
        gone: list[str] = []
        if kept:
            most_bytes = min(one.most_bytes for one in kept.values())
            if self._bytes is not None:
                self._bytes += sum(one.size for one in kept.values())
            if self._bytes is None or self._bytes > most_bytes:
                gone = await self._tidy(session, most_bytes)
        return [gone if kept.get(one.keeping.key) is one else None for one in noted]

    async def forget(
        self, session: AsyncSession, labels: Collection[str] = (), keys: Collection[str] = ()
    ) -> list[str]:
        """Forget what has one of these labels or keys, in the caller's transaction, as its last statement.

        What is being made with one now is not kept either. Returns the keys whose files the caller has
        deleted after it; what a kill leaves goes at the next start.
        """
        ended = [
            keeping
            for keeping in self._keepings
            if keeping.key in keys or not keeping.labels.isdisjoint(labels)
        ]
        for keeping in ended:
            keeping.is_forgotten = True
        await self._database.lock(session, _LOCK)
        labelled = select(CachedSpeechLabelRow.key).where(CachedSpeechLabelRow.label.in_(labels))
        named = {*keys, *(keeping.key for keeping in ended)}  # it may have been used without a label yet
        return await _delete(session, or_(CachedSpeechRow.key.in_(named), CachedSpeechRow.key.in_(labelled)))

    async def forget_now(self, labels: Collection[str] = (), keys: Collection[str] = ()) -> list[str]:
        """Do the same in a transaction of its own."""
        async with self._database.session() as session:
            return await self.forget(session, labels, keys)

    async def tidy(self, *, most_bytes: int) -> dict[str, datetime]:
        """Forget what is too old, and the least recently used above ``most_bytes``.

        Returns when what stays was made, by its keys.
        """
        async with self._database.session() as session:
            await self._database.lock(session, _LOCK)
            await self._tidy(session, most_bytes)
            stays = await session.execute(select(CachedSpeechRow.key, CachedSpeechRow.made_at))
            return {row.key: row.made_at for row in stays}

    async def _tidy(self, session: AsyncSession, most_bytes: int) -> list[str]:
        newest_first = (CachedSpeechRow.used_at.desc(), CachedSpeechRow.key)
        up_to_it = func.sum(CachedSpeechRow.bytes).over(order_by=newest_first).label("up_to_it")
        ranked = select(CachedSpeechRow.key, up_to_it).subquery()
        has_no_room = CachedSpeechRow.key.in_(select(ranked.c.key).where(ranked.c.up_to_it > most_bytes))
        gone = await _delete(session, or_(self._is_stale(), has_no_room))
        self._bytes = await session.scalar(select(func.coalesce(func.sum(CachedSpeechRow.bytes), 0)))
        return gone

    def _is_stale(self) -> ColumnElement[bool]:
        now = self.now()
        made_at = CachedSpeechRow.made_at
        return or_(made_at <= now - KEPT_FOR, made_at > now + _CLOCK_ERROR)


def _label_rows(keeping: Keeping) -> list[dict[str, str]]:
    return [{"key": keeping.key, "label": label} for label in sorted(keeping.labels)]


async def _delete(session: AsyncSession, condition: ColumnElement[bool]) -> list[str]:
    gone = await session.scalars(
        delete(CachedSpeechRow)
        .where(condition)
        .returning(CachedSpeechRow.key)
        .execution_options(synchronize_session=False)
    )
    return list(gone)
