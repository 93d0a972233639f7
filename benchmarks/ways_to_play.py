"""Ways to play in many voice channels from one process: ours, discord.py's, and that of the tutorials."""

from __future__ import annotations

import os
import shutil
import time
from array import array
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

import av
import discord
import numpy as np

from bot.audio.wav import parse_wav
from bot.playback.scheduler import FRAME_SECONDS, FrameScheduler
from bot.playback.voice_client import SpeechVoiceClient

FRAME_BYTES: Final = 200
"""20 ms at about 80 kbit/s."""

_PCM_BYTES: Final = 3840


class Timed(Protocol):
    """A source that knows when its frames were taken."""

    taken: array[float]


class Frames(discord.AudioSource):
    """Opus frames made beforehand, without end."""

    def __init__(self) -> None:
        self.taken: array[float] = array("d")
        self._frame = os.urandom(FRAME_BYTES)

    def is_opus(self) -> bool:
        """Return True: nothing has to be encoded."""
        return True

    def read(self) -> bytes:
        """Return the next 20 ms."""
        self.taken.append(time.perf_counter())
        return self._frame


class PCM(discord.AudioSource):
    """Sound from memory that discord.py encodes as it plays, begun anew where it ends."""

    def __init__(self, stereo: bytes) -> None:
        self.taken: array[float] = array("d")
        self._stereo = stereo
        self._frames = len(stereo) // _PCM_BYTES

    def read(self) -> bytes:
        """Return the next 20 ms."""
        self.taken.append(time.perf_counter())
        begin = len(self.taken) % self._frames * _PCM_BYTES
        return self._stereo[begin : begin + _PCM_BYTES]


class DecodedFile(discord.FFmpegPCMAudio):
    """A WAV file, decoded by an ffmpeg of its own."""

    def __init__(self, path: Path) -> None:
        self.taken: array[float] = array("d")
        super().__init__(str(path), options="-loglevel error")

    def read(self) -> bytes:
        """Return the next 20 ms."""
        self.taken.append(time.perf_counter())
        return super().read()


class MeasuredVoiceClient(SpeechVoiceClient):
    """Our voice client, with a scheduler whose lateness nobody else adds to."""

    scheduler = FrameScheduler()


@dataclass(frozen=True, slots=True)
class Way:
    """How it plays: ``kind`` of voice client, and what makes a source."""

    name: str
    kind: type[discord.VoiceClient]
    source: Callable[[], Any]


OURS: Final = Way("one scheduler (ours)", MeasuredVoiceClient, Frames)
THREADS: Final = Way("a thread each (discord.py), frames made before", discord.VoiceClient, Frames)


def encoding_way(wav: bytes) -> Way:
    """Return the way in which discord.py encodes, from memory: the tutorials' without its ffmpeg."""
    mono = parse_wav(wav, max_seconds=300.0).samples.astype("<i2")
    stereo = np.repeat(mono, 2).tobytes()
    return Way("a thread each, encoding (discord.py)", discord.VoiceClient, lambda: PCM(stereo))


def tutorial_way(wav: Path) -> Way | None:
    """Return the way of the tutorials: FFmpegPCMAudio on a file; None where there is no ffmpeg."""
    if shutil.which("ffmpeg") is None:
        return None
    return Way("the tutorial way: FFmpegPCMAudio", discord.VoiceClient, lambda: DecodedFile(wav))


def can_encode() -> bool:
    """Return whether discord.py has libopus: the system's, or else that in PyAV's wheel."""
    if discord.opus._load_default():
        return True
    for library in sorted(Path(av.__file__).parent.parent.glob("av.libs/libopus*")):
        discord.opus.load_opus(str(library))
    return discord.opus.is_loaded()


def lateness(source: Timed) -> list[float]:
    """Return how late each frame was taken, in seconds, by the best grid of 20 ms through all of them.

    The first is left out: discord.py sends the second one 40 ms after it.
    """
    offsets = [at - number * FRAME_SECONDS for number, at in enumerate(source.taken)][1:]
    earliest = min(offsets, default=0.0)
    return [offset - earliest for offset in offsets]
