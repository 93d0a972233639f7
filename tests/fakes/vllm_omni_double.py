"""A vLLM-Omni server as it was read in 0.30.0: its fields, its error bodies, and what goes wrong there."""

from __future__ import annotations

import asyncio
import base64
import io
import socket
import wave
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from aiohttp import web

RATE = 48_000
FIELDS = {
    *(
        "input",
        "ref_audio",
        "ref_text",
        "response_format",
        "stream",
        "stream_format",
        "max_new_tokens",
        "seed",
    ),
}
STEP = 7_680


def speech(seconds: float, *, level: float = 0.2) -> bytes:
    samples = level * 32_767 * np.sin(np.arange(int(seconds * RATE)) / 20)
    return samples.astype("<i2").tobytes()


@dataclass
class VllmOmniDouble:
    """``manners`` are those of the next answers, the last of them of all further ones."""

    url: str = ""
    manners: list[str] = field(default_factory=lambda: ["well"])
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    sent: int = 0
    under_way: int = 0
    is_healthy: bool = True
    released: asyncio.Event = field(default_factory=asyncio.Event)
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def references(self) -> list[tuple[int, float]]:
        """The rate and the seconds of each recording that was sent."""
        found = []
        for body in self.asked:
            if "ref_audio" in body:
                data = base64.b64decode(body["ref_audio"].removeprefix("data:audio/wav;base64,"))
                with wave.open(io.BytesIO(data)) as wav:
                    found.append((wav.getframerate(), wav.getnframes() / wav.getframerate()))
        return found

    async def health(self, _request: web.Request) -> web.Response:
        return web.Response(status=200 if self.is_healthy else 503)

    async def speak(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        self.keys.append(request.headers.get("Authorization", ""))
        if unknown := set(body) - FIELDS:
            return _error(400, f"extra fields: {unknown}")
        if body.get("stream") and body.get("stream_format") != "audio":
            return await self._send(request, b"data: {}\n\n", "text/event-stream")
        manner = self.manners.pop(0) if len(self.manners) > 1 else self.manners[0]
        self.under_way += 1
        try:
            return await self._answer(request, body, manner)
        except (ConnectionError, asyncio.CancelledError):
            self.hung_up.set()
            raise
        finally:
            self.under_way -= 1

    async def _answer(self, request: web.Request, body: dict[str, Any], manner: str) -> web.StreamResponse:
        said = speech(0.08 * len(body["input"]))
        match manner:
            case "blank":
                return await self._send(request, speech(0.16))
            case "silent":
                return await self._send(request, speech(2.0, level=0.0))
            case "endless":
                steps = min(body["max_new_tokens"], 2_000)
                return await self._send(request, speech(steps * STEP / RATE), slowly=True)
            case "320 s":
                return await self._send(request, speech(320.0), slowly=True)
            case "sse":
                return await self._send(request, b"data: {}\n\n", "text/event-stream")
            case "html":
                return await self._send(request, b"<html></html>", "text/html")
            case "json":
                return await self._send(request, b"{}", "application/json")
            case "wav":
                return await self._send(request, _wav(said), "audio/wav")
            case "stereo":
                return await self._send(request, _wav(said, channels=2), "audio/wav")
            case "hang":
                await self.released.wait()
            case "die":
                response = web.StreamResponse(headers={"Content-Type": "audio/pcm"})
                response.content_length = len(said)
                await response.prepare(request)
                await response.write(said[:1_000])
                assert request.transport is not None
                request.transport.close()
                return response
            case "redirect":
                return web.Response(status=307, headers={"Location": "http://169.254.169.254/"})
            case "bad reference":
                return _error(400, "ref_audio duration 0.5s is outside of 1-30 s")
            case _ if manner.isdecimal():
                return _error(int(manner), f"it failed at {body['input']!r}")
        return await self._send(request, said)

    async def _send(
        self, request: web.Request, content: bytes, kind: str = "audio/pcm", *, slowly: bool = False
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": kind})
        await response.prepare(request)
        for start in range(0, len(content), 100_000):
            await response.write(content[start : start + 100_000])
            self.sent += len(content[start : start + 100_000])
            if slowly:
                await asyncio.sleep(0.001)
        return response


def _wav(content: bytes, *, channels: int = 1, rate: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(channels)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(content)
    return file.getvalue()


def recording(seconds: float) -> bytes:
    """Return a WAV to clone from."""
    return _wav(speech(seconds), rate=RATE)


def _error(status: int, message: str) -> web.Response:
    error = {"error": {"message": message, "type": "BadRequestError", "param": None, "code": status}}
    return web.json_response(error, status=status)


@asynccontextmanager
async def vllm_omni(
    double: VllmOmniDouble, bound: socket.socket | None = None
) -> AsyncIterator[VllmOmniDouble]:
    """Serve ``double`` while the block runs, on a socket that is ``bound`` already, if there is one."""
    app = web.Application()
    app.router.add_get("/health", double.health)
    app.router.add_post("/v1/audio/speech", double.speak)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.SockSite(runner, bound) if bound else web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    double.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield double
    finally:
        double.released.set()
        await runner.cleanup()
