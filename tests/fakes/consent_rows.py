"""Consents kept in dictionaries, so that ten thousand histories take seconds."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from types import TracebackType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncSession

from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents
from bot.library.consent_rows import ConsentRows
from bot.library.consent_rules import Consent, Request, Shares, Standing, likeness_under
from bot.library.database import Database
from bot.library.engine import ItemT, ResultT, Work
from bot.library.voice import Kind, Voice
from bot.library.withdrawal import Post


@dataclass
class Store:
    requests: dict[str, Request] = field(default_factory=dict)
    voices: dict[str, Voice] = field(default_factory=dict)
    never: dict[int, datetime] = field(default_factory=dict)
    policies: dict[int, int] = field(default_factory=dict)
    frozen: set[tuple[int, int]] = field(default_factory=set)
    voice_messages: dict[Post, frozenset[str]] = field(default_factory=dict)

    def session(self) -> Transaction:
        return Transaction(self)

    reading = session

    async def read_together(self, work: Work[ItemT, ResultT], item: ItemT) -> ResultT:
        async with self.reading() as session:
            (result,) = await work(session, [item])
        if isinstance(result, Exception):
            raise result
        return result

    async def lock(self, session: AsyncSession, key: int) -> None:
        """Nobody else is there."""


class Transaction:
    """All of it or, after an error, nothing. Plain, because it is entered half a million times."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._before = (
            *(dict(store.requests), dict(store.voices), dict(store.never)),
            dict(store.voice_messages),
        )

    async def __aenter__(self) -> AsyncSession:
        return cast(AsyncSession, self._store)

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            store = self._store
            store.requests, store.voices, store.never, store.voice_messages = self._before


