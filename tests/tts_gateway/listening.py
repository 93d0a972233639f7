"""Ears for tests: what can be measured of a WAV."""

from __future__ import annotations

import io
import wave
from dataclasses import dataclass

import numpy as np

from benchmarks.voice_features import wav_samples
from tts_gateway.engines.espeak import SAMPLE_RATE
from tts_gateway.engines.reference import VoiceProfile, measure_voice


@dataclass(frozen=True)
class Heard:
    rate: int
    channels: int
    bits: int
    seconds: float
    rms_dbfs: float
    peak_dbfs: float
    profile: VoiceProfile

    @property
    def f0_hz(self) -> float:
        return self.profile.melody.f0_hz

    @property
    def spread(self) -> float:
        return self.profile.melody.spread

    def brightness(self) -> float:
        """The middle of the spectrum, in bands."""
        power = 10 ** (self.profile.bands / 10)
        return float((power * np.arange(len(power))).sum() / power.sum())


def heard(wav: bytes) -> Heard:
    with wave.open(io.BytesIO(wav)) as file:
        pcm = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32_768
        return Heard(
            rate=file.getframerate(),
            channels=file.getnchannels(),
            bits=8 * file.getsampwidth(),
            seconds=len(pcm) / file.getframerate(),
            rms_dbfs=float(10 * np.log10(np.mean(pcm**2))),
            peak_dbfs=float(20 * np.log10(np.max(np.abs(pcm)))),
            profile=measure_voice(wav_samples(wav, rate=SAMPLE_RATE)),
        )


def semitones(one: float, other: float) -> float:
    """How far apart two pitches in Hz are."""
    return float(abs(12 * np.log2(one / other)))


def spectrum_distance(one: Heard, other: Heard) -> float:
    """In dB, without the difference in level."""
    return float(np.std(one.profile.bands - other.profile.bands))
