"""The bot in a rehearsal, with a TTS gateway whose misbehaviour can be scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from bot.playback.scheduler import FRAME_SECONDS, FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient
from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.faulty_tts_gateway.server import create_faulty_app
from rehearsal.server import Rehearsal
from rehearsal.stage import attending
from tests.scenes import Scene
from tts_gateway.engines.base import Engine
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.fetch import Endpoint, FetchOptions
from tts_gateway.server import ServerOptions, serving


@pytest.fixture
def engine() -> Engine:
    return OfflineEngine()


@pytest.fixture
async def scene(tmp_path: Path, engine: Engine) -> AsyncIterator[Scene]:
    faults = FaultScript()
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        fetch = FetchOptions(
            resolve={"cdn.discordapp.com": Endpoint("127.0.0.1", rehearsal.port)}, ca_file=rehearsal.ca_file
        )
        app = create_faulty_app(engine, faults, options=ServerOptions(fetch=fetch))
        tts_base_url = await parts.enter_async_context(serving(app))
        scene = Scene(rehearsal, faults)
        settings = Settings(tts_base_url=tts_base_url, data_dir=tmp_path / "data")
        scene.settings = settings
        bot = SpeechBot(settings, connector=rehearsal.connector())
        bot._connection.guild_ready_timeout = 0.05  # the only server comes with the login: half of the set-up
        scene.bot = await parts.enter_async_context(attending(bot, rehearsal))
        yield scene
        scene.say_no_more()
        assert rehearsal.unknown_requests == []
        scene.assert_nobody_was_pinged()


@pytest.fixture
def fast_playback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send five frames in the time of one: for tests of what is heard, and not of when."""
    monkeypatch.setattr(SpeechVoiceClient, "scheduler", FrameScheduler(frame_seconds=FRAME_SECONDS / 5))
