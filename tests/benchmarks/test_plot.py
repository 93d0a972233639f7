from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from benchmarks.figures import Benchmark, Figure, Goal, print_table, save
from benchmarks.plot import draw

SVG = "{http://www.w3.org/2000/svg}"
AT_MOST_TEN = Goal(10.0)
AT_LEAST_TEN = Goal(10.0, at_least=True)


def figure(values: Sequence[float], goal: Goal | None = AT_MOST_TEN) -> Figure:
    return Figure("first <packet>", values, "ms", goal)


def picture(folder: Path, *figures: Figure) -> ElementTree.Element:
    save("first_sound", Benchmark("First sound", figures), folder=folder)
    path = draw(folder)
    assert path is not None
    return ElementTree.parse(path).getroot()


def words(root: ElementTree.Element) -> str:
    return "\n".join(text.text or "" for text in root.iter(f"{SVG}text"))


@pytest.mark.parametrize(
    ("goal", "values", "verdict"),
    [
        (AT_MOST_TEN, [10.0, 9.0, 40.0], "goal ≤ 10: met"),
        (AT_MOST_TEN, [10.1], "goal ≤ 10: MISSED"),
        (AT_LEAST_TEN, [10.0], "goal ≥ 10: met"),
        (AT_LEAST_TEN, [9.0, 9.9, 100.0], "goal ≥ 10: MISSED"),
        (None, [1.0], ""),
    ],
)
def test_the_median_decides_whether_a_goal_is_met(goal, values, verdict):
    assert figure(values, goal).verdict == verdict


def test_a_table_has_the_goal_beside_the_figure(capsys):
    print_table(Benchmark("First sound", [figure([9.0, 8.0, 12.0])]))

    assert "9 (8–12) ms  n=3   goal ≤ 10: met" in capsys.readouterr().out


def test_a_picture_has_every_goal_with_its_name_and_verdict(tmp_path):
    root = picture(tmp_path, figure([5.0]), figure([20.0]), figure([1.0], None))

    assert "first sound: first <packet>" in words(root)
    assert "met: 5 ms (goal ≤ 10)" in words(root)
    assert "missed: 20 ms (goal ≤ 10)" in words(root)
    assert root.get("aria-label") == "1 of 2 goals met. To the right is better."


def test_better_lies_to_the_right_and_nothing_leaves_the_picture(tmp_path):
    root = picture(tmp_path, figure([5.0]), figure([20.0]), figure([0.0]), figure([1e9]))

    bars = list(root.iter(f"{SVG}rect"))[1:]
    edges = [(float(bar.get("x", "")), float(bar.get("width", ""))) for bar in bars]
    goal = edges[0][0]
    assert edges[1][0] + edges[1][1] == pytest.approx(goal, abs=0.2)
    assert all(x > 0 and x + wide < float(root.get("width", "")) for x, wide in edges)


def test_of_what_must_not_happen_nothing_meets_the_goal_and_anything_misses_it(tmp_path):
    root = picture(tmp_path, figure([0.0], Goal(0)), figure([3.0], Goal(0)), figure([float("inf")]))

    assert "met: 0 ms (goal ≤ 0)" in words(root)
    assert "missed: 3 ms (goal ≤ 0)" in words(root)
    bars = list(root.iter(f"{SVG}rect"))[1:]
    assert all(0 < float(bar.get("x", "")) < float(root.get("width", "")) for bar in bars)


def test_only_the_newest_result_of_a_benchmark_is_drawn(tmp_path):
    save("memory", Benchmark("Memory", [figure([30.0])]), folder=tmp_path)
    old = next(tmp_path.glob("memory-*.json"))
    old.rename(tmp_path / "memory-20200101T000000Z.json")
    save("memory", Benchmark("Memory", [figure([5.0])]), folder=tmp_path)

    path = draw(tmp_path)

    assert path is not None
    assert "30 ms" not in path.read_text(encoding="utf-8")


def test_without_a_goal_there_is_no_picture(tmp_path):
    save("memory", Benchmark("Memory", [figure([5.0], None)]), folder=tmp_path)

    assert draw(tmp_path) is None
