from __future__ import annotations

from typing import Any

import pytest

from tests.text.discord_cases import CASES, complaints, said_for


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.get("surface") != "message"], ids=lambda case: case["id"]
)
def test_what_is_read_aloud_is_an_accepted_reading(case: dict[str, Any]) -> None:
    said = said_for(case)

    assert complaints(case, said) == [], said
