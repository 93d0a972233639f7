"""WAV in and out, whole and streamed: the only door for sound from outside; and tags in sound files."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from bot.errors import AudioError

TITLE: Final = "INAM"
ARTIST: Final = "IART"
COMMENT: Final = "ICMT"
SUBJECT: Final = "ISBJ"
"""What a designed voice was described as; our own TTS gateway reads it, see its engine."""
SOFTWARE: Final = "ISFT"
COPYRIGHT: Final = "ICOP"
DATE: Final = "ICRD"

NO_TAGS: Final[Mapping[str, str]] = MappingProxyType({})

_VORBIS_NAMES: Final = {
    TITLE: "title",
    ARTIST: "artist",
    COMMENT: "comment",
    SOFTWARE: "software",  # "encoder" belongs to the muxer
    COPYRIGHT: "copyright",
    DATE: "date",
}
_NAME = re.compile(r"[A-Z0-9]{4}")


def info_chunk(tags: Mapping[str, str]) -> bytes:
    """Return ``tags`` as a whole LIST/INFO chunk, values in UTF-8, or nothing when there are none.

    Raises ValueError for a name that is not four capitals or digits.
    """
    body = b"".join(_subchunk(name, value) for name, value in tags.items())
    if not body:
        return b""
    return struct.pack("<4sI4s", b"LIST", len(body) + 4, b"INFO") + body


def _subchunk(name: str, value: str) -> bytes:
    if not _NAME.fullmatch(name):
        raise ValueError(f"not the name of an INFO tag: {name!r}")
    text = value.replace("\0", "").encode("utf-8", "replace") + b"\0"
    return struct.pack("<4sI", name.encode("ascii"), len(text)) + text + b"\0" * (len(text) % 2)


def vorbis_comments(tags: Mapping[str, str]) -> dict[str, str]:
    """Return ``tags`` under the names that FLAC and Ogg use; an unusual one keeps its INFO name."""
    return {_VORBIS_NAMES.get(name, name): value.replace("\0", "") for name, value in tags.items()}


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
    """

    rate: int
    channels: int
    bits: int
    is_float: bool
    data_start: int
    data_bytes: int | None

    @property
    def block_bytes(self) -> int:
        """The size of one sample of every channel, in bytes."""
        return self.channels * self.bits // 8

    @property
    def form(self) -> tuple[int, int, int, bool]:
        """The form of the samples alone."""
        return self.rate, self.channels, self.bits, self.is_float

    @classmethod
    def read(cls, prefix: bytes) -> WavHeader | None:
        """Return the header of the WAV that begins with ``prefix``; None while more bytes are needed.

        Raises AudioError as soon as it is certain that this is no WAV we accept.
        """
        is_rf64 = _check_magic(prefix)
        form: tuple[int, int, int, bool] | None = None
        long_size: int | None = None
        for chunk in _chunks(prefix, 12):
            if is_rf64 and long_size is None:
                if (long_size := _read_ds64(prefix, chunk)) is None:
                    return None
            elif chunk.name == b"fmt ":
                if form is not None:
                    raise AudioError("two fmt chunks")
                if (form := _read_format(prefix, chunk)) is None:
                    return None
            elif chunk.name == b"data":
                if form is None:
                    raise AudioError("samples before their format")
                return cls(*form, chunk.start, _data_bytes(chunk.size, long_size))
        return None

    def data_end(self, available: int) -> int:
        """Return where the whole samples end in a file of ``available`` bytes."""
        present = max(0, available - self.data_start)
        size = present if self.data_bytes is None else min(present, self.data_bytes)
        return self.data_start + size - size % self.block_bytes


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


Samples = NDArray[np.int16]

WRITTEN_RATE: Final = 48_000
"""Discord's rate in Hz, and the only one we write."""

_BLOCKS_AT_ONCE: Final = 65_536  # bounds the memory of a conversion, whatever the file
_INTEGER_FORMS: Final = {8: "u1", 16: "<i2", 32: "<i4"}


@dataclass(frozen=True, slots=True, eq=False)
class WavSound:
    """A parsed WAV, mixed down to mono: 16-bit samples and their rate in Hz.

    ``channels`` is how many the file had.
    """

    rate: int
    channels: int
    samples: Samples

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.samples) / self.rate


