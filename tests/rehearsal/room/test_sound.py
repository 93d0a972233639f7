"""What is sent to the page as sound, and what a voice message is made of."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np
import pytest

from bot.audio.opus import opus_frames
from bot.audio.stream import speech_from_wav
from rehearsal.likeness import likeness
from rehearsal.recordings import RECORDINGS
from rehearsal.voice.listener import HeardPacket, LiveSound
from rehearsal.voice.sound_file import NoSoundError, voice_message

FRAME = 960


def speech_like(seconds: float) -> bytes:
    time = np.arange(int(48_000 * seconds)) / 48_000
    return (np.sin(2 * np.pi * (180 + 40 * np.sin(5 * time)) * time) * 9_000).astype("<i2").tobytes()


def wav(pcm: bytes) -> bytes:
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(pcm)
    return buffer.getvalue()


async def packets(pcm: bytes) -> list[HeardPacket]:
    frames = await opus_frames(await speech_from_wav(wav(pcm), text="a text long enough for it"))
    return [HeardPacket(7, n, n * FRAME, n * 0.02, frame) for n, frame in enumerate(frames)]


async def test_packets_become_the_sound_they_were_made_of():
    pcm = speech_like(2.0)
    live = LiveSound()

    heard = b"".join([live.feed(packet) for packet in await packets(pcm)])

    assert likeness(pcm, heard).correlation > 0.9


async def test_a_lost_packet_leaves_its_time_as_silence_and_a_pause_leaves_none():
    several = await packets(speech_like(1.0))
    live = LiveSound()
    before = [len(live.feed(packet)) for packet in several[:10]]

    after_a_loss = live.feed(several[11])
    later = HeardPacket(7, 12, 1_000_000, 9.0, several[12].opus)
    after_a_pause = live.feed(later)

    assert set(before) == {2 * FRAME}
    assert len(after_a_loss) == 4 * FRAME
    assert after_a_loss[: 2 * FRAME] == bytes(2 * FRAME)
    assert len(after_a_pause) == 2 * FRAME


@pytest.mark.parametrize("opus", [None, b"\xff\xff\xff\xff\xff"])
def test_what_cannot_be_opened_or_decoded_is_silence(opus):
    assert LiveSound().feed(HeardPacket(7, 0, 0, 0.0, opus)) == bytes(2 * FRAME)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.name)
def test_a_recording_becomes_ogg_opus_with_its_length_and_its_waveform(recording):
    made = voice_message(recording.path.read_bytes())

    assert made.data.startswith(b"OggS")
    assert b"OpusHead" in made.data[:64]
    bars = base64.b64decode(made.waveform)
    assert 10 < len(bars) <= 256
    assert max(bars) == 255
    assert 3 < made.seconds < 60


@pytest.mark.parametrize("data", [b"", b"no sound at all", wav(b"")])
def test_what_is_no_sound_is_refused(data):
    with pytest.raises(NoSoundError):
        voice_message(data)
