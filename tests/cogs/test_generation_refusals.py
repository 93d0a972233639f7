"""Who may press what under a generation, and what is pressed too late, twice, or forged."""

from __future__ import annotations

import asyncio
import random
import re

import pytest

from cogs.generation_buttons import GenerationButton
from cogs.ui import row_of
from rehearsal.faulty_tts_gateway.faults import Hold
from tests.cogs.generations import choose, generated, generation_id_of, generation_of, refused, spoken_only
from tests.cogs.saved_voices import cloned
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


@pytest.mark.slow
async def test_pressed_twice_at_once_it_is_made_once(scene: Scene):
    answer = await generated(scene)
    hold = Hold()
    scene.faults.on_post(hold)

    first = await scene.alice.press(answer, "Again")
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=2)
    second = await scene.alice.press(answer, "Again")

    assert await words_of(second) == "Already working on it."
    hold.released.set()
    await file_of(first)
    assert len(scene.asked) == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("again", "Only the member who asked for this can make it again."),
        ("save", "Only the member who asked for this can save its voice."),
        ("delete", "Only the member who asked for this, or a moderator (Manage Messages), can delete it."),
        ("sound", "You need the permission Create Expressions to add a sound."),
    ],
)
async def test_others_may_not_and_only_they_see_why(scene: Scene, act: str, words: str):
    scene.bot.history.buttons = lambda generation_id, _request: row_of(GenerationButton(act, generation_id))
    answer = await generated(scene)

    assert words in await refused(scene.bob, answer, answer.buttons[0])
    assert len(scene.asked) == 1
    assert await generation_of(scene, answer) is not None


@pytest.mark.parametrize("act", ["again", "save", "more", "play", "voice", "delete"])
async def test_the_buttons_of_a_forgotten_generation_have_expired(scene: Scene, act: str):
    scene.bot.history.buttons = lambda generation_id, _request: row_of(GenerationButton(act, generation_id))
    answer = await generated(scene)
    await scene.bot.library.generations.forget(generation_id_of(answer))
    await scene.alice.join(scene.perch)

    assert (await refused(scene.alice, answer, answer.buttons[0])).startswith("This button has expired.")
    assert len(scene.asked) == 1


@pytest.mark.slow
async def test_a_sound_that_is_gone_everywhere_is_said_to_be_gone(scene: Scene):
    answer = await spoken_only(scene)
    generation = await generation_of(scene, answer)
    assert generation is not None
    assert generation.cache_key is not None
    await scene.bot.synthesizer.forget(generation.cache_key)

    pressed = await choose(scene.alice, answer, "Play in my channel")

    assert await words_of(pressed) == "I no longer have that take. Press Again for a new one."


async def test_a_file_that_cannot_be_fetched_is_replaced_by_what_is_kept(scene: Scene):
    answer = await generated(scene)
    listener = await scene.bob.join(scene.perch)
    scene.rehearsal.cdn.link_seconds = 0
    scene.rehearsal.cdn.expire_addresses()

    pressed = await choose(scene.bob, answer, "Play in my channel")
    await pressed.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)

    await listener.wait_for_speech(timeout=DEADLINE)


@pytest.mark.parametrize("label", ["Play in my channel", "Send as voice message"])
async def test_a_generation_of_a_withdrawn_voice_is_silent(scene: Scene, label: str):
    await cloned(scene, scene.bob, "Bobby")
    answer = await generated(scene, voice="Bobby")
    await scene.alice.join(scene.perch)
    await scene.bot.library.consents.revoke(scene.bob.id)

    pressed = await choose(scene.alice, answer, label)

    assert await words_of(pressed) == "That take's voice was deleted or withdrawn, so I can't use it."


@pytest.mark.slow
async def test_a_forged_id_does_nothing(scene: Scene):
    answer = await generated(scene)
    other = await generated(scene, "Something else entirely.")
    mine = await generation_of(scene, answer)
    assert mine is not None
    scene.rehearsal.interactions.validates_components = False

    await scene.bob.forge(other, f"take:delete:{mine.id[:-1]}A")
    await scene.alice.forge(other, f"take:delete:{mine.id}")

    assert await generation_of(scene, answer) is not None
    assert answer.files
    assert other.files


def test_of_ten_thousand_mutated_ids_not_one_leads_to_another_act_or_generation():
    rng = random.Random(4)
    template = GenerationButton.__discord_ui_compiled_template__
    genuine = "take:delete:AAAAAAAAAAAAAAAAAAAAAA"
    assert template.fullmatch(genuine)
    taken = 0
    for _ in range(10_000):
        mutant = _mutated(genuine, rng)
        match = template.fullmatch(mutant)
        if match is None:
            continue
        assert re.fullmatch(r"[A-Za-z0-9_-]{22}", match["generation"])
        taken += (match["act"], match["generation"]) == ("delete", "A" * 22)
    assert taken == 0


def _mutated(text: str, rng: random.Random) -> str:
    """Return ``text`` with one to three characters changed, added or left out; never as it was."""
    characters = "abcAZ09_-:. \n\x00é\u0660"
    while True:
        mutant = list(text)
        for _ in range(rng.randint(1, 3)):
            place = rng.randrange(len(mutant))
            mutant[place : place + rng.randint(0, 1)] = rng.choice(["", *characters])
        if "".join(mutant) != text:
            return "".join(mutant)
