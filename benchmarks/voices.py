"""What the engines of our TTS gateway sound like, as far as machines can tell, side by side.

`python -m benchmarks voices [--engine NAME ...]`: words that a recogniser gets wrong, how fast, how much
memory, and for clones how like the recording a speaker encoder finds them; as a table, and as a page with
bars and players, for whoever has ears.
"""

from __future__ import annotations

import argparse
import asyncio
import html
import io
import os
import statistics
import tempfile
import time
import wave
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import numpy as np
import psutil

from benchmarks.figures import RESULTS, Benchmark, Figure, Goal, print_table, readable, save
from benchmarks.machine_state import load
from benchmarks.recogniser import SENTENCES, JudgeMissingError, Recogniser, word_errors
from benchmarks.speaker_encoder import SpeakerEncoder
from rehearsal.recordings import RECORDINGS
from tts_gateway.engines.base import EngineError, EngineMissing
from tts_gateway.engines.clips import Clip, ClipMaker
from tts_gateway.engines.registry import ENGINES, EngineOptions, StartedEngine, start_engine
from tts_gateway.engines.sound import resampled, wav_bytes
from tts_gateway.models.command import fetched
from tts_gateway.models.store import DEFAULT_FOLDER, ModelStore, StoreError

EIGHTY: Final = "The old clock in the hall had stopped again, and nobody could say why that was so"
"""About eighty characters: what a chat message is."""

_CLONED: Final = "Would you like some more tea before the guests arrive? The blue cups are on the table."
_KINDS: Final = (".wav", ".ogg", ".flac", ".mp3", ".m4a")
_COLOURS: Final = ("#0b7a63", "#b3411e", "#3a5fb0", "#8a6d1c")


@dataclass(slots=True)
class _Measured:
    """What was measured of one engine."""

    name: str
    about: str
    start_seconds: float
    megabytes: float = 0.0
    factors: list[float] = field(default_factory=list)
    answers: list[float] = field(default_factory=list)
    wrong: list[float] = field(default_factory=list)
    clone_factors: list[float] = field(default_factory=list)
    clone_answers: list[float] = field(default_factory=list)
    clone_works: list[float] = field(default_factory=list)
    first_clones: list[float] = field(default_factory=list)
    first_clone_works: list[float] = field(default_factory=list)
    own: list[float] = field(default_factory=list)
    margins: list[float] = field(default_factory=list)
    firsts: list[float] = field(default_factory=list)
    sounds: dict[str, bytes] = field(default_factory=dict)

    def figures(self) -> list[Figure]:
        """Return it as lines of the table; what could not be measured has none."""
        lines = [
            Figure(f"{self.name}: start", [self.start_seconds], "s", Goal(3)),
            Figure(f"{self.name}: real-time factor", self.factors, "", Goal(0.35)),
            Figure(f"{self.name}: answer for 80 characters", self.answers, "s", Goal(2)),
            Figure(f"{self.name}: memory", [self.megabytes], "MB", Goal(1_600)),
            Figure(f"{self.name}: words wrong, in all", self.wrong, "%", Goal(6)),
            Figure(f"{self.name}: clone, real-time factor", self.clone_factors, "", Goal(0.35)),
            Figure(f"{self.name}: clone, answer for 80 characters", self.clone_answers, "s", Goal(2)),
            Figure(f"{self.name}: clone, core seconds for that", self.clone_works, "s", Goal(2)),
            Figure(f"{self.name}: clone, answer with a new recording", self.first_clones, "s", Goal(4)),
            Figure(f"{self.name}: clone, core seconds for that one", self.first_clone_works, "s", Goal(4)),
            Figure(f"{self.name}: likeness to its recording", self.own, "", Goal(0.75, at_least=True)),
            Figure(f"{self.name}: that above the next", self.margins, "", Goal(0.10, at_least=True)),
            Figure(f"{self.name}: its recording comes first", self.firsts, "%", Goal(90, at_least=True)),
        ]
        return [line for line in lines if line.values]


def main(arguments: Sequence[str]) -> int:
    """Measure the engines named, or all that can be started here; return the exit status."""
    wishes = _parser().parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="voices-") as folder:
        measured, notes = asyncio.run(_measure(wishes, Path(folder)))
    if not measured:
        print("\n".join(notes))
        return 2
    benchmark = Benchmark("Voices", [figure for one in measured for figure in one.figures()], notes)
    print_table(benchmark)
    print(f"  every value: {save('voices', benchmark)}")
    print(f"  to hear them: {_write_page(measured, benchmark, RESULTS)}")
    return 0


