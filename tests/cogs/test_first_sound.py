"""Speech is heard while the rest of its sound is still on its way."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest

from rehearsal.faulty_tts_gateway.faults import Reset, Respond
from rehearsal.likeness import likeness
from rehearsal.stage import pcm_of_wav
from tests.fakes.raw_server import answer, serving
from tests.scenes import DEADLINE, Scene, file_of, words_of
from tts_gateway.engines.offline import OfflineEngine

TEXT = "The quick brown fox jumps over the lazy dog, and then it sleeps until the evening comes."


@dataclass
class HeldSound:
    """A sound of which the first part is sent at once, and the rest when it is ``released``."""

    wav: bytes
    first: int
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, writer: asyncio.StreamWriter, request: bytes) -> None:
        whole = answer(self.wav)
        cut = len(whole) - len(self.wav) + self.first
        writer.write(whole[:cut])
        await writer.drain()
        await self.released.wait()
        writer.write(whole[cut:])
        await writer.drain()


@pytest.fixture
async def sound() -> HeldSound:
    wav = await OfflineEngine().speak(TEXT, cfg_value=2.0, dit_steps=10)
    return HeldSound(wav, first=len(wav) * 2 // 3)


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_the_first_part_is_heard_while_the_rest_is_not_sent_yet(scene: Scene, sound: HeldSound):
    listener = await scene.alice.join(scene.perch)
    async with serving(sound) as server:
        scene.faults.on_post(Respond(200, {"output": f"{server.url}/take.wav"}))
        answer = await scene.speak(TEXT)

        await listener.wait_for_speech(timeout=DEADLINE)
        before = (sound.released.is_set(), list(answer.files))
        sound.released.set()

        file = await file_of(answer)
        await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    assert before == (False, [])
    match = likeness(pcm_of_wav(await file.read()), listener.pcm())
    assert match.correlation >= 0.95
    assert match.complete


@pytest.mark.slow
async def test_a_download_that_breaks_off_for_good_ends_in_one_sentence_and_the_next_is_said(
    scene: Scene, sound: HeldSound
):
    listener = await scene.alice.join(scene.perch)
    scene.faults.every_download = Reset(after_bytes=sound.first)

    answer = await scene.speak(TEXT)
    await listener.wait_for_speech(timeout=DEADLINE)
    said = await words_of(answer)
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    assert said.endswith(".")
    assert answer.followups == []
    assert len(scene.asked) == 1
    scene.faults.clear()
    heard = len(listener.packets)
    await file_of(await scene.speak("And now something else."))
    await listener.wait_for_speech(timeout=DEADLINE, after=heard)


@pytest.mark.slow
async def test_a_download_that_broke_off_once_is_heard_without_a_seam(scene: Scene, sound: HeldSound):
    listener = await scene.alice.join(scene.perch)
    scene.faults.on_download(Reset(after_bytes=sound.first))

    file = await file_of(await scene.speak(TEXT))
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)

    made = pcm_of_wav(await file.read())
    assert likeness(made, listener.pcm()).correlation >= 0.95
    assert len(scene.faults.downloads) == 2


async def test_skipped_while_it_still_comes_it_ends_at_once(scene: Scene, sound: HeldSound):
    listener = await scene.alice.join(scene.perch)
    async with serving(sound) as server:
        scene.faults.on_post(Respond(200, {"output": f"{server.url}/take.wav"}))
        answer = await scene.speak(TEXT, output="voice channel")
        await listener.wait_for_speech(timeout=DEADLINE)

        await scene.alice.slash(scene.general, "skip")
        await answer.until(lambda shown: "Skipped" in shown.content, timeout=DEADLINE)

        assert not sound.released.is_set()
