"""The tests of consent are worth something: each notices when a rule is broken."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.library.consent_mutants import MUTANTS

HISTORIES_TEST = "test_consent_histories.py"
pytestmark = pytest.mark.slow


def failures(*name: str) -> list[str]:
    ended = subprocess.run(
        [sys.executable, "-m", "tests.library.consent_mutants", *name],
        check=False,
        timeout=300,
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 0, ended.stderr
    said = json.loads(ended.stdout)
    assert said["ran"] > 40
    failed: list[str] = said["failed"]
    return failed


def test_with_the_rules_as_they_are_nothing_fails() -> None:
    assert failures() == []


@pytest.mark.parametrize("name", MUTANTS)
def test_a_broken_rule_is_noticed_by_the_tests_of_the_rules_and_by_the_histories(name: str) -> None:
    failed = failures(name)

    assert [test for test in failed if not test.startswith(HISTORIES_TEST)], MUTANTS[name].harm
    if MUTANTS[name].is_in_histories:
        assert [test for test in failed if test.startswith(HISTORIES_TEST)], MUTANTS[name].harm
