"""The record of uses, reports, and freezing: who may read and do what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import MemberError
from bot.library.audit import AUDIT_DAYS, AuditedVoice
from bot.library.library import Library
from bot.library.tables import UseRow
from bot.library.voice import Scope
from bot.library.withdrawal import Withdrawal
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
    owner,
)
from tests.library.shelves import completed

elsewhere = Scope(ELSEWHERE, 1, is_moderator=True)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
    async with Library(url, tmp_path, now=clock) as library:
        await cloning_on(library)
        yield library


async def test_moderators_read_every_use_newest_first_in_pages(library: Library, clock: Clock):
    voice = await agreed_voice(library)
    for number in range(7):
        clock.forward(minutes=1)
        await library.audit.record(GUILD, voice.id, OTHER, seconds=number, channel_id=5, message_id=number)

    first = await library.audit.page(moderator, 0, 3)
    last = await library.audit.page(moderator, 99, 3)

    assert [use.seconds for use in first.entries] == [6, 5, 4]
    assert (first.pages, first.total, last.number) == (3, 7, 2)
    assert [use.seconds for use in last.entries] == [0]
    use = first.entries[0]
    assert (use.member_id, use.voice_id, use.voice_name) == (OTHER, voice.id, "Ada")
    assert (use.used_at, use.channel_id, use.message_id) == (clock.now, 5, 6)


async def test_there_is_no_place_for_the_text_in_it():
    assert not {"text", "style", "transcript"} & set(UseRow.__table__.columns.keys())


async def test_one_voice_can_be_looked_at_alone_and_after_it_is_gone(library: Library):
    voice, another = await agreed_voice(library), await own_voice(library)
    for one in (voice, another):
        await library.audit.record(GUILD, one.id, OWNER, seconds=1.0)

    await library.consents.revoke(SPEAKER, voice.id)
    page = await library.audit.page(moderator, voice=AuditedVoice(voice.id))

    assert [(use.voice_id, use.voice_name) for use in page.entries] == [(voice.id, None)]


async def test_members_and_moderators_of_other_servers_read_and_change_nothing(library: Library):
    voice = await agreed_voice(library)
    await library.audit.record(GUILD, voice.id, OWNER, seconds=1.0)

    for scope in (owner, other):
        for attempt in (
            library.audit.page(scope),
            library.audit.reports(scope),
            library.audit.settle(scope, AuditedVoice(voice.id)),
            library.audit.freeze(scope, voice.id, True),
        ):
            with pytest.raises(MemberError, match="Only moderators"):
                await attempt
    assert (await library.audit.page(elsewhere)).total == 0
    with pytest.raises(MemberError, match="no voice with that name here"):
        await library.audit.freeze(elsewhere, voice.id, True)
    with pytest.raises(MemberError, match="no voice with that name here"):
        await library.audit.report(elsewhere, AuditedVoice(voice.id))


async def test_a_frozen_voice_is_silent_at_once_and_speaks_again_when_it_is_thawed(library: Library):
    voice = await agreed_voice(library)
    told: list[Withdrawal] = []

    async def listen(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    library.withdrawals.subscribe(listen)
    frozen = await library.audit.freeze(moderator, voice.id, True)

    assert frozen.is_frozen
    assert "frozen" in (await library.consents.permission_error(voice, GUILD) or "")
    assert await completed(library.voices, owner, "") == []
    assert [(one.is_final, one.voices[0].is_frozen) for one in told] == [(False, True)]

    await library.audit.freeze(moderator, voice.id, False)

    assert await library.consents.permission_error(voice, GUILD) is None
    assert [one.name for one in await completed(library.voices, owner, "")] == ["Ada"]


async def test_a_member_reports_a_voice_once_however_often_they_press(library: Library):
    voice = await agreed_voice(library)

    presses = await asyncio.gather(
        *(
            library.audit.report(other, AuditedVoice(voice.id), take_id="t", member_id=OWNER)
            for _ in range(5)
        ),
        return_exceptions=True,
    )
    await library.audit.report(owner, AuditedVoice(voice.id))

    assert sum(isinstance(press, MemberError) for press in presses) == 4
    reports = await library.audit.reports(moderator, voice=AuditedVoice(voice.id))
    assert [report.reporter_id for report in reports] == [OWNER, OTHER]
    assert (reports[1].take_id, reports[1].member_id) == ("t", OWNER)
    assert await library.audit.settle(moderator, AuditedVoice(voice.id)) == 2
    assert await library.audit.reports(moderator) == []


async def test_the_record_ends_after_half_a_year(library: Library, clock: Clock):
    voice = await agreed_voice(library)
    await library.audit.record(GUILD, voice.id, OWNER, seconds=1.0)
    await library.audit.report(other, AuditedVoice(voice.id))

    clock.forward(days=AUDIT_DAYS)
    await library.audit.sweep()

    assert (await library.audit.page(moderator)).total == 0
    assert await library.audit.reports(moderator) == []
