"""Makes the recordings anew with the offline engine: `python -m rehearsal.recordings.make`.

The engine is deterministic, so equal versions of espeak-ng and of the encoder give equal files.
"""

from __future__ import annotations

import asyncio
from typing import Final

from bot.audio.formats import export
from bot.audio.stream import speech_from_wav
from rehearsal.recordings import RECORDINGS, SampleRecording
from tts_gateway.engines.offline import OfflineEngine

_DESCRIPTIONS: Final = {
    "harbour-master": "a man, deep and slow",
    "little-sister": "a cheerful little girl, fast",
    "night-nurse": "a calm woman, soft",
}
_MAX_BYTES: Final = {".ogg": 90_000, ".wav": 700_000}  # so small that export() takes the format of the name


async def main() -> None:
    """Write every file of `RECORDINGS`."""
    engine = OfflineEngine()
    try:
        for recording in RECORDINGS:
            recording.path.write_bytes(await _made(engine, recording))
            print(f"{recording.path.name}: {recording.path.stat().st_size} bytes")
    finally:
        await engine.aclose()


async def _made(engine: OfflineEngine, recording: SampleRecording) -> bytes:
    description = _DESCRIPTIONS[recording.name]
    wav = await engine.speak(f"({description}){recording.transcript}")
    speech = await speech_from_wav(wav, text=recording.transcript)
    file = await export(speech, max_bytes=_MAX_BYTES[recording.path.suffix], tags={"INAM": recording.name})
    if f".{file.extension}" != recording.path.suffix:
        raise SystemExit(f"{recording.path.name} came out as {file.extension}; its bound does not fit")
    return file.data


if __name__ == "__main__":
    asyncio.run(main())
