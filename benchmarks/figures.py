"""What a benchmark returns, how it is printed and where it is kept."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

RESULTS: Final = Path(__file__).parent / "results"
"""Git-ignored: figures belong to the machine they were measured on."""

_PACKAGES: Final = ("numpy", "av", "espeakng-loader", "aiohttp", "discord.py")


@dataclass(frozen=True, slots=True)
class Goal:
    """What the median of a figure shall be: at most, or ``at_least``, this ``limit``, in its unit."""

    limit: float
    at_least: bool = False

    def is_met(self, median: float) -> bool:
        """Return whether ``median`` reaches it."""
        return median >= self.limit if self.at_least else median <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}"


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a table: all the single measurements of one thing, in one unit."""

    name: str
    values: Sequence[float]
    unit: str = ""
    goal: Goal | None = None

    @property
    def verdict(self) -> str:
        """The goal and whether it is met, in words; nothing where there is none."""
        if self.goal is None:
            return ""
        return f"goal {self.goal}: {'met' if self.goal.is_met(statistics.median(self.values)) else 'MISSED'}"

    def __str__(self) -> str:
        if len(self.values) == 1:
            return f"{readable(self.values[0])} {self.unit}".rstrip()
        low, high = readable(min(self.values)), readable(max(self.values))
        return f"{readable(statistics.median(self.values))} ({low}–{high}) {self.unit}".rstrip()


@dataclass(frozen=True, slots=True)
class Benchmark:
    """The figures of one benchmark module, and a sentence on what was measured and how."""

    title: str
    figures: Sequence[Figure]
    notes: Sequence[str] = field(default=())


def readable(value: float) -> str:
    """Return ``value`` to three digits, or to the unit where it has more before the point."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def machine() -> dict[str, str]:
    """Return what the figures depend on: processor, system, Python, packages."""
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "system": platform.platform(terse=True),
        "python": platform.python_version(),
    } | {name: version(name) for name in _PACKAGES}


def print_table(benchmark: Benchmark) -> None:
    """Print the figures as median (min–max), with their goals."""
    width = max((len(figure.name) for figure in benchmark.figures), default=0)
    wide = max((len(str(figure)) for figure in benchmark.figures), default=0)
    print(f"\n{benchmark.title}")
    for figure in benchmark.figures:
        count = f"n={len(figure.values)}" if len(figure.values) > 1 else ""
        print(f"  {figure.name:<{width}}  {figure!s:<{wide}}  {count:<6}{figure.verdict}".rstrip())
    for note in benchmark.notes:
        print(f"  {note}")


def save(name: str, benchmark: Benchmark, *, folder: Path = RESULTS) -> Path:
    """Write every single value and the machine as JSON, and return the file."""
    folder.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    document = {"benchmark": name, "measured": now.isoformat(timespec="seconds"), "machine": machine()}
    file = folder / f"{name}-{now:%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps(document | asdict(benchmark), indent=1, ensure_ascii=False), encoding="utf-8")
    return file


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
