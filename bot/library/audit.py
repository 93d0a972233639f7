"""Audit: who used which cloned voice, what members report, and freezing a voice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.database import Database
from bot.library.tables import ReportRow, UseRow, VoiceRow, read_as
from bot.library.voice import Clock, Page, Scope, Voice, utc_now
from bot.library.voice_rows import load_voices
from bot.library.voices import NO_SUCH_VOICE
from bot.library.withdrawal import Withdrawal, Withdrawals

_MODERATORS_ONLY: Final = "Only moderators can do this. They need the permission Manage Server."


@dataclass(frozen=True, slots=True)
class Report:
    """A member's report of a voice. ``member_id`` is who made it speak, if that is known."""

    guild_id: int
    voice_id: str
    reporter_id: int
    reported_at: datetime
    take_id: str | None = None
    member_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None


AUDIT_DAYS: Final = 180
"""Long enough to look into what somebody reports late; what is older says nothing that is still needed."""

OWN_RECORDING: Final = "/clone"
"""Stands for a voice in the record where a member spoke once after a recording of their own."""


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a voice: ``member_id`` made it speak for ``seconds``, in this message if there is one.

    ``member_id`` 0 is somebody who has had everything of theirs deleted.
    """

    guild_id: int
    voice_id: str
    member_id: int
    used_at: datetime
    seconds: float
    channel_id: int | None = None
    message_id: int | None = None
    voice_name: str | None = None  # as it is now; None: the voice is gone


class Audit:
    """The audit of every server: what cloned voices were used for, what was reported, what is frozen."""

    def __init__(self, database: Database, withdrawals: Withdrawals, *, now: Clock = utc_now) -> None:
        self._database = database
        self._withdrawals = withdrawals
        self._now = now

    async def record(
        self,
        guild_id: int,
        voice_id: str,
        member_id: int,
        *,
        seconds: float,
        channel_id: int | None = None,
        message_id: int | None = None,
    ) -> None:
        """Write down a use of a voice, now."""
        use = Use(guild_id, voice_id, member_id, self._now(), seconds, channel_id, message_id)
        async with self._database.session() as session:
            await add_uses(session, [use])

    async def page(
        self, scope: Scope, number: int = 0, size: int = 10, *, voice_id: str | None = None
    ) -> Page[Use]:
        """Return one page of what was used here, or of one voice, the newest first.

        A number beyond the ends gives the nearest. Raises `MemberError` for whoever is no moderator.
        """
        check_moderator(scope)
        wanted = [UseRow.guild_id == scope.guild_id, UseRow.used_at > self._oldest()]
        if voice_id is not None:
            wanted.append(UseRow.voice_id == voice_id)
        async with self._database.reading() as session:
            total = await session.scalar(select(func.count()).select_from(UseRow).where(*wanted)) or 0
            pages = max(1, -(-total // size))
            number = min(max(number, 0), pages - 1)
            found = await session.execute(
                select(UseRow, VoiceRow.name)
                .outerjoin(VoiceRow, VoiceRow.id == UseRow.voice_id)
                .where(*wanted)
                .order_by(UseRow.used_at.desc(), UseRow.id.desc())
                .limit(size)
                .offset(number * size)
            )
            uses = tuple(read_as(Use, row, voice_name=name) for row, name in found)
        return Page(uses, number, pages, total)

    async def report(
        self,
        scope: Scope,
        voice_id: str,
        *,
        take_id: str | None = None,
        member_id: int | None = None,
        channel_id: int | None = None,
        message_id: int | None = None,
    ) -> Report:
        """Write down that this member reports a voice, and return it for the moderators to be told.

        Raises `MemberError` when there is no such voice here, and when they have reported it before.
        """
        report = Report(
            *(scope.guild_id, voice_id, scope.member_id, self._now()),
            *(take_id, member_id, channel_id, message_id),
        )
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            await _voice_here(session, scope, voice_id)
            before = await session.scalar(
                select(ReportRow.id)
                .where(ReportRow.voice_id == voice_id, ReportRow.reporter_id == scope.member_id)
                .limit(1)
            )
            if before is not None:
                raise MemberError("You have reported this voice already. The moderators can see it.")
            await session.execute(insert(ReportRow).values(asdict(report)))
        return report

    async def reports(self, scope: Scope, *, voice_id: str | None = None) -> list[Report]:
        """Return the reports here that are not settled, the newest first. For moderators: `MemberError`."""
        check_moderator(scope)
        wanted = [ReportRow.guild_id == scope.guild_id, ReportRow.settled_at.is_(None)]
        if voice_id is not None:
            wanted.append(ReportRow.voice_id == voice_id)
        async with self._database.reading() as session:
            found = await session.scalars(select(ReportRow).where(*wanted).order_by(ReportRow.id.desc()))
            return [read_as(Report, row, voice_id=row.voice_id or "") for row in found]

    async def settle(self, scope: Scope, voice_id: str) -> int:
        """Put the reports of a voice away, and return how many. For moderators: `MemberError`."""
        check_moderator(scope)
        async with self._database.session() as session:
            settled = await session.scalars(
                update(ReportRow)
                .where(
                    ReportRow.guild_id == scope.guild_id,
                    ReportRow.voice_id == voice_id,
                    ReportRow.settled_at.is_(None),
                )
                .values(settled_at=self._now())
                .returning(ReportRow.id)
            )
            return len(settled.all())

    async def freeze(self, scope: Scope, voice_id: str, on: bool) -> Voice:
        """Silence a voice at once, or let it speak again, and return it. For moderators: `MemberError`.

        When it returns everybody who subscribed to the withdrawals was told of the voice as it is now.
        """
        check_moderator(scope)
        async with self._database.session() as session:
            voice = await _voice_here(session, scope, voice_id)
            await session.execute(update(VoiceRow).where(VoiceRow.id == voice_id).values(is_frozen=on))
        voice = replace(voice, is_frozen=on)
        await self._withdrawals.announce(Withdrawal([voice], is_final=False))
        return voice

    async def sweep(self) -> None:
        """Delete what is older than `AUDIT_DAYS`."""
        async with self._database.session() as session:
            await session.execute(delete(UseRow).where(UseRow.used_at <= self._oldest()))
            await session.execute(delete(ReportRow).where(ReportRow.reported_at <= self._oldest()))

    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=AUDIT_DAYS)


async def add_uses(session: AsyncSession, uses: Sequence[Use]) -> None:
    """Write uses of cloned voices down, in the caller's transaction."""
    rows = [{name: value for name, value in asdict(use).items() if name != "voice_name"} for use in uses]
    if rows:
        await session.execute(insert(UseRow), rows)


def check_moderator(scope: Scope) -> None:
    """Raise `MemberError` for whoever is no moderator."""
    if not scope.is_moderator:
        raise MemberError(_MODERATORS_ONLY)


async def _voice_here(session: AsyncSession, scope: Scope, voice_id: str) -> Voice:
    found = await load_voices(session, VoiceRow.id == voice_id, VoiceRow.guild_id == scope.guild_id)
    if not found:
        raise MemberError(NO_SUCH_VOICE)
    return found[0]
