"""The goals as a picture: how far inside or outside each figure is, from the newest results.

Written as SVG by hand: a README shows it as it is, and no library is needed.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import RESULTS, Figure, Goal, readable

FILE_NAME: Final = "goals.svg"

_DECADES: Final = 2  # shown on either side of the goal
_WORST: Final = 10.0**-_DECADES
_LEFT, _WIDE, _RIGHT = 500, 320, 290  # pixels: names, bars, values
_ROW, _TOP, _BOTTOM = 24, 78, 34
_MET, _MISSED, _INK, _PALE = "#0b7a63", "#b3411e", "#1c2330", "#c9cfd8"


@dataclass(frozen=True, slots=True)
class Row:
    """One figure with a goal: 1 is just met, 2 is twice as good; median, worst and best value."""

    name: str
    middle: float
    worst: float
    best: float
    words: str
    is_met: bool


def draw(folder: Path = RESULTS) -> Path | None:
    """Write the picture of the newest results in ``folder``; return it, None where no figure has a goal."""
    rows, dates = [], []
    for document in _newest(folder):
        found = [row for raw in document["figures"] if (row := _row(document["benchmark"], raw))]
        rows += found
        if found:
            dates.append(document["measured"])
    if not rows:
        return None
    machine = _newest(folder)[0]["machine"]
    file = folder / FILE_NAME
    footer = f"Measured {min(dates)[:10]} on {machine['processor']}, Python {machine['python']}"
    file.write_text(svg(rows, footer=footer), encoding="utf-8")
    return file


def svg(rows: Sequence[Row], *, footer: str) -> str:
    """Return the picture."""
    width, height = _LEFT + _WIDE + _RIGHT, _TOP + _ROW * len(rows) + _BOTTOM
    goal, bottom = _x(1.0), _TOP + _ROW * len(rows)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" role="img" aria-label="{escape(_summary(rows))}"'
        ' font-family="system-ui, sans-serif" font-size="13">',
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
        _text(16, 28, "Goals and what was measured", size=17, weight=600),
        _text(16, 50, _summary(rows)),
        _text(goal, _TOP - 12, "goal", anchor="middle"),
        *(_axis(power, bottom) for power in range(-_DECADES, _DECADES + 1)),
        *(_drawn(number, row) for number, row in enumerate(rows)),
        _text(16, height - 10, footer, size=11),
    ]
    return "\n".join([*parts, "</svg>", ""])


def _newest(folder: Path) -> list[dict[str, Any]]:
    """Return the newest result of each benchmark; names of files sort by time."""
    newest = {file.stem.rpartition("-")[0]: file for file in sorted(folder.glob("*.json"))}
    return [json.loads(file.read_text(encoding="utf-8")) for file in newest.values()]


def _row(benchmark: str, raw: dict[str, Any]) -> Row | None:
    if not raw.get("goal"):
        return None
    figure = Figure(raw["name"], raw["values"], raw["unit"], Goal(**raw["goal"]))
    goal, middle = Goal(**raw["goal"]), statistics.median(figure.values)
    scores = sorted(_score(goal, value) for value in figure.values)
    name = f"{benchmark.replace('_', ' ')}: {figure.name}"
    words = f"{readable(middle)} {figure.unit}".rstrip() + f" (goal {goal})"
    return Row(name, _score(goal, middle), scores[0], scores[-1], words, goal.is_met(middle))


def _score(goal: Goal, value: float) -> float:
    if not goal.limit:  # of what must not happen at all nothing is twice as good
        return 1.0 if goal.is_met(value) else _WORST
    value = max(value, 1e-9)
    return value / goal.limit if goal.at_least else goal.limit / value


def _summary(rows: Sequence[Row]) -> str:
    return f"{sum(row.is_met for row in rows)} of {len(rows)} goals met. To the right is better."


def _drawn(number: int, row: Row) -> str:
    y, colour = _TOP + _ROW * number + _ROW // 2, _MET if row.is_met else _MISSED
    start, end = sorted((_x(1.0), _x(row.middle)))
    wide = max(end - start, 2)
    verdict = "met" if row.is_met else "missed"
    return "".join(
        [
            _text(_LEFT - 12, y + 4, row.name, anchor="end"),
            f'<rect x="{start:.1f}" y="{y - 7}" width="{wide:.1f}" height="14" fill="{colour}"/>',
            f'<path d="M{_x(row.worst):.1f} {y}H{_x(row.best):.1f}" stroke="{_INK}" stroke-width="1.5"/>',
            _text(_LEFT + _WIDE + 12, y + 4, f"{verdict}: {row.words}"),
        ]
    )


def _axis(power: int, bottom: int) -> str:
    x, colour = _x(10.0**power), _INK if power == 0 else _PALE
    return f'<path d="M{x:.1f} {_TOP - 6}V{bottom}" stroke="{colour}"/>' + (
        _text(x, _TOP - 12, f"{10.0**power:g} ×", anchor="middle", size=11) if power else ""
    )


def _x(score: float) -> float:
    decades = min(math.log10(max(score, _WORST)), _DECADES)
    return _LEFT + _WIDE * (decades + _DECADES) / (2 * _DECADES)


def _text(x: float, y: float, words: str, *, anchor: str = "start", size: int = 13, weight: int = 400) -> str:
    return (
        f'<text x="{x:.1f}" y="{y}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}"'
        f' fill="{_INK}">{escape(words)}</text>'
    )
