"""Who used which cloned voice, when: written at every use, read by moderators.

Never the text. Rows are kept for `AUDIT_DAYS`, also when the voice is gone by then.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select

from bot.library.reports import Report, Reports, check_moderator
from bot.library.scope import Scope
from bot.library.tables import ReportRow, UseRow, VoiceRow

__all__ = ["AUDIT_DAYS", "OWN_RECORDING", "Audit", "Report", "Use", "UsePage"]

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


@dataclass(frozen=True, slots=True)
class UsePage:
    """One page of uses, the newest first. ``number`` counts from 0; there is always at least one page."""

    uses: tuple[Use, ...]
    number: int
    pages: int
    total: int


class Audit(Reports):
    """The record of every server, and what follows from it."""

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
        async with self._database.session() as session:
            await session.execute(
                insert(UseRow).values(
                    guild_id=guild_id,
                    voice_id=voice_id,
                    member_id=member_id,
                    used_at=self._now(),
                    seconds=seconds,
                    channel_id=channel_id,
                    message_id=message_id,
                )
            )

    async def page(
        self, scope: Scope, number: int = 0, size: int = 10, *, voice_id: str | None = None
    ) -> UsePage:
        """Return one page of what was used here, or of one voice; a number beyond the ends gives the nearest.

        Raises `MemberError` for whoever is no moderator.
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
            uses = tuple(_use(row, name) for row, name in found)
        return UsePage(uses, number, pages, total)

    async def sweep(self) -> None:
        """Delete what is older than `AUDIT_DAYS`."""
        async with self._database.session() as session:
            await session.execute(delete(UseRow).where(UseRow.used_at <= self._oldest()))
            await session.execute(delete(ReportRow).where(ReportRow.reported_at <= self._oldest()))

    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=AUDIT_DAYS)


def _use(row: UseRow, name: str | None) -> Use:
    return Use(
        *(row.guild_id, row.voice_id, row.member_id, row.used_at, row.seconds),
        *(row.channel_id, row.message_id, name),
    )
