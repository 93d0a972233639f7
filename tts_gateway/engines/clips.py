"""Clips: a reference recording made ready for a cloning model, once for all engines, and kept by content."""

from __future__ import annotations

import asyncio
import hashlib
import io
import wave
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final
from weakref import WeakValueDictionary

import numpy as np

from tts_gateway.engines.base import ReferenceRefused
from tts_gateway.engines.espeak import Samples
from tts_gateway.engines.reference import decode_recording
from untrusted.decoder import DEFAULT_LIMITS, DecodeLimits

CLIP_RATE: Final = 24_000
"""Samples per second: what Pocket was trained on, and more than VoxCPM2's encoder takes (16 kHz)."""

MIN_SECONDS: Final = 1.0
"""The least of a voice that is cloned from; vLLM-Omni's bound as well."""

MAX_SECONDS: Final = 10.0
"""More makes VoxCPM2 lose the end of its text, and Pocket does not listen to it."""

_FRAME: Final = CLIP_RATE // 50
_PAUSE_FRAMES: Final = 8  # 160 ms below the level of speech
_SEARCHED_SECONDS: Final = 4.0  # before the end, for a pause to end in
_QUIET_DB: Final = 30.0  # below the loud frames
_SILENT_DBFS: Final = -60.0
_LEVEL_DBFS: Final = -23.0
_PEAK: Final = 0.95
_KEPT: Final = 32


@dataclass(frozen=True, slots=True, eq=False)
class Clip:
    """Voice to clone from: mono samples at `CLIP_RATE`. ``digest`` names its content.

    ``is_whole``: nothing that was said is missing, so that a transcript fits.
    """

    samples: Samples
    digest: str
    is_whole: bool

    def as_wav(self) -> bytes:
        """Return it as a WAV of 16 bits."""
        file = io.BytesIO()
        with wave.open(file, "wb") as wav:
            wav.setnchannels(1)
            wav.setsampwidth(2)
            wav.setframerate(CLIP_RATE)
            wav.writeframes(np.round(np.clip(self.samples, -1, 1) * 32_767).astype("<i2").tobytes())
        return file.getvalue()


class ClipMaker:
    """Makes clips of recordings, and keeps the last 32."""

    def __init__(self, limits: DecodeLimits = DEFAULT_LIMITS) -> None:
        self._limits = limits
        self._kept: OrderedDict[str, Clip] = OrderedDict()
        self._making: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def clip_of(self, recording: bytes) -> Clip:
        """Return the clip of an audio file of any kind and content.

        Raises ReferenceRefused when it cannot be read, is too short or silent, and EngineError when this
        machine cannot look at it now.
        """
        digest = hashlib.sha256(recording).hexdigest()
        async with self._making.setdefault(digest, asyncio.Lock()):
            if digest not in self._kept:
                sound = await decode_recording(recording, rate=CLIP_RATE, limits=self._limits)
                samples, is_whole = await asyncio.to_thread(prepared, sound)
                self._kept[digest] = Clip(samples, digest, is_whole)
            self._kept.move_to_end(digest)
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
            return self._kept[digest]


def prepared(sound: Samples) -> tuple[Samples, bool]:
    """Return the voice in ``sound``: without silent edges, at most ten seconds, at one level; and whether
    that is all of it.

    Where it is longer, it ends in a pause if there is one. Raises ReferenceRefused.
    """
    if not len(sound) or float(np.max(np.abs(sound))) < 10 ** (_SILENT_DBFS / 20):
        raise ReferenceRefused("the recording is silent")
    loud = _loud_frames(sound)
    first, last = int(np.argmax(loud)), len(loud) - int(np.argmax(loud[::-1]))
    loud = loud[first:last]
    most = int(MAX_SECONDS * CLIP_RATE) // _FRAME
    end = len(loud) if len(loud) <= most else _end_in_pause(loud, most)
    voice = sound[first * _FRAME : min((first + end) * _FRAME, len(sound))]
    if len(voice) < MIN_SECONDS * CLIP_RATE:
        raise ReferenceRefused("the recording is shorter than one second; five to ten are best")
    level = float(np.sqrt(np.mean(np.square(voice, dtype=np.float64))))
    gain = min(10 ** (_LEVEL_DBFS / 20) / level, _PEAK / float(np.max(np.abs(voice))))
    return (voice * np.float32(gain)).astype(np.float32), end == len(loud)


def _loud_frames(sound: Samples) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    padded = np.pad(sound, (0, -len(sound) % _FRAME)).reshape(-1, _FRAME)
    level = 10 * np.log10(np.maximum(np.mean(np.square(padded, dtype=np.float64), axis=1), 1e-12))
    found: np.ndarray[tuple[int], np.dtype[np.bool_]] = level > max(
        float(np.percentile(level, 95)) - _QUIET_DB, _SILENT_DBFS
    )
    if not found.any():  # one click in silence
        found[int(np.argmax(level))] = True
    return found


def _end_in_pause(loud: np.ndarray[tuple[int], np.dtype[np.bool_]], most: int) -> int:
    """Return the frame to end before: within the last pause that begins late enough, else at ``most``."""
    earliest = most - int(_SEARCHED_SECONDS * CLIP_RATE) // _FRAME
    for end in range(most, earliest, -1):
        if not loud[end - _PAUSE_FRAMES : end].any():
            return end - _PAUSE_FRAMES // 2
    return most
