"""Questions to members about their voice: how many, to whom, and again when; on both databases."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.errors import MemberError
from bot.library.library import Library
from bot.library.voice import Scope
from tests.library.consents import (
    ELSEWHERE,
    GUILD,
    OTHER,
    OWNER,
    SPEAKER,
    Clock,
    cloning_on,
    other,
    owner,
)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def library(url: str | None, tmp_path: Path, clock: Clock) -> AsyncIterator[Library]:
    async with Library(url, tmp_path, now=clock) as library:
        yield library


async def ask(library: Library, asker_id: int, speaker_id: int, guild_id: int = GUILD) -> str:
    """Ask, and return the id of the question, or why it was not asked."""
    try:
        scope = Scope(guild_id, asker_id)
        return (await library.consents.ask(scope, speaker_id, recording="a" * 64, name="Ada")).id
    except MemberError as error:
        return str(error)


def refused(answers: list[str]) -> int:
    return sum(" " in answer for answer in answers)


async def test_however_many_are_asked_at_once_no_more_are_than_may_be(library: Library):
    await cloning_on(library, GUILD, ELSEWHERE)

    of_one = await asyncio.gather(
        *(ask(library, OWNER, 100 + one, guild) for one in range(10) for guild in (GUILD, ELSEWHERE))
    )
    to_one = await asyncio.gather(*(ask(library, 200 + one, SPEAKER) for one in range(10)))

    assert len(of_one) - refused(of_one) == 2
    assert len(to_one) - refused(to_one) == 3


async def test_in_a_day_one_member_reaches_five_others_at_most(library: Library, clock: Clock):
    await cloning_on(library)
    reached = 0
    for number in range(40):
        request_id = await ask(library, OWNER, 100 + number)
        if " " not in request_id:
            reached += 1
            await library.consents.answer(request_id, 100 + number, False)
        clock.forward(minutes=30)

    assert reached == 5


@pytest.mark.parametrize("ending", ["open", "no", "lapsed"])
async def test_who_deletes_their_data_asks_nobody_again_for_that(library: Library, clock: Clock, ending: str):
    await cloning_on(library)
    for speaker_id in (SPEAKER, OTHER):
        request_id = await ask(library, OWNER, speaker_id)
        if ending == "no":
            await library.consents.answer(request_id, speaker_id, False)
    if ending == "lapsed":
        clock.forward(days=1)
        await library.consents.sweep()
    await library.privacy.delete(OWNER)

    assert [" " in await ask(library, OWNER, one) for one in (SPEAKER, OTHER, 100)] == [True, True, False]
    assert (await library.privacy.export(OWNER))["consents"][0]["speaker_id"] == "100"
    clock.forward(days=8)
    assert " " not in await ask(library, OWNER, SPEAKER)


async def test_what_would_be_refused_is_known_before_it_is_asked(library: Library):
    await cloning_on(library)
    may_ask = library.consents.question_permission_error
    assert await may_ask(owner, SPEAKER) is None

    await ask(library, OWNER, SPEAKER)

    assert "already" in (await may_ask(owner, SPEAKER) or "")
    assert await may_ask(other, SPEAKER) is None


async def test_a_question_that_could_not_be_asked_does_not_count(library: Library):
    await cloning_on(library)
    for _ in range(9):
        await library.consents.withdraw_question(await ask(library, OWNER, SPEAKER))

    request_id = await ask(library, OWNER, SPEAKER)
    await library.consents.answer(request_id, SPEAKER, True)
    await library.consents.withdraw_question(request_id)
    assert await library.consents.request(request_id) is not None
