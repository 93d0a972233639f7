"""Engines behind the contract: what is said of them, who stands in, how a missing one is told."""

from __future__ import annotations

from pathlib import Path

import aiohttp
import numpy as np
import pytest

from tests.fakes.tone_engine import ToneEngine, tone
from tests.fakes.tts_gateway_caller import Caller
from tests.tts_gateway.conftest import StartServer
from tts_gateway.__main__ import main
from tts_gateway.engines.base import EngineDescription, EngineError, NotOffered, ReferenceRefused
from tts_gateway.engines.clips import CLIP_RATE, ClipMaker, prepared
from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.guards import estimated_seconds, find_defect, longest_seconds, make_guarded
from tts_gateway.engines.registry import _memory_bytes, workers_here
from tts_gateway.engines.sherpa import most_frames
from tts_gateway.server import ServerOptions, create_app, serving

ABOUT = EngineDescription(
    engine="sherpa", model="joe", revision="1", languages=("en",), cloning=(), places=3, credit="joe, CC0"
)
RATE = 48_000


class EnglishEngine(ToneEngine):
    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        raise NotOffered("There is no model here that clones.")


class WholeEngine(ToneEngine):
    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        return tone()


def hum(seconds: float, *, level: float = 0.2) -> Samples:
    return (level * np.sin(np.arange(int(seconds * RATE)) / 20)).astype(np.float32)


async def test_health_says_what_speaks_and_answers_name_the_engine(start: StartServer) -> None:
    caller = await start(ServerOptions(about=ABOUT))

    health, answer = await caller.get("/health"), await caller.speak("Hello")

    assert health.json == {
        "status": "ok",
        "engine": "sherpa",
        "model": "joe",
        "revision": "1",
        "languages": ["en"],
        "cloning": [],
        "places": 3,
        "credit": "joe, CC0",
    }
    assert answer.headers["X-TTS-Engine"] == "sherpa"


@pytest.mark.parametrize("stands_in", [True, False])
async def test_what_the_engine_does_not_offer_comes_from_the_preview_or_is_refused(stands_in: bool) -> None:
    stand_in = WholeEngine() if stands_in else None
    app = create_app(EnglishEngine(), options=ServerOptions(about=ABOUT), stand_in=stand_in)
    async with aiohttp.ClientSession() as session, serving(app) as base_url:
        caller = Caller(session, base_url)
        reference = (await caller.speak("Hello")).json["output"]
        answer = await caller.clone(reference)
        metrics = (await caller.get("/metrics")).body.decode()

    if stands_in:
        assert (answer.status, answer.headers["X-TTS-Engine"]) == (200, "preview")
        assert 'tts_sounds_total{engine="preview"} 1' in metrics
    else:
        assert (answer.status, answer.message) == (400, "There is no model here that clones.")
    assert 'tts_requests_total{route="/voxcpm/v1/text-to-speech",status="200"} 1' in metrics
    assert 'tts_sounds_total{engine="sherpa"} 1' in metrics
    assert "tts_engine_places 3" in metrics


async def test_metrics_want_the_key_where_calls_do(start: StartServer) -> None:
    caller = await start(ServerOptions(api_key="k"))

    assert (await caller.get("/metrics")).status == 401


