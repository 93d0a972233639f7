"""Speech of exact length, for everything that is measured on sound."""

from __future__ import annotations

from typing import Final

from benchmarks.pacing import texts
from bot.audio.wav import parse_wav, write_wav
from tts_gateway.engines.offline import OfflineEngine

MINUTE_TEXT: Final = next(texts(1, seconds=60.0))
"""A text that speech of a minute can belong to."""


async def speech_wav(seconds: float) -> bytes:
    """Return ``seconds`` of speech as a WAV: our own TTS gateway's, begun anew where it ends."""
    engine = OfflineEngine()
    try:
        wav = await engine.speak(MINUTE_TEXT, cfg_value=2.0, dit_steps=10)
    finally:
        await engine.aclose()
    samples = parse_wav(wav, max_seconds=300.0).samples.astype("<i2").tobytes()
    wanted = 2 * round(48_000 * seconds)
    return write_wav((samples * (wanted // len(samples) + 1))[:wanted])
