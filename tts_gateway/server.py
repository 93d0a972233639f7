"""The HTTP server of the TTS gateway: the contract, in front of any engine."""

from __future__ import annotations

import asyncio
import hmac
import json
import logging
import math
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Final
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from tts_gateway import wire
from tts_gateway.engines.base import Engine, EngineDescription, NotOffered
from tts_gateway.fetch import CANNOT_BE_REACHED, FetchOptions, ReferenceFetcher
from tts_gateway.metrics import CONTENT_TYPE as METRICS_TYPE
from tts_gateway.metrics import Metrics
from tts_gateway.openapi import BASE_PATH, KEY_HEADER, openapi_document
from tts_gateway.sounds import HandedOverRecordings, KeptSounds
from tts_gateway.wire import INVALID_KEY, MISSING_KEY, NOT_FOUND, RequestRefused, response_for

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class ServerOptions:
    """How the TTS gateway serves; the defaults suit one bot on the same machine."""

    api_key: str | None = field(default=None, repr=False)
    """What callers must send; None: nobody needs a key."""
    keep_seconds: float = 900.0
    """How long a sound can be downloaded."""
    keep_bytes: int = 256 * 1024 * 1024
    """How much sound is kept in memory: 45 minutes of it."""
    max_body_bytes: int = 64 * 1024
    """Longest request body: both longest texts, in any script."""
    body_seconds: float = 20.0
    """How long a caller may take to send a body."""
    about: EngineDescription = field(default_factory=lambda: EngineDescription(engine="unnamed"))
    """What is said of the engine."""
    engine_places: int | None = None
    """How many texts the engine makes at once; None: as many as it says."""
    reference_places: int = 2
    """How many recordings are fetched and held at once, each until its text is made."""
    waiting_places: int = 16
    """How many more requests may wait for it."""
    engine_seconds: float = 120.0
    """How long the engine may take for one text."""
    fetch: FetchOptions = field(default_factory=FetchOptions)
    """How reference recordings are fetched."""


_LONGEST_ADVICE: Final = 60  # s: whoever is told to stay away longer gives up


class EngineQueue:
    """Queue in front of the engine: ``places`` requests have it at once, ``waiting`` more wait in order."""

    def __init__(self, *, places: int, waiting: int) -> None:
        self._places = places
        self._most = places + waiting
        self._inside = 0
        self._at_engine = 0
        self._engine = asyncio.Semaphore(places)
        self._usual_seconds = 1.0

    @property
    def inside(self) -> int:
        """How many requests have it or wait for it."""
        return self._inside

    @property
    def at_engine(self) -> int:
        """How many requests have it."""
        return self._at_engine

    @asynccontextmanager
    async def admit(self) -> AsyncIterator[None]:
        """Stand in line while the block runs. Raises `RequestRefused` (429) at once if the line is full."""
        if self._inside >= self._most:
            seconds = self._advice()
            raise RequestRefused(
                429,
                f"Rate limit is exceeded. Try again in {seconds} seconds.",
                {"Retry-After": str(seconds)},
            )
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    @asynccontextmanager
    async def use_engine(self) -> AsyncIterator[None]:
        """Wait for a place at the engine, and keep it while the block runs."""
        async with self._engine:
            started = time.monotonic()
            self._at_engine += 1
            try:
                yield
            finally:
                self._at_engine -= 1
            self._usual_seconds += (time.monotonic() - started - self._usual_seconds) / 4

    def _advice(self) -> int:
        return min(_LONGEST_ADVICE, max(1, math.ceil(self._usual_seconds * self._inside / self._places)))


PREVIEW: Final = "preview"
"""The name of the engine that needs no model."""

FILES_PATH: Final = "/files/"
"""Where sounds are served; a name follows."""

_KEY_WANTED: Final = {
    "WWW-Authenticate": f'AzureApiManagementKey realm="TTS gateway",name="{KEY_HEADER}",type="header"'
}
_SOUND_HEADERS: Final = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


