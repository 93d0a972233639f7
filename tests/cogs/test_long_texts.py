"""Texts of many sentences: made in parts, heard as one, kept for whoever asks again."""

from __future__ import annotations

import asyncio
from itertools import pairwise

import numpy as np
import pytest

from bot.audio.wav import write_wav
from bot.speech_bot import SpeechBot
from rehearsal.answers import Answer
from rehearsal.faulty_tts_gateway.faults import Delay, Fault, Hold, Respond
from rehearsal.likeness import likeness
from rehearsal.stage import pcm_of_wav
from rehearsal.voice.listener import Listener
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.base import Engine

STORY = (
    "The bird sat on the wire above the yard. Nobody had seen it come, and nobody asked where it was from. "
    "It listened to the people below, to the bell of the school and to the radio in the kitchen. "
    "In the evening it began to speak, first with one voice, and then with all the voices it had heard. "
)
MINUTE = (
    f"{STORY}The children laughed when they knew their own. The old man at the corner did not laugh at all; "
    "he had heard somebody call his name, as nobody had called it for many years. "
    "Was it a dream? When the lights went out the bird was still talking, softly, about the day. "
    "It knew what the baker had said to the boy at half past six, and what the boy had answered. "
    "It knew the song that the girl on the third floor sang when she believed that nobody could hear her. "
    "Towards morning it grew quiet. Some people say that it flew away to the south, over the hills. "
    "Others say that it never left, and that you can hear it still, if you stand in the yard and wait."
)
FAR_MORE = 120.0


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()  # quick on any machine, so that no sound runs out because of it


async def heard_whole(answer: Answer, listener: Listener) -> tuple[bytes, bytes]:
    """Return the file under ``answer`` and what was heard, once there is silence."""
    file = await file_of(answer)
    await listener.wait_for_silence(seconds=1.5, timeout=FAR_MORE)
    return pcm_of_wav(await file.read()), listener.pcm()


