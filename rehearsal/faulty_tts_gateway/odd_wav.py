"""Files that a download should not bring: broken, silent, endless, or no WAV at all."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

_RATE: Final = 48_000
_UNKNOWN_LENGTH: Final = 0xFFFFFFFF  # what writers of streams put where they do not know the size
_HALF_SCALE: Final = 16_000
_PERIOD: Final = 240  # samples: a square wave of 200 Hz


def wav(
    pcm: bytes,
    *,
    rate: int = _RATE,
    channels: int = 1,
    bits: int = 16,
    tag: int = 1,
    data_size: int | None = None,
    magic: bytes = b"RIFF",
) -> bytes:
    """Return a WAV whose header says whatever it is told to say."""
    block = channels * bits // 8 & 0xFFFF
    form = struct.pack("<HHIIHH", tag, channels, rate, rate * block & _UNKNOWN_LENGTH, block, bits)
    size = len(pcm) if data_size is None else data_size
    head = b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", size)
    whole = 4 + len(head) + len(pcm) if data_size is None else data_size
    return magic + struct.pack("<I", whole) + b"WAVE" + head + pcm


def square(seconds: float, level: int = _HALF_SCALE) -> bytes:
    """Return that many seconds of a loud hum: 48 kHz, mono, 16-bit."""
    half = _PERIOD // 2
    period = struct.pack("<h", level) * half + struct.pack("<h", -level) * half
    return period * max(1, round(seconds * _RATE / _PERIOD))


def _silence(seconds: float) -> bytes:
    return bytes(round(seconds * _RATE) * 2)


KINDS: Final[Mapping[str, Callable[[], bytes]]] = MappingProxyType(
    {
        "empty": lambda: b"",
        "html": lambda: b"<!doctype html><html><body><h1>Not found</h1></body></html>",
        "json": lambda: b'{"error": "NoSuchKey"}',
        "silent": lambda: wav(_silence(1.0)),
        "no samples": lambda: wav(b""),
        "one sample": lambda: wav(b"\x00\x40"),
        "header only": lambda: wav(square(1.0))[:20],
        "truncated": lambda: wav(square(2.0))[:60_000],
        "odd length": lambda: wav(square(0.5) + b"\x01"),
        "too long": lambda: wav(square(150.0)),
        "silence for three minutes": lambda: wav(_silence(180.0)),
        "unknown length": lambda: wav(square(1.0), data_size=_UNKNOWN_LENGTH),
        "zero length": lambda: wav(square(1.0), data_size=0),
        "no channels": lambda: wav(square(0.5), channels=0),
        "too many channels": lambda: wav(square(0.5), channels=65_535),
        "no rate": lambda: wav(square(0.5), rate=0),
        "absurd rate": lambda: wav(square(0.5), rate=0xFFFFFFFF),
        "no bits": lambda: wav(square(0.5), bits=0),
        "not a number": lambda: wav(struct.pack("<f", float("nan")) * _RATE, bits=32, tag=3),
        "clipped": lambda: wav(square(1.0, 32_767)),
        "big-endian": lambda: wav(square(0.5), magic=b"RIFX"),
        "compressed": lambda: wav(square(0.5), tag=0x55),
        "stereo": lambda: wav(square(1.0), channels=2),
        "telephone": lambda: wav(square(1.0), rate=8_000),
        "many chunks": lambda: _with_empty_chunks(100_000),
        "trailing bytes": lambda: wav(square(0.5)) + b"PK\x03\x04" + bytes(64),
    }
)
"""Kind of bad WAV → its bytes. `unknown length`, `stereo` and `telephone` are odd, but sound."""


def _with_empty_chunks(count: int) -> bytes:
    sound = wav(square(0.5))
    return sound[:12] + (b"JUNK" + bytes(4)) * count + sound[12:]
