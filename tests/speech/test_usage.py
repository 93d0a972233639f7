"""What speech costs: counted as the TTS gateway was asked for it, and never begun over a limit."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable

import pytest

from bot.audio.maker import Maker
from bot.errors import TTSError, TTSNoAnswerError, UsageLimitError
from bot.library.database import Database
from bot.library.usage import NO_LIMITS, Charge, OperatorLimits, Reservations, Usage
from bot.limits import RESERVED_TIMES
from bot.models import Asker, Speech, SpeechRequest
from bot.speech.synthesizer import SpeechSynthesizer
from bot.text.speaking_time import speaking_seconds
from rehearsal.faulty_tts_gateway.faults import Hold, Reset, Respond
from tests.fakes.babble_engine import babble, howl
from tests.scenes import DEADLINE, SENTENCES, Studio

HOWL = Respond(200, howl(3.0), content_type="audio/wav")
GUILD = 4
ONE = "Good morning to everybody in the garden."
MEMBER = Asker(1, GUILD)
Metered = Callable[[OperatorLimits], Usage]


@pytest.fixture
async def metered(studio: Studio, database: Database) -> AsyncIterator[Metered]:
    """Lets the studio count its calls, within these limits."""

    def metered(limits: OperatorLimits = NO_LIMITS) -> Usage:
        usage = Usage(database, limits)
        studio.synthesizer = SpeechSynthesizer(studio.tts, studio.cache, Maker(), usage=usage)
        return usage

    yield metered
    await studio.synthesizer.aclose()


async def made(studio: Studio, text: str = ONE, *, aloud: bool = False, fresh: bool = False) -> Speech:
    request, before = SpeechRequest(text, fresh=fresh), 0.0 if aloud else None
    async with asyncio.timeout(DEADLINE):
        with studio.synthesizer.submit(request, MEMBER, seconds_before=before) as job:
            return await job.result()


async def counted(usage: Usage) -> tuple[float, int]:
    """Return the seconds and the calls that are counted, all written down."""
    async with usage:
        pass
    server = await usage.of_server(GUILD, MEMBER.allowance)
    return (await usage.of_member(MEMBER)).here, server.calls


@pytest.mark.parametrize("aloud", [False, True])
async def test_what_was_made_is_counted_and_a_kept_take_is_free(
    studio: Studio, metered: Metered, aloud: bool
):
    usage = metered(NO_LIMITS)
    speech = await made(studio, aloud=aloud)
    await studio.synthesizer.aclose()

    seconds, calls = await counted(usage)
    assert seconds == pytest.approx(len(babble(ONE)) / 96_000, abs=0.1)
    assert calls == 1
    assert await made(studio, aloud=aloud) == speech
    assert await counted(usage) == (seconds, calls)
    await made(studio, aloud=aloud, fresh=True)
    twice, calls = await counted(usage)
    assert twice == pytest.approx(2 * seconds, abs=0.1)
    assert calls == 2


async def test_one_making_for_several_who_ask_the_same_is_counted_once(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)

    await asyncio.gather(*(made(studio) for _ in range(3)))

    assert (await counted(usage))[1] == 1


async def test_a_generation_made_again_is_counted_too(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)
    studio.faults.on_download(HOWL)

    await made(studio)

    seconds, calls = await counted(usage)
    assert calls == 2 == len(studio.calls)
    assert seconds > len(babble(ONE)) / 96_000 + 2.0


async def test_a_refused_call_costs_no_seconds(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)
    for status in (400, 402, 500):
        studio.faults.on_post(Respond(status, "no"))
        with pytest.raises(TTSError):
            await made(studio)
        if status == 402:
            studio.call_one_by_one()
            studio.synthesizer = SpeechSynthesizer(studio.tts, studio.cache, Maker(), usage=usage)

    assert await counted(usage) == (0.0, 3)


async def test_a_busy_answer_that_is_tried_again_is_one_call(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)
    studio.faults.on_post(Respond(429, "later"), Respond(429, "later"))

    await made(studio)

    assert (len(studio.calls), (await counted(usage))[1]) == (3, 1)


async def test_a_call_that_was_sent_and_never_answered_counts_as_billed(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)
    studio.faults.on_post(Reset())

    with pytest.raises(TTSNoAnswerError):
        await made(studio)

    seconds, calls = await counted(usage)
    assert seconds == pytest.approx(RESERVED_TIMES * speaking_seconds(ONE), rel=0.2)
    assert calls == 1


async def test_sound_that_cannot_be_used_counts_as_billed(studio: Studio, metered: Metered):
    usage = metered(NO_LIMITS)
    studio.faults.on_download(*[Respond(200, b"RIFF nothing")] * 4)

    with pytest.raises(TTSError):
        await made(studio)

    seconds, calls = await counted(usage)
    assert calls == len(studio.calls)
    assert seconds >= speaking_seconds(ONE)


async def test_speech_that_nobody_waits_for_any_more_counts_once_it_was_called_for(
    studio: Studio, metered: Metered
):
    usage = metered(NO_LIMITS)
    hold = Hold()
    studio.faults.on_post(hold)
    making = asyncio.create_task(made(studio))
    await studio.called(1)

    making.cancel()
    await asyncio.wait({making})
    hold.released.set()
    await studio.synthesizer.aclose()

    seconds, calls = await counted(usage)
    assert (seconds > 1.0, calls) == (True, 1)


async def test_at_a_limit_nothing_is_asked_of_the_tts_gateway(studio: Studio, metered: Metered):
    usage = metered(OperatorLimits(calls_an_hour=1))
    await made(studio)
    async with usage:
        pass

    with pytest.raises(UsageLimitError, match="<t:"):
        await made(studio, "Something else is to be said now.")

    assert len(studio.calls) == 1


@pytest.mark.parametrize("aloud", [False, True])
async def test_a_later_part_over_a_limit_is_missing_and_the_speech_says_when_it_goes_on(
    studio: Studio, metered: Metered, aloud: bool
):
    usage = metered(OperatorLimits(calls_an_hour=1))

    speech = await made(studio, SENTENCES, aloud=aloud)

    assert speech.rest_is_missing
    assert speech.why.startswith("I've made as much new speech as I may this hour. I can make more <t:")
    assert len(studio.calls) == 1
    assert (await counted(usage))[1] == 1


async def test_behind_a_part_that_is_refused_no_shorter_one_is_paid_for(metered: Metered):
    usage = metered(OperatorLimits(server_seconds=20))
    utterance = Reservations(usage, MEMBER)

    async def part(seconds: float) -> Charge | None:
        async with utterance.turn:
            return await utterance.reserve(seconds / RESERVED_TIMES, None)

    parts = [part(seconds) for seconds in (12.0, 15.0, 1.0)]
    first, *others = await asyncio.gather(*parts, return_exceptions=True)

    assert isinstance(first, Charge)
    assert [type(one) for one in others] == [UsageLimitError, UsageLimitError]
    first.settle(12.0)
    assert await counted(usage) == (12.0, 1)
    assert await Reservations(usage, MEMBER).reserve(1.0, None) is not None


async def test_speech_whose_rest_is_missing_is_made_whole_the_next_time(studio: Studio, metered: Metered):
    metered(OperatorLimits(calls_an_hour=1))
    assert (await made(studio, SENTENCES)).rest_is_missing

    metered(NO_LIMITS)
    speech = await made(studio, SENTENCES)

    assert not speech.rest_is_missing
    assert speech.why == ""


async def test_a_bad_generation_that_no_call_is_left_for_is_used(studio: Studio, metered: Metered):
    metered(OperatorLimits(calls_an_hour=1))
    studio.faults.on_download(HOWL)

    speech = await made(studio)

    assert len(studio.calls) == 1
    assert speech.seconds > 1.0


async def test_two_members_who_want_the_last_seconds_of_a_server_at_once(studio: Studio, metered: Metered):
    seconds = speaking_seconds(ONE)
    usage = metered(OperatorLimits(server_seconds=round(1.5 * RESERVED_TIMES * seconds)))
    texts = [ONE, ONE.replace("garden", "orchard")]

    async def asked(number: int) -> Speech:
        with studio.synthesizer.submit(SpeechRequest(texts[number]), Asker(number, GUILD)) as job:
            return await job.result()

    found = await asyncio.gather(asked(0), asked(1), return_exceptions=True)

    (refused,) = [one for one in found if isinstance(one, BaseException)]
    assert isinstance(refused, UsageLimitError)
    assert len(studio.calls) == 1
    async with usage:
        pass
