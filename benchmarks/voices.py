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
import statistics
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import psutil

from benchmarks.figures import RESULTS, Benchmark, Figure, Goal, print_table, readable, save
from benchmarks.recogniser import SENTENCES, JudgeMissingError, Recogniser, word_errors
from benchmarks.speaker_encoder import SpeakerEncoder
from rehearsal.recordings import RECORDINGS
from tts_gateway.engines.base import EngineError, EngineMissing
from tts_gateway.engines.clips import ClipMaker
from tts_gateway.engines.registry import ENGINES, EngineOptions, StartedEngine, start_engine
from tts_gateway.engines.sound import resampled, wav_bytes
from tts_gateway.models.store import DEFAULT_FOLDER

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
            Figure(f"{self.name}: likeness to its recording", self.own, "", Goal(0.75, at_least=True)),
            Figure(f"{self.name}: that above the next", self.margins, "", Goal(0.10, at_least=True)),
            Figure(f"{self.name}: its recording comes first", self.firsts, "%", Goal(90, at_least=True)),
        ]
        return [line for line in lines if line.values]


def main(arguments: Sequence[str]) -> int:
    """Measure the engines named, or all that can be started here; return the exit status."""
    wishes = _parser().parse_args(arguments)
    measured, notes = asyncio.run(_measure(wishes))
    if not measured:
        print("\n".join(notes))
        return 2
    benchmark = Benchmark("Voices", [figure for one in measured for figure in one.figures()], notes)
    print_table(benchmark)
    print(f"  every value: {save('voices', benchmark)}")
    print(f"  to hear them: {_write_page(measured, benchmark, RESULTS)}")
    return 0


async def _measure(wishes: argparse.Namespace) -> tuple[list[_Measured], list[str]]:
    notes: list[str] = []
    recogniser = encoder = None
    try:
        recogniser = Recogniser(RESULTS / "whisper-base")
    except JudgeMissingError as error:
        notes.append(f"words were not counted: {error}")
    try:
        encoder = SpeakerEncoder()
    except JudgeMissingError as error:
        notes.append(f"likeness was not judged: {error}")
    references = {path.stem: path.read_bytes() for path in _references(wishes.references)}
    notes.append(f"references: {', '.join(references) or 'none'}")
    if wishes.references is None:
        notes.append("they were made with espeak-ng: that the preview is like them says nothing about people")
    measured = []
    for name in wishes.engine or list(ENGINES):
        options = EngineOptions(
            models=wishes.models, workers=1, upstreams=tuple(wishes.upstream), stands_in=False
        )
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


async def _say(one: _Measured, started: StartedEngine, recogniser: Recogniser | None) -> None:
    wrong = words = 0
    await started.engine.speak("Good morning.", cfg_value=2.0, dit_steps=10)  # warm
    for sentence in (EIGHTY, *SENTENCES):
        began = time.perf_counter()
        wav = await started.engine.speak(sentence, cfg_value=2.0, dit_steps=10)
        seconds = time.perf_counter() - began
        one.factors.append(seconds / _seconds(wav))
        if sentence == EIGHTY:
            one.answers.append(seconds)
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
            clones[name] = await started.engine.clone(_CLONED, recording, prompt_text=None)
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
        figure.name.partition(": ")[0]: figure for figure in benchmark.figures if figure.name.endswith(kind)
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
    parser.add_argument("--upstream", action="append", default=[], metavar="URL", help="for vllm-omni")
    parser.add_argument(
        "--references",
        type=Path,
        metavar="DIR",
        help="recordings to clone, a person each; else those of the room",
    )
    return parser
