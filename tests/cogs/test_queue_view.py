"""The buttons under /queue."""

from __future__ import annotations

import pytest

from cogs.queue import Queue
from rehearsal.answers import Answer
from rehearsal.people import Person
from tests.cogs.in_voice import LONG, command, make_moderator, speaking, waiting
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, words_of
from tts_gateway.engines.base import Engine


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()  # quick on any machine, so that what waits is ready before the first has been said


async def shown_to(scene: Scene, person: Person) -> Answer:
    answer = await person.slash(scene.general, "queue")
    await words_of(answer)
    return answer


@pytest.fixture
async def busy(scene: Scene) -> Scene:
    """Alice is being said; two of Bob's and one of Alice's wait."""
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await speaking(scene, scene.alice, LONG * 4)
    await waiting(scene, scene.alice, "Alice again")
    await waiting(scene, scene.bob, "Bob first")
    await waiting(scene, scene.bob, "Bob second")
    return scene


def order(answer: Answer) -> list[str]:
    """Return what is numbered in the queue, as far as it is told apart here."""
    words = ("This takes", "Alice again", "Bob first", "Bob second")
    lines = [line for line in answer.content.splitlines() if line[:1].isdigit()]
    return [next(word for word in words if word in line) for line in lines]


async def test_it_is_shown_in_the_order_in_which_it_will_be_said_members_taking_turns(busy: Scene):
    answer = await shown_to(busy, busy.alice)

    assert answer.ephemeral
    assert order(answer) == ["This takes", "Bob first", "Alice again", "Bob second"]
    assert answer.buttons == ["Skip", "Cancel mine", "Stop all", "Refresh"]


async def test_skip_skips_and_the_list_follows(busy: Scene):
    answer = await shown_to(busy, busy.alice)

    await busy.alice.press(answer, "Skip")
    await answer.until(lambda shown: shown.content.startswith("Skipped: This takes"), timeout=DEADLINE)

    assert order(answer) == ["Bob first", "Alice again", "Bob second"]


async def test_who_may_skip_is_asked_at_the_press_and_not_when_it_was_shown(busy: Scene):
    answer = await shown_to(busy, busy.bob)

    refused = await words_of(await busy.bob.press(answer, "Skip"))
    await make_moderator(busy, busy.bob)
    await busy.bob.press(answer, "Skip")
    await answer.until(lambda shown: shown.content.startswith("Skipped: This takes"), timeout=DEADLINE)

    assert "Only the member who asked" in refused


async def test_what_was_shown_and_is_over_is_not_skipped_in_another_s_place(busy: Scene):
    await make_moderator(busy, busy.bob)
    answer = await shown_to(busy, busy.bob)
    await command(busy, busy.alice, "skip")

    await busy.bob.press(answer, "Skip")
    await answer.until(lambda shown: shown.content.startswith("That's already over."), timeout=DEADLINE)

    assert order(answer) == ["Bob first", "Alice again", "Bob second"]


async def test_cancel_mine_drops_only_mine(busy: Scene):
    answer = await shown_to(busy, busy.bob)

    await busy.bob.press(answer, "Cancel mine")
    await answer.until(lambda shown: shown.content.startswith("Cleared your 2 items."), timeout=DEADLINE)
    nothing = await words_of(await busy.bob.press(answer, "Cancel mine"))

    assert order(answer) == ["This takes", "Alice again"]
    assert nothing == "You have nothing in the queue."


@pytest.mark.slow
async def test_stop_all_is_for_who_decides(busy: Scene):
    answer = await shown_to(busy, busy.bob)

    refused = await words_of(await busy.bob.press(answer, "Stop all"))
    await make_moderator(busy, busy.bob)
    await busy.bob.press(answer, "Stop all")
    await answer.until(lambda shown: shown.content.startswith("Cleared 4 items."), timeout=DEADLINE)

    assert "Mute Members" in refused
    assert "The queue is empty" in answer.content
    assert answer.buttons == ["Refresh"]


async def test_a_moderator_brings_one_to_the_front(busy: Scene):
    answer = await shown_to(busy, busy.bob)

    refused = await words_of(await busy.bob.select(answer, "Say next (moderators)", "Bob second"))
    await make_moderator(busy, busy.bob)
    await busy.bob.select(answer, "Say next (moderators)", "Bob second")
    await answer.until(lambda shown: shown.content.startswith("Next: Bob second"), timeout=DEADLINE)

    assert "change the order" in refused
    assert order(answer) == ["This takes", "Bob second", "Alice again", "Bob first"]


async def test_what_is_brought_to_the_front_too_late_is_refused(busy: Scene):
    await make_moderator(busy, busy.bob)
    answer = await shown_to(busy, busy.bob)
    await command(busy, busy.bob, "stop")

    assert "no longer waiting" in await words_of(
        await busy.bob.select(answer, "Say next (moderators)", "Bob second")
    )


async def test_refresh_shows_how_it_is_now(busy: Scene):
    answer = await shown_to(busy, busy.alice)
    await make_moderator(busy, busy.bob)
    await command(busy, busy.bob, "skip")

    await busy.alice.press(answer, "Refresh")
    await answer.until(lambda shown: "This takes" not in shown.content, timeout=DEADLINE)

    assert order(answer) == ["Bob first", "Alice again", "Bob second"]


async def test_pressed_when_the_bot_has_left_it_says_so(busy: Scene):
    answer = await shown_to(busy, busy.alice)
    await make_moderator(busy, busy.bob)
    await command(busy, busy.bob, "leave")

    assert "not in a voice channel" in await words_of(await busy.alice.press(answer, "Skip"))


async def test_the_buttons_end_and_say_how_to_get_new_ones(scene: Scene):
    await scene.bot.remove_cog("Queue")
    await scene.bot.add_cog(Queue(scene.bot.players, view_seconds=0.3))
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")

    answer = await shown_to(scene, scene.alice)

    await answer.until(lambda shown: shown.content == "Type /queue to see it again.", timeout=DEADLINE)
    assert answer.components == []


async def test_the_buttons_live_on_from_the_last_press(scene: Scene):
    await scene.bot.remove_cog("Queue")
    await scene.bot.add_cog(Queue(scene.bot.players, view_seconds=1.5))
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")
    answer = await shown_to(scene, scene.alice)

    await scene.alice.press(answer, "Refresh")
    await answer.until(lambda shown: "The queue is empty" in shown.content, timeout=DEADLINE)
    await answer.until(lambda shown: shown.content == "Type /queue to see it again.", timeout=DEADLINE)

    assert [seen.content for seen in answer.history].count("Type /queue to see it again.") == 1


async def test_buttons_from_before_a_restart_still_work(scene: Scene):
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")
    answer = await shown_to(scene, scene.alice)
    for view in list(scene.bot._connection._view_store._views):  # what a restart forgets
        if view is not None:
            del scene.bot._connection._view_store._views[view]

    await scene.alice.press(answer, "Refresh")

    await answer.until(lambda shown: len(shown.history) > 1, timeout=DEADLINE)
    assert "The queue is empty" in answer.content


async def test_a_queue_with_messages_to_be_read_is_not_called_empty(scene: Scene):
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")
    player = scene.bot.players.get(scene.guild.id)
    assert player is not None
    player.also_waiting = "Reading aloud: 3 messages wait, about 9 s."

    answer = await shown_to(scene, scene.alice)

    assert answer.content == "Reading aloud: 3 messages wait, about 9 s."
