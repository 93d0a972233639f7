from __future__ import annotations

import dataclasses
from io import StringIO
from pathlib import Path

import pytest
from dotenv import dotenv_values

from bot.settings import Settings

EXAMPLE = Path(__file__).parent.parent / ".env.example"
FIELDS = [field.name for field in dataclasses.fields(Settings)]


def test_the_example_names_every_setting_and_no_other() -> None:
    named = dotenv_values(EXAMPLE)

    assert sorted(named) == sorted(name.upper() for name in FIELDS)


def test_the_example_as_it_is_gives_the_defaults() -> None:
    assert Settings.from_env(dotenv_values(EXAMPLE)) == Settings()


@pytest.mark.parametrize("name", [name for name in FIELDS if getattr(Settings(), name) is not None])
def test_the_example_shows_the_default(name: str) -> None:
    shown = dotenv_values(EXAMPLE)[name.upper()]

    assert shown == str(getattr(Settings(), name))


def test_every_setting_in_the_example_is_explained_above_it() -> None:
    explained = False
    for line in EXAMPLE.read_text(encoding="utf-8").splitlines():
        if dotenv_values(stream=StringIO(line)):
            assert explained, line
        else:
            explained = line.startswith("#")


def test_the_example_says_that_a_value_may_come_from_a_file() -> None:
    assert "NAME_FILE" in EXAMPLE.read_text(encoding="utf-8")
