"""How fast something is said: asked for, remembered, kept for the buttons, and the same wherever it goes."""

from __future__ import annotations

import pytest

from rehearsal.answers import Answer
from rehearsal.faulty_tts_gateway.faults import SoundItself
from tests.cogs.saved_voices import designed
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, typed
from tts_gateway.engines.base import Engine

TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps in the warm sun all day long."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def seconds_of(answer: Answer) -> float:
    """Return how long the file under an answer is; the answer says the same."""
    file = await file_of(answer)
    assert file.seconds is not None
    said = float(answer.content.rpartition(" · ")[2].partition(" s")[0])
    assert said == pytest.approx(file.seconds, abs=0.1)
    return file.seconds


@pytest.mark.parametrize("speed", [0.5, 1, 1.37, 2])
async def test_a_file_is_as_long_as_the_speed_says(scene: Scene, speed: float):
    plain = await seconds_of(await scene.speak(TEXT, output="here"))

    other = await seconds_of(await scene.speak(TEXT, output="here", speed=speed))

    assert other == pytest.approx(plain / speed, rel=0.05)


@pytest.mark.slow
@pytest.mark.parametrize("speed", [0.5, 2])
@pytest.mark.usefixtures("fast_playback")
async def test_what_is_heard_in_the_channel_has_the_speed_of_the_file(scene: Scene, speed: float):
    listener = await scene.alice.join(scene.perch)
    plain = await seconds_of(await scene.speak(TEXT, output="here"))

    answer = await scene.speak(TEXT, output="both", speed=speed)
    made = await seconds_of(answer)
    await listener.wait_for_silence(seconds=0.3, timeout=DEADLINE)

    assert made == pytest.approx(plain / speed, rel=0.05)
    assert len(listener.speech()) * 0.02 == pytest.approx(made, rel=0.1)


async def test_a_voice_message_has_the_speed_too(scene: Scene):
    plain = await seconds_of(await scene.speak(TEXT, output="here"))

    await scene.speak(TEXT, output="voice message", speed=2)
    sent = await scene.general.until_message(lambda shown: shown.voice_message, timeout=DEADLINE)

    (file,) = scene.rehearsal.files_of(sent)
    assert file.seconds == pytest.approx(plain / 2, rel=0.05)


@pytest.mark.slow
async def test_a_dialogue_and_a_style_have_the_speed(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    dialogue = "Robin: Good morning, did you sleep well? / Warm: Not at all, the parrot talked."
    for options in ({"text": dialogue}, {"text": TEXT, "style": "an old man"}):
        text = options.pop("text")
        plain = await seconds_of(await scene.speak(text, output="here", **options))

        fast = await seconds_of(await scene.speak(text, output="here", speed=1.5, **options))

        assert fast == pytest.approx(plain / 1.5, rel=0.05)


@pytest.mark.slow
async def test_my_speed_is_remembered_here_also_after_a_restart_and_is_mine_alone(scene: Scene):
    plain = await seconds_of(await scene.speak(TEXT, output="here"))

    told = await typed(scene.alice, scene.general, "voice choose", speed=2)
    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        mine = await seconds_of(await scene.speak(TEXT, output="here"))
        others = await seconds_of(await scene.bob.slash(scene.general, "speak", text=TEXT, output="here"))
        for_once = await seconds_of(await scene.speak(TEXT, output="here", speed=1))

    assert told.content == "Your speed here is 2 from now on."
    assert mine == pytest.approx(plain / 2, rel=0.05)
    assert (others, for_once) == (plain, plain)


async def test_a_voice_is_chosen_with_its_speed_and_none_takes_both_back(scene: Scene):
    plain = await seconds_of(await scene.speak(TEXT, output="here"))
    await designed(scene, scene.bob, "Robin")

    told = await typed(scene.alice, scene.general, "voice choose", name="Robin", speed=0.5)
    slow = await scene.speak(TEXT, output="here")
    assert await seconds_of(slow) == pytest.approx(plain * 2, rel=0.05)
    assert "AI voice: Robin" in slow.content
    back = await typed(scene.alice, scene.general, "voice choose", name="none")
    again = await scene.speak(TEXT, output="here")

    assert await seconds_of(again) == plain
    assert "AI voice: Warm" in again.content
    assert told.content.splitlines() == [
        "From now on you speak as **Robin** here, unless you name another voice.",
        "Your speed here is 0.5 from now on.",
    ]
    assert back.content == "Cleared. You'll use the server's voice."


async def test_a_voice_that_is_named_speaks_as_fast_as_it_was_made(scene: Scene):
    await designed(scene, scene.bob, "Robin")
    plain = await seconds_of(await scene.speak(TEXT, voice="Robin", output="here"))
    await typed(scene.alice, scene.general, "voice choose", speed=2)

    named = await seconds_of(await scene.speak(TEXT, voice="Robin", output="here"))

    assert named == plain


async def test_again_says_it_as_fast_also_after_a_restart(scene: Scene):
    first = await scene.speak(TEXT, output="here", speed=2)
    seconds = await seconds_of(first)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        again = await scene.alice.press(first, "Again")
        assert await seconds_of(again) == pytest.approx(seconds, rel=0.05)


async def test_a_speed_that_cannot_be_heard_is_refused_by_the_form(scene: Scene):
    for speed in (0.49, 2.01, 0, -1):
        with pytest.raises(Exception, match="speed"):
            await scene.speak(TEXT, speed=speed)


async def test_a_tts_gateway_that_answers_with_sound_is_stretched_too(scene: Scene):
    plain = await seconds_of(await scene.speak(TEXT, output="here"))
    scene.faults.every_post = SoundItself()

    fast = await seconds_of(await scene.speak(TEXT, output="here", speed=2))

    assert fast == pytest.approx(plain / 2, rel=0.05)
