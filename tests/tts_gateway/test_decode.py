"""Recordings in every format people have, decoded in a child process."""

from __future__ import annotations

import numpy as np
import pytest

from tests.tts_gateway.encoding import FORMATS, encoded, wav_of
from tts_gateway.decode import DecodeLimits, decode_recording
from tts_gateway.decode_formats import recording_format
from tts_gateway.engines.base import ReferenceRefused

RATE = 22_050


def _tone(seconds: float, hertz: float = 440.0) -> bytes:
    return wav_of(0.5 * np.sin(2 * np.pi * hertz * np.arange(int(48_000 * seconds)) / 48_000))


@pytest.mark.parametrize(("container_format", "codec"), FORMATS.values(), ids=FORMATS)
async def test_each_format_comes_out_as_the_sound_that_went_in(container_format: str, codec: str) -> None:
    recording = encoded(_tone(1.5), container_format, codec)

    sound = await decode_recording(recording, rate=RATE)

    assert len(sound) / RATE == pytest.approx(1.5, abs=0.06)
    middle = sound[RATE // 4 : RATE // 4 + RATE]
    assert np.argmax(np.abs(np.fft.rfft(middle))) == pytest.approx(440, abs=1)
    assert 0.3 < np.max(np.abs(middle)) < 0.7


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"RIFF\0\0\0\0WAVE", "wav"), (b"RF64\xff\xff\xff\xffWAVE", "wav"), (b"OggS", "ogg"),
        (b"fLaC", "flac"), (b"\x1aE\xdf\xa3", "matroska"), (b"ID3\x04", "mp3"), (b"\xff\xfb\x90\x00", "mp3"),
        (b"\xff\xf1\x50\x80", "aac"), (b"\0\0\0\x20ftypM4A ", "mov"),
        (b"", None), (b"RIFX\0\0\0\0WAVE", None), (b"RIFF\0\0\0\0AVI ", None), (b"\xff\xff\xff\xff", None),
        (b"<html>", None), (b"#EXTM3U", None), (b"PK\x03\x04", None),
    ],
)  # fmt: skip
def test_the_first_bytes_decide_what_a_recording_is(data: bytes, name: str | None) -> None:
    assert recording_format(data) == name


async def test_a_recording_is_cut_off_at_the_limit() -> None:
    sound = await decode_recording(_tone(3.0), rate=RATE, limits=DecodeLimits(seconds=2))

    assert len(sound) == 2 * RATE


async def test_a_recording_that_breaks_off_is_heard_as_far_as_it_goes() -> None:
    whole = encoded(_tone(2.0), "ogg", "libopus")

    sound = await decode_recording(whole[: len(whole) * 3 // 4], rate=RATE)

    assert 0.9 < len(sound) / RATE < 2.0


async def test_the_size_limit_is_named_in_the_refusal() -> None:
    with pytest.raises(ReferenceRefused, match="larger than 1 MiB"):
        await decode_recording(bytes(1024 * 1024 + 1), rate=RATE, limits=DecodeLimits(max_bytes=1024 * 1024))


@pytest.mark.parametrize("container_format", ["wav", "ogg", "mp3", "mov", "flac", "matroska", "aac"])
async def test_a_good_beginning_with_rubbish_behind_it_is_refused(container_format: str) -> None:
    good = {name: encoded(_tone(0.2), *FORMATS[kind]) for name, kind in _KIND_OF.items()}[container_format]
    rubbish = np.random.default_rng(3).bytes(20_000)

    with pytest.raises(ReferenceRefused, match=r"not a recording|no sound"):
        await decode_recording(good[:12] + rubbish, rate=RATE)


_KIND_OF = {
    "wav": "WAV",
    "ogg": "Ogg Opus",
    "mp3": "MP3",
    "mov": "M4A",
    "flac": "FLAC",
    "matroska": "WebM",
    "aac": "AAC",
}
