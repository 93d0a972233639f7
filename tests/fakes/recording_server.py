"""A web server on loopback that hands out recordings, well and badly."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from aiohttp import web

from rehearsal.faulty_tts_gateway.odd_wav import square, wav

RECORDING = wav(square(1.0))
SMALL_LIMIT = 100_000
"""Bytes: the recording is just below."""


@dataclass
class Recordings:
    """Where it serves, and what it was asked for."""

    port: int = 0
    requests: list[web.Request] = field(default_factory=list)

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(request)
        match request.path.strip("/").split("/"):
            case ["voice.wav"]:
                return web.Response(body=RECORDING)
            case ["hops", left] if int(left) > 0:
                return web.Response(status=302, headers={"Location": f"/hops/{int(left) - 1}"})
            case ["hops", _]:
                return web.Response(body=RECORDING, headers={"Set-Cookie": "followed=1"})
            case ["code", status]:
                return web.Response(status=int(status), headers={"Location": "/voice.wav"})
            case ["to"]:
                return web.Response(status=307, headers={"Location": request.query["url"]})
            case ["nowhere"]:
                return web.Response(status=302)
            case ["empty"]:
                return web.Response(body=b"")
            case ["size", count]:
                return web.Response(body=RECORDING[:44] + bytes(int(count) - 44))
            case ["chunked", count]:
                return web.Response(body=self._chunks(int(count)))
            case ["gzip"]:
                return web.Response(body=gzip.compress(RECORDING), headers={"Content-Encoding": "gzip"})
            case ["identity"]:
                return web.Response(body=RECORDING, headers={"Content-Encoding": "identity"})
            case ["html"]:
                return web.Response(text="<html>", content_type="audio/wav")
        return await self._badly(request)

    async def _badly(self, request: web.Request) -> web.StreamResponse:
        match request.path.strip("/").split("/"):
            case ["cut"]:
                return await self._cut(request)
            case ["promise"]:
                return await self._promise(request)
            case ["endless"]:
                return await self._pour(request, bytes(10_000), every=0.0)
            case ["drip"]:
                return await self._pour(request, b"R", every=0.02)
        return web.Response(status=404)

    async def _chunks(self, count: int) -> AsyncIterator[bytes]:
        for start in range(0, count, 10_000):
            yield bytes(min(10_000, count - start))

    async def _promise(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = 10**9
        await response.prepare(request)
        await asyncio.Event().wait()  # until the caller has gone
        return response

    async def _cut(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        response.content_length = len(RECORDING)
        await response.prepare(request)
        await response.write(RECORDING[:1_000])
        assert request.transport is not None
        request.transport.close()
        return response

    async def _pour(self, request: web.Request, piece: bytes, *, every: float) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(piece)
            await asyncio.sleep(every)


@asynccontextmanager
async def recordings(tls: ssl.SSLContext | None = None) -> AsyncIterator[Recordings]:
    """Serve recordings while the block runs."""
    served = Recordings()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", served.answer)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
        served.port = runner.addresses[0][1]
        yield served
    finally:
        await runner.cleanup()
