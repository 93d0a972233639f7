from __future__ import annotations

import asyncio
import itertools
import random
from typing import Any

import aiohttp
import pytest

from benchmarks.counted_tts_gateway import HANGS, Call, CallCounter, answer_times, counted_tts_gateway
from benchmarks.many_servers import openings, text_after
from benchmarks.model_tts_gateway import ModelEngine
from benchmarks.sounds import speech_wav
from bot.audio.quality import find_defect
from bot.audio.stream import speech_from_wav
from bot.text.speaking_time import speaking_seconds

pytestmark = pytest.mark.slow

TEXT = "The library closes early on Fridays."


async def call(
    session: aiohttp.ClientSession, tts_gateway: CallCounter, text: str = TEXT
) -> tuple[int, dict[str, Any], str | None]:
    async with session.post(f"{tts_gateway.base_url}/text-to-speech", json={"text": text}) as response:
        return response.status, await response.json(), response.headers.get("Retry-After")


async def test_a_call_is_counted_with_its_text_and_its_times_once():
    async with counted_tts_gateway("takes all") as tts_gateway, aiohttp.ClientSession() as session:
        status, answer, _ = await call(session, tts_gateway)
        async with session.get(answer["output"]) as response:
            speech = await speech_from_wav(await response.read(), text=TEXT)
        counted, again = await tts_gateway.take(), await tts_gateway.take()

    assert status == 200
    assert [(one.text, one.status) for one in counted] == [(TEXT, 200)]
    assert counted[0].answered > counted[0].came
    assert again == []
    assert await find_defect(speech, TEXT) is None


@pytest.mark.parametrize(
    ("manner", "status", "advice"),
    [
        ("takes 8, else 429", 429, None),
        ("takes 8, else 429 with Retry-After", 429, "1"),
        ("takes 8, else 503", 503, None),
    ],
)
async def test_more_calls_at_once_than_it_takes_are_refused_in_its_manner_and_counted(manner, status, advice):
    async with counted_tts_gateway(manner) as tts_gateway, aiohttp.ClientSession() as session:
        answers = await asyncio.gather(*(call(session, tts_gateway) for _ in range(11)))
        later, _, _ = await call(session, tts_gateway)
        counted = await tts_gateway.take()

    refused = [(code, told) for code, _, told in answers if code != 200]
    assert refused == [(status, advice)] * 3
    assert later == 200
    assert sum(one.status == status for one in counted) == 3


async def test_a_call_that_hangs_takes_a_place_until_its_caller_hangs_up():
    async with counted_tts_gateway("takes 8, else 429") as tts_gateway, aiohttp.ClientSession() as session:
        hanging = [asyncio.create_task(call(session, tts_gateway, f"An {HANGS} story.")) for _ in range(8)]
        while len(counted := await tts_gateway.take()) < 8:
            pass
        meanwhile, _, _ = await call(session, tts_gateway)
        for task in hanging:
            task.cancel()
        await asyncio.gather(*hanging, return_exceptions=True)
        while (await call(session, tts_gateway))[0] != 200:
            pass

    assert meanwhile == 429
    assert {one.status for one in counted} == {0}


def test_an_answer_belongs_to_the_text_that_its_call_begins():
    calls = [
        Call("Amber finch, and the rest", 1.0, 2.0, 429),
        Call("Amber finch, and the rest", 3.0, 4.0, 200),
        Call("Cedar finch,", 1.0, 1.5, 200),
        Call("and more of it", 1.0, 1.2, 200),
        Call("Fern ibis, still under way", 1.0),
    ]

    assert answer_times(["Amber finch", "Cedar finch", "Fern ibis"], calls) == [4.0, 1.5, None]


def test_no_opening_begins_another_and_there_are_enough():
    found = sorted(opening.rstrip(",") for opening in openings())

    assert len(found) > 500
    assert not any(after.startswith(before) for before, after in itertools.pairwise(found))


@pytest.mark.parametrize("seconds", [2.5, 10.0, 30.0])
def test_a_text_begins_with_its_opening_and_is_as_long_as_asked(seconds):
    texts = [text_after(opening, seconds, random.Random(1)) for opening in itertools.islice(openings(), 50)]

    assert all(seconds <= speaking_seconds(text) < 1.25 * seconds + 2 for text in texts)
    assert len(set(texts)) == 50


async def test_what_the_model_says_of_any_text_passes_for_speech():
    engine, rng = ModelEngine(await speech_wav(60.0), 0.0, 0.0), random.Random(3)
    for opening in itertools.islice(openings(), 60):
        text = text_after(opening, rng.choice([2.5, 5.0, 10.0]), rng)
        wav = await engine.speak(text, cfg_value=2.0, dit_steps=10)
        assert await find_defect(await speech_from_wav(wav, text=text), text) is None, text