@pytest.mark.parametrize(
    ("engine", "typed"),
    [("sherpa", "models fetch piper-en-joe)"), ("voxcpm", ("requirements-voxcpm-alone.txt", "(5 GB)"))],
)
def test_an_engine_without_its_package_or_model_says_what_to_type_and_exits_with_2(
    engine: str, typed: str | tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = main(["--engine", engine, "--models", str(tmp_path)])

    said = capsys.readouterr().err.strip()
    assert (status, said.count("\n")) == (2, 0)
    assert said.endswith(typed), said


@pytest.mark.parametrize(
    ("sound", "text", "defect"),
    [
        (hum(1.5), "Hello there, how are you?", None),
        (hum(0.3), "No", None),
        (hum(0.16), "No", "too short"),
        (hum(0.4), "Hello there, how are you today, and what is new?", "too short"),
        (hum(320), "Hello there, how are you?", "too long"),
        (hum(12), "No", "too long"),
        (hum(2, level=0.001), "Hello there, how are you?", "silent"),
        (hum(2) * np.float32("nan"), "Hello there, how are you?", "no sound"),
        (hum(0.5), "wow" + "!" * 200, None),
        (hum(0.5), "n" + "o" * 100, None),
        (hum(9.0), "n" + "o" * 100, None),
        (hum(0.6), "?!" * 90 + " what ... so" + "." * 99, None),
        (hum(3.0), "(an old man, slow and deep, with a long description)你好，今天天气很好", None),
    ],
)
def test_a_sound_that_cannot_be_its_text_is_found(sound: Samples, text: str, defect: str | None) -> None:
    found = find_defect(sound, RATE, text)

    assert (found is None) is (defect is None)
    assert defect is None or defect in str(found)


@pytest.mark.parametrize("bad_tries", [0, 1, 2])
async def test_a_bad_sound_is_made_once_again_with_another_seed(bad_tries: int) -> None:
    tries = []

    async def make(attempt: int) -> Samples:
        tries.append(attempt)
        return hum(0.1 if attempt < bad_tries else 1.5)

    if bad_tries < 2:
        assert len(await make_guarded(make, rate=RATE, text="Hello there, how are you?")) == 1.5 * RATE
    else:
        with pytest.raises(EngineError, match="too short"):
            await make_guarded(make, rate=RATE, text="Hello there, how are you?")
    assert tries == list(range(min(bad_tries, 1) + 1))


def test_the_estimate_grows_with_the_text_and_not_with_its_description() -> None:
    assert estimated_seconds("(slow)Hello there") == estimated_seconds("Hello there")
    assert 4 < estimated_seconds("a" * 40 + " " + "b" * 39) < 7


def voiced(seconds: float) -> Samples:
    return (0.3 * np.sin(np.arange(int(seconds * CLIP_RATE)) / 9)).astype(np.float32)


def quiet(seconds: float) -> Samples:
    return np.zeros(int(seconds * CLIP_RATE), np.float32)


def test_a_clip_is_cut_to_the_voice_and_ends_in_a_pause_within_ten_seconds() -> None:
    sound = np.concatenate([quiet(2), voiced(8), quiet(0.5), voiced(20), quiet(1)])

    clip, is_whole = prepared(sound)

    assert not is_whole
    assert 8.0 <= len(clip) / CLIP_RATE <= 8.5
    assert -24 < 20 * np.log10(np.sqrt(np.mean(clip[: 8 * CLIP_RATE] ** 2))) < -22


def test_a_clip_without_a_pause_is_ten_seconds() -> None:
    clip, is_whole = prepared(voiced(60))

    assert (len(clip), is_whole) == (10 * CLIP_RATE, False)
    assert prepared(voiced(9))[1]


@pytest.mark.parametrize(
    ("sound", "reason"),
    [
        (voiced(0.5), "shorter"),
        (quiet(5), "silent"),
        (quiet(0), "silent"),
        (np.concatenate([quiet(5), voiced(0.4)]), "shorter"),
    ],
)
def test_a_recording_without_enough_voice_is_refused(sound: Samples, reason: str) -> None:
    with pytest.raises(ReferenceRefused, match=reason):
        prepared(sound)


async def test_a_recording_is_prepared_once() -> None:
    clips = ClipMaker()
    recording = tone(3.0)

    first, again = await clips.clip_of(recording), await clips.clip_of(recording)

    assert first is again
    with pytest.raises(ReferenceRefused):
        await clips.clip_of(b"<html>")


def test_workers_are_never_more_than_memory_carries_and_always_one(tmp_path: Path) -> None:
    (tmp_path / "max").write_text("max\n")
    (tmp_path / "little").write_text("1000000\n")

    assert _memory_bytes(tmp_path / "little") == 1_000_000
    assert _memory_bytes(tmp_path / "max") == _memory_bytes(tmp_path / "none") > 1e8
    assert workers_here(10**15) == 1
    assert 1 <= workers_here(1) <= 4


def test_a_sentence_that_does_not_end_is_stopped_while_pocket_has_positions_left() -> None:
    short = "Mind the step, please."

    assert longest_seconds(short) <= most_frames(short) * 0.08 < longest_seconds(short) + 0.08
    for text in ("word " * 400, "7" * 2000):
        assert 10 / 0.08 + 200 + most_frames(text) <= 1000
        assert most_frames(text) * 0.08 > longest_seconds("word " * 40)
