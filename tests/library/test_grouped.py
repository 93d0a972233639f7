"""Grouped transactions: few for many who come at once, and nobody pays for another's fault."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from bot.errors import LibraryError, MemberError, UsageLimitError
from bot.library.database import Database, insert_if_missing
from bot.library.generations import Generation
from bot.library.library import Library
from bot.library.tables import OutageRow
from bot.library.usage import OperatorLimits, Reservations
from bot.library.voice import Sharing, new_id, utc_now
from bot.models import Asker
from tests.library.shelves import ADA, AVIARY, BEN, a_voice, ada, ben, moderator
from tests.library.statements import statements

_MANY = 20


async def _written(session: AsyncSession, numbers: Sequence[int]) -> list[int | Exception]:
    for number in numbers:
        if number == 7:
            raise ValueError("seven")
        made = {"what": f"number {number}", "began_at": utc_now()}
        assert await insert_if_missing(session, OutageRow, made)
    return [MemberError("thirteen") if number == 13 else number for number in numbers]


async def _numbers_in(database: Database) -> set[str]:
    async with database.reading() as session:
        return set(await session.scalars(select(OutageRow.what)))


async def test_those_who_come_at_once_share_transactions_and_each_gets_their_own(library: Library) -> None:
    voices = [
        await a_voice(library.voices, library.recordings, f"V {number}", ada, sharing=Sharing.SERVER)
        for number in range(_MANY)
    ]
    await library.audit.freeze(moderator, voices[3].id, True)
    await library.voices.choose(ben, voices[1].id)
    await library.voices.set_default(moderator, voices[2].id)

    with statements() as counted:
        refusals = await asyncio.gather(
            *(library.consents.permission_error(voice, AVIARY) for voice in voices)
        )
        (of_ben, of_ada), rules = await asyncio.gather(
            asyncio.gather(*(library.voices.chosen_voices(scope) for scope in (ben, ada))),
            asyncio.gather(*(library.settings.usage_rules(guild_id) for guild_id in range(_MANY))),
        )

    assert [bool(refusal) for refusal in refusals] == [number == 3 for number in range(_MANY)]
    assert of_ben.mine is not None and of_ben.mine.voice.id == voices[1].id
    assert of_ada.mine is None
    assert [chosen.default and chosen.default.voice.id for chosen in (of_ben, of_ada)] == [voices[2].id] * 2
    assert len(rules) == _MANY
    assert len(counted.sent) <= _MANY / 2
    assert counted.transactions <= _MANY / 3


async def test_what_a_withdrawal_has_taken_is_not_read_by_who_comes_after_it(library: Library) -> None:
    voice = await a_voice(library.voices, library.recordings, "Ada", ada, sharing=Sharing.SERVER)
    before = [asyncio.create_task(library.consents.permission_error(voice, AVIARY)) for _ in range(_MANY)]
    await library.voices.delete(ada, voice.id)

    assert await library.consents.permission_error(voice, AVIARY) is not None
    await asyncio.gather(*before)


async def test_one_who_fails_fails_alone(library: Library) -> None:
    database = library.database
    asked = [database.write_together(_written, number) for number in range(20)]
    found = await asyncio.gather(*asked, return_exceptions=True)

    assert [type(one) for one in found if isinstance(one, Exception)] == [ValueError, MemberError]
    assert [one for one in found if isinstance(one, int)] == [n for n in range(20) if n not in (7, 13)]
    assert await _numbers_in(database) == {f"number {number}" for number in range(20) if number != 7}


async def test_who_gave_up_waiting_is_left_out(library: Library) -> None:
    database = library.database
    asked = [asyncio.create_task(database.write_together(_written, number)) for number in range(40, 60)]
    await asyncio.sleep(0)
    for task in asked[5:]:
        task.cancel()
    await asyncio.gather(*asked, return_exceptions=True)
    await database.write_together(_written, 99)

    assert await _numbers_in(database) == {*(f"number {number}" for number in range(40, 45)), "number 99"}


async def test_what_waits_when_the_database_closes_is_written_and_what_comes_later_refused(
    tmp_path: Path,
) -> None:
    database = await Database.open(None, tmp_path)
    asked = [asyncio.create_task(database.write_together(_written, number)) for number in range(20, 60)]
    await asyncio.sleep(0)
    await database.aclose()

    assert await asyncio.gather(*asked) == list(range(20, 60))
    with pytest.raises(LibraryError):
        await database.write_together(_written, 60)
    async with await Database.open(None, tmp_path) as database:
        assert await _numbers_in(database) == {f"number {number}" for number in range(20, 60)}


async def test_many_reservations_are_few_statements_and_only_who_is_over_the_limit_is_refused(
    url: str | None, tmp_path: Path
) -> None:
    limits = OperatorLimits(member_seconds=10)
    async with Library(url, tmp_path, speech_limits=limits) as library:
        with statements() as counted:
            await asyncio.gather(*(library.usage.reserve(Asker(n, n), 6.0) for n in range(1, 9)))
        assert (len(counted.sent), counted.transactions) == (1, 1)

        asked = [library.usage.reserve(Asker(n, n), 6.0) for n in (20, 21, 21, 22, 22, 22)]
        found = await asyncio.gather(*asked, return_exceptions=True)
        assert [isinstance(one, UsageLimitError) for one in found] == [False, False, True, False, True, True]


async def test_who_leaves_while_it_is_reserved_reserves_nothing(url: str | None, tmp_path: Path) -> None:
    async with Library(url, tmp_path, speech_limits=OperatorLimits(member_seconds=10)) as library:
        asker = Asker(ADA, AVIARY)
        for steps in range(8):
            reserving = asyncio.create_task(library.usage.reserve(asker, 9.0))
            for _ in range(steps):
                await asyncio.sleep(0)
            reserving.cancel()
            await asyncio.gather(reserving, return_exceptions=True)
            if not reserving.cancelled():
                reserving.result().settle(0.0)
        await Reservations(library.usage, asker).reserve(1.0, None)

        assert (await library.usage.of_member(asker)).here < 9.0


async def test_many_are_written_down_in_few_statements_and_not_who_is_refused(library: Library) -> None:
    voices = [
        await a_voice(library.voices, library.recordings, f"V {number}", ada, sharing=Sharing.SERVER)
        for number in range(4)
    ]
    await library.audit.freeze(moderator, voices[3].id, True)
    made = [
        Generation(
            *(new_id(), AVIARY, BEN, (f"Line {number}",), None, None, None),
            *((voices[number % 4].id,), None, None, utc_now() + timedelta(seconds=number)),
        )
        for number in range(8)
    ]

    with statements() as counted:
        found = await asyncio.gather(
            *(
                library.generations.settle(
                    AVIARY, [voices[n % 4]], counted=[voices[n % 4].id], generation=made[n]
                )
                for n in range(8)
            ),
            return_exceptions=True,
        )

    assert [isinstance(one, MemberError) for one in found] == [n % 4 == 3 for n in range(8)]
    kept = [await library.generations.get(one.id) for one in made]
    assert [one is not None for one in kept] == [n % 4 != 3 for n in range(8)]
    uses = [(await library.voices.unscoped(voice.id)) for voice in voices]
    assert [voice.uses for voice in uses if voice is not None] == [2, 2, 2, 0]
    assert (len(counted.sent), counted.transactions) == (3, 1)
