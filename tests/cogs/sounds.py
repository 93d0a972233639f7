"""Recordings in every format a member may bring."""

from __future__ import annotations

import io
from typing import Any

import av
import numpy as np

from bot.audio.wav import write_wav
from rehearsal.recordings import RECORDINGS, SampleRecording

FORMATS = {
    "wav": ("wav", "pcm_s16le"),
    "ogg": ("ogg", "libopus"),
    "mp3": ("mp3", "libmp3lame"),
    "m4a": ("mp4", "aac"),
    "flac": ("flac", "flac"),
    "webm": ("webm", "libopus"),
}


def speech_of(one: SampleRecording) -> bytes:
    """Return a recording of somebody speaking as 48 kHz mono PCM."""
    resampler = av.AudioResampler(format="s16", layout="mono", rate=48_000)
    with av.open(str(one.path)) as container:
        frames = [new for old in container.decode(audio=0) for new in resampler.resample(old)]
    frames += resampler.resample(None)
    return b"".join(frame.to_ndarray().astype("<i2").tobytes() for frame in frames)


LOW = speech_of(RECORDINGS[0])
HIGH = speech_of(RECORDINGS[1])
"""Two people speaking, as PCM."""


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
