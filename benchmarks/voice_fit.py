"""How near the offline preview voice comes to a recording, against the constant default voice.

For each of eighteen reference voices: the fit hears one recording, then says a text that no recording
holds. Pitch and spectrum are measured with the fit's own analysis; whether the voice can be recognised
among all others, on a second recording it never heard, with an independent one (`voice_features.py`).
"""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.figures import Benchmark, Figure
from benchmarks.reference_voices import ReferenceVoice, reference_voices
from benchmarks.voice_features import ranking, voice_vector, wav_samples
from tts_gateway.engines.espeak import SAMPLE_RATE
from tts_gateway.engines.offline import OfflineEngine
from tts_gateway.engines.reference import VoiceProfile, measure_voice

TEXT: Final = (
    "Would you like some more tea before the guests arrive? I have put the blue cups on the table, "
    "and there is fresh cake in the kitchen."
)
"""What every voice is asked to say; no recording holds this sentence."""


@dataclass(frozen=True, slots=True)
class _Result:
    wav: bytes
    first_seconds: float  # decoding, fitting and speaking
    again_seconds: float  # speaking alone, the fit being remembered
    pace_plain: float  # how long the recording's own words take, relative to the recording ...
    pace_known: float  # ... without and with its transcript


def run() -> Benchmark:
    """Measure all reference voices."""
    voices = reference_voices()
    default, results = asyncio.run(_speak(voices))
    truth = [measure_voice(wav_samples(voice.first_half, rate=SAMPLE_RATE)) for voice in voices]
    seconds = [len(result.wav) / (2 * 48_000) for result in results]
    figures = [
        *_nearness("default voice", truth, [default] * len(voices)),
        *_nearness("fitted", truth, [result.wav for result in results]),
        Figure("fitted: pace error", [abs(r.pace_plain - 1) * 100 for r in results], "%"),
        Figure("fitted with transcript: pace error", [abs(r.pace_known - 1) * 100 for r in results], "%"),
        Figure("decoding and fitting", [r.first_seconds - r.again_seconds for r in results], "s"),
        Figure("synthesis RTF", [r.again_seconds / s for r, s in zip(results, seconds, strict=True)]),
        *_recognition(voices, results),
    ]
    notes = [f"load while measuring: {_load()}"]
    return Benchmark(f"Voice fit: {len(voices)} reference voices", figures, notes)


async def _speak(voices: list[ReferenceVoice]) -> tuple[bytes, list[_Result]]:
    engine = OfflineEngine()
    try:
        return await engine.speak(TEXT), [await _clone(engine, voice) for voice in voices]
    finally:
        await engine.aclose()


async def _clone(engine: OfflineEngine, voice: ReferenceVoice) -> _Result:
    started = time.perf_counter()
    wav = await engine.clone(TEXT, voice.first_half)
    between = time.perf_counter()
    await engine.clone(TEXT, voice.first_half)
    ended = time.perf_counter()
    plain = await engine.clone(voice.transcript, voice.first_half)
    known = await engine.clone(voice.transcript, voice.first_half, prompt_text=voice.transcript)
    length = len(voice.first_half)
    return _Result(wav, between - started, ended - between, len(plain) / length, len(known) / length)


def _nearness(who: str, truth: list[VoiceProfile], wavs: Iterable[bytes]) -> list[Figure]:
    got = [measure_voice(wav_samples(wav, rate=SAMPLE_RATE)) for wav in wavs]
    pairs = list(zip(truth, got, strict=True))
    melodies = [(a.melody, b.melody) for a, b in pairs]
    pitch = [abs(12 * np.log2(b.f0_hz / a.f0_hz)) for a, b in melodies]
    return [
        Figure(f"{who}: pitch error", pitch, "semitones"),
        Figure(f"{who}: spread error", [abs(b.spread - a.spread) for a, b in melodies], "semitones"),
        Figure(f"{who}: spectrum distance", [_distance(a, b) for a, b in pairs], "dB"),
    ]


def _distance(one: VoiceProfile, other: VoiceProfile) -> float:
    difference = one.bands - other.bands
    return float(np.std(difference))  # RMS without the difference in level


def _recognition(voices: list[ReferenceVoice], results: list[_Result]) -> list[Figure]:
    known = np.array([voice_vector(voice.second_half) for voice in voices])
    ranks = [ranking(voice_vector(result.wav), known).index(i) for i, result in enumerate(results)]
    of = f"of {len(voices)}"
    return [
        Figure("recognised, first guess", [sum(rank < 1 for rank in ranks)], of),
        Figure("recognised, first three", [sum(rank < 3 for rank in ranks)], of),
    ]


def _load() -> str:
    return f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "not known here"
