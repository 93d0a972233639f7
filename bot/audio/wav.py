"""WAV in and out: the only door for sound from outside.

A foreign file is taken apart here and nowhere else, by our own rules, and comes out as samples
that every other part may trust.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.info_tags import NO_TAGS, info_chunk
from bot.audio.wav_header import WavHeader
from bot.errors import AudioError

Samples = NDArray[np.int16]

WRITTEN_RATE: Final = 48_000
"""Discord's rate in Hz, and the only one we write."""

_BLOCKS_AT_ONCE: Final = 65_536  # bounds the memory of a conversion, whatever the file
_INTEGER_FORMS: Final = {8: "u1", 16: "<i2", 32: "<i4"}


@dataclass(frozen=True, slots=True, eq=False)
class WavSound:
    """A parsed WAV, mixed down to mono: 16-bit samples, their rate in Hz, the file's INFO tags.

    ``channels`` is how many the file had.
    """

    rate: int
    channels: int
    samples: Samples
    tags: Mapping[str, str]

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate


def parse_wav(data: bytes, *, max_seconds: float | None = None) -> WavSound:
    """Return the sound in ``data``, a whole file, or all of it that arrived.

    Raises AudioError, and nothing else, whatever the bytes are; also, before any sample is
    touched, when the sound is longer than ``max_seconds``.
    """
    header = WavHeader.read(data)
    if header is None:
        raise AudioError("the file ends before its samples")
    end = header.data_end(len(data))
    seconds = (end - header.data_start) / header.block_bytes / header.rate
    if max_seconds is not None and seconds > max_seconds:
        raise AudioError(f"{seconds:.1f} s of sound, {max_seconds:.1f} s at most")
    samples = mono_samples(header, memoryview(data)[header.data_start : end])
    return WavSound(header.rate, header.channels, samples, header.tags | header.tags_behind(data))


def mono_samples(header: WavHeader, body: bytes | memoryview) -> Samples:
    """Return ``body``, whole blocks in the form ``header`` names, as 16-bit mono samples.

    16-bit mono is passed through without a copy.
    """
    if header.bits == 16 and header.channels == 1:
        return np.frombuffer(body, "<i2")
    samples = np.empty(len(body) // header.block_bytes, np.int16)
    step = _BLOCKS_AT_ONCE * header.block_bytes
    for place, start in enumerate(range(0, len(body), step)):
        part = _mono(_full_scale(header, body[start : start + step]), header.channels)
        first = place * _BLOCKS_AT_ONCE
        samples[first : first + len(part)] = np.minimum(np.rint(part * 32_768), 32_767)
    return samples


def _full_scale(header: WavHeader, body: bytes | memoryview) -> NDArray[np.float32]:
    """Return the samples with full scale at 1.0; channels still interleaved."""
    if header.is_float:
        values: NDArray[Any] = np.frombuffer(body, f"<f{header.bits // 8}")
        finite = np.where(np.isfinite(values), values, values.dtype.type(0))
        return np.minimum(np.maximum(finite, -1), 1).astype(np.float32)
    if header.bits == 24:
        wide = np.zeros((len(body) // 3, 4), np.uint8)
        wide[:, 1:] = np.frombuffer(body, np.uint8).reshape(-1, 3)
        return _scaled(wide.view("<i4")[:, 0], 32)
    values = np.frombuffer(body, _INTEGER_FORMS[header.bits])
    if header.bits == 8:  # the only unsigned form
        values = values.astype(np.int16) - 128
    return _scaled(values, header.bits)


def _scaled(values: NDArray[Any], bits: int) -> NDArray[np.float32]:
    return values.astype(np.float32) / np.float32(2.0 ** (bits - 1))


def _mono(values: NDArray[np.float32], channels: int) -> NDArray[np.float32]:
    if channels == 1:
        return values
    mixed: NDArray[np.float32] = values.reshape(-1, channels).mean(axis=1)
    return mixed


def write_wav(pcm: bytes, *, tags: Mapping[str, str] = NO_TAGS) -> bytes:
    """Return a WAV of ``pcm`` (48 kHz mono 16-bit little-endian) with ``tags`` as LIST/INFO.

    ``tags`` go by their INFO names, see `bot.audio.info_tags`. Raises ValueError for a bad name
    or half a sample.
    """
    if len(pcm) % 2:
        raise ValueError("half a sample at the end")
    info = info_chunk(tags)
    size = 4 + 24 + len(info) + 8 + len(pcm)
    head = struct.pack("<4sI4s", b"RIFF", size, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, WRITTEN_RATE, WRITTEN_RATE * 2, 2, 16)
    return b"".join((head, form, info, struct.pack("<4sI", b"data", len(pcm)), pcm))
