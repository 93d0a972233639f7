"""Speech as a file that fits into an upload, with tags that say where it comes from."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal

import av
import numpy as np

from bot.audio.info_tags import NO_TAGS, vorbis_comments
from bot.audio.wav import write_wav
from bot.audio.workers import on_the_whole
from bot.errors import AudioError
from bot.models import Speech

OPUS_BITRATES: Final = (64_000, 32_000, 16_000)
"""Bits per second, best first; the last is a telephone's quality, still good to understand."""

_SAMPLES_AT_ONCE: Final = 48_000
_OPTIONS: Final = {"libopus": {"compression_level": "5"}}  # half the work of 10 for one voice
_SAMPLE_FORMS: Final = {"flac": "s16", "libopus": "s16", "libmp3lame": "s16p"}


@dataclass(frozen=True, slots=True)
class AudioFile:
    """A sound file: its bytes, and the extension that belongs to them: wav, flac or ogg."""

    data: bytes = field(repr=False)
    extension: str


async def export(speech: Speech, *, max_bytes: int, tags: Mapping[str, str] = NO_TAGS) -> AudioFile:
    """Return ``speech`` as the best file of at most ``max_bytes``: WAV, else FLAC, else Ogg Opus.

    ``tags`` go by their INFO names, see `bot.audio.info_tags`.
    Raises AudioError when even the smallest is too large.
    """
    return await on_the_whole(_first_that_fits, speech.pcm, max_bytes, tags)


def _first_that_fits(pcm: bytes, max_bytes: int, tags: Mapping[str, str]) -> AudioFile:
    for extension, make in _formats():
        try:
            data = make(pcm, tags=tags)
        except av.FFmpegError as error:
            raise AudioError(f"could not be written as {extension}") from error
        if len(data) <= max_bytes:
            return AudioFile(data, extension)
    raise AudioError(f"{len(pcm) / 96_000:.0f} s of sound do not fit into {max_bytes} bytes")


def _formats() -> Iterator[tuple[str, Callable[..., bytes]]]:
    yield "wav", write_wav
    yield "flac", partial(encoded, "flac", "flac", None)
    for bitrate in OPUS_BITRATES:
        yield "ogg", partial(encoded, "ogg", "libopus", bitrate)


def encoded(
    container_name: str,
    codec_name: Literal["flac", "libopus", "libmp3lame"],
    bitrate: int | None,
    pcm: bytes,
    *,
    tags: Mapping[str, str],
) -> bytes:
    """Return ``pcm`` in this container and codec, with ``tags`` as Vorbis comments, or as ID3 in an MP3.

    It takes processor time. Raises av.FFmpegError.
    """
    file = io.BytesIO()
    form = _SAMPLE_FORMS[codec_name]
    samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
    # bitexact: the same speech gives the same bytes, without the muxer's name and a random serial
    with av.open(file, "w", format=container_name, options={"fflags": "+bitexact"}) as container:
        container.metadata.update(vorbis_comments(tags))
        options = _OPTIONS.get(codec_name)
        stream = container.add_stream(codec_name, rate=48_000, options=options, layout="mono", format=form)
        if bitrate is not None:
            stream.bit_rate = bitrate
        for start in range(0, samples.shape[1], _SAMPLES_AT_ONCE):
            part = av.AudioFrame.from_ndarray(
                samples[:, start : start + _SAMPLES_AT_ONCE], format=form, layout="mono"
            )
            part.sample_rate, part.pts = 48_000, start
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return file.getvalue()
