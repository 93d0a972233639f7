"""What playing costs, and in how many voice channels one process can play.

Everything is real but the far end (see `benchmarks.voice_channels`): frames of 200 bytes, end-to-end and
transport encryption, a socket for each channel. CPU is that of the whole process and its children. Lateness
is measured where frames are taken from their source, in every way alike, against the best 20 ms grid of
each channel. A number of channels is carried if the 99th percentile is at most 5 ms, in one of two tries.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import discord
import psutil

from benchmarks.figures import Benchmark, Figure
from benchmarks.voice_channels import connect, disconnect, sink
from benchmarks.ways_to_play import (
    ENCODING,
    OURS,
    THREADS,
    Way,
    can_encode,
    folder_for_files,
    lateness,
    tutorial_way,
)

ROUNDS: Final = 3
LIMIT: Final = 0.005
CPU_CHANNELS: Final = 50
ENCODED_CHANNELS: Final = 4
LAG_CHANNELS: Final = 500
LADDERS: Final = {
    OURS.name: (500, 750, 1000, 1250, 1500, 2000, 2500),
    THREADS.name: (50, 100, 150, 200, 250, 300),
}
_SETTLE_SECONDS: Final = 0.5
_CPU_SECONDS: Final = 1.5
_STEP_SECONDS: Final = 1.0
_PROBE_SECONDS: Final = 0.002
_MOST_SECONDS: Final = 80.0
"""After this nothing new is begun."""


@dataclass(frozen=True, slots=True)
class Run:
    """One measurement: percent of a core, the latenesses and the event loop's lags in seconds."""

    cpu: float
    late: Sequence[float]
    lags: Sequence[float]

    @property
    def p99(self) -> float:
        """The 99th percentile of the lateness, in seconds."""
        return percentile_99(self.late)


def percentile_99(values: Sequence[float]) -> float:
    """Return what 99 % of ``values`` do not exceed."""
    return statistics.quantiles(values, n=100)[98]


async def play(
    way: Way, clients: Sequence[discord.VoiceClient], seconds: float, *, probed: bool = False
) -> Run:
    """Play in all of ``clients`` for so many seconds and return what that took."""
    sources = [way.source() for _ in clients]
    for client, source in zip(clients, sources, strict=True):
        client.play(source)
    await asyncio.sleep(_SETTLE_SECONDS)
    for source in sources:
        del source.taken[:]
    lags: list[float] = []
    begun, spent = time.perf_counter(), _cpu_seconds()
    await _probe(seconds, lags) if probed else await asyncio.sleep(seconds)
    cpu = 100 * (_cpu_seconds() - spent) / (time.perf_counter() - begun)
    late = [value for source in sources for value in lateness(source)]
    for client in clients:
        client.stop()
    await asyncio.sleep(0.2)  # the closing silence
    return Run(cpu, late, lags)


async def _probe(seconds: float, lags: list[float]) -> None:
    """Note how much later than asked the event loop comes back."""
    end = time.perf_counter() + seconds
    while (before := time.perf_counter()) < end:
        await asyncio.sleep(_PROBE_SECONDS)
        lags.append(time.perf_counter() - before - _PROBE_SECONDS)


def _cpu_seconds() -> float:
    children = [child.cpu_times() for child in psutil.Process().children(recursive=True)]
    return time.process_time() + float(sum(child.user + child.system for child in children))


