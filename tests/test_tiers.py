"""The two tiers of the suite: every test is in one of them, and everything that checks runs both."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pytest
from _pytest.mark.expression import Expression

ROOT: Final = Path(__file__).parent.parent
TARGETS: Final = ("test", "test-slow")
PYPROJECT: Final = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def commands(target: str, program: str) -> list[list[str]]:
    """Return what ``make target`` gives to the module ``program`` of Python, call by call."""
    if shutil.which("make") is None:
        pytest.skip("there is no make")
    made = subprocess.run(
        ["make", "--dry-run", "--no-print-directory", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [shlex.split(found) for found in re.findall(rf"-m {program}\b([^;>\n]*)", made.stdout)]


def is_chosen(expression: str, *marks: str) -> bool:
    """Return whether pytest's ``-m expression`` runs a test with these marks."""
    return Expression.compile(expression).evaluate(lambda name, /, **_: name in marks)


def tier_of(target: str) -> str:
    """Return the expression after ``-m`` in the one call of pytest that ``make target`` makes."""
    (arguments,) = commands(target, "pytest")
    *others, option, expression = arguments
    assert option == "-m"
    assert others == ["-n", "auto"], "nothing else may leave out a test"
    return expression


@pytest.mark.parametrize("marks", [(), ("slow",)], ids=["unmarked", "slow"])
def test_a_test_is_run_by_exactly_one_target(marks: Sequence[str]) -> None:
    assert [target for target in TARGETS if is_chosen(tier_of(target), *marks)] == [
        "test-slow" if marks else "test"
    ]


def test_there_is_no_other_mark_of_ours_that_could_choose() -> None:
    options = PYPROJECT["tool"]["pytest"]["ini_options"]

    assert [mark.partition(":")[0] for mark in options["markers"]] == ["slow"]
    assert options["testpaths"] == ["tests"]
    assert not re.search(r"--ignore|--deselect|-[mk] ", options["addopts"])


def test_both_targets_together_check_every_type() -> None:
    (quick,) = commands("test", "mypy")
    (whole,) = commands("test-slow", "mypy")
    everything = PYPROJECT["tool"]["mypy"]["files"]

    assert whole == [], "all that pyproject.toml names"
    assert set(everything) - set(quick) == {"tests", "benchmarks"}
    assert set(quick) <= set(everything)


def test_what_is_clean_and_well_formed_is_looked_at_by_the_quick_one() -> None:
    assert commands("test", "ruff") == [["check", "."], ["format", "--check", "."]]


@pytest.mark.parametrize("path", [".ci/run", ".github/workflows/ci.yml", "docs/contributing.md"])
def test_whoever_runs_the_one_runs_or_names_the_other(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")

    for target in TARGETS:
        assert re.search(rf"make {target}(?![\w-])", text), target
