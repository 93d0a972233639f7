"""Recordings in the formats people have, made with PyAV."""

from __future__ import annotations

import io
import wave

import av
import numpy as np

FORMATS = {
    "WAV": ("wav", "pcm_s16le"),
    "WAV, 24 bit": ("wav", "pcm_s24le"),
    "WAV, float": ("wav", "pcm_f32le"),
    "Ogg Opus": ("ogg", "libopus"),
    "Ogg Vorbis": ("ogg", "vorbis"),
    "MP3": ("mp3", "libmp3lame"),
    "M4A": ("ipod", "aac"),
    "MP4": ("mp4", "aac"),
    "AAC": ("adts", "aac"),
    "FLAC": ("flac", "flac"),
    "WebM": ("webm", "libopus"),
}


def encoded(wav: bytes, container_format: str, codec: str) -> bytes:
    """Return a 48 kHz mono WAV as stereo in another format."""
    with wave.open(io.BytesIO(wav)) as source:
        pcm = np.frombuffer(source.readframes(source.getnframes()), "<i2")
    file = io.BytesIO()
    with av.open(file, "w", format=container_format) as container:
        # Vorbis: FFmpeg's own encoder knows only stereo, and asks to be called an experiment.
        stream = container.add_stream(codec, rate=48_000, layout="stereo", options={"strict": "experimental"})
        assert isinstance(stream, av.AudioStream)
        frame = av.AudioFrame.from_ndarray(np.repeat(pcm, 2).reshape(1, -1), format="s16", layout="stereo")
        frame.rate, frame.pts = 48_000, 0
        for piece in (frame, None):
            container.mux(stream.encode(piece))
    return file.getvalue()


def wav_of(sound: np.ndarray, *, rate: int = 48_000) -> bytes:
    """Return samples (full scale ±1; a column for each channel, if several) as a 16-bit WAV."""
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setparams((1 if sound.ndim == 1 else sound.shape[1], 2, rate, 0, "NONE", ""))
        wav.writeframes((np.clip(sound, -1, 1) * 32_767).astype("<i2").tobytes())
    return file.getvalue()
