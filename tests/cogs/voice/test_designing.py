"""/voice design: three generations to hear, one of which becomes the voice."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace

import pytest

from bot.audio.wav import write_wav
from bot.delivery.voice_creation import DESIGN_SECONDS, VoiceDesigner
from bot.library.voice import Kind, Scope, Sharing
from bot.text.speaking_time import speaking_seconds
from cogs.voice_text import sample_in
from rehearsal.answers import Answer
from rehearsal.faulty_tts_gateway.faults import Hold, Respond
from tests.audio.reading import read
from tests.cogs.saved_voices import designed
from tests.fakes.babble_engine import babble
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, refusal_of, typed
from tts_gateway.engines.base import Engine

EXPIRED = "These buttons have expired. Type /voice design for new ones."


class OtherEachTime:
    """Says a syllable more each time, so that no two takes are the same."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        words = text.rpartition(")")[2] + " la" * next(self._numbers)
        return write_wav(await asyncio.to_thread(babble, words))

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        raise NotImplementedError

    async def aclose(self) -> None:
        return


@pytest.fixture
def engine() -> Engine:
    return OtherEachTime()


def kept(scene: Scene) -> list[str]:
    return scene.recordings


async def asked_for(scene: Scene, name: str = "Old man") -> Answer:
    answer = await scene.alice.slash(
        scene.general, "voice design", name=name, description="an old man, slow and deep"
    )
    await answer.until(lambda shown: "Take 1" in shown.buttons, timeout=DEADLINE)
    return answer


async def test_three_generations_are_given_to_hear_and_cost_three_calls(scene: Scene) -> None:
    answer = await asked_for(scene)

    assert answer.ephemeral
    assert answer.buttons == ["Take 1", "Take 2", "Take 3", "Three more"]
    assert [file.name for file in answer.files] == ["take-1.wav", "take-2.wav", "take-3.wav"]
    sounds = [read(await file.read()) for file in answer.files]
    assert all(4 < sound.seconds < 12 for sound in sounds)
    assert {sound.tags["comment"] for sound in sounds} == {"AI-generated voice, for Alice"}
    assert f"AI-generated voices, for {scene.alice.mention}: an old man, slow and deep" in answer.content
    assert len(scene.asked) == 3


@pytest.mark.slow
async def test_a_design_that_takes_longer_says_which_take_is_being_made(scene: Scene) -> None:
    hold = Hold()
    scene.faults.on_post(None, hold)
    answer = await scene.alice.slash(scene.general, "voice design", name="Bass", description="a deep voice")

    await answer.until(lambda shown: "Take 2 of 3. " in shown.content, timeout=DEADLINE)
    hold.released.set()

    await answer.until(lambda shown: "Take 3" in shown.buttons, timeout=DEADLINE)


@pytest.mark.slow
async def test_the_chosen_generation_becomes_the_voice_with_exactly_its_words(scene: Scene) -> None:
    answer = await asked_for(scene)
    generations = [await file.read() for file in answer.files]

    await scene.alice.press(answer, "Take 2")
    await answer.until(lambda shown: shown.content.startswith("Saved"), timeout=DEADLINE)

    voice = await scene.bot.library.voices.find(Scope(scene.guild.id, scene.alice.id), "Old man")
    assert voice.kind is Kind.DESIGNED
    assert await scene.bot.library.recordings.read(voice.recording) == generations[1]
    assert voice.transcript is not None
    assert voice.transcript in scene.asked[0]["text"]
    assert voice.description == "an old man, slow and deep"
    assert kept(scene) == [voice.recording]
    assert answer.buttons == []


@pytest.mark.slow
async def test_three_others_cost_three_more_calls(scene: Scene) -> None:
    answer = await asked_for(scene)

    more = await scene.alice.press(answer, "Three more")
    await more.until(lambda shown: "Take 3" in shown.buttons, timeout=DEADLINE)

    assert len(scene.asked) == 6
    assert more.ephemeral
    assert answer.buttons == ["Take 1", "Take 2", "Take 3", "Three more"]


@pytest.mark.slow
async def test_two_presses_at_once_save_one_voice(scene: Scene) -> None:
    answer = await asked_for(scene)

    presses = [await scene.alice.press(answer, label) for label in ("Take 1", "Take 3")]
    await asyncio.gather(*(press.settled(timeout=DEADLINE) for press in presses))

    voices = await scene.bot.library.voices.complete(
        Scope(scene.guild.id, scene.alice.id), "", to_manage=True
    )
    assert [voice.name for voice in voices] == ["Old man"]


