from __future__ import annotations

import asyncio
import logging
import re

import pytest

from bot import metrics
from bot.errors import TTSError
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from tests.scenes import TWO_PARTS, Studio

LINE = re.compile(
    r"server 7: (?P<speech>[\d.]+) s of speech, voice: (?P<voice>\w+), (?P<how>\w+) in (?P<whole>[\d.]+) s: "
    r"calls (?P<calls>[\d.]+) s, first sound (?P<first>none|[\d.]+ s), today (?P<today>\d+) s"
)


def counted(name: str, **labels: str) -> float:
    return metrics.EVENTS.get_sample_value(name, labels) or 0.0


def generation_lines(caplog: pytest.LogCaptureFixture) -> list[re.Match[str]]:
    return [found for text in caplog.messages if (found := LINE.fullmatch(text))]


async def test_a_generation_is_one_line_and_the_same_again_says_that_it_was_kept(
    studio: Studio, caplog: pytest.LogCaptureFixture
):
    caplog.set_level(logging.INFO)
    made, kept = (counted("myna_first_sound_seconds_count", kept=word) for word in ("no", "yes"))

    first = await studio.make(TWO_PARTS)
    await studio.cache.settled()
    await studio.make(TWO_PARTS)

    anew, again = generation_lines(caplog)
    assert float(anew["speech"]) == pytest.approx(first.seconds, abs=0.1)
    assert (anew["how"], again["how"]) == ("made", "kept")
    assert (anew["voice"], again["voice"]) == ("none", "none")
    assert float(anew["calls"]) > 0.0 == float(again["calls"])
    assert float(anew["first"].removesuffix(" s")) <= float(anew["whole"]) + 0.05
    assert counted("myna_first_sound_seconds_count", kept="no") == made + 1
    assert counted("myna_first_sound_seconds_count", kept="yes") == kept + 1
    assert not [
        text for text in caplog.messages for word in TWO_PARTS.split() if len(word) > 6 and word in text
    ]


async def test_who_shares_a_making_is_told_from_who_began_it(studio: Studio, caplog):
    caplog.set_level(logging.INFO)
    hold = Hold()
    studio.faults.on_post(hold)
    both = [studio.making("Both of us want this."), studio.making("Both of us want this.")]
    await studio.called(1)
    hold.released.set()
    await asyncio.gather(*both)

    assert sorted(one["how"] for one in generation_lines(caplog)) == ["made", "shared"]
    assert sorted(float(one["calls"]) > 0 for one in generation_lines(caplog)) == [False, True]


async def test_what_brings_no_speech_is_counted_by_what_went_wrong_and_has_no_line(studio: Studio, caplog):
    caplog.set_level(logging.INFO)
    before = [
        counted("myna_generations_total", outcome="credit", voice="none"),
        counted("myna_tts_calls_total", outcome="credit"),
        counted("myna_generations_total", outcome="dropped", voice="none"),
    ]
    studio.faults.on_post(Respond(402, b"{}"))
    with pytest.raises(TTSError):
        await studio.make("This costs too much.")
    hold = Hold()
    studio.call_one_by_one()
    studio.faults.on_post(hold)
    waiting = studio.making("Nobody waits for this.")
    await studio.called(2)
    waiting.cancel()
    await asyncio.wait([waiting])
    hold.released.set()

    assert generation_lines(caplog) == []
    assert [
        counted("myna_generations_total", outcome="credit", voice="none"),
        counted("myna_tts_calls_total", outcome="credit"),
        counted("myna_generations_total", outcome="dropped", voice="none"),
    ] == [figure + 1 for figure in before]
