"""Soundboard sounds: within Discord's limits, cut where nobody speaks."""

from __future__ import annotations

import base64

import discord
import numpy as np
import pytest

from bot.audio.formats import MAX_CLIP_BYTES, MAX_CLIP_SECONDS, soundboard_clip
from bot.audio.wav import COMMENT
from bot.errors import AudioError
from tests.audio.reading import read
from tests.audio.voices import CHILD, MAN, RATE, WOMAN, Wave, likeness, silence, speech


async def test_speech_that_fits_is_taken_whole():
    wave = np.concatenate([silence(1), MAN[: int(4.1 * RATE)], silence(2)])

    clip = await soundboard_clip(speech(wave), tags={COMMENT: "AI-generated voice"})

    sound = read(clip.data)
    assert (sound.codec, sound.rate, sound.channels) == ("mp3float", 48_000, 1)
    assert sound.tags == {"comment": "AI-generated voice"}
    assert (clip.extension, clip.was_cut) == ("mp3", False)
    assert clip.seconds == sound.seconds == pytest.approx(4.1, abs=0.2)
    assert likeness(sound.samples, MAN[: int(4.1 * RATE)]) > 0.97


@pytest.mark.parametrize("wave", [MAN, CHILD, WOMAN, np.concatenate([WOMAN, MAN, CHILD])])
async def test_longer_speech_is_cut_in_a_pause_and_faded(wave: Wave):
    clip = await soundboard_clip(speech(wave))

    sound = read(clip.data)
    end = sound.samples[-480:]
    assert clip.was_cut
    assert 2.5 < clip.seconds == sound.seconds <= MAX_CLIP_SECONDS
    assert np.sqrt(np.square(end).mean()) < 0.02 * np.abs(wave).max()
    assert likeness(sound.samples, wave[: len(sound.samples)]) > 0.97


async def test_somebody_who_never_pauses_is_faded_out_at_a_quiet_moment():
    syllables = np.tile(WOMAN[int(0.2 * RATE) : RATE], 12)
    babble = syllables + np.random.default_rng(2).normal(0, 0.02, len(syllables))

    clip = await soundboard_clip(speech(babble))

    sound = read(clip.data)
    assert clip.was_cut
    assert 4 < clip.seconds <= MAX_CLIP_SECONDS
    assert np.abs(sound.samples[-48:]).max() < 0.02


@pytest.mark.parametrize("seconds", [0.2, 5.0, 5.12, 5.13, 5.2, 60.0])
async def test_no_clip_is_over_discords_limits_even_with_its_padding(seconds: float):
    clip = await soundboard_clip(speech(np.resize(MAN[int(0.3 * RATE) : 2 * RATE], round(seconds * RATE))))

    frames = padded_frames(clip.data)
    assert len(clip.data) <= MAX_CLIP_BYTES
    assert 0.1 < clip.seconds <= frames * 1_152 / 48_000 <= MAX_CLIP_SECONDS


def padded_frames(mp3: bytes) -> int:
    """Return how many frames a player finds that does not know how much of them is padding."""
    frame_bytes = 144 * 128_000 // 48_000
    start = mp3.index(b"\xff\xfb")
    assert (len(mp3) - start) % frame_bytes == 0
    return (len(mp3) - start) // frame_bytes - 1  # the first holds figures, no sound


@pytest.mark.parametrize("tags", [{}, {COMMENT: "AI-generated voice"}], ids=["without tags", "with tags"])
async def test_discord_py_knows_what_it_is(tags: dict[str, str]):
    clip = await soundboard_clip(speech(WOMAN), tags=tags)

    sent = discord.utils._bytes_to_base64_data(clip.data, audio=True)

    assert sent == f"data:audio/mpeg;base64,{base64.b64encode(clip.data).decode()}"


async def test_silence_is_no_sound_for_a_soundboard():
    with pytest.raises(AudioError, match="no sound"):
        await soundboard_clip(speech(silence(3)))


async def test_the_same_speech_gives_the_same_clip():
    assert await soundboard_clip(speech(MAN)) == await soundboard_clip(speech(MAN))
