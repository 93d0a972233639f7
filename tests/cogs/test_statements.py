"""What an utterance asks of the database and writes down: few statements, most behind the first sound."""

from __future__ import annotations

import re

import pytest

from tests.cogs.saved_voices import chosen, cloned
from tests.library.statements import Statements, statements
from tests.scenes import Scene, file_of, until


@pytest.fixture(autouse=True)
def looks_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the bot look only at its start whether the database answers: that is no part of an utterance.

    Nor is what is written down of replies that take longer than a tenth of a second, all of them together.
    """
    monkeypatch.setattr("bot.conditions.LOOK_SECONDS", 3_600.0)
    monkeypatch.setattr("bot.delivery.open_replies._LOOK_SECONDS", 3_600.0)


async def said(scene: Scene, text: str) -> Statements:
    """Return what was sent to the database while Alice had ``text`` said, until all of it was kept."""
    with statements() as counted:
        await file_of(await scene.speak(text))
        await until(lambda: not scene.bot.deliveries._open)
        await scene.bot.synthesizer.aclose()  # waits until nothing is made or kept any more
        async with scene.bot.library.usage:  # and this until all of it is counted
            pass
    return counted


@pytest.mark.parametrize("is_cloned", [False, True])
async def test_an_utterance_of_one_call_reads_four_times_and_writes_twice(
    scene: Scene, is_cloned: bool
) -> None:
    if is_cloned:
        await chosen(scene, await cloned(scene, scene.alice, "Ada"), scene.alice)
    await said(scene, "The first finds or makes the voice.")
    await said(scene, "The second gives it a place.")

    for text in ("From then on it is known.", "And again with other words."):
        counted = await said(scene, text)
        sent = [one for one, _ in counted.sent]
        of_the_cache = [one for one in sent if "cached_speech" in one]
        assert [one.split()[0] for one in of_the_cache] == ["INSERT", "INSERT"]
        of_usage = [one for one in sent if re.match(r"\w+ (INTO |FROM )?usage\b", one)]
        # Reserved in front of the call; settled together, some time after the first sounds.
        assert [one.split()[0] for one in of_usage] == ["INSERT", "DELETE", "UPDATE"]
        others = [one for one in sent if one not in of_the_cache + of_usage]
        looks_after_the_upload = 1 if is_cloned else 0
        assert len([one for one in others if one.startswith("SELECT")]) == 4 + looks_after_the_upload
        assert len(others) == (7 if is_cloned else 5) + looks_after_the_upload
        assert counted.transactions == 6 + looks_after_the_upload
