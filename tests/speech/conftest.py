"""A speech maker in front of a real TTS gateway whose misbehaviour can be scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.speech.cache import CacheFolder, SpeechCache
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from tests.fakes.babble_engine import BabbleEngine
from tests.fakes.voice_access import Shelf
from tests.speech.studio import Studio
from tts_gateway.fetch import FetchOptions
from tts_gateway.server import ServerOptions, serving


@pytest.fixture
async def studio(tmp_path: Path) -> AsyncIterator[Studio]:
    faults = FaultScript()
    async with AsyncExitStack() as parts:
        options = ServerOptions(fetch=FetchOptions(allow_loopback=True))
        app = create_faulty_app(BabbleEngine(), faults, options=options)
        base_url = await parts.enter_async_context(serving(app))
        folder = CacheFolder(tmp_path / "cache", max_bytes=50_000_000)
        cache = await parts.enter_async_context(SpeechCache(folder))
        studio = Studio(base_url, faults, cache, tmp_path / "cache")
        parts.push_async_callback(studio.aclose)
        yield studio


@pytest.fixture
async def shelf() -> AsyncIterator[Shelf]:
    async with Shelf() as shelf:
        yield shelf
