from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bot.errors import MemberError, TTSServerError
from bot.models import Asker, SpeechRequest
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from tests.scenes import DEADLINE, GUILD, TWO_PARTS, Hearing, Studio

TEXT = "Say it once, and everybody hears it."


async def test_equal_requests_at_the_same_time_are_one_call(studio: Studio):
    hold = Hold()
    studio.faults.on_post(hold)
    first, second = Hearing(), Hearing()

    making = [studio.making(TEXT, hearing=first), studio.making(TEXT, hearing=second)]
    await studio.called(times=1)
    hold.released.set()
    speeches = await asyncio.gather(*making)

    assert len(studio.calls) == 1
    assert speeches[0] == speeches[1]
    assert first.frames == second.frames
    assert len(first.frames) > 50


async def test_who_comes_later_hears_it_from_the_beginning(studio: Studio):
    studio.faults.on_post(None, hold := Hold())
    first, second = Hearing(), Hearing()

    making = studio.making(TWO_PARTS, hearing=first)
    await first.heard(frames=20)
    joined = studio.making(TWO_PARTS, hearing=second)
    await second.heard(frames=20)
    hold.released.set()
    await asyncio.gather(making, joined)

    assert first.frames == second.frames
    assert len(studio.calls) == 2


async def test_one_who_gives_up_does_not_stop_the_other(studio: Studio):
    hold = Hold()
    studio.faults.on_post(hold)
    impatient, patient = studio.making(TEXT), studio.making(TEXT)
    await studio.called(times=1)

    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    hold.released.set()

    assert (await patient).seconds > 1
    assert len(studio.calls) == 1


async def test_when_all_give_up_the_call_ends_and_the_next_is_a_new_one(studio: Studio):
    hold = Hold()
    studio.faults.on_post(hold)
    making = [studio.making(TEXT), studio.making(TEXT)]
    await studio.called(times=1)

    for one in making:
        one.cancel()
    await asyncio.gather(*making, return_exceptions=True)
    speech = await studio.make(TEXT)

    assert speech.seconds > 1
    assert len(studio.calls) == 2


async def test_an_error_reaches_everybody_once_and_is_not_remembered(studio: Studio):
    studio.faults.on_post(Hold(of=Respond(500, "no"), released=(released := asyncio.Event())))
    making = [studio.making(TEXT), studio.making(TEXT)]
    await studio.called(times=1)

    released.set()
    outcomes = await asyncio.gather(*making, return_exceptions=True)
    speech = await studio.make(TEXT)

    assert [type(outcome) for outcome in outcomes] == [TTSServerError, TTSServerError]
    assert speech.seconds > 1


async def test_a_fresh_generation_is_a_call_of_its_own(studio: Studio):
    hold = Hold()
    studio.faults.on_post(hold)

    making = studio.making(TEXT)
    await studio.called(times=1)
    fresh = await studio.make(TEXT, fresh=True)
    hold.released.set()

    assert fresh.seconds == pytest.approx((await making).seconds, abs=0.1)
    assert len(studio.calls) == 2


@pytest.mark.parametrize(
    "change", [{"style": "old"}, {"guidance": 2.5}, {"steps": 20}, {"text": "Other words."}]
)
async def test_another_voice_or_other_parameters_are_another_call(studio: Studio, change: dict[str, Any]):
    await studio.make(TEXT)

    await studio.make(**{"text": TEXT} | change)

    assert len(studio.calls) == 2


async def test_a_member_has_only_so_much_in_hand(studio: Studio):
    studio.faults.every_post = hold = Hold()

    async def ask(number: int) -> None:
        with studio.synthesizer.submit(SpeechRequest(f"Number {number}"), Asker(1, GUILD)) as job:
            await job.result()

    asked = [asyncio.create_task(ask(number)) for number in range(3)]
    await studio.called(times=2)
    with pytest.raises(MemberError, match="3 takes"):
        await ask(3)
    hold.released.set()

    async with asyncio.timeout(DEADLINE):
        await asyncio.gather(*asked)


async def test_what_can_wait_waits_while_a_listener_has_heard_nothing(studio: Studio):
    studio.faults.on_post(hold := Hold())
    making = studio.making(TEXT)
    await studio.called(times=1)

    behind = asyncio.create_task(studio.synthesizer.lull())
    for _ in range(100):
        await asyncio.sleep(0)
    waited = not behind.done()
    hold.released.set()
    await making
    await behind

    assert waited
    await asyncio.wait_for(studio.synthesizer.lull(), DEADLINE)


@pytest.mark.parametrize("how", ["it becomes a file", "it fails", "it is given up"])
async def test_nothing_waits_for_whoever_hears_nothing(studio: Studio, how: str):
    studio.faults.on_post(hold := Hold(Respond(500)) if how == "it fails" else Hold())
    making = studio.making(TEXT, aloud=how != "it becomes a file")
    await studio.called(times=1)
    if how == "it fails":
        hold.released.set()
    elif how == "it is given up":
        making.cancel()
    if how != "it becomes a file":
        await asyncio.wait([making])
        await studio.synthesizer.aclose()

    lull = asyncio.create_task(studio.synthesizer.lull())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    done_at_once = lull.done()
    making.cancel()

    assert done_at_once
