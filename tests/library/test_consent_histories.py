"""Ten thousand histories, and in none is a voice heard or left standing whose speaker does not agree.

`python -m tests.library.test_consent_histories` lives through them and prints how much was heard.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

import pytest
from sqlalchemy import update

from bot.library.audit import Audit
from bot.library.cached_speeches import CachedSpeeches
from bot.library.consent import Consents
from bot.library.database import Database, upsert
from bot.library.tables import GuildSettingsRow, VoiceRow
from bot.library.voice import NewVoice, Scope, Sharing, Voice, new_id
from bot.library.voice_rows import insert_voice
from bot.library.withdrawal import Withdrawal, Withdrawals
from tests.fakes.consent_rows import Store, consents_in
from tests.library.consent_histories import History

SEED = 20_261_125
HISTORIES = 10_000
A_FEW = 300
STEPS = 18
COUNTED = ("heard", "generations_heard", "played", "posted", "refused")
HISTORIES_IN_DATABASE = 8  # a step there takes milliseconds


class InMemory:
    """A world in dictionaries."""

    def __init__(self) -> None:
        self.store = Store()

    def consents(self, withdrawals: Withdrawals, now: Callable[[], datetime], policy: int) -> Consents:
        return consents_in(self.store, withdrawals=withdrawals, now=now, policy=policy)

    async def set_cloning(self, guild_id: int, policy: int | None) -> None:
        self.store.policies.pop(guild_id, None)
        if policy is not None:
            self.store.policies[guild_id] = policy

    async def save(self, guild_id: int, owner_id: int, new: NewVoice, now: datetime) -> Voice:
        voice = Voice(
            id=new_id(),
            guild_id=guild_id,
            owner_id=owner_id,
            uses=0,
            created_at=now,
            last_used_at=None,
            is_frozen=False,
            **{name: getattr(new, name) for name in NewVoice.__dataclass_fields__},
        )
        self.store.voices[voice.id] = voice
        return voice

    async def change(self, voice_id: str, *, sharing: Sharing, is_frozen: bool) -> None:
        voice = self.store.voices[voice_id]
        self.store.voices[voice_id] = replace(voice, sharing=sharing, is_frozen=is_frozen)

    async def delete(self, consents: Consents, voice: Voice) -> Withdrawal:
        async with self.store.session() as session:
            return await consents.delete_voice(session, voice)

    async def freeze_likeness(self, guild_id: int, member_id: int, on: bool, now: datetime) -> None:
        self.store.frozen.discard((guild_id, member_id))
        if on:
            self.store.frozen.add((guild_id, member_id))


class InDatabase:
    """A world in a real database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def consents(self, withdrawals: Withdrawals, now: Callable[[], datetime], policy: int) -> Consents:
        return Consents(self.database, CachedSpeeches(self.database), withdrawals, now=now, policy=policy)

    async def set_cloning(self, guild_id: int, policy: int | None) -> None:
        values = {"cloning_on": policy is not None, "cloning_policy": policy}
        async with self.database.session() as session:
            await upsert(session, GuildSettingsRow, {"guild_id": guild_id}, values)

    async def save(self, guild_id: int, owner_id: int, new: NewVoice, now: datetime) -> Voice:
        async with self.database.session() as session:
            return await insert_voice(session, guild_id, owner_id, new, now)

    async def change(self, voice_id: str, *, sharing: Sharing, is_frozen: bool) -> None:
        values = {"sharing": sharing.value, "is_frozen": is_frozen}
        async with self.database.session() as session:
            await session.execute(update(VoiceRow).where(VoiceRow.id == voice_id).values(values))

    async def delete(self, consents: Consents, voice: Voice) -> Withdrawal:
        async with self.database.session() as session:
            return await consents.delete_voice(session, voice)

    async def freeze_likeness(self, guild_id: int, member_id: int, on: bool, now: datetime) -> None:
        scope = Scope(guild_id, 1, is_moderator=True)
        audit = Audit(self.database, Withdrawals(), now=lambda: now)
        await audit.freeze_likeness(scope, member_id, on)


async def lived(histories: int, *, steps: int = STEPS) -> Counter[str]:
    """Return how often what was heard in so many histories, after each was lived through."""
    counted: Counter[str] = Counter()
    await _without_debugging()
    for number in range(histories):
        history = History(InMemory(), number, SEED)
        await history.run(steps)
        counted += counts_of(history)
    return counted


def counts_of(history: History) -> Counter[str]:
    return Counter({name: getattr(history, name) for name in COUNTED})


@pytest.mark.slow
async def test_in_ten_thousand_histories_none_is_heard_without_consent():
    counted = await lived(HISTORIES)

    # and it is not so because nobody is ever heard
    assert [name for name in COUNTED if counted[name] < HISTORIES / 2] == []


async def test_in_some_hundred_histories_none_is_heard_without_consent():
    counted = await lived(A_FEW)

    assert [name for name in COUNTED if counted[name] < A_FEW / 2] == []


async def test_a_database_gives_the_very_same_histories(database: Database):
    counted: Counter[str] = Counter()
    await _without_debugging()

    for number in range(HISTORIES_IN_DATABASE):
        remembered = History(InMemory(), number, SEED)
        stored = History(InDatabase(database), number, SEED)
        await remembered.run(STEPS)
        await stored.run(STEPS)
        assert counts_of(stored) == counts_of(remembered)
        counted += counts_of(stored)

    assert counted["heard"] > HISTORIES_IN_DATABASE / 2


async def _without_debugging() -> None:
    """Let the loop follow no coroutine to its origin: that takes two thirds of the time here."""
    asyncio.get_running_loop().set_debug(False)
    await asyncio.sleep(0)  # the loop does it now


if __name__ == "__main__":
    print(HISTORIES, "histories:", dict(asyncio.run(lived(HISTORIES))), "heard without consent: 0")
