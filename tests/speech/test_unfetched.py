"""A generation that was made and could not be fetched is fetched later, and not paid for again."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.errors import MemberError, TTSFetchError
from bot.models import Asker, Line, Speech, SpeechRequest
from bot.speech.cache import UnfetchedGenerations
from rehearsal.faulty_tts_gateway.faults import Cut, Respond
from tests.fakes.voice_access import Shelf, voice
from tests.scenes import DEADLINE, GUILD, TWO_PARTS, Studio

ALICE = voice("Alice")
TEXT = "Say it as soon as you may."
DAY = 86_400.0


async def make(studio: Studio, text: str = TEXT, *, member: int = 1, **options: Any) -> Speech:
    access = options.pop("access", None)
    async with asyncio.timeout(DEADLINE):
        with studio.synthesizer.submit(
            SpeechRequest(text, **options), Asker(member, GUILD), access=access
        ) as job:
            return await job.result()


async def fail(studio: Studio, text: str = TEXT, **options: Any) -> None:
    studio.faults.every_download = Respond(404)
    with pytest.raises(TTSFetchError):
        await make(studio, text, **options)
    studio.faults.clear()


@pytest.mark.parametrize("fault", [Respond(404), Respond(403), Respond(503), Cut(0.5)])
async def test_the_same_request_fetches_what_was_made_and_the_one_after_it_is_kept(
    studio: Studio, fault: Respond | Cut
):
    studio.faults.every_download = fault
    with pytest.raises(TTSFetchError):
        await make(studio)
    studio.faults.clear()

    first = await make(studio)
    second = await make(studio)

    assert len(studio.calls) == 1
    assert first.seconds == second.seconds > 0


@pytest.mark.parametrize(
    "options", [{"member": 2}, {"style": "old"}, {"guidance": 3.0}, {"text": "Other words."}]
)
async def test_another_member_or_another_request_is_made_anew(studio: Studio, options: dict[str, Any]):
    await fail(studio)

    await make(studio, **{"text": TEXT, **options})

    assert len(studio.calls) == 2


async def test_what_is_asked_for_anew_is_what_nobody_has_heard_yet(studio: Studio):
    await fail(studio, fresh=True)

    await make(studio, fresh=True)
    await make(studio, fresh=True)

    assert len(studio.calls) == 2


async def test_the_first_part_of_a_text_and_of_a_dialogue_is_fetched_again(studio: Studio, shelf: Shelf):
    studio.call_one_by_one()
    dialogue: dict[str, Any] = {
        "lines": (Line(ALICE, "May I?"), Line(voice("Bob"), "You may.")),
        "access": shelf.access,
    }
    for options in ({}, dialogue):
        already = len(studio.calls)
        await fail(studio, TWO_PARTS, **options)
        first = studio.texts[already]

        await make(studio, TWO_PARTS, **options)

        assert studio.texts.count(first) == 1


async def test_an_address_that_stays_dead_is_given_up_and_made_anew(studio: Studio):
    for _ in range(6):
        await fail(studio)
    assert len(studio.calls) == 1

    await make(studio)

    assert len(studio.calls) == 2


async def test_a_voice_that_may_not_speak_any_more_is_not_fetched(studio: Studio, shelf: Shelf):
    await fail(studio, voice=ALICE, access=shelf.access)
    downloads = len(studio.faults.downloads)

    shelf.silenced.add(ALICE.id)
    with pytest.raises(MemberError):
        await make(studio, voice=ALICE, access=shelf.access)

    assert len(studio.faults.downloads) == downloads


async def test_a_withdrawn_voice_or_a_forgotten_member_leaves_no_address(studio: Studio, shelf: Shelf):
    await fail(studio, voice=ALICE, access=shelf.access)
    await fail(studio, member=3)
    calls = len(studio.calls)

    await studio.synthesizer.withdraw(ALICE.id)
    studio.synthesizer.forget_member(3)
    await make(studio, voice=ALICE, access=shelf.access)
    await make(studio, member=3)

    assert len(studio.calls) == calls + 2


def test_an_address_is_kept_for_a_day_and_only_so_many():
    now = 0.0
    unfetched = UnfetchedGenerations(clock=lambda: now)
    requests = [SpeechRequest(f"Text {number}") for number in range(600)]
    for request in requests:
        unfetched.keep(request, 1, "https://example.com/take.wav")

    assert [unfetched.find(request, 1) is not None for request in (requests[0], requests[-1])] == [
        False,
        True,
    ]
    now = DAY
    assert unfetched.find(requests[-1], 1) is None
