"""`python -m tts_gateway --engine sherpa` as a child process, with a real voice."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import psutil
import pytest

from benchmarks.recogniser import SENTENCES, Recogniser, word_errors
from bot.tts.http import ENGINE_HEADER
from tests.fakes.tts_gateway_caller import Caller
from tests.scenes import until
from tests.tts_gateway.test_command_line import Child, _end

RUSSIAN = "Доброе утро, как у вас дела сегодня?"
Start = Callable[..., Awaitable[Child]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    async with AsyncExitStack() as stack:

        async def start_child(models: Path, *arguments: str) -> Child:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tts_gateway", "--engine", "sherpa", "--models", str(models)),
                *("--workers", "2", "--until-stdin-closes", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
            )
            stack.push_async_callback(_end, process)
            return Child(process)

        yield start_child


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


def _has_ended(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


async def test_two_callers_at_once_are_understood_and_its_processes_end_with_it(
    start: Start, models: Path, session: aiohttp.ClientSession, recogniser: Recogniser
):
    child = await start(models)
    caller = Caller(session, await child.ready())
    workers = psutil.Process(child.process.pid).children(recursive=True)

    answers = await asyncio.gather(*(caller.speak(text) for text in SENTENCES[3:5]))
    sounds = [await caller.get(answer.json["output"]) for answer in answers]
    health = await caller.get("/health")
    child.close_stdin()
    status, _, log = await child.ended()

    for text, sound in zip(SENTENCES[3:5], sounds, strict=True):
        wrong, words = word_errors(text, await asyncio.to_thread(recogniser.heard, sound.body))
        assert wrong < words / 4
        assert text not in log
    assert [answer.headers[ENGINE_HEADER] for answer in answers] == ["sherpa", "sherpa"]
    assert b"piper-en-joe" in health.body
    assert status == 0
    assert len(workers) >= 2
    await until(lambda: all(map(_has_ended, workers)))


async def test_a_language_it_has_not_is_the_preview_s_or_a_400_where_none_stands_in(
    start: Start, models: Path, session: aiohttp.ClientSession
):
    with_preview, alone = [await start(models, "--stand-in", wish) for wish in ("preview", "none")]

    made = await Caller(session, await with_preview.ready()).speak(RUSSIAN)
    refused = await Caller(session, await alone.ready()).speak(RUSSIAN)

    assert (made.status, made.headers[ENGINE_HEADER]) == (200, "preview")
    assert refused.status == 400
    assert "language" in refused.message


async def test_without_a_voice_it_ends_with_one_line_that_says_what_to_type(start: Start, tmp_path: Path):
    pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed; type: make test-voices")
    status, out, log = await (await start(tmp_path)).ended()

    assert (status, out) == (2, "")
    assert log.count("\n") == 1
    assert "make voices" in log
