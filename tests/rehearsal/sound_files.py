"""Sound files of a given length, in the formats that Discord takes and in others."""

from __future__ import annotations

import io

import av
import numpy as np


def sound_file(seconds: float, *, form: str = "mp3", codec: str = "libmp3lame") -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=form) as container:
        stream = container.add_stream(codec, rate=48_000, layout="mono")
        assert isinstance(stream, av.AudioStream)
        samples = np.zeros((1, round(seconds * 48_000)), np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 48_000
        for piece in av.AudioResampler(format=stream.format, layout="mono", rate=48_000).resample(frame):
            container.mux(stream.encode(piece))
        container.mux(stream.encode(None))
    return buffer.getvalue()
