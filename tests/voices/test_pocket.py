"""Cloning with Pocket at its real size: store, engine and sherpa-onnx are real, the weights random."""

from __future__ import annotations

import asyncio
import io
import shutil
import wave
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import pytest

from benchmarks.recogniser import SENTENCES
from bot.tts.http import ENGINE_HEADER
from rehearsal.recordings import RECORDINGS
from tests.fakes.tts_gateway_caller import Caller
from tests.scenes import until
from tts_gateway.engines.base import EngineError, EngineMissing, NotOffered, ReferenceRefused
from tts_gateway.engines.clips import CLIP_RATE, ClipMaker
from tts_gateway.engines.guards import find_defect
from tts_gateway.engines.registry import EngineOptions, StartedEngine, start_engine
from tts_gateway.engines.sherpa import SherpaEngine
from tts_gateway.models.store import ModelStore
from tts_gateway.server import ServerOptions, create_app, serving
from tts_gateway.sounds import HandedOverRecordings

pytest.importorskip("sherpa_onnx", reason="sherpa-onnx is not installed; type: make test-voices")
pytest.importorskip("onnx", reason="onnx is not installed; type: make test-voices")

from benchmarks.random_pocket import NAME, install_random_pocket  # it takes onnx

DEADLINE = 240.0
TEXT = SENTENCES[4]
SHORT = "Mind the step, please."
MAN, GIRL, _ = (recording.path.read_bytes() for recording in RECORDINGS)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> ModelStore:
    """A store with that model alone."""
    found = ModelStore(tmp_path_factory.mktemp("pocket"))
    install_random_pocket(found)
    return found


@pytest.fixture
async def started(store: ModelStore) -> AsyncIterator[StartedEngine]:
    """The engine sherpa as its name on the command line starts it, in one process."""
    one = await start_engine("sherpa", EngineOptions(models=store.folder, workers=1, stands_in=False))
    try:
        yield one
    finally:
        await one.engine.aclose()


@pytest.fixture
def sherpa(started: StartedEngine) -> SherpaEngine:
    """That engine alone."""
    assert isinstance(started.engine, SherpaEngine)
    return started.engine


def sound_of(wav: bytes) -> np.ndarray:
    with wave.open(io.BytesIO(wav)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (48_000, 1, 2)
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768


def recording(sound: np.ndarray, *, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1, 2, rate, 0, "NONE", ""))
        wav.writeframes((sound * 32_767).astype("<i2").tobytes())
    return file.getvalue()


def worker(sherpa: SherpaEngine) -> psutil.Process:
    (process_id,) = sherpa.process_ids
    return psutil.Process(process_id)


async def core_seconds_of_clone(sherpa: SherpaEngine, text: str, reference: bytes) -> float:
    before = worker(sherpa).cpu_times().user
    await sherpa.clone(text, reference)
    return float(worker(sherpa).cpu_times().user - before)


def test_the_files_have_the_names_and_about_the_sizes_of_the_published_ones(store: ModelStore):
    store.verify(NAME)
    found = store.installed(NAME)

    assert found is not None
    assert {path.name for path in found.folder.iterdir()} == {*found.model.unpacked, "manifest.json"}
    sizes = {path.name: path.stat().st_size / 1e6 for path in found.folder.iterdir()}
    for name, megabytes in {
        "lm_main.int8": 73,
        "lm_flow.int8": 9.5,
        "decoder.int8": 22,
        "encoder": 70,
    }.items():
        assert sizes[f"{name}.onnx"] == pytest.approx(megabytes, rel=0.1)


async def test_it_clones_and_has_no_voice_of_its_own(started: StartedEngine, sherpa: SherpaEngine):
    assert (started.about.model, started.about.cloning) == (NAME, ("en",))
    assert "Kyutai" in started.about.credit
    with pytest.raises(NotOffered):
        await sherpa.speak(TEXT)
    with pytest.raises(NotOffered):
        await sherpa.clone("Доброе утро, как у вас дела сегодня?", MAN)


async def test_a_clone_is_a_sound_of_its_text_and_of_its_recording(sherpa: SherpaEngine):
    one = await sherpa.clone(TEXT, MAN)
    again, other = await sherpa.clone(TEXT, MAN), await sherpa.clone(TEXT, GIRL)
    longer = await sherpa.clone(" ".join(SENTENCES[4:6]), MAN)

    assert find_defect(sound_of(one), 48_000, TEXT) is None
    assert np.abs(sound_of(one)).max() < 1
    assert again == one
    assert other != one
    assert len(sound_of(longer)) > 1.4 * len(sound_of(one))


