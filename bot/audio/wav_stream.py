"""A WAV taken apart while it arrives, by the same rules as a whole one."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.wav import mono_samples
from bot.audio.wav_header import WavHeader
from bot.errors import AudioError

Samples = NDArray[np.int16]

MAX_HEADER_BYTES: Final = 1024 * 1024
"""What may stand before the samples; marks of origin and the notes of studios take some kilobytes."""

_LOOKED_AT_ONCE: Final = 4_096  # bytes: a header that is longer is read again only after so many more
_STREAM_BYTES: Final = 0x7F00_0000  # a size from here on is what writers put who do not know it


class WavStream:
    """Bytes in, cut anywhere; mono samples out. More than ``max_seconds`` is an error at once."""

    def __init__(self, *, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._prefix = bytearray()
        self._looked_at = 0
        self._rest = b""  # less than a sample of every channel
        self._data_bytes_left: int | None = None
        self._samples = 0
        self.header: WavHeader | None = None
        """The form of the samples; None until it has arrived."""

    @property
    def seconds(self) -> float:
        """How much sound has come so far."""
        return self._samples / self.header.rate if self.header else 0.0

    def feed(self, chunk: bytes) -> Samples:
        """Return the samples that are whole with ``chunk``. Raises AudioError, and nothing else."""
        if self.header is not None:
            return self._whole_samples(self.header, chunk)
        self._prefix += chunk
        if self._looked_at > _LOOKED_AT_ONCE > len(self._prefix) - self._looked_at:
            return np.zeros(0, np.int16)
        return self._after_header()

    def finish(self) -> Samples:
        """Return the last samples: nothing more comes. Raises AudioError if they had not begun."""
        last = self._after_header() if self.header is None else np.zeros(0, np.int16)
        if self.header is None:
            raise AudioError("the file ends before its samples")
        return last

    def _after_header(self) -> Samples:
        """Look for the header in what there is; return the samples behind it."""
        prefix, self._looked_at = bytes(self._prefix), len(self._prefix)
        self.header = header = WavHeader.read(prefix)
        if header is None:
            if len(prefix) > MAX_HEADER_BYTES:
                raise AudioError(f"no samples in the first {len(prefix)} bytes")
            return np.zeros(0, np.int16)
        self._prefix.clear()
        self._data_bytes_left = header.data_bytes
        if header.data_bytes is not None and header.data_bytes < _STREAM_BYTES:
            self._check_length(header.data_bytes / header.block_bytes / header.rate)
        return self._whole_samples(header, prefix[header.data_start :])

    def _whole_samples(self, header: WavHeader, chunk: bytes) -> Samples:
        if self._data_bytes_left is not None:
            chunk = chunk[: self._data_bytes_left]
            self._data_bytes_left -= len(chunk)
        body = self._rest + chunk
        whole = len(body) - len(body) % header.block_bytes
        self._rest = body[whole:]
        self._samples += whole // header.block_bytes
        self._check_length(self.seconds)
        return mono_samples(header, body[:whole])

    def _check_length(self, seconds: float) -> None:
        if seconds > self._max_seconds:
            raise AudioError(f"{seconds:.1f} s of sound, {self._max_seconds:.1f} s at most")
