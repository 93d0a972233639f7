"""What playing costs, and in how many voice channels one process can play.

Everything is real but the far end (see `benchmarks.voice_channels`): frames of 200 bytes, end-to-end and
transport encryption, a socket for each channel. CPU is that of the whole process and its children. Lateness
is measured where frames are taken from their source, in every way alike, against the best 20 ms grid of
each channel. A number of channels is carried if the 99th percentile is at most 5 ms, in one of two tries
(one, if it is above 100 ms).

With the main thread 100 % busy in Python, packets go both ways of `bot.playback.transmitter` in turn:
as PyNaCl and Python do, which releases the GIL, and without releasing it. There the lateness is the
scheduler's; on a machine with other work the time that a hundred packets in a row take says more.
"""

from __future__ import annotations

import asyncio
import tempfile
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import discord
import psutil

from benchmarks.figures import Benchmark, Figure, Goal
from benchmarks.machine_state import allow_many_sockets, of_children
from benchmarks.percentiles import percentile_99
from benchmarks.sounds import speech_wav
from benchmarks.voice_channels import connect, disconnect, sink
from benchmarks.ways_to_play import (
    FRAME_BYTES,
    OURS,
    THREADS,
    MeasuredVoiceClient,
    Way,
    can_encode,
    encoding_way,
    lateness,
    tutorial_way,
)
from bot.playback.scheduler import FRAME_SECONDS, SLOTS
from bot.playback.transmitter import KeepingPacket, Packet, PacketWriter, ReleasingPacket, native_calls

ROUNDS: Final = 3
LIMIT: Final = 0.005
CPU_CHANNELS: Final = 50
MANY_CHANNELS: Final = 500
"""What one channel costs depends on how many share a wake-up of the sender: it is measured at both."""

BUSY_CHANNELS: Final = (100, 500)
_BURST_PACKETS: Final = 100
_BURSTS: Final = 100
_BURST_SECONDS: Final = 5.0
"""After this no further burst is begun: one that lets go of the GIL takes a second of its own."""
ENCODED_CHANNELS: Final = 4
LADDERS: Final = {
    OURS: (500, 750, 900, 1000, 1250, 1500, 2000),
    THREADS: (50, 100, 150, 200, 300),
}

_HOPELESS: Final = 20 * LIMIT

_SETTLE_SECONDS: Final = 0.4
_CPU_SECONDS: Final = 1.2
_STEP_SECONDS: Final = 0.8
_PROBE_SECONDS: Final = 0.002
_SPEECH_SECONDS: Final = 20.0  # more than the tutorial way plays in a round
_CLIMBING_SECONDS: Final = 45.0
"""After this no further round of climbing is begun; one takes up to 15 s."""


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
    children = of_children(psutil.Process(), psutil.Process.cpu_times)
    return time.process_time() + float(sum(child.user + child.system for child in children))


class Climb:
    """Finds how many channels a way carries: up its ladder until it is late twice, or hopelessly late."""

    def __init__(self, way: Way, address: tuple[str, int]) -> None:
        self._way = way
        self._address = address
        self._clients: list[discord.VoiceClient] = []
        self._runs: dict[int, list[Run]] = {}
        self._carried: list[float] = []

    async def round(self) -> None:
        """Climb once from the bottom."""
        carried = 0
        for count in LADDERS[self._way]:
            late = await self._p99(count)
            if LIMIT < late < _HOPELESS:
                late = await self._p99(count)
            if late > LIMIT:
                break
            carried = count
        self._carried.append(carried)

    async def _p99(self, count: int) -> float:
        self._clients += await connect(count - len(self._clients), self._way.kind, self._address)
        run = await play(self._way, self._clients[:count], _STEP_SECONDS)
        self._runs.setdefault(count, []).append(run)
        return run.p99

    def figures(self) -> list[Figure]:
        """Return what was found, and let the connections go."""
        disconnect(self._clients)
        goal = Goal(1000, at_least=True) if self._way is OURS else None
        figures = [Figure(f"{self._way.name}: channels carried", self._carried, goal=goal)]
        for count, runs in self._runs.items():
            name = f"{self._way.name}: {count} channels"
            figures.append(Figure(f"{name}: p99 lateness", [1000 * run.p99 for run in runs], "ms"))
            cpu = [run.cpu / count for run in runs]
            figures.append(Figure(f"{name}: CPU of one", cpu, "% of a core"))
        return figures


async def _cost(way: Way, count: int, address: tuple[str, int]) -> Figure:
    clients = await connect(count, way.kind, address)
    values = [(await play(way, clients, _CPU_SECONDS)).cpu / count for _ in range(ROUNDS)]
    disconnect(clients)
    goal = Goal(0.1) if way is OURS else None
    return Figure(f"{way.name}: CPU of one of {count} channels", values, "% of a core", goal)


async def _lag(address: tuple[str, int]) -> Figure:
    clients = await connect(MANY_CHANNELS, OURS.kind, address)
    runs = [await play(OURS, clients, _CPU_SECONDS, probed=True) for _ in range(ROUNDS)]
    disconnect(clients)
    lags = [1000 * percentile_99(run.lags) for run in runs]
    return Figure(f"{OURS.name}: {MANY_CHANNELS} channels: event-loop lag, p99", lags, "ms", Goal(20))


