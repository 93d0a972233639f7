"""Recordings in every format a member may bring."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np

from bot.audio.wav import write_wav

FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"),
    "flac": ("flac", "flac"),
    "webm": ("webm", "libopus"),
}


def voice(*, pitch: float, seconds: float = 4.0) -> bytes:
    """Return 48 kHz mono PCM of something voiced at ``pitch`` Hz: a buzz through two resonances."""
    time = np.arange(round(48_000 * seconds)) / 48_000
    phase = 2 * np.pi * np.cumsum(pitch * (1 + 0.05 * np.sin(2 * np.pi * 3 * time))) / 48_000
    sound = sum(
        (np.sin(number * phase) / (1 + abs(number * pitch - 700) / 300) for number in range(1, 30)),
        np.zeros_like(time),
    )
    sound *= 0.6 + 0.4 * np.sign(np.sin(2 * np.pi * 1.3 * time))
    return bytes((sound / np.abs(sound).max() * 12_000).astype("<i2").tobytes())


def recording(extension: str, pcm: bytes) -> bytes:
    """Return ``pcm`` as a file of the format that ``extension`` names."""
    if extension == "wav":
        return write_wav(pcm)
    container_name, codec = FORMATS[extension]
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container_name) as container:
        stream: Any = container.add_stream(codec, rate=48_000)
        stream.layout = "mono"
        samples = np.frombuffer(pcm, "<i2").reshape(1, -1)
        resampler = av.AudioResampler(format=stream.format.name, layout="mono", rate=48_000)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        fifo = av.AudioFifo()
        for piece in resampler.resample(frame):
            fifo.write(piece)
        size = stream.codec_context.frame_size or 960
        while fifo.samples:
            container.mux(stream.encode(fifo.read(size, partial=True)))
        container.mux(stream.encode(None))
    return buffer.getvalue()