def silences(pcm: bytes) -> list[float]:
    """Return the lengths of all silences between sounds, in seconds."""
    samples = np.frombuffer(pcm, "<i2")
    loud = np.flatnonzero(np.abs(samples[: len(samples) // 480 * 480].reshape(-1, 480)).max(axis=1) > 150)
    return [float(step - 1) * 0.01 for step in np.diff(loud) if step > 1]


@pytest.mark.slow
async def test_a_minute_is_heard_complete_in_one_voice_and_without_gaps(scene: Scene):
    listener = await scene.alice.join(scene.perch)

    answer = await scene.speak(MINUTE)
    made, heard = await heard_whole(answer, listener)

    assert len(made) / 96_000 > 50
    match = likeness(made, heard)
    assert match.correlation >= 0.95
    assert match.complete
    assert max(silences(heard)) <= 0.5
    timestamps = [packet.timestamp for packet in listener.speech()]
    assert max(after - before for before, after in pairwise(timestamps)) <= 0.5 * 48_000
    assert len(scene.asked) >= 3
    assert " ".join(fields["text"] for fields in scene.asked) == MINUTE
    assert all(request.path.endswith("/voice-cloning") for request in scene.faults.requests)
    assert len({(fields["reference_audio_url"], fields.get("prompt_text")) for fields in scene.asked}) == 1


async def test_the_first_words_are_heard_before_the_second_part_is_made(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.on_post(None, hold)

    answer = await scene.speak(STORY, style="calm")
    await listener.wait_for_speech(timeout=DEADLINE)
    assert not hold.released.is_set()
    hold.released.set()

    await file_of(answer)


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_a_failure_in_the_middle_gives_what_there_is_and_says_so(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    scene.faults.on_post(None, None)
    scene.faults.every_post = Respond(500, "no")

    answer = await scene.speak(STORY, style="calm")
    made, heard = await heard_whole(answer, listener)

    assert answer.content.count("The rest is missing") == 1
    assert likeness(made, heard).correlation >= 0.95
    assert len(scene.asked) <= 4


@pytest.mark.slow
async def test_spoken_only_it_says_too_that_the_rest_is_missing(scene: Scene):
    await scene.alice.join(scene.perch)
    scene.faults.on_post(None, Respond(500, "no"), Respond(500, "no"))

    answer = await scene.speak(STORY, output="voice channel", style="calm")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=FAR_MORE)

    assert "The rest is missing" in answer.content


async def test_a_bad_generation_is_made_again_once(scene: Scene):
    time = np.arange(3 * 48_000) / 48_000
    howl = write_wav((9_000 * np.sin(2_000 * time)).astype("<i2").tobytes())
    scene.faults.on_download(None, Respond(200, howl, content_type="audio/wav"))

    answer = await scene.speak(STORY, output="here")
    await file_of(answer)

    texts = [fields["text"] for fields in scene.asked]
    assert len(texts) == len(set(texts)) + 1
    assert "missing" not in answer.content


@pytest.mark.slow
async def test_the_answer_says_how_many_parts_are_made(scene: Scene):
    scene.faults.every_post = Delay(2.0)

    answer = await scene.speak(STORY, output="here")
    await file_of(answer)

    lines = [shown.content for shown in answer.history]
    assert any("of" in line and "parts" in line and line.endswith(" …") for line in lines), lines


async def test_stop_ends_the_calls_ahead(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    hold = Hold()
    scene.faults.on_post(None)
    scene.faults.every_post = hold
    answer = await scene.speak(MINUTE)
    await listener.wait_for_speech(timeout=DEADLINE)
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=2)

    await words_of(await scene.alice.slash(scene.general, "stop"))
    assert await words_of(answer) == "Stopped."
    hold.released.set()

    assert len(scene.asked) <= 3
    assert len(scene.faults.downloads) == 1


async def test_two_who_ask_for_the_same_both_get_it_for_one_call(scene: Scene):
    hold = Hold()
    scene.faults.on_post(hold)
    asked = [await scene.speak(), await scene.bob.slash(scene.general, "speak", text="Hello there")]
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)
    hold.released.set()

    files = [await file_of(answer) for answer in asked]

    assert pcm_of_wav(await files[0].read()) == pcm_of_wav(await files[1].read())
    assert f" · requested by {scene.bob.mention}" in asked[1].content
    assert len(scene.asked) == 1


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_the_same_again_costs_nothing_and_sounds_the_same_also_after_a_restart(scene: Scene):
    first = await file_of(await scene.speak(output="here"))
    listener = await scene.alice.join(scene.perch)
    _, heard = await heard_whole(await scene.speak(), listener)
    await scene.bot.shut_down()
    async with attending(SpeechBot(scene.settings, connector=scene.rehearsal.connector()), scene.rehearsal):
        last = await file_of(await scene.speak(output="here"))

    made = pcm_of_wav(await first.read())
    assert pcm_of_wav(await last.read()) == made
    assert likeness(made, heard).correlation >= 0.95
    assert len(scene.asked) == 1


async def test_again_makes_a_new_generation_for_who_asked(scene: Scene):
    answer = await scene.speak(output="here")
    await file_of(answer)

    again = await scene.alice.press(answer, "Again")
    await file_of(again)

    assert len(scene.asked) == 2
    assert "AI voice" in again.content
    assert again.buttons[0] == answer.buttons[0] == "Again"


async def test_again_is_refused_to_others_in_a_sentence_that_only_they_see(scene: Scene):
    answer = await scene.speak(output="here")
    await file_of(answer)

    refused = await scene.bob.press(answer, "Again")

    assert "Only the member who asked for this" in await words_of(refused)
    assert refused.ephemeral
    assert len(scene.asked) == 1


async def test_a_failure_behind_again_is_one_sentence(scene: Scene):
    answer = await scene.speak(output="here")
    await file_of(answer)
    scene.faults.every_post = Respond(402, '{"error":"Insufficient balance"}')

    again = await scene.alice.press(answer, "Again")

    assert "out of voice credit" in await words_of(again)


@pytest.mark.parametrize("fault", [Respond(500, "no"), Respond(429, headers={"Retry-After": "3000"})])
async def test_a_refusal_of_the_first_part_costs_no_second_call(scene: Scene, fault: Fault):
    scene.faults.every_post = fault

    await words_of(await scene.speak(STORY, output="here", style="calm"))

    assert len(scene.asked) == 1
