"""Generations, so that the buttons under them work after a restart, for a week."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import bindparam, delete, not_, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.audit import Use, add_uses
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents, Spoken
from bot.library.database import Database, upsert_all
from bot.library.tables import ConsentRow, GenerationRow, VoiceMessageRow, VoiceRow, read_as
from bot.library.voice import Clock, utc_now
from bot.library.withdrawal import Post, withdraw_voice_messages
from bot.limits import GENERATION_DAYS


@dataclass(frozen=True, slots=True)
class Generation:
    """What was said and how: enough to say it again. ``cache_key`` finds its sound, while it is kept.

    ``lines`` are those of a dialogue, with one of ``voice_ids`` each, or the whole text.
    """

    id: str
    guild_id: int | None
    member_id: int
    lines: tuple[str, ...] = field(repr=False)
    style: str | None
    guidance: float | None
    steps: int | None
    voice_ids: tuple[str, ...]
    likeness: str | None
    cache_key: str | None
    created_at: datetime
    tempo: float = 1.0


class Generations:
    """The generations of the last `GENERATION_DAYS` days; who may press what, their buttons check."""

    def __init__(
        self, database: Database, speeches: CachedSpeeches, consents: Consents, *, now: Clock = utc_now
    ) -> None:
        self._database = database
        self._speeches = speeches
        self._consents = consents
        self._now = now

    async def keep(self, generation: Generation) -> None:
        """Keep a generation; one with the same id is replaced."""
        async with self._database.session() as session:
            await _keep(session, [generation])

    async def settle(
        self,
        guild_id: int,
        voices: Collection[Spoken],
        *,
        uses: Sequence[Use] = (),
        counted: Collection[str] = (),
        generation: Generation | None = None,
    ) -> None:
        """Write down what was made with these voices, if they may still be heard here: all or nothing.

        The ``uses`` are for the audit, ``counted`` are the ids of the saved voices that have spoken once
        more, ``generation`` is kept. Raises `MemberError` with the reason why a voice may not be heard, and
        `LibraryError`; nothing is written then.
        """
        used = _Used(guild_id, voices, uses, counted, generation)
        await self._database.write_together(self._settle, used)

    async def _settle(self, session: AsyncSession, settled: Sequence[_Used]) -> list[MemberError | None]:
        asked = [(voice, one.guild_id) for one in settled for voice in one.voices]
        refusals = iter(await self._consents.permission_errors_in(session, asked))
        errors = [next(filter(None, [next(refusals) for _ in one.voices]), None) for one in settled]
        used = [one for one, error in zip(settled, errors, strict=True) if error is None]
        await add_uses(session, [use for one in used for use in one.uses])
        times = Counter(voice_id for one in used for voice_id in dict.fromkeys(one.counted))
        if times:
            now, connection = self._now(), await session.connection()
            counted = [{"of": voice_id, "more": times[voice_id], "now": now} for voice_id in sorted(times)]
            await connection.execute(_USED, counted)
        await _keep(session, [one.generation for one in used if one.generation is not None])
        return [None if error is None else MemberError(error) for error in errors]

    async def get(self, generation_id: str) -> Generation | None:
        """Return a generation that is kept and not too old."""
        async with self._database.reading() as session:
            row = await session.scalar(
                select(GenerationRow).where(
                    GenerationRow.id == generation_id, GenerationRow.created_at > self._oldest()
                )
            )
        return None if row is None else _to_generation(row)

    async def latest(self, member_id: int, guild_id: int | None) -> Generation | None:
        """Return the newest generation that a member asked for in this server, or outside of servers."""
        theirs = (GenerationRow.member_id == member_id, GenerationRow.guild_id == guild_id)
        async with self._database.reading() as session:
            row = await session.scalar(
                select(GenerationRow)
                .where(*theirs, GenerationRow.created_at > self._oldest())
                .order_by(GenerationRow.created_at.desc())
                .limit(1)
            )
        return None if row is None else _to_generation(row)

    async def forget(self, generation_id: str) -> list[Post]:
        """Delete a generation, and what the cache knows of its sound, whose file goes after it.

        Returns its voice messages, which are still to be deleted in Discord.
        """
        gone = delete(GenerationRow).where(GenerationRow.id == generation_id)
        async with self._database.session() as session:
            posts = await withdraw_voice_messages(session, VoiceMessageRow.take_id == generation_id)
            key = await session.scalar(gone.returning(GenerationRow.cache_key))
            if key is not None:
                await self._speeches.forget(session, keys=[key])
        return posts

    async def sweep(self) -> None:
        """Delete the generations that are too old, and what is known of voice messages in nobody's voice."""
        has_its_voice = or_(
            VoiceMessageRow.voice_id.in_(select(VoiceRow.id)),
            VoiceMessageRow.voice_id.in_(select(ConsentRow.id)),
        )
        async with self._database.session() as session:
            await session.execute(delete(GenerationRow).where(GenerationRow.created_at <= self._oldest()))
            await session.execute(
                delete(VoiceMessageRow).where(
                    VoiceMessageRow.posted_at <= self._oldest(), not_(has_its_voice)
                )
            )

    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=GENERATION_DAYS)


@dataclass(frozen=True, slots=True)
class _Used:
    guild_id: int
    voices: Collection[Spoken]
    uses: Sequence[Use]
    counted: Collection[str]
    generation: Generation | None


_USED: Final = (
    update(VoiceRow.__table__)  # type: ignore[arg-type]
    .where(VoiceRow.__table__.c.id == bindparam("of"))
    .values(uses=VoiceRow.__table__.c.uses + bindparam("more"), last_used_at=bindparam("now"))
)
"""Built once, which takes as long as running it."""


async def _keep(session: AsyncSession, generations: Sequence[Generation]) -> None:
    await upsert_all(session, GenerationRow, [asdict(one) for one in generations])


def _to_generation(row: GenerationRow) -> Generation:
    return read_as(Generation, row, lines=tuple(row.lines), voice_ids=tuple(row.voice_ids))
