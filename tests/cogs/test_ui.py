"""What outlives a restart is found again by its custom id."""

from __future__ import annotations

import pytest

from cogs.consent import ConsentButton
from cogs.privacy import PrivacyButton
from cogs.voices import HearMenu

REQUEST = "a" * 22


def test_a_custom_id_says_what_the_template_asks_for() -> None:
    assert ConsentButton("yes", REQUEST).custom_id == f"consent:yes:{REQUEST}"
    assert PrivacyButton("delete", 12345).custom_id == "privacy:delete:12345"
    assert HearMenu([]).custom_id == "voice:hear"


@pytest.mark.parametrize("request_id", ["", "short", "a" * 23, f"yes:{REQUEST}", "a" * 21 + "ä\n"])
def test_a_custom_id_that_would_not_be_found_again_is_refused(request_id: str) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        ConsentButton("yes", request_id)
