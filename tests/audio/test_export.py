"""Files for an upload: the best format that fits, whole, and marked with where it comes from."""

from __future__ import annotations

import io

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from bot.audio.formats import AudioFile, export, ogg_of, speech_from_file
from bot.audio.maker import Maker
from bot.audio.opus import opus_frames
from bot.audio.sound import SpeechSound
from bot.audio.wav import ARTIST, COMMENT, COPYRIGHT, DATE, SOFTWARE, TITLE, write_wav
from bot.errors import AudioError
from bot.models import Speech
from tests.audio.handmade import pcm16, speechlike
from tests.audio.reading import info_tags

SECONDS = 6.3
WAVE = speechlike(SECONDS)
SPEECH = SpeechSound(pcm16(WAVE))
TAGS = {
    TITLE: "Grüße 🎉",
    ARTIST: "Myna",
    COMMENT: "made by a machine",
    SOFTWARE: "Myna 0.1",
    COPYRIGHT: "nobody",
    DATE: "2026-11-24",
    "IKEY": "speech",
}
VORBIS = {
    "title": "Grüße 🎉",
    "artist": "Myna",
    "comment": "made by a machine",
    "software": "Myna 0.1",
    "copyright": "nobody",
    "date": "2026-11-24",
    "IKEY": "speech",
}


def opened(file: AudioFile) -> tuple[str, dict[str, str], NDArray[np.float64]]:
    """Return the codec, the tags and the samples that another program finds in ``file``."""
    with av.open(io.BytesIO(file.data), "r") as container:
        stream = container.streams.audio[0]
        tags = {**container.metadata, **stream.metadata}
        mono = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        parts = [part for frame in container.decode(stream) for part in mono.resample(frame)]
        samples = np.concatenate([part.to_ndarray()[0] for part in parts])
        return stream.codec_context.name, tags, samples.astype(np.float64)


async def sizes() -> tuple[int, int, int]:
    """Return how large the WAV, the FLAC and the first Ogg are."""
    whole = await export(SPEECH, max_bytes=10**9, tags=TAGS)
    flac = await export(SPEECH, max_bytes=len(whole.data) - 1, tags=TAGS)
    ogg = await export(SPEECH, max_bytes=len(flac.data) - 1, tags=TAGS)
    return len(whole.data), len(flac.data), len(ogg.data)


async def test_the_best_format_that_fits_is_chosen_to_the_byte():
    wav_bytes, flac_bytes, ogg_bytes = await sizes()
    limits = [wav_bytes, wav_bytes - 1, flac_bytes, flac_bytes - 1, ogg_bytes, ogg_bytes - 1]

    files = [await export(SPEECH, max_bytes=limit, tags=TAGS) for limit in limits]

    assert [file.extension for file in files] == ["wav", "flac", "flac", "ogg", "ogg", "ogg"]
    assert all(len(file.data) <= limit for file, limit in zip(files, limits, strict=True))


async def test_the_wav_is_ours_with_its_tags():
    file = await export(SPEECH, max_bytes=10**9, tags=TAGS)

    assert file.data == write_wav(SPEECH.pcm, tags=TAGS)
    assert info_tags(file.data) == TAGS
    codec, tags, samples = opened(file)
    assert codec == "pcm_s16le"
    assert tags.items() >= {"title": "Grüße 🎉", "comment": "made by a machine"}.items()
    assert len(samples) == len(WAVE)


async def test_the_flac_is_the_very_same_samples():
    wav_bytes, _, _ = await sizes()

    codec, tags, samples = opened(await export(SPEECH, max_bytes=wav_bytes - 1, tags=TAGS))

    assert (codec, tags) == ("flac", VORBIS)
    assert (samples * 32_768).astype("<i2").tobytes() == SPEECH.pcm


@pytest.mark.parametrize(("kilobits", "likeness"), [(64, 0.98), (32, 0.97), (16, 0.9)])
async def test_the_ogg_has_the_whole_sound_at_every_bitrate(kilobits: int, likeness: float):
    max_bytes = int(kilobits * 1.25 * 1_000 / 8 * SECONDS)

    file = await export(SPEECH, max_bytes=max_bytes, tags=TAGS)

    codec, tags, samples = opened(file)
    assert file.extension == "ogg"
    assert codec in ("opus", "libopus")
    assert tags == VORBIS
    assert len(samples) == len(WAVE)  # the encoder's lag is taken off again, at both ends
    assert np.corrcoef(samples, WAVE)[0, 1] >= likeness


async def test_what_fits_nowhere_is_refused():
    with pytest.raises(AudioError, match="6 s of sound do not fit into 2000 bytes"):
        await export(SPEECH, max_bytes=2_000, tags=TAGS)


@pytest.mark.parametrize("max_bytes", [10**9, 400_000, 60_000])
async def test_the_same_speech_gives_the_same_bytes(max_bytes: int):
    first = await export(SPEECH, max_bytes=max_bytes, tags=TAGS)
    second = await export(SPEECH, max_bytes=max_bytes, tags=TAGS)

    assert first == second


async def test_a_file_needs_no_tags():
    for max_bytes in (10**9, 400_000, 60_000):
        _, tags, samples = opened(await export(SPEECH, max_bytes=max_bytes))

        assert tags == {}
        assert len(samples) == len(WAVE)


async def test_two_minutes_fit_into_discords_smallest_upload():
    speech = SpeechSound(SPEECH.pcm * 19)

    file = await export(speech, max_bytes=10 * 1024 * 1024)

    assert speech.seconds > 119
    assert file.extension == "flac"


async def test_an_ogg_of_frames_holds_these_very_frames_and_its_tags():
    frames = await opus_frames(SPEECH)

    file = await ogg_of(frames, tags=TAGS)

    codec, tags, samples = opened(file)
    assert (file.extension, tags) == ("ogg", VORBIS)
    assert codec in ("opus", "libopus")
    with av.open(io.BytesIO(file.data), "r") as container:
        assert tuple(bytes(packet) for packet in container.demux() if packet.size) == frames
    assert len(samples) >= len(WAVE)
    assert np.corrcoef(samples[: len(WAVE)], WAVE)[0, 1] >= 0.98
    assert file == await ogg_of(frames, tags=TAGS)


@pytest.mark.parametrize(
    ("max_bytes", "extension", "is_as_heard"), [(10**9, "ogg", True), (20_000, "ogg", False)]
)
async def test_a_maker_gives_the_frames_as_ogg_where_that_is_asked_for_and_fits(
    max_bytes: int, extension: str, is_as_heard: bool
):
    speech = Speech(await opus_frames(SPEECH), sound=SPEECH)

    file = await Maker().file(speech, max_bytes=max_bytes, tags=TAGS, as_ogg=True)

    assert file.extension == "ogg"
    assert (file == await ogg_of(speech.frames, tags=TAGS)) is is_as_heard
    again = await speech_from_file(file.data, name="speech.ogg")
    assert abs(again.seconds - SECONDS) < 0.05
