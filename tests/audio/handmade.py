"""WAV files made byte by byte, good ones and bad ones, and sines to put into them."""

from __future__ import annotations

import math
import struct

import numpy as np
from numpy.typing import NDArray

FLOAT_GUID = bytes.fromhex("0300000000001000800000aa00389b71")
PCM_GUID = bytes.fromhex("0100000000001000800000aa00389b71")

Wave = NDArray[np.float64]


def chunk(name: bytes, body: bytes, *, size: int | None = None, pad: bool = True) -> bytes:
    head = struct.pack("<4sI", name, len(body) if size is None else size)
    return head + body + (b"\0" if pad and len(body) % 2 else b"")


def riff(*chunks: bytes, magic: bytes = b"RIFF", form: bytes = b"WAVE", size: int | None = None) -> bytes:
    body = b"".join(chunks)
    return struct.pack("<4sI4s", magic, len(body) + 4 if size is None else size, form) + body


def fmt(
    *,
    tag: int = 1,
    channels: int = 1,
    rate: int = 48_000,
    bits: int = 16,
    block: int | None = None,
    guid: bytes | None = None,
    size: int | None = None,
) -> bytes:
    block = channels * bits // 8 % 65_536 if block is None else block
    body = struct.pack("<HHIIHH", tag, channels, rate, rate * block % 2**32, block, bits)
    if guid is not None:
        body += struct.pack("<HHI", 22, bits, 0) + guid
    return chunk(b"fmt ", body, size=size)


def ds64(data_bytes: int) -> bytes:
    return chunk(b"ds64", struct.pack("<QQQI", 0, data_bytes, 0, 0))


def sine(frequency: float = 440.0, *, level: float = 0.5, seconds: float = 0.1, rate: int = 48_000) -> Wave:
    times = np.arange(round(seconds * rate)) / rate
    return level * np.sin(2 * math.pi * frequency * times)


def pcm16(wave: Wave) -> bytes:
    return np.rint(np.clip(wave, -1, 32_767 / 32_768) * 32_768).astype("<i2").tobytes()


def encoded(wave: Wave, *, bits: int, is_float: bool = False) -> bytes:
    """Return ``wave`` (full scale at 1.0) in the bytes of one of the sample forms."""
    if is_float:
        return wave.astype(f"<f{bits // 8}").tobytes()
    full = 2.0 ** (bits - 1)
    numbers = np.rint(np.clip(wave * full, -full, full - 1)).astype(np.int64)
    if bits == 8:
        return (numbers + 128).astype(np.uint8).tobytes()
    if bits == 24:
        return numbers.astype("<i4").view(np.uint8).reshape(-1, 4)[:, :3].tobytes()
    return numbers.astype(f"<i{bits // 8}").tobytes()


def wav(wave: Wave, *, rate: int = 48_000, tail: bytes = b"") -> bytes:
    return riff(fmt(rate=rate), chunk(b"data", pcm16(wave))) + tail


def tone_level(samples: NDArray[np.float64], frequency: float, rate: int) -> float:
    """Return the amplitude of ``frequency`` in ``samples``."""
    angle = 2 * math.pi * frequency * np.arange(len(samples)) / rate
    basis = np.stack([np.sin(angle), np.cos(angle)], axis=1)
    parts = np.linalg.lstsq(basis, samples, rcond=None)[0]
    return float(np.hypot(*parts))


def speechlike(seconds: float, *, seed: int = 7, rms: float = 0.1) -> Wave:
    """Return something with a voice's shape: a gliding pitch, overtones, syllables, pauses, breath."""
    random = np.random.default_rng(seed)
    times = np.arange(round(seconds * 48_000)) / 48_000
    phase = 2 * math.pi * np.cumsum(140 + 30 * np.sin(2 * math.pi * 0.7 * times)) / 48_000
    voice = sum(np.sin(phase * overtone) / overtone for overtone in range(1, 20))
    syllables = np.clip(np.sin(2 * math.pi * 3.1 * times) + 0.4, 0, 1)
    wave = np.asarray(voice * syllables + random.normal(0, 0.02, len(times)))
    return wave * rms / math.sqrt(np.square(wave).mean())
