"""What the TTS gateway does with each request of the contract."""

from __future__ import annotations

import asyncio
import hmac
import json
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web

from tts_gateway import wire
from tts_gateway.engines.base import Engine
from tts_gateway.fetch import CANNOT_BE_REACHED, ReferenceFetcher
from tts_gateway.handing_over import HandedOver
from tts_gateway.line import Line
from tts_gateway.openapi import KEY_HEADER, openapi_document
from tts_gateway.options import ServerOptions
from tts_gateway.refusal import INVALID_KEY, MISSING_KEY, NOT_FOUND, Refusal
from tts_gateway.sounds import Sounds

FILES_PATH: Final = "/files/"
"""Where sounds are served; a name follows."""

_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")
_KEY_WANTED: Final = {
    "WWW-Authenticate": f'AzureApiManagementKey realm="TTS gateway",name="{KEY_HEADER}",type="header"'
}
_SOUND_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class SpeechService:
    """The handlers of the contract, and what they share. Refusals and errors leave as exceptions."""

    def __init__(self, engine: Engine, options: ServerOptions, handed_over: HandedOver) -> None:
        self._engine = engine
        self._handed_over = handed_over
        self._options = options
        self._line = Line(places=options.engine_places, waiting=options.waiting_places)
        self._references = asyncio.Semaphore(options.reference_places)
        self._fetcher = ReferenceFetcher(options.fetch)
        self._sounds = Sounds(keep_seconds=options.keep_seconds, max_bytes=options.keep_bytes)
        document = openapi_document(needs_key=options.api_key is not None)
        self._document = json.dumps(document, indent=1).encode()

    async def aclose(self) -> None:
        """Forget the sounds, and close the connections and the engine."""
        self._sounds.clear()
        self._handed_over.clear()
        await self._fetcher.aclose()
        await self._engine.aclose()

    async def text_to_speech(self, request: web.Request) -> web.Response:
        """Answer POST /text-to-speech."""
        self.check_key(request)
        order = wire.speak_order(request.content_type, await request.read())
        async with self._line.admitted(), self._at_engine():
            wav = await self._engine.speak(order.text, cfg_value=order.cfg_value, dit_steps=order.dit_steps)
        return wire.speak_answer(self._keep(wav, request))

    async def voice_cloning(self, request: web.Request) -> web.Response:
        """Answer POST /voice-cloning."""
        self.check_key(request)
        order = wire.clone_order(request.content_type, await request.read())
        started = time.monotonic()
        async with (
            self._line.admitted(),
            self._reference(order.reference_audio_url, request) as reference,
            self._at_engine(),
        ):
            wav = await self._engine.clone(order.text, reference, prompt_text=order.prompt_text)
        return wire.clone_answer(self._keep(wav, request), time.monotonic() - started)

    async def sound(self, request: web.Request) -> web.Response:
        """Answer GET of a kept sound; its name is all that is needed to have it."""
        wav = self._sounds.get(request.match_info["name"])
        if wav is None:
            raise Refusal(404, NOT_FOUND)
        return web.Response(body=wav, content_type="audio/wav", headers=_SOUND_HEADERS)

    async def openapi(self, _request: web.Request) -> web.Response:
        """Answer GET /openapi.json."""
        return web.Response(body=self._document, content_type="application/json")

    async def health(self, _request: web.Request) -> web.Response:
        """Answer GET /health: whoever reads this, we are alive."""
        return web.Response(body=b'{"status": "ok"}', content_type="application/json")

    def check_key(self, request: web.Request) -> None:
        """Raise `Refusal` (401) unless ``request`` carries the key, where one is needed."""
        wanted = self._options.api_key
        if wanted is None:
            return
        given = request.headers.get(KEY_HEADER)
        if not given:
            raise Refusal(401, MISSING_KEY, _KEY_WANTED)
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode()):
            raise Refusal(401, INVALID_KEY, _KEY_WANTED)

    def sound_at(self, url: str) -> bytes | None:
        """Return the kept sound behind an address of ours."""
        return self._sounds.get(urlsplit(url).path.removeprefix(FILES_PATH))

    @asynccontextmanager
    async def _at_engine(self) -> AsyncIterator[None]:
        async with self._line.engine(), asyncio.timeout(self._options.engine_seconds):
            yield

    @asynccontextmanager
    async def _reference(self, url: str, request: web.Request) -> AsyncIterator[bytes]:
        """Fetch a recording once there is a place for it, and keep the place while the block runs."""
        handed_over = self._handed_over.take(url)
        if handed_over is not None:
            yield handed_over
            return
        if not _is_ours(url, request):
            async with self._references:
                yield await self._fetcher.fetch(url)
            return
        wav = self.sound_at(url)
        if wav is None:
            raise Refusal(400, CANNOT_BE_REACHED)
        yield wav

    def _keep(self, wav: bytes, request: web.Request) -> str:
        return f"{origin_of(request)}{FILES_PATH}{self._sounds.add(wav)}"


def origin_of(request: web.Request) -> str:
    """Return scheme, host and port the caller used to reach us."""
    host = request.headers.get("Host", "")
    return f"{request.scheme}://{host if _HOST.fullmatch(host) else _socket_host(request)}"


def _socket_host(request: web.Request) -> str:
    name = request.transport.get_extra_info("sockname") if request.transport else None
    host, port = (name or ("127.0.0.1", 0))[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _is_ours(url: str, request: web.Request) -> bool:
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    ours = (origin_of(request), f"{request.scheme}://{_socket_host(request)}")
    return f"{parts.scheme}://{parts.netloc}" in ours