class FakeConsentRows(ConsentRows):
    def __init__(self, session: AsyncSession) -> None:
        self._store = cast(Any, session)

    async def request(self, request_id: str) -> Request | None:
        found: Request | None = self._store.requests.get(request_id)
        return found

    async def between(self, guild_id: int, asker_id: int, asked_id: int) -> list[Request]:
        return [
            one
            for one in self._all()
            if (one.guild_id, one.asker_id) == (guild_id, asker_id) and asked_id in one.asked_ids
        ]

    async def asked_before(
        self, guild_id: int, asker_id: int, speaker_id: int, since: datetime
    ) -> list[Request]:
        return [one for one in self._all() if one.asker_id != one.speaker_id]

    async def standings(self, voice_ids: Collection[str]) -> dict[str, Standing]:
        found = {}
        for voice_id in voice_ids & self._store.voices.keys():
            voice = self._store.voices[voice_id]
            request = self._store.requests.get(voice.consent_id)
            policy = self._store.policies.get(voice.guild_id)
            people = (voice.speaker_id, *(request.asked_ids if request else ()))
            is_never_cloned = any(one in self._store.never for one in people)
            found[voice_id] = Standing(voice, request, is_never_cloned, policy)
        return found

    async def standing_of_likeness(self, request_id: str) -> Standing | None:
        request = await self.request(request_id)
        if request is None:
            return None
        is_never_cloned, is_frozen, policy = await self.cloning_of(request.guild_id, request.speaker_id)
        return Standing(likeness_under(request, is_frozen=is_frozen), request, is_never_cloned, policy)

    async def add(self, request: Request) -> None:
        self._store.requests[request.id] = request

    async def change(
        self, request_ids: Collection[str], before: Collection[Consent], after: Consent, at: datetime
    ) -> int:
        changed = 0
        for request_id in request_ids:
            request = self._store.requests[request_id]
            if request.state not in before:
                continue
            changed += 1
            request = replace(request, state=after)
            if after in (Consent.GRANTED, Consent.DECLINED):
                request = replace(request, answered_at=at, lapses_at=None)
            if after is Consent.REVOKED:
                request = replace(request, revoked_at=at, lapses_at=None)
            if after is not Consent.GRANTED:
                request = replace(request, recording=None, name=None, shares=Shares(request.shares.sharing))
            self._store.requests[request_id] = request
        return changed

    async def set_agreed(self, request_id: str, agreed_id: int) -> None:
        request = self._store.requests[request_id]
        if request.agreed_id is None:
            self._store.requests[request_id] = replace(request, agreed_id=agreed_id)

    async def asked_of(self, member_id: int, states: Collection[Consent]) -> list[Request]:
        return [one for one in self._all() if member_id in one.asked_ids and one.state in states]

    async def in_states(
        self, speaker_id: int, states: Collection[Consent], guild_id: int | None = None
    ) -> list[Request]:
        return [
            one
            for one in self._all()
            if one.speaker_id == speaker_id and one.state in states and guild_id in (None, one.guild_id)
        ]

    async def overdue(self, now: datetime) -> list[Request]:
        return [one for one in self._all() if one.state is Consent.ASKED and cast(Any, one.lapses_at) <= now]

    async def set_lapse(self, request_ids: Collection[str], lapses_at: datetime | None) -> None:
        for request_id in request_ids:
            self._store.requests[request_id] = replace(self._store.requests[request_id], lapses_at=lapses_at)

    async def forget_ended(self, before: datetime) -> None:
        for one in self._all():
            if one.state in (Consent.DECLINED, Consent.LAPSED) and one.asked_at < before:
                del self._store.requests[one.id]

    async def is_never_cloned(self, member_id: int) -> bool:
        return member_id in self._store.never

    async def set_never_clone(self, member_id: int, since: datetime | None) -> None:
        self._store.never.pop(member_id, None)
        if since is not None:
            self._store.never[member_id] = since

    async def cloning_of(self, guild_id: int, speaker_id: int) -> tuple[bool, bool, int | None]:
        is_frozen = (guild_id, speaker_id) in self._store.frozen
        return speaker_id in self._store.never, is_frozen, self._store.policies.get(guild_id)

    async def voices_of(self, speaker_id: int) -> list[Voice]:
        return [voice for voice in self._store.voices.values() if voice.speaker_id == speaker_id]

    async def own_in(self, guild_id: int) -> list[Request]:
        return [
            one
            for one in self._all()
            if one.guild_id == guild_id
            and one.is_own
            and one.recording is None
            and one.state is Consent.GRANTED
        ]

    async def cloned_in(self, guild_id: int) -> list[Voice]:
        voices = self._store.voices.values()
        return [one for one in voices if one.guild_id == guild_id and one.kind is Kind.CLONED]

    async def voices_agreed_by(self, member_id: int) -> list[Voice]:
        under = {one.id for one in self._all() if member_id in one.asked_ids}
        return [
            voice
            for voice in self._store.voices.values()
            if voice.speaker_id == member_id or voice.consent_id in under
        ]

    async def set_consent(self, voice_ids: Sequence[str], consent_id: str) -> None:
        for voice_id in voice_ids:
            self._store.voices[voice_id] = replace(self._store.voices[voice_id], consent_id=consent_id)

    async def consents_in_use(self, consent_ids: Collection[str]) -> set[str]:
        return {one.consent_id for one in self._store.voices.values() if one.consent_id in consent_ids}

    async def delete_voices(self, voice_ids: Sequence[str]) -> list[Post]:
        for voice_id in voice_ids:
            self._store.voices.pop(voice_id, None)
        return await self.withdraw_voice_messages(voice_ids)

    async def remember_voice_message(
        self, post: Post, take_id: str, voice_ids: Collection[str], posted_at: datetime
    ) -> None:
        self._store.voice_messages[post] = frozenset(voice_ids)

    async def withdraw_voice_messages(self, consent_ids: Collection[str]) -> list[Post]:
        messages = self._store.voice_messages
        gone = [post for post, voice_ids in messages.items() if voice_ids & set(consent_ids)]
        for post in gone:
            del messages[post]
        return gone

    async def withdraw_post(self, post: Post, posted_at: datetime) -> None:
        self._store.voice_messages.pop(post, None)

    def _all(self) -> list[Request]:
        return list(self._store.requests.values())


class NoCachedSpeeches(CachedSpeeches):
    async def forget(
        self, session: AsyncSession, labels: Collection[str] = (), keys: Collection[str] = ()
    ) -> list[str]:
        return []


def consents_in(store: Store, **options: Any) -> Consents:
    """Return consents as a process that has just started finds them in this store."""
    database = cast(Database, store)
    return Consents(database, NoCachedSpeeches(database), rows=FakeConsentRows, **options)