async def _measure(wishes: argparse.Namespace, folder: Path) -> tuple[list[_Measured], list[str]]:
    notes: list[str] = []
    recogniser = encoder = None
    try:
        recogniser = Recogniser(RESULTS / "whisper-base")
    except JudgeMissingError as error:
        notes.append(f"words were not counted: {error}")
    try:
        encoder = None if wishes.random_pocket else SpeakerEncoder()
    except JudgeMissingError as error:
        notes.append(f"likeness was not judged: {error}")
    models = wishes.models
    if wishes.random_pocket:
        models = await _with_random_pocket(folder, notes)
    references = {path.stem: path.read_bytes() for path in _references(wishes.references)}
    notes.append(f"processes that wanted one of the {os.cpu_count()} cores before the start: {load()}")
    notes.append(f"references: {', '.join(references) or 'none'}")
    if wishes.random_pocket:
        references["all of them together"] = await _joined(references.values())
    if wishes.references is None:
        notes.append("they were made with espeak-ng: that the preview is like them says nothing about people")
    measured = []
    for name in wishes.engine or list(ENGINES):
        options = EngineOptions(models=models, workers=1, upstreams=tuple(wishes.upstream), stands_in=False)
        began = time.perf_counter()
        try:
            started = await start_engine(name, options)
        except EngineMissing as error:
            notes.append(f"{name} was left out: {error}")
            continue
        one = _Measured(name, started.about.model, time.perf_counter() - began)
        try:
            await _say(one, started, recogniser)
            await _clone(one, started, references, encoder, notes)
            one.megabytes = _megabytes(started)
        finally:
            await started.engine.aclose()
        measured.append(one)
    return measured, notes


async def _with_random_pocket(folder: Path, notes: list[str]) -> Path:
    """Return a store with Pocket of random weights, and the voice of the package if it is at hand."""
    from benchmarks.random_pocket import install_random_pocket  # it takes onnx

    notes.append("Pocket had random weights: its speed and memory are true, and its clones are noise")
    store = ModelStore(folder)
    await asyncio.to_thread(install_random_pocket, store)
    try:
        await fetched(store, store.named("piper-en-joe"))
    except StoreError as error:
        notes.append(f"the workers have no Piper voice beside it: {error}")
    return folder


async def _joined(recordings: Iterable[bytes]) -> bytes:
    """Return recordings as a single one: longer than what is listened to, so that memory is at its most."""
    clips = ClipMaker()
    sounds = [(await clips.clip_of(recording)).samples for recording in recordings]
    return Clip(np.concatenate(sounds), digest="", is_whole=True).as_wav()


async def _say(one: _Measured, started: StartedEngine, recogniser: Recogniser | None) -> None:
    wrong = words = 0
    await started.engine.speak("Good morning.", cfg_value=2.0, dit_steps=10)  # warm
    for sentence in (EIGHTY, *SENTENCES):
        took = _Took(started)
        wav = took.done(await started.engine.speak(sentence, cfg_value=2.0, dit_steps=10))
        one.factors.append(took.factor)
        if sentence == EIGHTY:
            one.answers.append(took.seconds)
            one.sounds["says"] = wav
        elif recogniser is not None:
            missed, count = word_errors(sentence, await asyncio.to_thread(recogniser.heard, wav))
            wrong, words = wrong + missed, words + count
    if words:
        one.wrong.append(100 * wrong / words)


async def _clone(
    one: _Measured,
    started: StartedEngine,
    references: dict[str, bytes],
    encoder: SpeakerEncoder | None,
    notes: list[str],
) -> None:
    clones: dict[str, bytes] = {}
    for name, recording in references.items():
        try:
            took = _Took(started)
            clones[name] = took.done(await started.engine.clone(_CLONED, recording, prompt_text=None))
            one.first_clones.append(took.seconds)
            one.first_clone_works += took.core_seconds
            took = _Took(started)
            took.done(await started.engine.clone(EIGHTY, recording, prompt_text=None))
            one.clone_answers.append(took.seconds)
            one.clone_works += took.core_seconds
            one.clone_factors.append(took.factor)
        except EngineError as error:
            notes.append(f"{one.name} does not clone {name}: {error}")
            return
    one.sounds |= {f"as {name}": wav for name, wav in clones.items()}
    if encoder is None or len(clones) < 2:
        return
    clips = ClipMaker()
    known = {}
    for name, recording in references.items():
        clip = await clips.clip_of(recording)
        known[name] = encoder.vector(wav_bytes(resampled(clip.samples, 24_000)))
    first = 0
    for name, wav in clones.items():
        vector = encoder.vector(wav)
        likeness = {other: float(vector @ one_known) for other, one_known in known.items()}
        best_other = max(value for other, value in likeness.items() if other != name)
        one.own.append(likeness[name])
        one.margins.append(likeness[name] - best_other)
        first += likeness[name] > best_other
    one.firsts.append(100 * first / len(clones))


