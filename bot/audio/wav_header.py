"""What stands before the samples of a WAV, read strictly and from as few bytes as possible.

The layout is Microsoft's "Multimedia Programming Interface and Data Specifications 1.0" with
WAVEFORMATEXTENSIBLE, and EBU Tech 3306 for RF64.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, NamedTuple

from bot.audio.info_tags import MAX_INFO_BYTES, read_info
from bot.errors import AudioError

MAX_CHUNKS: Final = 64
"""Real files have fewer than ten; each further one only costs time."""

MIN_RATE: Final = 8_000
MAX_RATE: Final = 192_000
MAX_CHANNELS: Final = 8
"""What recordings of speech and any engine use, with room; above it the header is nonsense."""

_MAX_FORMAT_BYTES: Final = 1_024  # 40 are defined; a stream must not wait for gigabytes of them
_UNKNOWN_SIZE: Final = 0xFFFFFFFF
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_BITS: Final = {_PCM: (8, 16, 24, 32), _FLOAT: (32, 64)}
_SUBFORMAT_TAIL: Final = bytes.fromhex("000000001000800000aa00389b71")
_KNOWN_NAMES: Final = (b"fmt ", b"data", b"LIST")


class _Chunk(NamedTuple):
    name: bytes
    start: int
    size: int


@dataclass(frozen=True, slots=True)
class WavHeader:
    """The form of the samples, and where they are in the file.

    ``data_bytes`` is what the file claims, None when the samples go on to its end.
    ``tags`` are the LIST/INFO tags in front of the samples.
    """

    rate: int
    channels: int
    bits: int
    is_float: bool
    data_start: int
    data_bytes: int | None
    tags: dict[str, str]

    @property
    def block_bytes(self) -> int:
        """The size of one sample of every channel, in bytes."""
        return self.channels * self.bits // 8

    @classmethod
    def read(cls, prefix: bytes) -> WavHeader | None:
        """Return the header of the WAV that begins with ``prefix``; None while more bytes are needed.

        Raises AudioError as soon as it is certain that this is no WAV we accept.
        """
        is_rf64 = _check_magic(prefix)
        form: tuple[int, int, int, bool] | None = None
        long_size: int | None = None
        tags: dict[str, str] = {}
        for chunk in _chunks(prefix, 12):
            if is_rf64 and long_size is None:
                if (long_size := _read_ds64(prefix, chunk)) is None:
                    return None
            elif chunk.name == b"fmt ":
                if form is not None:
                    raise AudioError("two fmt chunks")
                if (form := _read_format(prefix, chunk)) is None:
                    return None
            elif chunk.name == b"LIST":
                tags.update(_read_list(prefix, chunk))
            elif chunk.name == b"data":
                if form is None:
                    raise AudioError("samples before their format")
                return cls(*form, chunk.start, _data_bytes(chunk.size, long_size), tags)
        return None

    def data_end(self, available: int) -> int:
        """Return where the whole samples end in a file of ``available`` bytes."""
        present = max(0, available - self.data_start)
        size = present if self.data_bytes is None else min(present, self.data_bytes)
        return self.data_start + size - size % self.block_bytes

    def tags_behind(self, data: bytes) -> dict[str, str]:
        """Return the LIST/INFO tags that ``data``, the whole file, has behind its samples."""
        tags: dict[str, str] = {}
        if self.data_bytes is None:
            return tags
        start = _next_chunk(data, self.data_start + self.data_bytes, self.data_bytes)
        try:
            for chunk in _chunks(data, start):
                if chunk.name == b"LIST":
                    tags.update(_read_list(data, chunk))
        except AudioError:  # the sound is whole; what hangs behind it may be anything
            pass
        return tags


def _check_magic(prefix: bytes) -> bool:
    """Return if this is RF64, or raise; a prefix too short to tell passes."""
    magic, form = prefix[:4], prefix[8:12]
    if magic == b"RIFX":
        raise AudioError("RIFX, the big-endian form")
    if not (b"RIFF".startswith(magic) or b"RF64".startswith(magic)):
        raise AudioError("no RIFF file")
    if not b"WAVE".startswith(form):
        raise AudioError("RIFF, but not WAVE")
    return magic == b"RF64"


def _chunks(data: bytes, start: int) -> Iterator[_Chunk]:
    """Yield the chunks whose heads are in ``data``; their bodies may be cut."""
    for _ in range(MAX_CHUNKS):
        if start + 8 > len(data):
            return
        name, size = struct.unpack_from("<4sI", data, start)
        yield _Chunk(name, start + 8, size)
        start = _next_chunk(data, start + 8 + size, size)
    if start + 8 <= len(data):
        raise AudioError(f"more than {MAX_CHUNKS} chunks")


def _next_chunk(data: bytes, end: int, size: int) -> int:
    """Return where the next chunk begins; some writers forget the pad byte of an odd chunk."""
    if size % 2 == 0:
        return end
    if data[end + 1 : end + 5] in _KNOWN_NAMES:
        return end + 1
    return end + 1 if data[end : end + 1] == b"\0" else end  # no chunk's name begins with NUL


def _read_ds64(data: bytes, chunk: _Chunk) -> int | None:
    """Return the size of the samples in an RF64; None while its bytes are missing."""
    if chunk.name != b"ds64" or chunk.size < 24:
        raise AudioError("RF64 without its ds64 chunk")
    if len(data) < chunk.start + 24:
        return None
    (size,) = struct.unpack_from("<Q", data, chunk.start + 8)
    return int(size)


def _data_bytes(size: int, long_size: int | None) -> int | None:
    if size == _UNKNOWN_SIZE and long_size is not None:
        size = long_size
    return None if size in (0, _UNKNOWN_SIZE) else size


def _read_format(data: bytes, chunk: _Chunk) -> tuple[int, int, int, bool] | None:
    """Return (rate, channels, bits, is float); None while bytes are missing. Raises AudioError."""
    if not 16 <= chunk.size <= _MAX_FORMAT_BYTES:
        raise AudioError(f"a fmt chunk of {chunk.size} bytes")
    body = data[chunk.start : chunk.start + min(chunk.size, 40)]
    if len(body) < min(chunk.size, 40):
        return None
    tag, channels, rate, _, block_bytes, bits = struct.unpack_from("<HHIIHH", body)
    if tag == _EXTENSIBLE:
        if body[26:] != _SUBFORMAT_TAIL:
            raise AudioError("an EXTENSIBLE format of an unknown kind")
        tag = int.from_bytes(body[24:26], "little")
    if bits not in _BITS.get(tag, ()):
        raise AudioError(f"format tag {tag} with {bits} bits")
    if not 1 <= channels <= MAX_CHANNELS:
        raise AudioError(f"{channels} channels")
    if not MIN_RATE <= rate <= MAX_RATE:
        raise AudioError(f"{rate} Hz")
    if block_bytes != channels * bits // 8:
        raise AudioError(f"blocks of {block_bytes} bytes for {channels} channels of {bits} bits")
    return rate, channels, bits, tag == _FLOAT


def _read_list(data: bytes, chunk: _Chunk) -> dict[str, str]:
    if chunk.size > MAX_INFO_BYTES:
        return {}
    return read_info(data[chunk.start : chunk.start + chunk.size])