class Measurement:
    """All that is measured, on one set of connections for each way."""

    def __init__(self, address: tuple[str, int]) -> None:
        self._address = address
        self._begun = time.perf_counter()
        self.figures: list[Figure] = []

    def _has_time(self) -> bool:
        return time.perf_counter() - self._begun < _MOST_SECONDS

    async def cost(self, way: Way, count: int) -> list[float]:
        """Return percent of a core for each channel, one value a round."""
        clients = await connect(count, way.kind, self._address)
        values = [(await play(way, clients, _CPU_SECONDS)).cpu / count for _ in range(ROUNDS)]
        disconnect(clients)
        self.figures.append(Figure(f"{way.name}: CPU of one of {count} channels", values, "% of a core"))
        return values

    async def limit(self, way: Way) -> None:
        """Find how many channels are carried, and note what playing cost at a thousand."""
        ladder = LADDERS[way.name]
        clients = await connect(ladder[-1], way.kind, self._address)
        runs: dict[int, list[Run]] = {count: [] for count in ladder}
        carried = [await self._climb(way, clients, runs) for _ in range(ROUNDS) if self._has_time()]
        disconnect(clients)
        self.figures.append(Figure(f"{way.name}: channels carried", carried))
        for count, done in runs.items():
            if done:
                self._describe(f"{way.name}: {count} channels", count, done)

    async def _climb(self, way: Way, clients: list[discord.VoiceClient], runs: dict[int, list[Run]]) -> float:
        carried = 0
        for count in runs:
            for _ in range(2):
                run = await play(way, clients[:count], _STEP_SECONDS)
                runs[count].append(run)
                if run.p99 <= LIMIT:
                    carried = count
                    break
            if carried != count:
                break
        return float(carried)

    def _describe(self, name: str, count: int, runs: Sequence[Run]) -> None:
        self.figures.append(Figure(f"{name}: p99 lateness", [1000 * run.p99 for run in runs], "ms"))
        self.figures.append(Figure(f"{name}: CPU of one", [run.cpu / count for run in runs], "% of a core"))

    async def lag(self, way: Way) -> None:
        """Measure how late the event loop comes while many play."""
        clients = await connect(LAG_CHANNELS, way.kind, self._address)
        runs = [await play(way, clients, _CPU_SECONDS, probed=True) for _ in range(ROUNDS)]
        disconnect(clients)
        lags = [1000 * percentile_99(run.lags) for run in runs]
        self.figures.append(Figure(f"{way.name}: {LAG_CHANNELS} channels: event-loop lag, p99", lags, "ms"))


async def _measure(address: tuple[str, int], folder: Path) -> tuple[list[Figure], list[str]]:
    measurement = Measurement(address)
    ours = await measurement.cost(OURS, CPU_CHANNELS)
    threads = await measurement.cost(THREADS, CPU_CHANNELS)
    ratios = [_ratio("a thread each", threads, ours)]
    notes = []
    if can_encode():
        ratios.append(
            _ratio("a thread each with encoding", await measurement.cost(ENCODING, ENCODED_CHANNELS), ours)
        )
        tutorial = tutorial_way(folder)
        if tutorial is None:
            notes.append("the tutorial way was skipped: no ffmpeg here; it is the way that encodes and more")
        else:
            ratios.append(
                _ratio("the tutorial way", await measurement.cost(tutorial, ENCODED_CHANNELS), ours)
            )
    else:
        notes.append("the ways that encode were skipped: no libopus here")
    await measurement.lag(OURS)
    for way in (OURS, THREADS):
        await measurement.limit(way)
    return [*measurement.figures, *ratios], notes


def _ratio(name: str, theirs: Sequence[float], ours: Sequence[float]) -> Figure:
    values = [their / our for their, our in zip(theirs, ours, strict=True)]
    return Figure(f"CPU of a channel, {name} : ours", values, "times")


def _allow_many_sockets() -> None:
    try:
        import resource
    except ImportError:  # Windows has no such limit
        return
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def run() -> Benchmark:
    """Measure all ways in one process, one after the other; in about a minute and a half at most."""
    _allow_many_sockets()
    with sink() as address, folder_for_files() as folder:
        figures, notes = asyncio.run(_measure(address, Path(folder)))
    goals = "goals: at most 0.1 % of a core a channel, 1,000 channels or more, loop lag at most 20 ms"
    return Benchmark("Playing: DAVE on, 50 packets a second in each channel", figures, [goals, *notes])
