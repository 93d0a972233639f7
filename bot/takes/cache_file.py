"""One speech in one file: its Opus frames and its WAV, with a checksum that finds every damage."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from bot.audio.wav import parse_wav, write_wav
from bot.errors import AudioError
from bot.models import Speech

_HEADER: Final = struct.Struct("<8sdII")  # magic, time of making, number of frames, bytes of the WAV
_MAGIC: Final = b"MYNAspk1"
_DIGEST_BYTES: Final = 32

HEADER_BYTES: Final = _HEADER.size
"""So much of a file is needed for `made_at`."""


@dataclass(frozen=True, slots=True)
class KeptSpeech:
    """A finished speech and the frames it is played as."""

    speech: Speech
    frames: tuple[bytes, ...] = field(repr=False)


def packed(kept: KeptSpeech, made_at: float) -> bytes:
    """Return ``kept`` as the bytes of a file; ``made_at`` is in seconds since 1970."""
    wav = write_wav(kept.speech.pcm)
    lengths = struct.pack(f"<{len(kept.frames)}H", *map(len, kept.frames))
    body = b"".join((_HEADER.pack(_MAGIC, made_at, len(kept.frames), len(wav)), lengths, *kept.frames, wav))
    return body + hashlib.sha256(body).digest()


def made_at(header: bytes) -> float | None:
    """Return when the speech behind these first bytes of a file was made; None if it is no file of ours."""
    if len(header) < HEADER_BYTES:
        return None
    magic, seconds, _, _ = _HEADER.unpack_from(header)
    return float(seconds) if magic == _MAGIC else None


def unpacked(data: bytes) -> KeptSpeech | None:
    """Return what `packed` was given; None if a single bit is different."""
    body, digest = data[:-_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if made_at(body) is None or hashlib.sha256(body).digest() != digest:
        return None
    _, _, count, wav_bytes = _HEADER.unpack_from(body)
    start, end = HEADER_BYTES + 2 * count, len(body) - wav_bytes
    lengths = struct.unpack_from(f"<{count}H", body, HEADER_BYTES)
    if start + sum(lengths) != end:
        return None
    try:
        pcm = parse_wav(body[end:]).samples.tobytes()
    except AudioError:
        return None
    return KeptSpeech(Speech(pcm), tuple(_pieces(body, start, lengths)))


def _pieces(body: bytes, start: int, lengths: Sequence[int]) -> list[bytes]:
    pieces = []
    for length in lengths:
        pieces.append(body[start : start + length])
        start += length
    return pieces
