"""A voice that is withdrawn: what is being made with it ends, and what was kept of it is gone."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import MemberError
from bot.models import Line
from rehearsal.faulty_tts_gateway.faults import Hold
from tests.fakes.voice_access import Shelf, voice
from tests.scenes import DEADLINE, SENTENCES, Hearing, Studio

ALICE, BOB = voice("Alice"), voice("Bob")
TEXT = "Say it as long as you may."


async def withdraw(studio: Studio, shelf: Shelf, voice_id: str = ALICE.id) -> None:
    shelf.silenced.add(voice_id)
    async with asyncio.timeout(DEADLINE):
        await studio.synthesizer.withdraw(voice_id)


def kept(studio: Studio) -> list[str]:
    return sorted(path.name for path in studio.folder.iterdir())


async def test_what_is_being_made_with_it_ends_for_everybody(studio: Studio, shelf: Shelf):
    studio.call_one_by_one()
    studio.faults.on_post(None, Hold())
    hearing = Hearing()
    making = [studio.making(hearing=hearing, voice=ALICE, access=shelf.access) for _ in range(2)]
    await hearing.heard(frames=20)
    await studio.called(times=2)

    await withdraw(studio, shelf)
    outcomes = await asyncio.gather(*making, return_exceptions=True)

    assert [type(outcome) for outcome in outcomes] == [MemberError, MemberError]
    assert str(outcomes[0]) == "The voice Alice was withdrawn, so I can't use it."
    assert len(studio.calls) == 2
    assert kept(studio) == []


async def test_a_dialogue_with_it_ends_too_and_what_is_made_with_others_goes_on(studio: Studio, shelf: Shelf):
    studio.faults.every_post = hold = Hold()
    lines = (Line(BOB, "May I?"), Line(ALICE, "You may."))
    dialogue = studio.making("a dialogue", lines=lines, access=shelf.access)
    await studio.called(times=2)
    other = studio.making(TEXT, voice=BOB, access=shelf.access)
    await studio.called(times=3)

    await withdraw(studio, shelf)
    hold.released.set()

    with pytest.raises(MemberError, match="Alice was withdrawn"):
        await dialogue
    assert (await other).seconds > 1


async def test_what_was_kept_of_it_is_gone_from_the_disk(studio: Studio, shelf: Shelf):
    await studio.make(TEXT, voice=BOB, access=shelf.access)
    await studio.synthesizer.aclose()
    of_others = kept(studio)
    lines = (Line(BOB, "May I?"), Line(ALICE, "You may."))
    await studio.make("a dialogue", lines=lines, access=shelf.access)
    await studio.make(TEXT, voice=ALICE, access=shelf.access)
    await studio.synthesizer.aclose()
    assert len(kept(studio)) == 3

    await withdraw(studio, shelf)

    assert kept(studio) == of_others


async def test_what_is_finished_at_that_very_moment_is_not_kept(studio: Studio, shelf: Shelf):
    await studio.make(TEXT, voice=ALICE, access=shelf.access)

    await withdraw(studio, shelf)
    await studio.synthesizer.aclose()

    assert kept(studio) == []


async def test_a_later_request_is_refused_by_the_gate_and_a_voice_that_comes_back_is_made_anew(
    studio: Studio, shelf: Shelf
):
    await studio.make(TEXT, voice=ALICE, access=shelf.access)
    await withdraw(studio, shelf)

    with pytest.raises(MemberError):
        await studio.make(TEXT, voice=ALICE, access=shelf.access)
    shelf.silenced.clear()
    await studio.make(TEXT, voice=ALICE, access=shelf.access)

    assert len(studio.calls) == 2


async def test_nobody_is_disturbed_by_the_end_of_a_voice_that_says_nothing(studio: Studio, shelf: Shelf):
    studio.faults.on_post(hold := Hold())
    making = studio.making(SENTENCES[:60], voice=BOB, access=shelf.access)
    await studio.called(times=1)

    await withdraw(studio, shelf, "id-nobody")
    hold.released.set()

    assert (await making).seconds > 1
