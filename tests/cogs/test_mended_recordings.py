"""What /clone does with a recording that the voice model could not use as it is."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import aiohttp
import av
import numpy as np
import pytest

from bot.audio.loudness import loudness
from bot.audio.wav import parse_wav
from bot.library.voice import utc_now
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.records import Message
from rehearsal.server import Rehearsal
from tests.audio.voices import CHILD, MAN, RATE, WOMAN, clipped, silence, stereo
from tests.cogs.sounds import HIGH, recording
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import Scene, file_of, open_scene, until, words_of
from tests.untrusted.encoding import wav_of
from tts_gateway.engines.base import Engine

RECORDINGS = Path("tests/untrusted/recordings")


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


@pytest.fixture(autouse=True)
async def cloning(scene: Scene) -> None:
    await scene.let_clone(scene.bob)


async def clone(scene: Scene, data: bytes, name: str = "me.wav", **options: object) -> Answer:
    """Return the answer to Bob's /clone, with its file."""
    sent = SentFile(name, data)
    answer = await scene.bob.slash(
        scene.general, "clone", text="Say it in my voice", recording=sent, output="here", **options
    )
    await file_of(answer)
    return answer


def posted(scene: Scene) -> list[Message]:
    """Return the messages with recordings that the owner of the application, Alice, has from the bot."""
    return [message for message in scene.alice.dms() if message.files and not message.deleted]


async def fetched(rehearsal: Rehearsal, url: str) -> bytes:
    async with aiohttp.ClientSession(connector=rehearsal.connector()) as session, session.get(url) as got:
        assert got.status == 200
        return await got.read()


def joined_with_other_rate() -> bytes:
    return wav_of(WOMAN) + wav_of(MAN[::3], rate=16_000)


def in_two_tracks() -> bytes:
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as output:
        waves = [silence(6), WOMAN]
        streams = [output.add_stream("flac", rate=RATE, layout="mono") for _ in waves]
        for wave, stream in zip(waves, streams, strict=True):
            pcm = (np.clip(wave, -1, 1) * 32_767).astype(np.int16).reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout="mono")
            frame.sample_rate, frame.pts = RATE, 0
            output.mux([*stream.encode(frame), *stream.encode(None)])
    return file.getvalue()


DEFECTS: dict[str, tuple[Callable[[], bytes], str]] = {
    "upside down": (lambda: wav_of(stereo(MAN, -MAN)), "I used its left channel, because the two cancel"),
    "half silent": (
        lambda: wav_of(stereo(silence(6), MAN)),
        "I used its right channel, because the left one was nearly silent.",
    ),
    "two people": (
        lambda: wav_of(
            stereo(np.concatenate([0.7 * MAN, silence(5.6)]), np.concatenate([silence(7.3), CHILD]))
        ),
        "I used its right channel, because the two seem to have different people in them",
    ),
    "phone's film": (lambda: recording("m4a", HIGH), "I converted it from AAC to WAV."),
    "browser": (lambda: recording("webm", HIGH), "I converted it from OPUS to WAV."),
    "Android's recorder": (
        (RECORDINGS / "amr_in_mp4.mp4").read_bytes,
        "I converted it from AMR to WAV",
    ),
    "old telephone": ((RECORDINGS / "gsm_in_wav.wav").read_bytes, "I converted it from GSM to WAV"),
    "second track": (in_two_tracks, "I used track 2, the first with speech in it and converted it"),
    "junk in front": (lambda: b"junk" + wav_of(WOMAN), "I left out everything that isn't sound"),
    "joined": (joined_with_other_rate, "I left out everything that isn't sound"),
    "long": (lambda: wav_of(np.concatenate([MAN, MAN, MAN, MAN])), "I used its best part, from 0:"),
    "long silence": (
        lambda: wav_of(np.concatenate([WOMAN, silence(20)])),
        "I cut out the silence, because it was long.",
    ),
    "too loud": (lambda: wav_of(clipped(MAN, 8)), "I turned it down, because it was too loud in places."),
}


@pytest.mark.slow
@pytest.mark.parametrize("defect", DEFECTS)
async def test_a_recording_with_a_defect_is_mended_and_the_answer_says_how(scene: Scene, defect: str) -> None:
    make, said = DEFECTS[defect]

    answer = await clone(scene, make())

    (url,) = {request["reference_audio_url"] for request in scene.asked}
    assert "ephemeral" not in url
    mended = parse_wav(await fetched(scene.rehearsal, url))
    assert (mended.rate, mended.channels) == (48_000, 1)
    assert 1 < mended.seconds < 16
    assert loudness(mended.samples.astype(np.float32) / np.float32(32_768), full_scale=1.0) == pytest.approx(
        -20, abs=0.5
    )
    assert f"I mended your recording: {said}" in answer.content
    assert answer.content.count("I mended your recording: I ") == 1
    assert [message.content[:24] for message in posted(scene)] == ["A recording for /clone t"]


