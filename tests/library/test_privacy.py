"""Everything about a member: exported whole, and deleted down to the bytes on the disk."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Column, func, insert, select

from bot.audio.maker import Maker
from bot.audio.sound import SpeechSound
from bot.errors import MemberError
from bot.library.audit import AUDIT_DAYS, AuditedVoice
from bot.library.cached_speeches import member_label, voice_label
from bot.library.consent_rules import Consent
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.privacy import Deleted
from bot.library.tables import Base, ConsentRow, NeverCloneRow, ReportRow, UsageRow
from bot.library.voice import NOBODY, Scope, Sharing, Voice
from bot.library.withdrawal import Post, RecordingPost, Withdrawal
from bot.models import Speech
from bot.speech.cache import CacheFolder, SpeechCache
from tests.library.consents import (
    ELSEWHERE,
    GUILD,
    OTHER,
    OWNER,
    SPEAKER,
    Clock,
    agreed_voice,
    cloning_on,
    moderator,
    other,
    own_voice,
)
from tests.library.shelves import completed

MEMBER = 0x0ABC_DEF1_2345_6789  # eight bytes in a file of SQLite, found there as they are
NAME, TEXT, RECORDING = "CanaryName", "canary text that was said", b"RIFF canary recording " * 40
CANARIES = (str(MEMBER).encode(), MEMBER.to_bytes(8), NAME.encode(), TEXT.encode(), RECORDING[:66])
MEMBER_COLUMNS = {"member_id", "owner_id", "speaker_id", "author_id", "asker_id", "reporter_id", "cloning_by"}
STAYS = {"never_clone.member_id", "frozen_likenesses.member_id", "reports.member_id"}
"""What the member never had deleted, or others need; none of it is planted."""

POSTS = {Post(41, 42), Post(51, 52)}

member = Scope(GUILD, MEMBER)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
    async with Library(url, tmp_path, now=clock) as library:
        yield library


@pytest.fixture
async def cache(library: Library, tmp_path: Path) -> AsyncIterator[SpeechCache]:
    folder = CacheFolder(tmp_path / "speech")
    async with SpeechCache(library.cached_speeches, folder, Maker(), max_bytes=10_000_000) as opened:

        async def hear(withdrawal: Withdrawal) -> None:
            await opened.forget(keys=withdrawal.speeches)

        library.withdrawals.subscribe(hear)
        yield opened
        await library.withdrawals.aclose()


async def plant(library: Library) -> None:
    """Leave traces of the member in every table: as owner, as speaker, and in what belongs to others."""
    await cloning_on(library, GUILD, ELSEWHERE)
    await library.settings.set_cloning(Scope(ELSEWHERE, MEMBER, is_moderator=True), True, policy=1)
    for member_id in (MEMBER, OTHER):
        await library.reading.set_member(GUILD, member_id, is_muted=True)
    owned = await agreed_voice(library, NAME, scope=member, recording=RECORDING)
    own = await own_voice(library, member, f"{NAME} alone")
    heard = await agreed_voice(library, f"{NAME} heard", speaker_id=MEMBER, recording=RECORDING)
    theirs = await own_voice(library, other, "Bob")
    shared = await library.voices.share(
        other, theirs.id, Sharing.MEMBERS, member_ids=frozenset({MEMBER, OWNER})
    )
    await library.voices.choose(member, shared.id)
    for number, voice in enumerate((owned, own, heard, theirs)):
        address = f"https://cdn.example/{voice.name}.wav"
        await library.posts.remember(RecordingPost(voice.id, 41, 42 + number, 43, address, voice.created_at))
        for user_id in (MEMBER, OTHER):
            if user_id != MEMBER or voice.speaker_id == MEMBER:
                await library.audit.record(
                    *(GUILD, voice.id, user_id), seconds=2.5, message_id=2, speaker_id=voice.speaker_id
                )
    await library.audit.report(member, AuditedVoice(shared.id), member_id=OTHER)
    await library.audit.report(other, AuditedVoice(heard.id), member_id=OWNER)
    third = SPEAKER + 1
    await library.consents.ask(Scope(GUILD, OWNER), third, recording="e" * 64, name="Cid", author_id=MEMBER)
    asked = await library.consents.ask(
        *(Scope(ELSEWHERE, OWNER), SPEAKER), recording="c" * 64, name="Cid", member_ids=frozenset({MEMBER})
    )
    await library.consents.posted(asked.id, 61, 62)
    declined = await library.consents.ask(
        Scope(ELSEWHERE, moderator.member_id), MEMBER, recording="e" * 64, name=NAME
    )
    await library.consents.answer(declined.id, MEMBER, False)
    asked = await library.consents.ask(Scope(GUILD, OTHER), MEMBER, recording="d" * 64, name=NAME)
    await library.consents.posted(asked.id, 51, 52)
    how = (NAME, None, None, (owned.id,), None, None)
    async with library.database.session() as session:
        then = owned.created_at - timedelta(days=5)
        row = {"key": "day", "period": "day", "began_at": then, "guild_id": GUILD, "member_id": MEMBER}
        cost = {"voice_id": "", "milliseconds": 2_500, "calls": 1, "counters": [], "is_forgotten": False}
        await session.execute(insert(UsageRow).values(**row, **cost))
    take = Generation("take", GUILD, MEMBER, (TEXT,), *how, created_at=owned.created_at)
    await library.generations.keep(take)


async def misuse(library: Library) -> tuple[Voice, Voice]:
    """Let the member use the voices of others, and be reported for it.

    Returns the voice of a speaker that was theirs, and their own.
    """
    owned = await agreed_voice(library, NAME, scope=member, recording=RECORDING)
    own = await own_voice(library, member, f"{NAME} alone")
    likeness = AuditedVoice.likeness_of(MEMBER)
    for voice in (AuditedVoice(owned.id, SPEAKER), AuditedVoice(own.id, MEMBER), likeness):
        await library.audit.record(
            *(GUILD, voice.voice_id, MEMBER), seconds=2.5, message_id=2, speaker_id=voice.speaker_id
        )
    await library.audit.report(other, AuditedVoice(owned.id), member_id=MEMBER, take_id="take", message_id=2)
    return owned, own


async def fill(cache: SpeechCache, library: Library) -> None:
    """Keep speech that the member asked for, speech in their voice, and speech of others."""
    (voice, *_) = await completed(library.voices, member, NAME)
    for number, label in enumerate((member_label(MEMBER), voice_label(voice.id), member_label(OTHER))):
        sound = b"of others " if number == 2 else RECORDING
        kept = Speech((sound,), sound=SpeechSound(sound * 20))
        await cache.put(kept, cache.keeping(str(number) * 64, [label]))


async def count(library: Library, column: Column[int]) -> int:
    async with library.database.reading() as session:
        return await session.scalar(select(func.count()).where(column == MEMBER)) or 0


def member_columns() -> Iterator[Column[int]]:
    for table in Base.metadata.sorted_tables:
        yield from (column for column in table.columns if column.name in MEMBER_COLUMNS)


def found_in(folder: Path) -> set[tuple[str, bytes]]:
    """Return which canary is found in which file, name or content, below a folder."""
    return {
        (path.name, canary)
        for path in folder.rglob("*")
        if path.is_file()
        for canary in CANARIES
        if canary in path.read_bytes() or canary in path.name.encode()
    }


async def delete(library: Library) -> Deleted:
    deleted = await library.privacy.delete(MEMBER)
    await library.withdrawals.aclose()
    return deleted


async def test_no_byte_of_a_deleted_member_is_left_under_the_data_directory(
    kind: str, library: Library, cache: SpeechCache, tmp_path: Path
):
    if kind != "sqlite":
        pytest.skip("what PostgreSQL has on its disk is not under the data directory")
    await plant(library)
    await fill(cache, library)
    before = await asyncio.to_thread(found_in, tmp_path)
    assert {canary for _, canary in before} == set(CANARIES)

    deleted = await delete(library)

    assert deleted.is_scrubbed
    assert await asyncio.to_thread(found_in, tmp_path) == set()
    assert await cache.get("2" * 64) is not None


async def test_no_row_of_a_deleted_member_is_left_and_others_keep_theirs(library: Library):
    await plant(library)
    planted = {str(column): await count(library, column) for column in member_columns()}

    deleted = await delete(library)

    assert {name for name, number in planted.items() if not number} == STAYS
    assert [str(column) for column in member_columns() if await count(library, column)] == []
    assert {voice.name for voice in deleted.voices} == {NAME, f"{NAME} alone", f"{NAME} heard"}
    assert set(deleted.posts) >= POSTS
    assert Post(61, 62) not in deleted.posts
    assert deleted.rows["takes"] == 1
    assert [voice.name for voice in await completed(library.voices, other, "")] == ["Bob"]


async def test_what_the_other_one_may_still_look_into_stays_without_the_member(library: Library):
    await plant(library)

    await delete(library)

    async with library.database.reading() as session:
        given = (await session.scalars(select(ConsentRow).where(ConsentRow.asker_id == NOBODY))).all()
        reports = (await session.scalars(select(ReportRow))).all()
    (consent,) = given
    assert (consent.speaker_id, consent.state) == (SPEAKER, Consent.REVOKED.value)
    assert (consent.name, consent.recording, consent.message_id) == (None, None, None)
    said = {(report.reporter_id, report.member_id, report.speaker_id) for report in reports}
    assert said == {(NOBODY, OTHER, OTHER), (OTHER, OWNER, None)}


@pytest.mark.slow
async def test_who_has_used_the_voices_of_others_stays_known_for_half_a_year(library: Library, clock: Clock):
    await cloning_on(library)
    owned, own = await misuse(library)
    untold = await own_voice(library, member, f"{NAME} again")
    await library.audit.record(GUILD, untold.id, MEMBER, seconds=1.0, speaker_id=MEMBER)
    await library.audit.report(other, AuditedVoice(own.id), member_id=MEMBER)
    await library.audit.settle(moderator, AuditedVoice(own.id))

    await delete(library)

    uses = (await library.audit.page(moderator)).entries
    used = {(use.voice_id, use.member_id, use.speaker_id) for use in uses}
    assert used == {(owned.id, MEMBER, SPEAKER), (own.id, MEMBER, MEMBER)}
    (report,) = await library.audit.reports(moderator)
    assert (report.voice, report.member_id) == (AuditedVoice(owned.id, SPEAKER), MEMBER)
    exported = await library.privacy.export(SPEAKER)
    assert [use["member_id"] for use in exported["uses_of_my_voice"]] == [str(MEMBER)]
    clock.forward(days=AUDIT_DAYS)
    await library.audit.sweep()
    assert [str(column) for column in member_columns() if await count(library, column)] == []


async def test_a_reported_likeness_stays_known_and_one_that_nobody_reported_goes(library: Library):
    await cloning_on(library)
    likeness = AuditedVoice.likeness_of(MEMBER)
    for scope, reporter in ((member, other), (other, None)):
        told = AuditedVoice.likeness_of(scope.member_id)
        await library.audit.record(GUILD, "/clone", scope.member_id, seconds=1.0, speaker_id=told.speaker_id)
        if reporter is not None:
            await library.audit.report(reporter, told, member_id=scope.member_id)

    for member_id in (MEMBER, OTHER):
        await library.privacy.delete(member_id)

    assert [use.voice for use in (await library.audit.page(moderator)).entries] == [likeness]
    (report,) = await library.audit.reports(moderator)
    assert (report.voice, report.reporter_id) == (likeness, NOBODY)


async def test_what_a_moderator_has_frozen_stays_frozen(library: Library):
    await cloning_on(library)
    await library.consents.attest(member)
    await library.audit.freeze_likeness(moderator, MEMBER, True)

    await delete(library)

    with pytest.raises(MemberError, match="frozen what I make from your recordings"):
        await library.consents.attest(member)
    await library.audit.freeze_likeness(moderator, MEMBER, False)
    await library.consents.attest(member)


async def test_the_wish_never_to_be_cloned_is_the_one_thing_that_stays(library: Library):
    await plant(library)
    await library.consents.never_clone(MEMBER, True)

    await delete(library)

    left = [str(column) for column in member_columns() if await count(library, column)]
    assert left == ["never_clone.member_id"]
    assert await library.consents.cloning_permission_error(other, MEMBER) is not None


async def test_the_file_has_everything_about_the_member_in_all_servers(
    library: Library, cache: SpeechCache, clock: Clock
):
    await plant(library)
    await fill(cache, library)
    await library.audit.freeze_likeness(moderator, MEMBER, True)
    async with library.database.session() as session:
        await session.execute(insert(NeverCloneRow).values(member_id=MEMBER, since=library.audit._now()))
    await library.settings.set_usage_rules(moderator, excluded_members=frozenset({MEMBER}))
    await library.reading.set_rules(moderator, silenced_members=frozenset({MEMBER}))

    found = json.loads(json.dumps(await library.privacy.export(MEMBER)))

    assert found["member_id"] == str(MEMBER)
    assert [kind for kind, rows in found.items() if not rows] == []
    assert {voice["name"] for voice in found["voices"]} == {NAME, f"{NAME} alone", f"{NAME} heard"}
    assert {use["member_id"] for use in found["uses"]} == {str(MEMBER)}
    assert {use["member_id"] for use in found["uses_of_my_voice"]} == {str(MEMBER), str(OTHER)}
    assert [take["lines"] for take in found["takes"]] == [[TEXT]]
    assert {row["guild_id"] for row in found["cloning_switched"]} == {str(ELSEWHERE)}
    (report,) = found["reports_about_me"]
    assert (report["member_id"], str(OTHER) in json.dumps(report)) == (str(OWNER), False)
    (kept,) = found["kept_speech"]
    assert kept["made_at"] == clock.now.isoformat()
    assert "cdn.example" not in json.dumps(found)


async def test_about_a_stranger_there_is_nothing_to_export_and_nothing_to_delete(library: Library):
    await plant(library)

    found = await library.privacy.export(12)
    deleted = await library.privacy.delete(12)

    assert [kind for kind, rows in found.items() if rows] == ["member_id", "exported_at"]
    assert (deleted.voices, deleted.posts) == ((), ())
    assert not any(deleted.rows.values())
    assert (await library.audit.page(moderator)).total == 6
