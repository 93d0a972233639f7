"""What the offline engine makes of the sentences in many languages: real sound for real text."""

from __future__ import annotations

import asyncio
from functools import cache

from benchmarks.sentences import SENTENCES
from tts_gateway.engines.offline import OfflineEngine


@cache
def offline_speech() -> dict[tuple[str, str], bytes]:
    """Return the WAV of every sentence, by (language, sentence). Not for use inside an event loop."""
    return asyncio.run(_speak())


async def _speak() -> dict[tuple[str, str], bytes]:
    engine = OfflineEngine()
    try:
        return {
            (language, sentence): await engine.speak(sentence)
            for language, sentences in SENTENCES.items()
            for sentence in sentences
        }
    finally:
        await engine.aclose()