@pytest.mark.parametrize("extension", ["wav", "flac", "ogg", "mp3"])
async def test_a_recording_without_a_defect_goes_to_the_tts_gateway_as_it_was_sent(
    scene: Scene, extension: str
) -> None:
    answer = await clone(scene, recording(extension, HIGH), f"me.{extension}")

    assert "/ephemeral-attachments/" in scene.asked[0]["reference_audio_url"]
    assert "mended" not in answer.content
    assert posted(scene) == []


@pytest.mark.slow
async def test_the_transcript_of_all_of_a_long_recording_is_not_said_of_its_best_part(scene: Scene) -> None:
    await clone(scene, wav_of(np.concatenate([MAN, MAN, MAN, MAN])), transcript="all of it")
    await clone(scene, wav_of(stereo(MAN, -MAN)), transcript="all of it")

    assert [request.get("prompt_text") for request in scene.asked] == [None, "all of it"]


async def test_without_a_private_place_the_upload_has_to_do_and_the_answer_warns(scene: Scene) -> None:
    scene.alice.refuse_dms()

    answer = await clone(scene, wav_of(stereo(MAN, -MAN)))

    assert "/ephemeral-attachments/" in scene.asked[0]["reference_audio_url"]
    assert "Your recording should be mended, but I have no private place" in answer.content


@pytest.mark.slow
async def test_two_recordings_of_one_member_stand_beside_each_other(scene: Scene) -> None:
    for voice in (MAN, WOMAN):
        await clone(scene, wav_of(stereo(voice, -voice)))

    first, second = (request["reference_audio_url"] for request in scene.asked)
    assert await fetched(scene.rehearsal, first) != await fetched(scene.rehearsal, second)


async def test_a_mended_recording_is_deleted_when_its_consent_ends(scene: Scene) -> None:
    await clone(scene, wav_of(stereo(MAN, -MAN)))
    await scene.bot.reference_posts.tidy(pace=0)
    assert len(posted(scene)) == 1

    assert (await words_of(await scene.bob.slash(scene.general, "privacy revoke"))).startswith("Taken back.")

    assert posted(scene) == []


async def test_a_mended_recording_is_deleted_when_its_member_deletes_their_data(scene: Scene) -> None:
    await clone(scene, wav_of(stereo(MAN, -MAN)))

    await scene.bot.library.privacy.delete(scene.bob.id)

    assert posted(scene) == []


async def test_a_mended_recording_is_deleted_after_a_day(scene: Scene) -> None:
    posts, start = scene.bot.library.posts, utc_now()
    await clone(scene, wav_of(stereo(MAN, -MAN)))

    assert await posts.to_delete(start + timedelta(hours=23)) == []
    (old,) = await posts.to_delete(start + timedelta(hours=25))
    await scene.bot.reference_posts.delete([old])

    assert posted(scene) == []
    assert await posts.to_delete(start + timedelta(hours=25)) == []


@pytest.mark.slow
async def test_again_uses_the_mended_recording(scene: Scene) -> None:
    answer = await clone(scene, wav_of(stereo(MAN, -MAN)))

    again = await scene.bob.press(answer, "Again")
    await file_of(again)

    first, second = (request["reference_audio_url"] for request in scene.asked)
    assert first == second
    assert "I mended your recording" in again.content


@pytest.mark.slow
async def test_our_own_tts_gateway_gets_the_mended_recording_and_nothing_is_posted(tmp_path: Path) -> None:
    async with open_scene(tmp_path) as scene:
        await scene.let_clone(scene.bob)

        for voice in (MAN, WOMAN):
            answer = await clone(scene, wav_of(stereo(voice, -voice)))

        assert "I mended your recording: I used its left channel" in answer.content
        assert posted(scene) == []
        await file_of(await scene.bob.press(answer, "Again"))
        await until(lambda: not scene.bot.deliveries._open)  # it is looked at once more after the upload
        scene.bot.reference_posts.forget_mended([likeness_of(scene)])
        lost = await scene.bob.press(answer, "Again")
        assert await words_of(lost) == "I no longer have that recording. Type /clone again."


def likeness_of(scene: Scene) -> str:
    (owner,) = {owner for owner, _wav in scene.bot.reference_posts._mended.values()}
    return owner
