"""The maker of starter voices, without Discord: what is made once, and what is left of a failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.audio.maker import Maker
from bot.delivery.voice_creation import StarterMaker
from bot.errors import MemberError
from bot.library.library import Library
from bot.library.starters import STARTERS
from bot.library.voice import Scope, Voice
from bot.models import Asker
from rehearsal.faulty_tts_gateway.faults import BadWav, Hold, Respond
from tests.scenes import DEADLINE, Studio, open_studio

WIZARD = STARTERS[3]


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Library]:
    async with Library(None, tmp_path / "data") as library:
        yield library


@pytest.fixture
async def studio(library: Library, tmp_path: Path) -> AsyncIterator[Studio]:
    async with open_studio(tmp_path / "cache", library.cached_speeches) as studio:
        yield studio


def maker_of(library: Library, studio: Studio, source: str = "here") -> StarterMaker:
    return StarterMaker(library, studio.synthesizer, Maker(), source=source)


async def wizard_of(library: Library) -> Voice:
    return await library.voices.find(Scope(1, 2), "Wizard")


async def test_a_hundred_first_uses_at_once_are_one_making(library: Library, studio: Studio) -> None:
    starters, voice = maker_of(library, studio), await wizard_of(library)

    async def used(member_id: int) -> str:
        found = await starters.find(voice)
        if found is not None:
            return found.recording
        return (await starters.make(voice, Asker(member_id, 1)).recording()).recording

    recordings = await asyncio.gather(*(used(member_id) for member_id in range(100)))

    assert len(set(recordings)) == 1
    assert len(studio.calls) == 1


async def test_it_is_made_to_its_end_when_who_asked_for_it_does_not_wait(
    library: Library, studio: Studio
) -> None:
    starters, voice, hold = maker_of(library, studio), await wizard_of(library), Hold()
    studio.faults.on_post(hold)
    making = starters.make(voice, Asker(2, 1))
    waiting = asyncio.create_task(making.recording())
    await studio.called(1)
    waiting.cancel()
    await asyncio.wait([waiting])
    hold.released.set()

    async with asyncio.timeout(DEADLINE):
        made = await making.recording()

    found = await maker_of(library, studio).find(voice)
    assert found is not None
    assert found.recording == made.recording
    assert len(studio.calls) == 1


@pytest.mark.parametrize(
    "fault", [Respond(500), Respond(402), Respond(401), BadWav("silent")], ids=["500", "402", "401", "silent"]
)
async def test_everybody_who_waits_reads_why_it_failed_and_nothing_is_left(
    library: Library, studio: Studio, tmp_path: Path, fault: object
) -> None:
    starters, voice = maker_of(library, studio), await wizard_of(library)
    studio.faults.every_post = fault  # type: ignore[assignment]

    makings = [starters.make(voice, Asker(member_id, 1)) for member_id in (2, 3)]
    failed = await asyncio.gather(*(making.recording() for making in makings), return_exceptions=True)

    assert [type(error) for error in failed] == [MemberError, MemberError]
    assert {str(error).partition(". ")[0] for error in failed} == {"I couldn't make the voice Wizard"}
    assert await starters.find(voice) is None
    assert list((tmp_path / "data" / "recordings").glob("*")) == []


async def test_each_source_has_its_own_and_finds_it_again(library: Library, studio: Studio) -> None:
    voice = await wizard_of(library)
    for source in ("here", "there"):
        await maker_of(library, studio, source).make(voice, Asker(2, 1)).recording()

    for source in ("here", "there"):
        assert await maker_of(library, studio, source).find(voice) is not None
    assert await maker_of(library, studio, "elsewhere").find(voice) is None


async def test_closing_ends_what_is_being_made(library: Library, studio: Studio) -> None:
    starters, voice = maker_of(library, studio), await wizard_of(library)
    studio.faults.on_post(Hold())
    making = starters.make(voice, Asker(2, 1))
    waiting = asyncio.create_task(making.recording())
    await studio.called(1)

    async with asyncio.timeout(DEADLINE):
        await starters.aclose()
        await asyncio.wait([waiting])

    assert waiting.cancelled()
    assert await starters.find(voice) is None
