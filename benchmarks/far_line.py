"""The near side of `benchmarks.far_end`: starting it, and asking it what came when."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.child import running

SILENT_BYTES: Final = 40
"""A packet up to this size is silence: Opus' silence frame takes 35 bytes on the wire, speech over 60."""

_PATIENCE: Final = 60.0
_ASK_SECONDS: Final = 0.1
_QUIET_SECONDS: Final = 0.15  # longer than a break between two packets


@dataclass(frozen=True, slots=True)
class Arrival:
    """When the first packet came, and the first with sound in it, by `time.monotonic`."""

    first_packet: float
    first_sound: float


class FarLine:
    """A TTS gateway at the end of a line, and a voice server at ``voice_address``."""

    def __init__(self, port: int, voice_port: int, session: aiohttp.ClientSession) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._session = session
        self.voice_address = ("127.0.0.1", voice_port)

    def base_url(self, mbits: int, sound: str) -> str:
        """Return the base URL of the TTS gateway that answers with ``sound`` over a line of ``mbits``."""
        return f"{self._origin}/{mbits}/{sound}"

    async def answered(self) -> float:
        """Return when the last request was answered, by `time.monotonic`."""
        at: float = await self._get("/answered")
        return at

    async def quiet(self, ssrc: int) -> None:
        """Return when nothing more comes from ``ssrc``; what came is forgotten."""
        came = True
        while came:
            await asyncio.sleep(_QUIET_SECONDS)
            came = bool(await self._get(f"/arrivals/{ssrc}"))

    async def arrival(self, ssrc: int) -> Arrival:
        """Wait for sound from ``ssrc`` and return when it came. Raises TimeoutError."""
        came: list[tuple[float, int]] = []
        deadline = time.monotonic() + _PATIENCE
        while not (sound := [at for at, size in came if size > SILENT_BYTES]):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no sound within {_PATIENCE:g} s, {len(came)} packets")
            await asyncio.sleep(_ASK_SECONDS)
            came += await self._get(f"/arrivals/{ssrc}")
        return Arrival(came[0][0], sound[0])

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._origin + path) as response:
            return await response.json()


@asynccontextmanager
async def far_line(sounds: Path) -> AsyncIterator[FarLine]:
    """Give a line to a process of its own, which serves the WAV files in the folder ``sounds``."""
    async with running("benchmarks.far_end", [str(sounds)]) as far, aiohttp.ClientSession() as session:
        yield FarLine(far.hello["port"], far.hello["voice"], session)
