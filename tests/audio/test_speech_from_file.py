"""Speech taken back from the files of our answers."""

from __future__ import annotations

import numpy as np
import pytest

from bot.audio.formats import export, soundboard_clip, speech_from_file, voice_message
from bot.audio.wav import COMMENT
from bot.errors import RecordingError, sentence_for
from tests.audio.voices import MAN, RATE, WOMAN, likeness, speech, stereo
from tests.untrusted.encoding import encoded, wav_of

TAGS = {COMMENT: "AI-generated voice"}
SPEECH = speech(MAN)


@pytest.mark.parametrize(("max_bytes", "extension"), [(10**9, "wav"), (400_000, "flac")])
async def test_what_was_written_without_loss_comes_back_to_the_bit(max_bytes: int, extension: str):
    file = await export(SPEECH, max_bytes=max_bytes, tags=TAGS)

    taken = [await speech_from_file(file.data, name=f"{name}.{extension}") for name in ("speech", "V.I.P")]

    assert file.extension == extension
    assert taken == [SPEECH, SPEECH]


@pytest.mark.parametrize("max_bytes", [80_000, 40_000, 20_000])
async def test_ogg_comes_back_as_long_as_it_was_and_nearly_the_same(max_bytes: int):
    file = await export(SPEECH, max_bytes=max_bytes, tags=TAGS)

    taken = await speech_from_file(file.data, name="speech.ogg")

    assert file.extension == "ogg"
    assert len(taken.pcm) == len(SPEECH.pcm)
    assert likeness(np.frombuffer(taken.pcm, "<i2") / 32_768, MAN) > 0.9


async def test_a_voice_message_and_a_soundboard_sound_come_back_too():
    message, clip = await voice_message(SPEECH), await soundboard_clip(SPEECH)

    spoken = await speech_from_file(message.ogg, name="voice-message.ogg")
    played = await speech_from_file(clip.data, name="clip.mp3")

    assert spoken.seconds == pytest.approx(SPEECH.seconds, abs=0.001)
    assert played.seconds == pytest.approx(clip.seconds, abs=0.001)


async def test_a_wav_of_another_form_is_decoded():
    taken = await speech_from_file(wav_of(stereo(WOMAN, WOMAN)[::2], rate=24_000), name="speech.wav")

    assert taken.seconds == pytest.approx(len(WOMAN) / RATE, abs=0.01)
    assert likeness(np.frombuffer(taken.pcm, "<i2") / 32_768, WOMAN) > 0.97


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"", "speech.wav"),
        (b"RIFF\0\0\0\0WAVE", "speech.wav"),
        (b"hello", "speech.flac"),
        (b"OggS" + bytes(2_000), "speech.ogg"),
        (encoded(wav_of(np.zeros(RATE)), "ogg", "libopus")[:150], "speech.ogg"),
    ],
)
async def test_what_is_no_file_of_ours_says_so_in_a_sentence(data: bytes, name: str):
    with pytest.raises(RecordingError) as caught:
        await speech_from_file(data, name=name)

    assert (
        sentence_for(caught.value) == "I can no longer read the sound of that message. Ask me for it again."
    )


@pytest.mark.slow
async def test_a_file_longer_than_any_utterance_is_not_ours():
    too_long = encoded(wav_of(np.zeros(250 * RATE)), "flac", "flac")

    with pytest.raises(RecordingError):
        await speech_from_file(too_long, name="speech.flac")
