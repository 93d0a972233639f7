from __future__ import annotations

from functools import partial

import pytest

from benchmarks import __main__ as program
from benchmarks import figures, many
from benchmarks.figures import Benchmark, Figure


def test_a_benchmark_with_parts_is_all_of_them_and_each_can_be_named():
    names = program.expanded(["start", "many"])

    assert names == ["start", *(f"many-{part}" for part in many.PARTS)]
    assert program.expanded(["many-hanging"]) == ["many-hanging"]


@pytest.mark.parametrize("name", ["many-", "many-nobody", "start-1", "nothing", "many 10", "__main__"])
def test_what_is_no_benchmark_is_refused_before_anything_is_measured(name, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["benchmarks", "start", name])

    with pytest.raises(SystemExit):
        program.main()

    assert f"no such benchmark: {name}" in capsys.readouterr().err


def test_every_part_of_the_goals_is_one_that_is_measured():
    assert {str(count) for count in many.FIRST_PACKET_GOALS} <= set(many.PARTS)


def test_what_cannot_be_measured_is_named_at_the_end_and_loses_nothing_else(monkeypatch, capsys, tmp_path):
    def run(name: str) -> Benchmark:
        if name == "start":
            raise RuntimeError("it did not start")
        values = [] if name == "playing" else [1.0, 2.0, 3.0]
        return Benchmark("All is quiet", [Figure("lateness", values, "ms")])

    monkeypatch.setattr(program, "_run", run)
    monkeypatch.setattr(program, "save", partial(figures.save, folder=tmp_path))
    monkeypatch.setattr(program, "draw", lambda: None)
    monkeypatch.setattr("sys.argv", ["benchmarks", "start", "playing", "pacing"])

    with pytest.raises(SystemExit, match=r"^Not measured: start, playing\."):
        program.main()

    said = capsys.readouterr()
    assert "it did not start" in said.err
    assert "2 (1–3) ms" in said.out
    assert [file.name.partition("-")[0] for file in tmp_path.iterdir()] == ["pacing"]
