"""Audit: who used which cloned voice, what members report, and freezing a voice."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import MemberError
from bot.library.consent_rules import likeness_id
from bot.library.database import Database, upsert
from bot.library.tables import ConsentRow, FrozenLikenessRow, ReportRow, UseRow, VoiceRow, read_as
from bot.library.voice import Clock, Page, Scope, Voice, utc_now
from bot.library.voice_rows import load_voices
from bot.library.voices import NO_SUCH_VOICE
from bot.library.withdrawal import Withdrawal, Withdrawals

_MODERATORS_ONLY: Final = "Only moderators can do this. You need the permission Manage Server."


AUDIT_DAYS: Final = 180
"""Long enough to look into what somebody reports late; what is older says nothing that is still needed."""

OWN_RECORDING: Final = "/clone"
"""Stands for a voice in the record where a member spoke once after a recording of their own."""


@dataclass(frozen=True, slots=True)
class AuditedVoice:
    """Voice as the record names it: a saved one by its id, which may be gone; or a likeness.

    That is all that /clone makes of the recordings of one member, ``speaker_id``, under whichever consent.
    """

    voice_id: str
    speaker_id: int | None = None

    @classmethod
    def likeness_of(cls, member_id: int) -> AuditedVoice:
        """Return what /clone makes of the recordings of this member."""
        return cls(OWN_RECORDING, member_id)

    @property
    def is_likeness(self) -> bool:
        """Whether nothing of it is saved."""
        return self.voice_id == OWN_RECORDING

    def is_in(self, table: type[UseRow | ReportRow]) -> ColumnElement[bool]:
        """Return the condition for what the record says of it."""
        named = table.voice_id == self.voice_id
        return named & (table.speaker_id == self.speaker_id) if self.is_likeness else named


@dataclass(frozen=True, slots=True)
class Report:
    """A member's report of a voice. ``member_id`` is who made it speak, ``speaker_id`` whose voice it is.

    ``reporter_id`` 0 is somebody who has had everything of theirs deleted.
    """

    guild_id: int
    voice_id: str
    reporter_id: int
    reported_at: datetime
    take_id: str | None = None
    member_id: int | None = None
    channel_id: int | None = None
    message_id: int | None = None
    speaker_id: int | None = None

    @property
    def voice(self) -> AuditedVoice:
        """What is reported."""
        return AuditedVoice(self.voice_id, self.speaker_id)


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a voice: ``member_id`` made it speak for ``seconds``, in this message if there is one.

    ``speaker_id`` is whose voice it is, where that is known.
    """

    guild_id: int
    voice_id: str
    member_id: int
    used_at: datetime
    seconds: float
    channel_id: int | None = None
    message_id: int | None = None
    speaker_id: int | None = None
    voice_name: str | None = None  # as it is now; None: the voice is gone

    @property
    def voice(self) -> AuditedVoice:
        """What was used."""
        return AuditedVoice(self.voice_id, self.speaker_id)


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
        speaker_id: int | None = None,
    ) -> None:
        """Write down a use of a voice, now."""
        use = Use(guild_id, voice_id, member_id, self._now(), seconds, channel_id, message_id, speaker_id)
        async with self._database.session() as session:
            await add_uses(session, [use])

    async def page(
        self, scope: Scope, number: int = 0, size: int = 10, *, voice: AuditedVoice | None = None
    ) -> Page[Use]:
        """Return one page of what was used here, or of one voice, the newest first.

        A number beyond the ends gives the nearest. Raises `MemberError` for whoever is no moderator.
        """
        check_moderator(scope)
        wanted = [UseRow.guild_id == scope.guild_id, UseRow.used_at > self._oldest()]
        if voice is not None:
            wanted.append(voice.is_in(UseRow))
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
        voice: AuditedVoice,
        *,
        take_id: str | None = None,
        member_id: int | None = None,
        channel_id: int | None = None,
        message_id: int | None = None,
    ) -> Report:
        """Write down that this member reports a voice, and return it for the moderators to be told.

        One that is gone can be reported as long as the record knows that it was somebody's. Raises
        `MemberError` when there is no such voice here, and while a report of theirs is open.
        """
        async with self._database.session() as session:
            await self._database.lock(session, scope.guild_id)
            speaker_id = await self._speaker_of(session, scope, voice)
            report = Report(
                *(scope.guild_id, voice.voice_id, scope.member_id, self._now()),
                take_id=take_id,
                member_id=member_id,
                channel_id=channel_id,
                message_id=message_id,
                speaker_id=speaker_id,
            )
            mine = (ReportRow.reporter_id == scope.member_id, ReportRow.settled_at.is_(None))
            here = ReportRow.guild_id == scope.guild_id
            before = select(ReportRow.id).where(here, report.voice.is_in(ReportRow), *mine).limit(1)
            if await session.scalar(before) is not None:
                raise MemberError("You've already reported this voice. The moderators can see your report.")
            await session.execute(insert(ReportRow).values(asdict(report)))
        return report

    async def heard_in(self, guild_id: int, message_id: int, voice_ids: Collection[str]) -> list[Use]:
        """Return the uses here of these voices, or of any in this message, the oldest first.

        So voices of real people are known when they are gone, and so is the generation.
        """
        is_one = or_(UseRow.message_id == message_id, UseRow.voice_id.in_(voice_ids))
        is_somebodys = or_(UseRow.voice_id != OWN_RECORDING, UseRow.speaker_id.is_not(None))
        wanted = select(UseRow).where(UseRow.guild_id == guild_id, is_one, is_somebodys)
        async with self._database.reading() as session:
            found = await session.scalars(wanted.order_by(UseRow.id))
            return [read_as(Use, row, voice_name=None) for row in found]

    async def reports(self, scope: Scope, *, voice: AuditedVoice | None = None) -> list[Report]:
        """Return the reports here that are not settled, the newest first. For moderators: `MemberError`."""
        check_moderator(scope)
        wanted = [ReportRow.guild_id == scope.guild_id, ReportRow.settled_at.is_(None)]
        if voice is not None:
            wanted.append(voice.is_in(ReportRow))
        async with self._database.reading() as session:
            found = await session.scalars(select(ReportRow).where(*wanted).order_by(ReportRow.id.desc()))
            return [read_as(Report, row, voice_id=row.voice_id or "") for row in found]

    async def settle(self, scope: Scope, voice: AuditedVoice) -> int:
        """Put the reports of a voice away, and return how many. For moderators: `MemberError`."""
        check_moderator(scope)
        async with self._database.session() as session:
            settled = await session.scalars(
                update(ReportRow)
                .where(
                    ReportRow.guild_id == scope.guild_id,
                    voice.is_in(ReportRow),
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

    async def freeze_likeness(self, scope: Scope, member_id: int, on: bool) -> None:
        """Silence all that /clone makes of a member's recordings here, or allow it again.

        It is so whatever they take back, delete, or say anew. For moderators: `MemberError`.
        """
        check_moderator(scope)
        key = {"guild_id": scope.guild_id, "member_id": member_id}
        of_theirs = (ConsentRow.guild_id == scope.guild_id, ConsentRow.speaker_id == member_id)
        async with self._database.session() as session:
            if on:
                await upsert(session, FrozenLikenessRow, key, {"frozen_at": self._now()})
            else:
                await session.execute(delete(FrozenLikenessRow).filter_by(**key))
            consents = await session.scalars(select(ConsentRow.id).where(*of_theirs))
            likenesses = [likeness_id(consent_id) for consent_id in consents]
        if on:
            await self._withdrawals.announce(Withdrawal((), is_final=False, likenesses=likenesses))

    async def is_likeness_frozen(self, scope: Scope, member_id: int) -> bool:
        """Return whether a moderator has silenced what /clone makes of a member's recordings here."""
        async with self._database.reading() as session:
            return await session.get(FrozenLikenessRow, (scope.guild_id, member_id)) is not None

    async def sweep(self) -> None:
        """Delete what is older than `AUDIT_DAYS`."""
        async with self._database.session() as session:
            await session.execute(delete(UseRow).where(UseRow.used_at <= self._oldest()))
            await session.execute(delete(ReportRow).where(ReportRow.reported_at <= self._oldest()))

    def _oldest(self) -> datetime:
        return self._now() - timedelta(days=AUDIT_DAYS)

    @staticmethod
    async def _speaker_of(session: AsyncSession, scope: Scope, voice: AuditedVoice) -> int | None:
        """Return whose voice it is. Raises `MemberError` if nobody's who is known here."""
        if voice.is_likeness:
            return voice.speaker_id
        found = await load_voices(session, VoiceRow.id == voice.voice_id, VoiceRow.guild_id == scope.guild_id)
        if found:
            return found[0].speaker_id
        here = (UseRow.guild_id == scope.guild_id, UseRow.voice_id == voice.voice_id)
        used = (await session.execute(select(UseRow.speaker_id).where(*here).limit(1))).one_or_none()
        if used is None:
            raise MemberError(NO_SUCH_VOICE)
        return used.speaker_id  # type: ignore[no-any-return]


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
