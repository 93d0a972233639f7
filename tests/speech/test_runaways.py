"""A generation that goes on although its text is said: what is heard of it, and what comes after it."""

from __future__ import annotations

import struct
from collections.abc import AsyncIterator

import numpy as np
import pytest

from bot.audio.stream import DurationLimiter, longest_seconds
from bot.audio.wav import write_wav
from bot.errors import TTSUnusableAudioError
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.likeness import likeness
from tests.fakes.babble_engine import babble
from tests.scenes import SENTENCES, TWO_PARTS, Hearing, Studio
from tests.speech.sounds import pcm_of

WORDS = "The bird sat on the wire above the yard, and nobody had seen it come."
NONSENSE = "And so on and so forth, and again and again, and then it begins anew, as it did before. " * 6


def without_length(pcm: bytes) -> bytes:
    """Return a WAV that does not say how long it is, as those are that are written while they are made."""
    wav = bytearray(write_wav(pcm))
    struct.pack_into("<I", wav, 4, 0xFFFFFFFF)
    struct.pack_into("<I", wav, wav.index(b"data") + 4, 0xFFFFFFFF)
    return bytes(wav)


RUNAWAY = Respond(200, without_length(babble(WORDS) + babble(NONSENSE)), content_type="audio/wav")


async def test_no_more_of_it_is_heard_than_its_text_can_last(
    studio: Studio, caplog: pytest.LogCaptureFixture
):
    studio.faults.on_download(RUNAWAY)
    hearing = Hearing()

    speech = await studio.make(WORDS, hearing=hearing)

    assert speech.seconds == pytest.approx(longest_seconds(WORDS), abs=0.05)
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    assert likeness(babble(WORDS)[9_600:-9_600], pcm_of(speech)).correlation > 0.9
    assert "cut off" in caplog.text
    assert len(studio.calls) == 1


async def test_a_runaway_generation_ends_softly(studio: Studio):
    studio.faults.on_download(RUNAWAY)

    speech = await studio.make(WORDS)

    samples = np.abs(np.frombuffer(pcm_of(speech), "<i2").astype(np.int32))
    last = int(np.flatnonzero(samples)[-1])
    assert samples[last - 480 : last].max() > 0
    assert samples[last - 10 : last + 1].max() < 0.1 * samples.max()


async def test_the_rest_of_the_text_is_said_after_it(studio: Studio):
    studio.faults.on_download(RUNAWAY)
    hearing = Hearing()

    speech = await studio.make(SENTENCES, hearing=hearing)

    assert not speech.rest_is_missing
    assert " ".join(studio.texts) == SENTENCES
    assert len(hearing.frames) * 1_920 == len(pcm_of(speech))
    after = pcm_of(speech)[2 * int(48_000 * longest_seconds(studio.texts[0])) :]
    second, *others = (likeness(babble(text), after) for text in studio.texts[1:])
    assert all(match.correlation > 0.9 for match in (second, *others))
    assert second.delay < 0.5


async def test_a_runaway_generation_is_not_kept(studio: Studio):
    studio.faults.on_download(RUNAWAY)

    await studio.make(WORDS)
    again = await studio.make(WORDS)

    assert len(studio.calls) == 2
    assert again.seconds < longest_seconds(WORDS) / 2


async def test_nobody_downloads_what_nobody_hears(studio: Studio):
    endless = without_length(babble(WORDS) + bytes(96_000 * 300))
    studio.faults.on_download(Respond(200, endless, content_type="audio/wav"))

    speech = await studio.make(WORDS)

    assert speech.seconds <= longest_seconds(WORDS) + 0.05


@pytest.mark.slow
async def test_a_later_part_that_runs_away_twice_is_cut_as_well(studio: Studio):
    later = Respond(200, without_length(babble(TWO_PARTS) + babble(NONSENSE)), content_type="audio/wav")
    studio.faults.on_download(None, later, later)

    speech = await studio.make(TWO_PARTS)

    first, second = dict.fromkeys(studio.texts)
    assert speech.seconds <= longest_seconds(first) + longest_seconds(second)


async def chunks_of(data: bytes, size: int) -> AsyncIterator[bytes]:
    for start in range(0, len(data), size):
        yield data[start : start + size]


@pytest.mark.parametrize("size", [7, 43, 44, 45, 5_000, 10**9])
async def test_chunks_of_any_size_end_at_the_same_byte(size: int):
    data = without_length(bytes(2 * 48_000 * 3))
    limiter = DurationLimiter("Hi.")

    got = b"".join([chunk async for chunk in limiter.chunks(chunks_of(data, size))])

    assert got == data[: data.index(b"data") + 8 + 2 * int(48_000 * longest_seconds("Hi."))]
    assert limiter.was_needed


@pytest.mark.parametrize("size", [1, 1_000, 10**9])
async def test_what_says_how_long_it_is_passes_whole_with_what_follows_the_samples(size: int):
    data = write_wav(bytes(2 * 48_000)) + b"LIST\x04\0\0\0note"
    limiter = DurationLimiter("Hi.")

    assert b"".join([chunk async for chunk in limiter.chunks(chunks_of(data, size))]) == data
    assert not limiter.was_needed


async def test_a_beginning_that_is_all_there_is_passes():
    limiter = DurationLimiter("Hi.")

    assert [chunk async for chunk in limiter.chunks(chunks_of(b"RIFF", 4))] == [b"RIFF"]


async def test_a_runaway_for_a_file_is_made_again(studio: Studio):
    studio.faults.on_download(RUNAWAY)

    speech = await studio.make(WORDS, aloud=False)

    assert len(studio.calls) == 2
    assert speech.seconds < longest_seconds(WORDS) / 2


async def test_two_runaways_in_a_row_are_an_error_before_anything_is_heard(studio: Studio):
    studio.faults.every_download = Respond(
        200, write_wav(babble(WORDS) + babble(NONSENSE)), content_type="audio/wav"
    )
    hearing = Hearing()

    with pytest.raises(TTSUnusableAudioError):
        await studio.make(WORDS, hearing=hearing)

    assert hearing.frames == []
    assert len(studio.calls) == 2
