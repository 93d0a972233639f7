"""What another program finds in a sound file: PyAV, straight in the process, as no code of ours reads one."""

from __future__ import annotations

import io
from dataclasses import dataclass

import av
import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Read:
    """``samples`` are mono at 48 kHz, full scale at 1; ``tags`` go by FFmpeg's names."""

    container: str
    codec: str
    rate: int
    channels: int
    tags: dict[str, str]
    samples: NDArray[np.float64]

    @property
    def seconds(self) -> float:
        return len(self.samples) / 48_000


def read(data: bytes) -> Read:
    with av.open(io.BytesIO(data), "r") as container:
        stream = container.streams.audio[0]
        mono = av.AudioResampler(format="flt", layout="mono", rate=48_000)
        parts = [part for frame in container.decode(stream) for part in mono.resample(frame)]
        parts += mono.resample(None)
        return Read(
            container=container.format.name,
            codec=stream.codec_context.name,
            rate=stream.codec_context.rate,
            channels=stream.codec_context.channels,
            tags={**container.metadata, **stream.metadata},
            samples=np.concatenate([part.to_ndarray()[0] for part in parts]).astype(np.float64),
        )


def info_tags(wav: bytes) -> dict[str, str]:
    """Return the LIST/INFO tags in front of the samples of a WAV of ours, by their four letters.

    FFmpeg leaves out the names that it does not know.
    """
    found: dict[str, str] = {}
    start = wav.find(b"LIST")
    if start < 0 or start > wav.find(b"data"):
        return found
    at, end = start + 12, start + 8 + int.from_bytes(wav[start + 4 : start + 8], "little")
    while at < end:
        size = int.from_bytes(wav[at + 4 : at + 8], "little")
        found[wav[at : at + 4].decode("ascii")] = wav[at + 8 : at + 8 + size].rstrip(b"\0").decode()
        at += 8 + size + size % 2
    return found
