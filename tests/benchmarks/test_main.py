from __future__ import annotations

import pytest

from benchmarks import __main__ as program
from benchmarks import many


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
