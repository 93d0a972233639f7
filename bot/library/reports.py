"""What members report, and what moderators can do about it at once: freeze a voice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from sqlalchemy import insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.clock import Clock, utc_now
from bot.library.database import Database
from bot.library.scope import Scope
from bot.library.shelf import NO_SUCH_VOICE
from bot.library.tables import ReportRow, VoiceRow
from bot.library.voice import Voice
from bot.library.voice_rows import load_voices
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


class Reports:
    """The reports of every server. The part of `Audit` that changes things."""

    def __init__(self, database: Database, withdrawals: Withdrawals, *, now: Clock = utc_now) -> None:
        self._database = database
        self._withdrawals = withdrawals
        self._now = now

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
            await session.execute(
                insert(ReportRow).values(
                    guild_id=report.guild_id,
                    voice_id=voice_id,
                    reporter_id=report.reporter_id,
                    reported_at=report.reported_at,
                    take_id=take_id,
                    member_id=member_id,
                    channel_id=channel_id,
                    message_id=message_id,
                )
            )
        return report

    async def reports(self, scope: Scope, *, voice_id: str | None = None) -> list[Report]:
        """Return the reports here that are not settled, the newest first. For moderators: `MemberError`."""
        check_moderator(scope)
        wanted = [ReportRow.guild_id == scope.guild_id, ReportRow.settled_at.is_(None)]
        if voice_id is not None:
            wanted.append(ReportRow.voice_id == voice_id)
        async with self._database.reading() as session:
            found = await session.scalars(select(ReportRow).where(*wanted).order_by(ReportRow.id.desc()))
            return [_report(row) for row in found]

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


def check_moderator(scope: Scope) -> None:
    """Raise `MemberError` for whoever is no moderator."""
    if not scope.is_moderator:
        raise MemberError(_MODERATORS_ONLY)


async def _voice_here(session: AsyncSession, scope: Scope, voice_id: str) -> Voice:
    found = await load_voices(session, VoiceRow.id == voice_id, VoiceRow.guild_id == scope.guild_id)
    if not found:
        raise MemberError(NO_SUCH_VOICE)
    return found[0]


def _report(row: ReportRow) -> Report:
    return Report(
        *(row.guild_id, row.voice_id or "", row.reporter_id, row.reported_at),
        *(row.take_id, row.member_id, row.channel_id, row.message_id),
    )