class _Took:
    """How long an engine was at a sound, from here to `done`.

    ``seconds`` on the clock; ``core_seconds``: those of a core, whatever else this machine does meanwhile, in
    a list that is empty for an engine without processes of its own here. ``factor``: seconds of a core, or
    else of the clock, for a second of sound.
    """

    def __init__(self, started: StartedEngine) -> None:
        self._processes = [psutil.Process(one) for one in getattr(started.engine, "process_ids", None) or []]
        self._began, self._core_began = time.perf_counter(), self._core_seconds()
        self.seconds = self.factor = 0.0
        self.core_seconds: list[float] = []

    def done(self, wav: bytes) -> bytes:
        self.seconds = time.perf_counter() - self._began
        if self._processes:
            self.core_seconds = [self._core_seconds() - self._core_began]
        self.factor = (self.core_seconds or [self.seconds])[0] / _seconds(wav)
        return wav

    def _core_seconds(self) -> float:
        times = [process.cpu_times() for process in self._processes]
        return float(sum(one.user + one.system for one in times))


def _megabytes(started: StartedEngine) -> float:
    """Return what the processes of the models hold; what this one holds where there are none."""
    children = getattr(started.engine, "process_ids", None) or [psutil.Process().pid]
    return float(max(psutil.Process(process_id).memory_info().rss for process_id in children) / 1e6)


def _seconds(wav: bytes) -> float:
    with wave.open(io.BytesIO(wav)) as file:
        return float(file.getnframes() / file.getframerate())


def _references(folder: Path | None) -> list[Path]:
    if folder is None:
        return [recording.path for recording in RECORDINGS]
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in _KINDS)


def _write_page(measured: Sequence[_Measured], benchmark: Benchmark, folder: Path) -> Path:
    """Write the page: bars for each figure, and a player for each sound."""
    sounds = folder / "voices"
    sounds.mkdir(parents=True, exist_ok=True)
    parts = ["<!doctype html><meta charset=utf-8><title>Voices</title>", _STYLE, "<h1>Voices</h1>"]
    kinds = dict.fromkeys(figure.name.partition(": ")[2] for figure in benchmark.figures)
    parts += [_bars(kind, measured, benchmark) for kind in kinds]
    for one in measured:
        parts.append(f"<h2>{html.escape(one.name)} <small>{html.escape(one.about)}</small></h2>")
        for title, wav in one.sounds.items():
            name = f"{one.name}-{'-'.join(title.split())}.wav"
            (sounds / name).write_bytes(wav)
            source = html.escape(f"voices/{name}", quote=True)
            parts.append(f"<p>{html.escape(title)} <audio controls preload=none src='{source}'></audio></p>")
    parts += [f"<p><small>{html.escape(note)}</small></p>" for note in benchmark.notes]
    page = folder / "voices.html"
    page.write_text("\n".join(parts), encoding="utf-8")
    return page


_STYLE: Final = (
    "<style>body{font:16px system-ui;max-width:46rem;margin:2rem auto;padding:0 1rem}"
    "audio{vertical-align:middle}svg{display:block;width:100%;height:auto}</style>"
)


def _bars(kind: str, measured: Sequence[_Measured], benchmark: Benchmark) -> str:
    """Return a bar for each engine that has this figure, and a line where the goal is."""
    found = {
        engine: figure
        for figure in benchmark.figures
        for engine, _, found_kind in [figure.name.partition(": ")]
        if found_kind == kind
    }
    middles = {name: statistics.median(figure.values) for name, figure in found.items()}
    goal = next(iter(found.values())).goal
    most = max([*map(abs, middles.values()), goal.limit if goal else 0.0, 1e-9])
    rows = [
        f"<text x='0' y='14' font-weight='600'>{html.escape(kind)}{f' (goal {goal})' if goal else ''}</text>"
    ]
    for row, one in enumerate(one for one in measured if one.name in middles):
        top, wide = 22 + 22 * row, max(0.0, middles[one.name]) / most * 360
        colour = _COLOURS[row % len(_COLOURS)]
        words = html.escape(f"{readable(middles[one.name])} {found[one.name].unit}")
        rows.append(f"<text x='0' y='{top + 14}'>{html.escape(one.name)}</text>")
        rows.append(f"<rect x='110' y='{top}' width='{wide:.1f}' height='16' fill='{colour}'/>")
        rows.append(f"<text x='{116 + wide:.1f}' y='{top + 13}'>{words}</text>")
    height = 30 + 22 * len(middles)
    if goal is not None:
        at = 110 + goal.limit / most * 360
        rows.append(f"<line x1='{at:.1f}' x2='{at:.1f}' y1='20' y2='{height - 8}' stroke='#1c2330'/>")
    return f"<svg viewBox='0 0 640 {height}' font-size='13'>{''.join(rows)}</svg>"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks voices", description=__doc__)
    parser.add_argument(
        "--engine", action="append", choices=list(ENGINES), help="may be repeated; all by default"
    )
    parser.add_argument("--models", type=Path, default=DEFAULT_FOLDER, metavar="DIR")
    parser.add_argument(
        "--random-pocket",
        action="store_true",
        help="let sherpa clone with Pocket at its real size and random weights: speed and memory alone",
    )
    parser.add_argument("--upstream", action="append", default=[], metavar="URL", help="for vllm-omni")
    parser.add_argument(
        "--references",
        type=Path,
        metavar="DIR",
        help="recordings to clone, a person each; else those of the room",
    )
    return parser