async def test_a_restart_lets_the_buttons_say_that_they_are_over(scene: Scene) -> None:
    answer = await asked_for(scene)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        pressed = await scene.alice.press(answer, "Take 1")

        assert await refusal_of(pressed) == EXPIRED


@pytest.mark.slow
async def test_a_name_that_is_taken_meanwhile_can_be_chosen_again(scene: Scene) -> None:
    answer = await asked_for(scene)
    other = await designed(scene, scene.bob, "Old man", sharing=Sharing.SERVER)

    assert "already used" in await refusal_of(await scene.alice.press(answer, "Take 1"))
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.bob.id), other.id)
    await scene.alice.press(answer, "Take 1")

    await answer.until(lambda shown: shown.content.startswith("Saved"), timeout=DEADLINE)


async def test_a_taken_name_costs_no_call(scene: Scene) -> None:
    await designed(scene, scene.bob, "Old man", sharing=Sharing.SERVER)

    answer = await typed(scene.alice, scene.general, "voice design", name="OLD MAN", description="an old man")

    assert answer.content == "That name is already used here. Choose another one."
    assert scene.asked == []


async def test_a_description_without_words_costs_no_call(scene: Scene) -> None:
    answer = await typed(scene.alice, scene.general, "voice design", name="Old man", description="()")

    assert answer.content.startswith("Describe the voice in a few words")
    assert scene.asked == []


async def test_when_the_second_generation_fails_the_first_can_be_chosen(scene: Scene) -> None:
    scene.faults.on_post(None, Respond(402))

    answer = await asked_for(scene)

    assert answer.buttons == ["Take 1", "Three more"]
    assert "I could only make 1. I'm out of voice credit." in answer.content


@pytest.mark.slow
async def test_after_half_an_hour_the_generations_are_over_and_deleted(scene: Scene) -> None:
    moment = 0.0
    designs = VoiceDesigner(scene.bot.synthesizer, scene.bot.voice_creation, now=lambda: moment)
    scene.bot.voice_designer = designs
    answer = await asked_for(scene)
    before = set(kept(scene))

    moment = DESIGN_SECONDS + 1
    pressed = await scene.alice.press(answer, "Take 1")
    assert await refusal_of(pressed) == EXPIRED
    await asked_for(scene, "Another")

    assert not before & set(kept(scene))


async def test_a_shutdown_meanwhile_is_told_and_does_not_wait(scene: Scene) -> None:
    scene.faults.on_post(Hold())
    answer = await scene.alice.slash(scene.general, "voice design", name="Old man", description="an old man")
    await scene.faults.received(posts=1)

    await scene.bot.shut_down()

    await answer.until(lambda shown: "I'm restarting." in shown.content, timeout=DEADLINE)
    assert kept(scene) == []


@pytest.mark.slow
async def test_deleting_everything_takes_the_generations_away_too(scene: Scene) -> None:
    answer = await asked_for(scene)
    asked = await typed(scene.alice, scene.general, "privacy delete")

    await scene.alice.press(asked, "Delete everything")
    await asked.until(lambda shown: shown.buttons == [], timeout=DEADLINE)

    assert kept(scene) == []
    assert await refusal_of(await scene.alice.press(answer, "Take 1")) == EXPIRED


@pytest.mark.parametrize(
    ("locale", "word"),
    [("en-US", "Good"), ("de", "Guten"), ("pt-BR", "Bom"), ("es-419", "Buenos"), ("ja", "Good")],
)
def test_the_sample_is_in_the_member_s_language_and_about_seven_seconds(locale: str, word: str) -> None:
    sample = sample_in(locale)

    assert word in sample.split()
    assert 5.0 < speaking_seconds(sample) < 10.0


async def test_a_design_counts_each_generation_and_ends_early_at_a_limit(scene: Scene) -> None:
    async with restarted(scene.bot, replace(scene.settings, max_calls_per_hour=2), scene.rehearsal) as bot:
        scene.bot = bot
        answer = await asked_for(scene)

        said = "I could only make 2. I've made as much new speech as I may this hour. I can make more <t:"
        assert said in answer.content
        assert answer.buttons == ["Take 1", "Take 2", "Three more"]
        assert len(scene.asked) == 2


async def test_who_is_excluded_by_moderators_has_nothing_designed(scene: Scene) -> None:
    moderator = Scope(scene.guild.id, scene.bob.id, is_moderator=True)
    rules = {"excluded_members": frozenset({scene.alice.id})}
    await scene.bot.library.settings.set_usage_rules(moderator, **rules)

    answer = await typed(
        scene.alice, scene.general, "voice design", name="Old man", description="an old man, slow and deep"
    )

    assert answer.content == "Moderators have turned me off for you in this server. Ask one of them."
    assert scene.asked == []