async def _busy(address: tuple[str, int]) -> list[Figure]:
    """Compare both ways to send while the main thread is busy; nothing where there is only one."""
    calls = native_calls()
    figures: list[Figure] = []
    if calls is None:
        return figures
    for count in BUSY_CHANNELS:
        clients: Any = await connect(count, OURS.kind, address)
        keeping, releasing = [], []
        for client in clients:
            client.play(OURS.source())
        for _ in range(ROUNDS):
            keeping.append(await _busy_late(clients, [KeepingPacket(calls) for _ in clients]))
            releasing.append(await _busy_late(clients, [ReleasingPacket() for _ in clients]))
        disconnect(clients)
        name = f"main thread busy, {count} channels"
        ratio = [worse / better for worse, better in zip(releasing, keeping, strict=True)]
        figures += [
            Figure(f"{name}: p99 lateness, GIL kept", keeping, "ms"),
            Figure(f"{name}: p99 lateness, GIL released", releasing, "ms"),
            Figure(f"{name}: lateness, GIL released : kept", ratio, "times"),
        ]
    return figures


async def _burst_figures(address: tuple[str, int]) -> list[Figure]:
    """Compare how long packets in a row take in both ways while the main thread is busy."""
    calls = native_calls()
    if calls is None:
        return []
    clients: Any = await connect(1, OURS.kind, address)
    keeping = PacketWriter(clients[0], KeepingPacket(calls))
    releasing = PacketWriter(clients[0], ReleasingPacket())
    kept, released = [], []
    for _ in range(ROUNDS):
        kept.append(_busy_bursts(keeping))
        released.append(_busy_bursts(releasing))
    disconnect(clients)
    name = f"main thread busy, {_BURST_PACKETS} packets in a row"
    return [
        Figure(f"{name}: p99, GIL kept", kept, "ms"),
        Figure(f"{name}: p99, GIL released", released, "ms"),
    ]


def _busy_bursts(writer: PacketWriter) -> float:
    """Return the 99th percentile of what packets in a row take in a thread, in ms, while this computes."""
    took: list[float] = []
    end = time.perf_counter() + _BURST_SECONDS

    def send() -> None:
        while len(took) < 2 or (len(took) < _BURSTS and time.perf_counter() < end):
            time.sleep(FRAME_SECONDS / SLOTS)
            begun = time.perf_counter()
            for _ in range(_BURST_PACKETS):
                writer.send(bytes(FRAME_BYTES), None)
            took.append(time.perf_counter() - begun)

    thread = threading.Thread(target=send)
    thread.start()
    while thread.is_alive():
        sum(range(100))
    return 1000 * percentile_99(took)


async def _busy_late(clients: Sequence[Any], packets: Sequence[Packet]) -> float:
    """Return the 99th percentile of the scheduler's lateness, in ms, with the main thread busy.

    Where it did not even come to two slots, that is the whole time it was watched.
    """
    for client, packet in zip(clients, packets, strict=True):
        client._transmitter._writer = PacketWriter(client, packet)
    await asyncio.sleep(_SETTLE_SECONDS)
    lateness = MeasuredVoiceClient.scheduler.lateness
    lateness.clear()
    end = time.perf_counter() + _CPU_SECONDS
    while time.perf_counter() < end:
        sum(range(100))
    late = lateness.recent()
    return 1000 * (percentile_99(late) if len(late) > 1 else _CPU_SECONDS)


async def _costs(address: tuple[str, int], folder: Path) -> tuple[list[Figure], list[str]]:
    """Measure the CPU of each way, ours as many times dearer or cheaper, and say what was skipped."""
    few, threads = [await _cost(way, CPU_CHANNELS, address) for way in (OURS, THREADS)]
    ours = await _cost(OURS, MANY_CHANNELS, address)
    figures = [few, ours, threads, _ratio("a thread each", threads, few)]
    if not can_encode():
        return figures, ["the ways that encode were skipped: no libopus here"]
    path = folder / "speech.wav"
    path.write_bytes(await speech_wav(_SPEECH_SECONDS))
    encoding = await _cost(encoding_way(path.read_bytes()), ENCODED_CHANNELS, address)
    figures += [encoding, _ratio("a thread each, encoding", encoding, ours)]
    tutorial = tutorial_way(path)
    if tutorial is None:
        return figures, ["the tutorial way was skipped: no ffmpeg here"]
    theirs = await _cost(tutorial, ENCODED_CHANNELS, address)
    return [*figures, theirs, _ratio("the tutorial way", theirs, ours, Goal(60, at_least=True))], []


async def _measure(address: tuple[str, int], folder: Path) -> tuple[list[Figure], list[str]]:
    figures, notes = await _costs(address, folder)
    figures.append(await _lag(address))
    figures += await _busy(address)
    figures += await _burst_figures(address)
    climbs = [Climb(way, address) for way in LADDERS]
    begun = time.perf_counter()
    for number in range(ROUNDS):
        for climb in climbs:
            if not number or time.perf_counter() - begun < _CLIMBING_SECONDS:
                await climb.round()
    for climb in climbs:
        figures += climb.figures()
    return figures, notes


def _ratio(name: str, theirs: Figure, ours: Figure, goal: Goal | None = None) -> Figure:
    values = [their / our for their, our in zip(theirs.values, ours.values, strict=True)]
    return Figure(f"CPU of a channel, {name} : ours", values, "times", goal)


def run() -> Benchmark:
    """Measure all ways in one process, one after the other; in about two minutes."""
    allow_many_sockets()
    with sink() as address, tempfile.TemporaryDirectory(prefix="benchmark-playing-") as folder:
        figures, notes = asyncio.run(_measure(address, Path(folder)))
    return Benchmark("Playing: DAVE on, 50 packets a second in each channel", figures, notes)
