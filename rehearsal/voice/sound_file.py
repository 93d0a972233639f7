"""Sound files: their length and format, and recordings as Discord's app sends them."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import av
import numpy as np

from rehearsal.voice.listener import RATE

_BARS: Final = 256
_BARS_PER_SECOND: Final = 10
"""Discord's app draws at most so many bars, and so many a second in short messages."""

_BIT_RATE: Final = 64_000
_LONGEST_SECONDS: Final = 20 * 60
"""The longest recording Discord's app makes."""


_Samples = np.ndarray[tuple[int], np.dtype[np.int16]]


class NoSoundError(Exception):
    """The bytes hold no sound that can be read."""


@dataclass(frozen=True, slots=True)
class VoiceMessageFile:
    """One recording: ``waveform`` is base64 of one byte per bar."""

    data: bytes = field(repr=False)
    seconds: float
    waveform: str


def voice_message(recording: bytes) -> VoiceMessageFile:
    """Return ``recording``, in any format a browser or a recorder writes, as a voice message.

    Takes processor time; call it in a thread. Raises `NoSoundError`.
    """
    try:
        samples = _samples(recording)
        data = _ogg(samples)
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise NoSoundError(f"no sound can be read from it ({type(error).__name__})") from error
    if not len(samples):
        raise NoSoundError("there is no sound in it")
    return VoiceMessageFile(data, len(samples) / RATE, _waveform(samples))


def _samples(recording: bytes) -> _Samples:
    resampler = av.AudioResampler(format="s16", layout="mono", rate=RATE)
    pieces: list[_Samples] = []
    count = 0
    with av.open(BytesIO(recording), "r") as container:
        for frame in container.decode(audio=0):
            for piece in resampler.resample(frame):
                pieces.append(_flat(piece))
                count += len(pieces[-1])
            if count > _LONGEST_SECONDS * RATE:
                break
    pieces += [_flat(piece) for piece in resampler.resample(None)]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.int16)


def _flat(frame: av.AudioFrame) -> _Samples:
    return frame.to_ndarray().reshape(-1).astype(np.int16)


def _ogg(samples: _Samples) -> bytes:
    buffer = BytesIO()
    with av.open(buffer, "w", format="ogg") as container:
        stream = container.add_stream("libopus", rate=RATE, layout="mono")
        stream.bit_rate = _BIT_RATE
        frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
        frame.sample_rate = RATE
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _waveform(samples: _Samples) -> str:
    bars = max(1, min(_BARS, round(len(samples) / RATE * _BARS_PER_SECOND)))
    parts = np.array_split(samples.astype(np.float64), bars)
    loudness = np.array([np.sqrt(np.mean(np.square(part))) for part in parts])
    loudest = float(loudness.max()) or 1.0
    return base64.b64encode((loudness / loudest * 255).astype(np.uint8).tobytes()).decode()


def format_and_seconds(data: bytes) -> tuple[str, float]:
    """Return the format (``mp3``, ``ogg``, …) and the length when decoded.

    Takes processor time; call it in a thread. Raises `NoSoundError`.
    """
    seconds = 0.0
    try:
        with av.open(BytesIO(data), "r") as container:
            for frame in container.decode(audio=0):
                seconds += frame.samples / frame.sample_rate
            name = container.format.name
    except (av.FFmpegError, ValueError, IndexError) as error:
        raise NoSoundError(f"no sound can be read from it ({type(error).__name__})") from error
    if not seconds:
        raise NoSoundError("there is no sound in it")
    return name, seconds