class SpeechService:
    """The handlers of the contract, and what they share. Refusals and errors leave as exceptions."""

    def __init__(
        self,
        engine: Engine,
        options: ServerOptions,
        handed_over: HandedOverRecordings,
        stand_in: Engine | None = None,
    ) -> None:
        self._engine = engine
        self._stand_in = stand_in
        self._handed_over = handed_over
        self._options = options
        self._metrics = Metrics()
        places = options.engine_places or options.about.places
        self._queue = EngineQueue(places=places, waiting=options.waiting_places)
        self._references = asyncio.Semaphore(options.reference_places)
        self._fetcher = ReferenceFetcher(options.fetch)
        self._sounds = KeptSounds(keep_seconds=options.keep_seconds, max_bytes=options.keep_bytes)
        document = openapi_document(needs_key=options.api_key is not None)
        self._document = json.dumps(document, indent=1).encode()
        self._health = json.dumps({"status": "ok", **asdict(options.about), "places": places}).encode()

    async def aclose(self) -> None:
        """Forget the sounds, and close the connections and the engine."""
        self._sounds.clear()
        self._handed_over.clear()
        await self._fetcher.aclose()
        await self._engine.aclose()
        if self._stand_in is not None:
            await self._stand_in.aclose()

    @web.middleware
    async def read_body(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Read the body, which aiohttp keeps for ``handler``, within the time there is for it."""
        if request.match_info.http_exception is None:
            try:
                async with asyncio.timeout(self._options.body_seconds):
                    await request.read()
            except TimeoutError as error:
                raise RequestRefused(408, "The body did not come in time.") from error
            except web.RequestPayloadError as error:  # cut off, or not encoded as its head says
                raise RequestRefused(400, "The body cannot be read.") from error
        return await handler(request)

    async def text_to_speech(self, request: web.Request) -> web.Response:
        """Answer POST /text-to-speech."""
        self.check_key(request)
        asked = wire.read_text_to_speech(request.content_type, await request.read())
        async with self._queue.admit(), self._at_engine():
            wav, engine = await self._made(
                lambda engine: engine.speak(asked.text, cfg_value=asked.cfg_value, dit_steps=asked.dit_steps)
            )
        return wire.text_to_speech_response(self._keep(wav, request), engine=engine)

    async def voice_cloning(self, request: web.Request) -> web.Response:
        """Answer POST /voice-cloning."""
        self.check_key(request)
        asked = wire.read_voice_cloning(request.content_type, await request.read())
        started = time.monotonic()
        async with (
            self._queue.admit(),
            self._reference(asked.reference_audio_url, request) as reference,
            self._at_engine(),
        ):
            wav, engine = await self._made(
                lambda engine: engine.clone(asked.text, reference, prompt_text=asked.prompt_text)
            )
        seconds = time.monotonic() - started
        return wire.voice_cloning_response(self._keep(wav, request), seconds, engine=engine)

    async def sound(self, request: web.Request) -> web.Response:
        """Answer GET of a kept sound; its name is all that is needed to have it."""
        wav = self._sounds.get(request.match_info["name"])
        if wav is None:
            raise RequestRefused(404, NOT_FOUND)
        return web.Response(body=wav, content_type="audio/wav", headers=_SOUND_HEADERS)

    async def openapi(self, _request: web.Request) -> web.Response:
        """Answer GET /openapi.json."""
        return web.Response(body=self._document, content_type="application/json")

    async def health(self, _request: web.Request) -> web.Response:
        """Answer GET /health: whoever reads this, we are alive, and this is what speaks."""
        return web.Response(body=self._health, content_type="application/json")

    async def metrics(self, request: web.Request) -> web.Response:
        """Answer GET /metrics."""
        self.check_key(request)
        at_engine = self._queue.at_engine
        now = {
            "tts_requests_at_engine": at_engine,
            "tts_requests_waiting": self._queue.inside - at_engine,
            "tts_engine_places": self._options.engine_places or self._options.about.places,
        }
        now |= getattr(self._engine, "load", {})
        return web.Response(body=self._metrics.text(now), headers={"Content-Type": METRICS_TYPE})

    @web.middleware
    async def count(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Count the answers to calls."""
        response = await handler(request)
        if request.method == "POST":
            self._metrics.answered(_route_name(request), response.status)
        return response

    def check_key(self, request: web.Request) -> None:
        """Raise `RequestRefused` (401) unless ``request`` carries the key, where one is needed."""
        wanted = self._options.api_key
        if wanted is None:
            return
        given = request.headers.get(KEY_HEADER)
        if not given:
            raise RequestRefused(401, MISSING_KEY, _KEY_WANTED)
        if not hmac.compare_digest(given.encode(errors="surrogateescape"), wanted.encode()):
            raise RequestRefused(401, INVALID_KEY, _KEY_WANTED)

    def sound_at(self, url: str) -> bytes | None:
        """Return the kept sound behind an address of ours."""
        return self._sounds.get(urlsplit(url).path.removeprefix(FILES_PATH))

    async def _made(self, make: Callable[[Engine], Awaitable[bytes]]) -> tuple[bytes, str]:
        """Return what ``make`` makes with the engine, or with its stand-in, and the name of that one."""
        started, name = time.monotonic(), self._options.about.engine
        try:
            wav = await make(self._engine)
        except NotOffered:
            if self._stand_in is None:
                raise
            wav, name = await make(self._stand_in), PREVIEW
        self._metrics.made(name, wav, time.monotonic() - started)
        return wav, name

    @asynccontextmanager
    async def _at_engine(self) -> AsyncIterator[None]:
        async with self._queue.use_engine(), asyncio.timeout(self._options.engine_seconds):
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
            raise RequestRefused(400, CANNOT_BE_REACHED)
        yield wav

    def _keep(self, wav: bytes, request: web.Request) -> str:
        return f"{origin_of(request)}{FILES_PATH}{self._sounds.add(wav)}"


SERVICE: Final = web.AppKey("SERVICE", SpeechService)
"""Where an application of `create_app` has its handlers."""


def create_app(
    engine: Engine,
    *,
    options: ServerOptions | None = None,
    handed_over: HandedOverRecordings | None = None,
    stand_in: Engine | None = None,
) -> web.Application:
    """Return the web application; it closes ``engine`` when it is cleaned up.

    ``handed_over`` has recordings that calls may name besides those that can be fetched. ``stand_in`` is the
    preview, if it shall make what ``engine`` does not offer.

    Run it with ``handler_cancellation=True``, as `serving` does, so that work whose caller has gone is
    dropped.
    """
    options = options or ServerOptions()
    service = SpeechService(engine, options, handed_over or HandedOverRecordings(), stand_in)
    middlewares = [service.count, _errors_as_json, service.read_body]
    app = web.Application(client_max_size=options.max_body_bytes, middlewares=middlewares)
    app[SERVICE] = service
    app.cleanup_ctx.append(_close_service)
    app.add_routes(
        [
            web.get(f"{BASE_PATH}/openapi.json", service.openapi),
            web.get("/health", service.health),
            web.get("/metrics", service.metrics),
            web.post(f"{BASE_PATH}/text-to-speech", service.text_to_speech),
            web.post(f"{BASE_PATH}/voice-cloning", service.voice_cloning),
            web.get(FILES_PATH + "{name}", service.sound),
        ]
    )
    return app


async def _close_service(app: web.Application) -> AsyncIterator[None]:
    yield
    await app[SERVICE].aclose()


_GOODBYE_SECONDS: Final = 1.0  # what requests under way get when the server ends, and bodies nobody wants


@asynccontextmanager
async def serving(app: web.Application, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve ``app`` while the block runs; what it gets is the base address, with the port in use.

    Raises OSError if host and port cannot be had.
    """
    runner = web.AppRunner(
        app,
        handler_cancellation=True,
        access_log=None,
        logger=_quiet_logger(),
        shutdown_timeout=_GOODBYE_SECONDS,
        lingering_time=_GOODBYE_SECONDS,
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        address, bound = runner.addresses[0][:2]
        if address in ("0.0.0.0", "::"):  # noqa: S104 - a comparison: a client needs a real address
            address = "127.0.0.1"
        yield f"http://{f'[{address}]' if ':' in address else address}:{bound}{BASE_PATH}"
    finally:
        await runner.cleanup()


def _quiet_logger() -> logging.Logger:
    """Return what aiohttp reports malformed requests to: without their bytes, which may hold a key."""
    logger = logging.getLogger(f"{__name__}.http")
    logger.addFilter(_without_traceback)
    return logger


def _without_traceback(record: logging.LogRecord) -> bool:
    record.exc_info = None
    return True


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.monotonic()
    try:
        response = await handler(request)
    except Exception as error:  # the border: every error becomes an answer, unknown ones are logged
        response = response_for(error)
    seconds = time.monotonic() - started
    log.info("%s %s: %d after %.2f s", request.method, _route_name(request), response.status, seconds)
    return response


def _route_name(request: web.Request) -> str:
    """The pattern, not the path: the name of a sound is all that is needed to have it."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(unknown)"


_HOST: Final = re.compile(r"(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?")


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
