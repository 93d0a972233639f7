"""Rows of consents: read and written. Each of these runs inside the caller's transaction."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Collection, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Row,
    Select,
    and_,
    bindparam,
    delete,
    exists,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from bot.library.consent_rules import Consent, Request, Shares, Standing, likeness_under
from bot.library.known_recordings import pseudonym, remember_recordings
from bot.library.tables import (
    ConsentRow,
    FrozenLikenessRow,
    GuildSettingsRow,
    NeverCloneRow,
    RecordingRow,
    VoiceMessageRow,
    VoiceRow,
    read_as,
)
from bot.library.voice import Kind, Sharing, Voice
from bot.library.voice_rows import load_voices, select_voices, to_voices
from bot.library.withdrawal import (
    Post,
    delete_voices_and_list_posts,
    remember_voice_message,
    withdraw_posts,
    withdraw_voice_messages,
)


class ConsentRows:
    """Reads and writes of one transaction."""

    def __init__(self, session: AsyncSession) -> None:
        self._session = session

    async def request(self, request_id: str) -> Request | None:
        """Return one request."""
        return next(iter(await self._requests(ConsentRow.id == request_id)), None)

    async def between(self, guild_id: int, asker_id: int, asked_id: int) -> list[Request]:
        """Return what one member has asked another here, as speaker or as author of the recording's message.

        With the same id twice: of their own voice.
        """
        return await self._requests(
            ConsentRow.guild_id == guild_id, ConsentRow.asker_id == asker_id, is_asked(asked_id)
        )

    async def asked_before(
        self, guild_id: int, asker_id: int, asked_id: int, since: datetime
    ) -> list[Request]:
        """Return what one member has asked another, ever; and asked anybody, or the other was asked here,

        ``since`` then. What the asker has had deleted meanwhile is among it.
        """
        hidden = await pseudonym(self._session, asker_id)
        mine, recent = ConsentRow.asker_id.in_((asker_id, hidden)), ConsentRow.asked_at > since
        theirs = is_asked(asked_id)
        found = await self._requests(
            ConsentRow.asker_id != ConsentRow.speaker_id,
            or_(
                and_(mine, or_(theirs, recent)),
                and_(ConsentRow.guild_id == guild_id, theirs, recent),
            ),
        )
        return [replace(one, asker_id=asker_id) if one.asker_id == hidden else one for one in found]

    async def withdraw(self, request_id: str) -> None:
        """Delete a question that could not be asked."""
        unasked = (ConsentRow.id == request_id, ConsentRow.state == Consent.ASKED.value)
        await self._session.execute(delete(ConsentRow).where(*unasked))

    async def own_in(self, guild_id: int) -> list[Request]:
        """Return the consents of a server with which members may clone any recording of their own voice."""
        return await self._requests(
            ConsentRow.guild_id == guild_id,
            ConsentRow.asker_id == ConsentRow.speaker_id,
            ConsentRow.recording.is_(None),
            ConsentRow.state == Consent.GRANTED.value,
        )

    async def standings(self, voice_ids: Collection[str]) -> dict[str, Standing]:
        """Return what decides about each of these voices, by its id, in one statement.

        Of a voice that is gone nothing.
        """
        rows = (await self._session.execute(_OF_VOICES, {"voice_ids": sorted(voice_ids)})).all()
        return {standing.voice.id: standing for standing in to_standings(rows)}

    async def standing_of_likeness(self, request_id: str) -> Standing | None:
        """Return what decides about the likeness under this consent, in one statement; None: it is gone."""
        wanted = (
            select(ConsentRow, _never_cloned(), GuildSettingsRow.cloning_policy, _frozen_likeness())
            .outerjoin(GuildSettingsRow, _is_on(ConsentRow.guild_id))
            .where(ConsentRow.id == request_id)
        )
        found = (await self._session.execute(wanted)).one_or_none()
        if found is None:
            return None
        consent, is_never_cloned, policy, is_frozen = found
        request = to_request(consent)
        return Standing(likeness_under(request, is_frozen=is_frozen), request, is_never_cloned, policy)

    async def add(self, request: Request) -> None:
        """Write a new request down."""
        values = asdict(request) | asdict(request.shares)
        del values["shares"]
        values |= {"state": request.state.value, "sharing": request.shares.sharing.value}
        values["member_ids"] = [str(member_id) for member_id in sorted(request.shares.member_ids)]
        await self._session.execute(insert(ConsentRow).values(values))
        if request.state is Consent.ASKED:
            named = update(RecordingRow).where(RecordingRow.sha256 == request.recording)
            await self._session.execute(named.values(was_named=True))

    async def change(
        self, request_ids: Collection[str], before: Collection[Consent], after: Consent, at: datetime
    ) -> int:
        """Bring those of these requests that stand as in ``before`` to ``after``; return how many.

        What is over says no more what it was about: recording and name are wiped, and only whose recording it
        was stays known. What is granted names its recording no more until a voice does, so that is as if just
        kept.
        """
        values: dict[str, Any] = {"state": after.value}
        if after in (Consent.GRANTED, Consent.DECLINED):
            values |= {"answered_at": at, "lapses_at": None}
        if after is Consent.REVOKED:
            values |= {"revoked_at": at, "lapses_at": None}
        if after is not Consent.GRANTED:
            await self._remember_recordings(request_ids, before)
            values |= {"recording": None, "name": None, "role_id": None, "member_ids": None}
        found = await self._session.execute(
            update(ConsentRow)
            .where(ConsentRow.id.in_(request_ids), ConsentRow.state.in_([state.value for state in before]))
            .values(values)
            .returning(ConsentRow.id, ConsentRow.recording)
            .execution_options(synchronize_session=False)
        )
        changed = found.all()
        recordings = [recording for _, recording in changed if recording is not None]
        if after is Consent.GRANTED:
            kept = update(RecordingRow).where(RecordingRow.sha256.in_(recordings))
            await self._session.execute(kept.values(kept_at=at, was_named=False))
        return len(changed)

    async def _remember_recordings(self, request_ids: Collection[str], before: Collection[Consent]) -> None:
        found = await self._session.execute(
            select(ConsentRow.recording, ConsentRow.speaker_id).where(
                ConsentRow.id.in_(request_ids),
                ConsentRow.state.in_([state.value for state in before]),
                ConsentRow.recording.is_not(None),
            )
        )
        await remember_recordings(
            self._session, [(recording, speaker) for recording, speaker in found if recording is not None]
        )

    async def set_agreed(self, request_id: str, agreed_id: int) -> None:
        """Write down that one of two has agreed, if neither has yet."""
        await self._session.execute(
            update(ConsentRow)
            .where(ConsentRow.id == request_id, ConsentRow.agreed_id.is_(None))
            .values(agreed_id=agreed_id)
        )

    async def in_states(
        self, speaker_id: int, states: Collection[Consent], guild_id: int | None = None
    ) -> list[Request]:
        """Return the requests to a speaker that stand as in ``states``, in one server or in all."""
        conditions = [ConsentRow.speaker_id == speaker_id, _stands_as(states)]
        if guild_id is not None:
            conditions.append(ConsentRow.guild_id == guild_id)
        return await self._requests(*conditions)

    async def asked_of(self, member_id: int, states: Collection[Consent]) -> list[Request]:
        """Return the requests that stand as in ``states`` and that this member has to agree to."""
        return await self._requests(is_asked(member_id), _stands_as(states))

    async def overdue(self, now: datetime) -> list[Request]:
        """Return the questions that nobody has answered in time."""
        return await self._requests(ConsentRow.state == Consent.ASKED.value, ConsentRow.lapses_at <= now)

    async def set_lapse(self, request_ids: Collection[str], lapses_at: datetime | None) -> None:
        """Let these consents lapse at that moment, or last."""
        await self._session.execute(
            update(ConsentRow).where(ConsentRow.id.in_(request_ids)).values(lapses_at=lapses_at)
        )

    async def set_message(self, request_id: str, channel_id: int, message_id: int) -> None:
        """Remember the message with the buttons of a request."""
        await self._session.execute(
            update(ConsentRow)
            .where(ConsentRow.id == request_id)
            .values(channel_id=channel_id, message_id=message_id)
        )

    async def forget_ended(self, before: datetime) -> None:
        """Delete the questions that came to nothing and were asked before that."""
        ended = (Consent.DECLINED.value, Consent.LAPSED.value)
        await self._session.execute(
            delete(ConsentRow).where(ConsentRow.state.in_(ended), ConsentRow.asked_at < before)
        )

    async def is_never_cloned(self, member_id: int) -> bool:
        """Return whether this member must not be cloned anywhere."""
        return await self._session.get(NeverCloneRow, member_id) is not None

    async def set_never_clone(self, member_id: int, since: datetime | None) -> None:
        """Write down that this member must not be cloned; None: they may be asked again."""
        await self._session.execute(delete(NeverCloneRow).where(NeverCloneRow.member_id == member_id))
        if since is not None:
            await self._session.execute(insert(NeverCloneRow).values(member_id=member_id, since=since))

    async def cloning_of(self, guild_id: int, speaker_id: int) -> tuple[bool, bool, int | None]:
        """Return whether this member must never be cloned, whether their likeness is frozen here,

        and which policy the server has accepted; None: cloning is off there. In one statement.
        """
        never = exists().where(NeverCloneRow.member_id == speaker_id)
        frozen = exists().where(
            FrozenLikenessRow.guild_id == guild_id, FrozenLikenessRow.member_id == speaker_id
        )
        policy = (
            select(GuildSettingsRow.cloning_policy)
            .where(GuildSettingsRow.guild_id == guild_id, GuildSettingsRow.cloning_on.is_(True))
            .scalar_subquery()
        )
        found = await self._session.execute(select(never, frozen, policy))
        is_never_cloned, is_frozen, accepted = found.one()
        return bool(is_never_cloned), bool(is_frozen), accepted

    async def voices_of(self, speaker_id: int) -> list[Voice]:
        """Return all voices in which this member is heard, in every server."""
        return await load_voices(self._session, VoiceRow.speaker_id == speaker_id)

    async def cloned_in(self, guild_id: int) -> list[Voice]:
        """Return the cloned voices of a server."""
        cloned = VoiceRow.kind == Kind.CLONED.value
        return await load_voices(self._session, VoiceRow.guild_id == guild_id, cloned)

    async def voices_agreed_by(self, member_id: int) -> list[Voice]:
        """Return all voices in which this member is heard, or that hang on their consent too."""
        return await load_voices(self._session, is_agreed_by(member_id))

    async def set_consent(self, voice_ids: Sequence[str], consent_id: str) -> None:
        """Let these voices hang on another consent from now on."""
        await self._session.execute(
            update(VoiceRow).where(VoiceRow.id.in_(voice_ids)).values(consent_id=consent_id)
        )

    async def consents_in_use(self, consent_ids: Collection[str]) -> set[str]:
        """Return those of these consents that a voice hangs on."""
        found = await self._session.scalars(
            select(VoiceRow.consent_id).where(VoiceRow.consent_id.in_(consent_ids)).distinct()
        )
        return {consent_id for consent_id in found if consent_id is not None}

    async def delete_voices(self, voice_ids: Sequence[str]) -> list[Post]:
        """Delete these voices; return the messages with them, which are still to be deleted."""
        return await delete_voices_and_list_posts(self._session, voice_ids)

    async def remember_voice_message(
        self, post: Post, take_id: str, voice_ids: Collection[str], posted_at: datetime
    ) -> None:
        """Remember a voice message of a generation, with the ids of the real people's voices in it.

        For those of likenesses, with the ids of their consents.
        """
        await remember_voice_message(self._session, post, take_id, voice_ids, posted_at)

    async def withdraw_voice_messages(self, consent_ids: Collection[str]) -> list[Post]:
        """Return the voice messages of likenesses, which are still to be deleted from now on."""
        return await withdraw_voice_messages(self._session, VoiceMessageRow.voice_id.in_(consent_ids))

    async def withdraw_post(self, post: Post, posted_at: datetime) -> None:
        """Remember a message of ours that is still to be deleted."""
        await withdraw_posts(self._session, [post], posted_at)

    async def _requests(self, *conditions: ColumnElement[bool]) -> list[Request]:
        found = await self._session.execute(select(*ConsentRow.__table__.columns).where(*conditions))
        return [to_request(row) for row in found]


def _stands_as(states: Collection[Consent]) -> ColumnElement[bool]:
    return ConsentRow.state.in_([state.value for state in states])


def is_asked(member_id: int) -> ColumnElement[bool]:
    """Return the condition for the consents that this member has to agree to."""
    return or_(ConsentRow.speaker_id == member_id, ConsentRow.author_id == member_id)


def is_agreed_by(member_id: int) -> ColumnElement[bool]:
    """Return the condition for the voices in which this member is heard, or that they agreed to as well."""
    under = select(ConsentRow.id).where(is_asked(member_id))
    return or_(VoiceRow.speaker_id == member_id, VoiceRow.consent_id.in_(under))


_COLUMNS: Final = ConsentRow.__table__.columns
_ConsentValues = namedtuple("_ConsentValues", _COLUMNS.keys())  # type: ignore[misc]


def select_standings() -> Select[tuple[Any, ...]]:
    """Return the statement that `to_standings` reads: voices, and beside each what decides about it."""
    return (
        select_voices()
        .add_columns(
            *(column.label(f"of_consent_{column.name}") for column in _COLUMNS),
            _never_cloned(VoiceRow.speaker_id).label("is_never_cloned"),
            GuildSettingsRow.cloning_policy,
        )
        .outerjoin(ConsentRow, ConsentRow.id == VoiceRow.consent_id)
        .outerjoin(GuildSettingsRow, _is_on(VoiceRow.guild_id))
    )


def to_standings(rows: Sequence[Row[*tuple[Any, ...]]]) -> list[Standing]:
    """Return the standings in the rows of `select_standings`, in their order; further columns may follow."""
    beside = {row.id: row for row in rows}
    standings = []
    for voice in to_voices(rows):
        row = beside[voice.id]
        request = None
        if row.of_consent_state is not None:
            consent = [getattr(row, f"of_consent_{column.name}") for column in _COLUMNS]
            request = to_request(_ConsentValues(*consent))
        standings.append(Standing(voice, request, bool(row.is_never_cloned), row.cloning_policy))
    return standings


def _never_cloned(*others: InstrumentedAttribute[int | None]) -> ColumnElement[bool]:
    """Return whether one of those whom a consent is about, or of ``others``, must never be cloned."""
    people = (ConsentRow.speaker_id, ConsentRow.author_id, *others)
    return exists().where(or_(*(NeverCloneRow.member_id == one for one in people)))


def _frozen_likeness() -> ColumnElement[bool]:
    """Return whether a moderator has frozen what /clone makes of the speaker's recordings."""
    return exists().where(
        FrozenLikenessRow.guild_id == ConsentRow.guild_id,
        FrozenLikenessRow.member_id == ConsentRow.speaker_id,
    )


def _is_on(guild_id: InstrumentedAttribute[int]) -> ColumnElement[bool]:
    """Return the condition for the settings of this server, if cloning is on there."""
    return and_(GuildSettingsRow.guild_id == guild_id, GuildSettingsRow.cloning_on.is_(True))


_OF_VOICES: Final = select_standings().where(VoiceRow.id.in_(bindparam("voice_ids", expanding=True)))
# built once: it is asked before each call, and building it costs as much as running it


def to_request(row: Any) -> Request:
    """Return what a row of consents says."""
    sharing = Sharing(row.sharing) if row.sharing else Sharing.ME
    member_ids = frozenset(int(member_id) for member_id in row.member_ids or ())
    return read_as(Request, row, state=Consent(row.state), shares=Shares(sharing, row.role_id, member_ids))
