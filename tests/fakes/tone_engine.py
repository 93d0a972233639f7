"""Two small engines: one hums as long as the text is, the other answers every text with the same tone."""

from __future__ import annotations

import asyncio
import io
import math
import struct
import wave
from dataclasses import dataclass, field

from rehearsal.faulty_tts_gateway.odd_wav import square, wav
from tts_gateway.engines.base import EngineError, ReferenceRefused, TextRefused

SECONDS_PER_CHARACTER = 0.02


@dataclass
class ToneEngine:
    """Hums. Some texts are orders: it refuses, breaks, or waits until it is released."""

    calls: list[tuple[object, ...]] = field(default_factory=list)
    under_way: int = 0
    most_at_once: int = 0
    cancelled: int = 0
    closed: bool = False
    started: asyncio.Event = field(default_factory=asyncio.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        self.calls.append((text, cfg_value, dit_steps))
        return await self._hum(text)

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        self.calls.append((text, reference, prompt_text))
        if not reference.startswith(b"RIFF"):
            raise ReferenceRefused("The recording is not sound.")
        return await self._hum(text)

    async def aclose(self) -> None:
        self.closed = True

    async def _hum(self, text: str) -> bytes:
        match text:
            case "refuse":
                raise TextRefused("There is nothing to say in this text.")
            case "break":
                raise EngineError("the secret of the engine")
            case "burst":
                raise RuntimeError("the secret of the engine")
            case "wait":
                await self._wait()
        return wav(square(len(text) * SECONDS_PER_CHARACTER))

    async def _wait(self) -> None:
        self.under_way += 1
        self.most_at_once = max(self.most_at_once, self.under_way)
        self.started.set()
        try:
            await self.released.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            self.gone.set()
            raise
        finally:
            self.under_way -= 1


def tone(seconds: float = 0.2) -> bytes:
    """Return a WAV with a tone."""
    samples = (round(8_000 * math.sin(n / 20)) for n in range(round(48_000 * seconds)))
    file = io.BytesIO()
    with wave.open(file, "wb") as sound:
        sound.setnchannels(1)
        sound.setsampwidth(2)
        sound.setframerate(48_000)
        sound.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


TONE = tone()


class SameToneEngine:
    """An engine that answers every text with the same tone."""

    async def speak(self, text: str, *, cfg_value: float, dit_steps: int) -> bytes:
        return TONE

    async def clone(self, text: str, reference: bytes, *, prompt_text: str | None) -> bytes:
        return TONE

    async def aclose(self) -> None:
        pass