async def test_a_recording_is_encoded_once_even_when_it_comes_in_another_file(sherpa: SherpaEngine):
    speech = sound_of(await sherpa.clone(TEXT, GIRL))[: 9 * 48_000]
    long = np.tile(speech, 3)[: 9 * 48_000]
    file = recording(long, rate=48_000)
    longer_file = file + b"note\x04\0\0\0more"  # a piece that no reader of WAVs wants

    first = await core_seconds_of_clone(sherpa, SHORT, file)
    second = await core_seconds_of_clone(sherpa, SHORT, file)
    third = await core_seconds_of_clone(sherpa, SHORT, longer_file)

    assert second < 0.75 * first
    assert third < 0.75 * first


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (
            np.sin(np.arange(12_000) / 20) / 2,
            "the recording is shorter than one second; five to ten are best",
        ),
        (np.zeros(72_000), "the recording is silent"),
        (np.full(72_000, 0.0003), "the recording is silent"),
    ],
)
async def test_a_recording_without_enough_voice_is_refused_before_the_model_sees_it(
    sherpa: SherpaEngine, sound: np.ndarray, reason: str
):
    before = worker(sherpa).cpu_times().user

    with pytest.raises(ReferenceRefused, match=reason):
        await sherpa.clone(TEXT, recording(sound))

    assert worker(sherpa).cpu_times().user == before


async def test_a_minute_of_recording_is_cut_and_takes_no_more_memory_than_a_worker_may(sherpa: SherpaEngine):
    speech = sound_of(await sherpa.clone(TEXT, GIRL))
    minute = np.resize(speech, 60 * 48_000)

    wav = await sherpa.clone(TEXT, recording(minute, rate=48_000))

    assert find_defect(sound_of(wav), 48_000, TEXT) is None
    assert worker(sherpa).memory_info().rss < 1.6e9


async def test_callers_hear_why_a_recording_is_refused_and_the_next_is_answered(started: StartedEngine):
    handed_over = HandedOverRecordings()
    app = create_app(started.engine, options=ServerOptions(about=started.about), handed_over=handed_over)
    halves = [(await ClipMaker().clip_of(one)).samples[: 3 * CLIP_RATE] for one in (MAN, GIRL)]
    references = {
        "short": recording(halves[0][: CLIP_RATE // 2]),
        "silent": recording(np.zeros(2 * CLIP_RATE)),
        "man": MAN,
        "two": recording(np.concatenate(halves)),
    }
    answers = {}

    async with aiohttp.ClientSession() as session, serving(app) as base_url:
        caller = Caller(session, base_url)
        for name, reference in references.items():
            address = f"{caller.origin}/recordings/{name}"
            handed_over.keep(address, reference)
            answers[name] = await caller.clone(address, SHORT)
        sounds = [await caller.get(answers[name].json["url"]) for name in ("man", "two")]
        health = (await caller.get("/health")).json

    assert [answer.status for answer in answers.values()] == [400, 400, 200, 200]
    assert answers["short"].message == "The recording is shorter than one second; five to ten are best."
    assert answers["silent"].message == "The recording is silent."
    assert [answers[name].headers[ENGINE_HEADER] for name in ("man", "two")] == ["sherpa", "sherpa"]
    assert all(find_defect(sound_of(sound.body), 48_000, SHORT) is None for sound in sounds)
    assert (health["model"], health["cloning"]) == (NAME, ["en"])


@pytest.mark.parametrize("end", ["cancelled", "killed"])
async def test_work_that_ends_in_the_middle_costs_one_request(sherpa: SherpaEngine, end: str):
    process = worker(sherpa)
    before = process.cpu_times().user
    cloning = asyncio.create_task(sherpa.clone(" ".join(SENTENCES), MAN))
    await until(lambda: process.cpu_times().user > before or cloning.done(), within=DEADLINE)
    assert not cloning.done()

    if end == "cancelled":
        cloning.cancel()
        expected: type[BaseException] = asyncio.CancelledError
    else:
        process.kill()
        expected = EngineError
    with pytest.raises(expected):
        await cloning
    wav = await asyncio.wait_for(sherpa.clone(TEXT, MAN), DEADLINE)

    assert not psutil.pid_exists(process.pid)
    assert find_defect(sound_of(wav), 48_000, TEXT) is None


async def test_a_file_of_the_model_that_is_cut_off_is_told_before_any_process_starts(
    store: ModelStore, tmp_path: Path
):
    shutil.copytree(store.folder / NAME, tmp_path / NAME)
    with (tmp_path / NAME / "lm_main.int8.onnx").open("r+b") as file:
        file.truncate(1_000_000)

    with pytest.raises(EngineMissing, match=rf"lm_main.*models fetch {NAME}"):
        await start_engine("sherpa", EngineOptions(models=tmp_path, workers=1, stands_in=False))
