"""What outlives a restart is found again by its custom id; what does not is bounded."""

from __future__ import annotations

import asyncio

import pytest

from cogs.consent import ConsentButton
from cogs.privacy import PrivacyButton
from cogs.ui import MAX_OPEN_PER_MEMBER
from cogs.voices import HearMenu
from rehearsal.rest.call import Misbehaviour
from tests.cogs.generations import generated, opened
from tests.cogs.saved_voices import sent
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import Scene, typed, until, words_of
from tts_gateway.engines.base import Engine

REQUEST = "a" * 22
TYPED = MAX_OPEN_PER_MEMBER + 4


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


def waiting() -> int:
    """Return how many views and forms wait for somebody."""
    return sum("__timeout_task_impl" in repr(task.get_coro()) for task in asyncio.all_tasks())


def test_a_custom_id_says_what_the_template_asks_for() -> None:
    assert ConsentButton("yes", REQUEST).custom_id == f"consent:yes:{REQUEST}"
    assert PrivacyButton("delete", 12345).custom_id == "privacy:delete:12345"
    assert HearMenu([]).custom_id == "voice:hear"


@pytest.mark.parametrize("request_id", ["", "short", "a" * 23, f"yes:{REQUEST}", "a" * 21 + "ä\n"])
def test_a_custom_id_that_would_not_be_found_again_is_refused(request_id: str) -> None:
    with pytest.raises(ValueError, match="cannot say"):
        ConsentButton("yes", request_id)


async def test_of_one_members_many_questions_the_oldest_give_way_and_others_keep_theirs(scene: Scene):
    await scene.let_clone()
    others = await typed(scene.bob, scene.general, "clone", text="Hello", recording=sent())
    asked = [
        await typed(scene.alice, scene.general, "voice save", name=f"Voice {number}", recording=sent())
        for number in range(TYPED)
    ]

    await until(lambda: waiting() == MAX_OPEN_PER_MEMBER + 1)
    await until(lambda: not any(one.buttons for one in asked[:4]))
    assert all(one.buttons for one in asked[4:])
    assert asked[0].content == "These buttons have expired. Run your command again."
    saved = await words_of(await scene.alice.press(asked[-1], "This is my own voice"))
    assert saved.startswith(f"Saved as **Voice {TYPED - 1}**")
    assert others.buttons == ["This is my own voice"]


async def test_of_one_members_many_queues_the_oldest_give_way_also_to_refreshed_ones(scene: Scene):
    await scene.alice.join(scene.perch)
    await words_of(await scene.alice.slash(scene.general, "join"))
    others = await typed(scene.bob, scene.general, "queue")

    shown = [await typed(scene.alice, scene.general, "queue") for _ in range(TYPED)]
    for one in shown[-2:]:
        await scene.alice.press(one, "Refresh")

    await until(lambda: waiting() == MAX_OPEN_PER_MEMBER + 1)
    await until(lambda: not any(one.buttons for one in shown[:4]))
    assert shown[0].content == "Type /queue to see it again."
    assert all(one.buttons for one in shown[-2:])
    assert others.buttons


async def test_of_one_members_many_forms_the_last_ones_stay(scene: Scene):
    answer = await generated(scene)
    before = waiting()

    forms = [await opened(scene.alice, answer, "Save voice") for _ in range(TYPED)]

    await until(lambda: waiting() - before == MAX_OPEN_PER_MEMBER)
    submitted = await scene.alice.submit(forms[-1], {"Name": "Jack"})
    assert (await words_of(submitted)).startswith("Saved as **Jack**")


@pytest.mark.parametrize("carried_out", [False, True])
async def test_a_form_whose_opening_broke_off_is_taken_when_it_is_filled_in(scene: Scene, carried_out: bool):
    answer = await generated(scene)
    cut = Misbehaviour("POST", "/callback", cuts=True, carried_out=carried_out)
    scene.rehearsal.misbehave(cut)

    form = await opened(scene.alice, answer, "Save voice")
    submitted = await scene.alice.submit(form, {"Name": "Jack"})

    assert (await words_of(submitted)).startswith("Saved as **Jack**")
    assert cut.times == 0
