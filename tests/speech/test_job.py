"""A job: nothing before it is asked for, every frame from the beginning, and an end for whoever lets go."""

from __future__ import annotations

import asyncio

import pytest

from bot.errors import MemberError
from bot.models import Asker, SpeechRequest, Stage
from bot.speech.synthesizer import SpeechJob
from rehearsal.faulty_tts_gateway.faults import Hold
from tests.fakes.voice_access import WITHDRAWN, Shelf, voice
from tests.scenes import DEADLINE, GUILD, SENTENCES, Hearing, Studio
from tests.speech.sounds import pcm_of

ALICE = voice("Alice")
TEXT = "Say it once, and everybody hears it."


def job_of(studio: Studio, text: str = TEXT) -> SpeechJob:
    return studio.synthesizer.submit(SpeechRequest(text), Asker(1, GUILD), seconds_before=0.0)


async def frames_of(job: SpeechJob) -> list[bytes]:
    async with asyncio.timeout(DEADLINE):
        return [frame async for frames in job for frame in frames]


async def test_its_frames_are_its_speech_however_it_is_asked(studio: Studio):
    with job_of(studio) as job:
        frames = await frames_of(job)
        speech = await job.result()
    with job_of(studio) as again:
        only = await again.result()
        all_the_same = await frames_of(again)

    assert len(frames) * 1_920 == len(pcm_of(speech))
    assert (only, all_the_same) == (speech, frames)
    assert len(studio.calls) == 1


async def test_nothing_is_made_of_what_nobody_iterates(studio: Studio):
    with job_of(studio) as job:
        await asyncio.sleep(0)
        assert job.progress.stage is Stage.MAKING

    await studio.synthesizer.aclose()
    assert studio.calls == []


@pytest.mark.parametrize("way", ["cancel", "cancelled", "left"])
async def test_whoever_lets_go_ends_the_call(studio: Studio, way: str):
    studio.faults.on_post(hold := Hold())
    job = job_of(studio)
    listening = asyncio.create_task(frames_of(job))
    await studio.called(times=1)

    if way == "cancel":
        job.cancel()
    elif way == "cancelled":
        listening.cancel()
    else:
        with job:
            pass
    with pytest.raises(asyncio.CancelledError):
        await listening
    async with asyncio.timeout(DEADLINE):
        await studio.synthesizer.aclose()

    assert not hold.released.is_set()
    assert not studio.faults.downloads


async def test_a_loop_that_is_left_early_ends_the_calls_ahead(studio: Studio):
    studio.faults.on_post(None)
    studio.faults.every_post = hold = Hold()

    with job_of(studio, SENTENCES) as job:
        async for _frames in job:
            break
        await studio.called(times=2)
    async with asyncio.timeout(DEADLINE):
        await studio.synthesizer.aclose()

    assert not hold.released.is_set()


async def test_what_was_let_go_of_counts_no_more_and_gives_nothing(studio: Studio):
    jobs = [job_of(studio, f"Number {number}") for number in range(3)]
    with pytest.raises(MemberError, match="3 takes"):
        job_of(studio)

    jobs[0].cancel()
    jobs[0].cancel()

    with job_of(studio) as another:
        assert (await another.result()).seconds > 1
    with pytest.raises(asyncio.CancelledError):
        await jobs[0].result()


async def test_each_asker_is_asked_for_consent_where_they_are(studio: Studio, shelf: Shelf):
    studio.faults.on_post(hold := Hold())
    async with Shelf() as elsewhere:
        elsewhere.silenced.add(ALICE.id)
        request = SpeechRequest(TEXT, voice=ALICE)
        with (
            studio.synthesizer.submit(request, Asker(1, GUILD), access=shelf.access) as here,
            studio.synthesizer.submit(request, Asker(2, 8), access=elsewhere.access) as there,
        ):
            making = asyncio.create_task(here.result())
            await studio.called(times=1)
            with pytest.raises(MemberError, match=WITHDRAWN):
                await there.result()
            hold.released.set()
            async with asyncio.timeout(DEADLINE):
                assert (await making).seconds > 1


async def test_progress_tells_of_the_wait_for_a_slot_and_of_the_parts(studio: Studio):
    studio.faults.on_post(hold := Hold())
    studio.call_one_by_one()
    first, second = Hearing(), Hearing()

    making = [studio.making(hearing=first)]
    await studio.called(times=1)
    making.append(studio.making("Another one.", hearing=second))
    await second.told(Stage.WAITING)
    assert {progress.stage for progress in first.progress} == {Stage.MAKING}
    hold.released.set()
    await asyncio.gather(*making)

    assert first.progress[-1].parts is not None
    assert first.progress[-1].parts.made == first.progress[-1].parts.of
    assert second.progress[-1].stage is Stage.MAKING  # it waits no more
