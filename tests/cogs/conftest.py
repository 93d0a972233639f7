"""The bot in a rehearsal, with a TTS gateway whose misbehaviour can be scripted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.playback.scheduler import FRAME_SECONDS, FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient
from tests.scenes import Scene, open_scene
from tts_gateway.engines.base import Engine
from tts_gateway.engines.offline import OfflineEngine


@pytest.fixture
def engine() -> Engine:
    return OfflineEngine()


@pytest.fixture
def privileged_intents() -> int:
    return 0


@pytest.fixture
async def scene(tmp_path: Path, engine: Engine, privileged_intents: int) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path / "data", engine, privileged_intents=privileged_intents) as scene:
        yield scene


@pytest.fixture
def fast_playback(monkeypatch: pytest.MonkeyPatch) -> None:
    """Send five frames in the time of one: for tests of what is heard, and not of when."""
    monkeypatch.setattr(SpeechVoiceClient, "scheduler", FrameScheduler(frame_seconds=FRAME_SECONDS / 5))