def parse_wav(data: bytes, *, max_seconds: float | None = None) -> WavSound:
    """Return the sound in ``data``, a whole file, or all of it that arrived, and of files joined to it.

    Raises AudioError, and nothing else, whatever the bytes are; also, before any sample is
    touched, when the sound is longer than ``max_seconds``.
    """
    header = WavHeader.read(data)
    if header is None:
        raise AudioError("the file ends before its samples")
    parts = [(header.data_start, header.data_end(len(data)))]
    begin, following = 0, header
    while following.data_bytes is not None:
        behind = _next_wav(data, begin + following.data_start + following.data_bytes)
        if behind is None:
            break
        begin, joined = behind, _joined_header(data[behind : behind + MAX_HEADER_BYTES], header, len(parts))
        if joined is None:
            raise AudioError("a joined file ends before its samples")
        following = joined
        parts.append((begin + joined.data_start, begin + joined.data_end(len(data) - begin)))
    seconds = sum(end - start for start, end in parts) / header.block_bytes / header.rate
    if max_seconds is not None and seconds > max_seconds:
        raise AudioError(f"{seconds:.1f} s of sound, {max_seconds:.1f} s at most")
    sounds = [mono_samples(header, memoryview(data)[start:end]) for start, end in parts]
    return WavSound(header.rate, header.channels, np.concatenate(sounds) if len(sounds) > 1 else sounds[0])


MAX_JOINED: Final = 16
"""So many files in one are read; nobody splits what somebody asked for into more."""


def _next_wav(data: bytes, end: int) -> int | None:
    """Return where another WAV begins among the chunks behind the samples that end at ``end``."""
    start = end + 1 if data[end : end + 1] == b"\0" else end
    with suppress(AudioError):  # many chunks: notes, in whatever form
        for chunk in _chunks(data, start):
            if chunk.name in (b"RIFF", b"RF64") and data[chunk.start : chunk.start + 4] == b"WAVE":
                return chunk.start - 8
    return None


def _joined_header(beginning: bytes, first: WavHeader, number: int) -> WavHeader | None:
    """Return the header of a WAV behind the ``first``; None while bytes are missing.

    Raises AudioError if it is of another form, so that half of what was sent is never taken for the whole.
    """
    header = WavHeader.read(beginning)
    if number >= MAX_JOINED:
        raise AudioError(f"more than {MAX_JOINED} files in one")
    if header is not None and header.form != first.form:
        raise AudioError("another WAV of another form behind the first")
    return header


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

    ``tags`` go by their INFO names, see `bot.audio.wav`. Raises ValueError for a bad name
    or half a sample.
    """
    if len(pcm) % 2:
        raise ValueError("half a sample at the end")
    info = info_chunk(tags)
    size = 4 + 24 + len(info) + 8 + len(pcm)
    head = struct.pack("<4sI4s", b"RIFF", size, b"WAVE")
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, WRITTEN_RATE, WRITTEN_RATE * 2, 2, 16)
    return b"".join((head, form, info, struct.pack("<4sI", b"data", len(pcm)), pcm))


MAX_HEADER_BYTES: Final = 1024 * 1024
"""What may stand before the samples; marks of origin and the notes of studios take some kilobytes."""

_LOOKED_AT_ONCE: Final = 4_096  # bytes: a header that is longer is read again only after so many more
_STREAM_BYTES: Final = 0x7F00_0000  # a size from here on is what writers put who do not know it


class WavStream:
    """Bytes in, cut anywhere; mono samples out, those of files joined to the first one too.

    More than ``max_seconds`` is an error at once.
    """

    def __init__(self, *, max_seconds: float) -> None:
        self._max_seconds = max_seconds
        self._prefix = bytearray()
        self._looked_at = 0
        self._rest = b""  # less than a sample of every channel
        self._data_bytes_left: int | None = None
        self._samples = 0
        self._files = 1
        self._behind = bytearray()  # the samples: notes, or another WAV
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
        if _next_wav(bytes(self._behind), 0) is not None:
            raise AudioError("a joined file ends before its samples")
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
        if self._data_bytes_left is None:
            return self._samples_in(header, chunk)
        body, behind = chunk[: self._data_bytes_left], chunk[self._data_bytes_left :]
        self._data_bytes_left -= len(body)
        samples = self._samples_in(header, body)
        if behind and len(self._behind) < MAX_HEADER_BYTES:
            self._behind += behind
            joined = self._joined(header)
            return np.concatenate([samples, joined]) if len(joined) else samples
        return samples

    def _joined(self, header: WavHeader) -> Samples:
        """Return the samples of another WAV behind this one, as far as they have come."""
        behind = bytes(self._behind)
        begin = _next_wav(behind, 0)
        following = None if begin is None else _joined_header(behind[begin:], header, self._files)
        if begin is None or following is None:
            return np.zeros(0, np.int16)
        self._files += 1
        self._behind.clear()
        self._rest = b""
        self._data_bytes_left = following.data_bytes
        return self._whole_samples(header, behind[begin + following.data_start :])

    def _samples_in(self, header: WavHeader, chunk: bytes) -> Samples:
        body = self._rest + chunk
        whole = len(body) - len(body) % header.block_bytes
        self._rest = body[whole:]
        self._samples += whole // header.block_bytes
        self._check_length(self.seconds)
        return mono_samples(header, body[:whole])

    def _check_length(self, seconds: float) -> None:
        if seconds > self._max_seconds:
            raise AudioError(f"{seconds:.1f} s of sound, {self._max_seconds:.1f} s at most")
