"""Takes, so that the buttons under them work after a restart, for a week."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select

from bot.library.database import Database, upsert
from bot.library.tables import TakeRow
from bot.library.voice import Clock, utc_now
from bot.limits import TAKE_DAYS


@dataclass(frozen=True, slots=True)
class Generation:
    """What was said and how: enough to say it again. ``cache_key`` finds its sound, while it is kept."""

    id: str
    guild_id: int | None
    member_id: int
    text: str = field(repr=False)
    style: str | None
    guidance: float | None
    steps: int | None
    voice_ids: tuple[str, ...]
    likeness: str | None
    cache_key: str | None
    created_at: datetime


class Generations:
    """The takes of the last `TAKE_DAYS` days. Who may press what is checked by whoever shows the buttons."""

    def __init__(self, database: Database, *, now: Clock = utc_now) -> None:
        self._database = database
        self._now = now

    async def keep(self, take: Generation) -> None:
        """Keep a take; one with the same id is replaced."""
        values = {name: value for name, value in asdict(take).items() if name != "id"}
        async with self._database.session() as session:
            await upsert(session, TakeRow, {"id": take.id}, {**values, "voice_ids": list(take.voice_ids)})

    async def get(self, take_id: str) -> Generation | None:
        """Return a take that is kept and not too old."""
        async with self._database.reading() as session:
            row = await session.scalar(
                select(TakeRow).where(TakeRow.id == take_id, TakeRow.created_at > self._oldest())
            )
        return None if row is None else _to_take(row)

    async def latest(self, member_id: int, guild_id: int | None) -> Generation | None:
        """Return the newest take that a member asked for in this server, or outside of servers."""
        theirs = (TakeRow.member_id == member_id, TakeRow.guild_id == guild_id)
        async with self._database.reading() as session:
            row = await session.scalar(
                select(TakeRow)
                .where(*theirs, TakeRow.created_at > self._oldest())
                .order_by(TakeRow.created_at.desc())
                .limit(1)
            )
        return None if row is None else _to_take(row)

    async def forget(self, take_id: str) -> None:
        """Delete a take."""
        async with self._database.session() as session:
            await session.execute(delete(TakeRow).where(TakeRow.id == take_id))

    async def sweep(self) -> int:
        """Delete the takes that are too old; return how many."""
        too_old = TakeRow.created_at <= self._oldest()
        async with self._database.session() as session:
            count = await session.scalar(select(func.count()).select_from(TakeRow).where(too_old))
            await session.execute(delete(TakeRow).where(too_old))
        return count or 0

    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=TAKE_DAYS)


def _to_take(row: TakeRow) -> Generation:
    return Generation(
        id=row.id,
        guild_id=row.guild_id,
        member_id=row.member_id,
        text=row.text,
        style=row.style,
        guidance=row.guidance,
        steps=row.steps,
        voice_ids=tuple(row.voice_ids),
        likeness=row.likeness,
        cache_key=row.cache_key,
        created_at=row.created_at,
    )
