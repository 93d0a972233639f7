"""The TTS gateway's contract over HTTP, in front of any engine."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from tts_gateway.engines.base import Engine
from tts_gateway.faults import FaultScript
from tts_gateway.faults.answers import POLLING_PATH
from tts_gateway.faults.serving import FaultyHandlers
from tts_gateway.handing_over import HandedOver
from tts_gateway.openapi import BASE_PATH
from tts_gateway.options import ServerOptions
from tts_gateway.refusal import Refusal, answer_for
from tts_gateway.service import FILES_PATH, SpeechService, origin_of

__all__ = ["ServerOptions", "create_app", "serving"]

log = logging.getLogger(__name__)

_GOODBYE_SECONDS: Final = 1.0  # what requests under way get when the server ends, and bodies nobody wants


def create_app(
    engine: Engine,
    *,
    options: ServerOptions | None = None,
    faults: FaultScript | None = None,
    handed_over: HandedOver | None = None,
) -> web.Application:
    """Return the web application; it closes ``engine`` when it is cleaned up.

    ``handed_over`` has recordings that calls may name besides those that can be fetched.

    Run it with ``handler_cancellation=True``, as `serving` does, so that work whose caller has gone is
    dropped.
    """
    options = options or ServerOptions()
    service = SpeechService(engine, options, handed_over or HandedOver())
    app = web.Application(
        client_max_size=options.max_body_bytes, middlewares=[_errors_as_json, _reads_in_time(options)]
    )
    app.cleanup_ctx.append(_closing(service))
    app.add_routes(
        [
            web.get(f"{BASE_PATH}/openapi.json", service.openapi),
            web.get("/health", service.health),
            *_contract_routes(service, options, faults),
        ]
    )
    return app


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


def _contract_routes(
    service: SpeechService, options: ServerOptions, faults: FaultScript | None
) -> list[web.RouteDef]:
    speak, clone, sound = service.text_to_speech, service.voice_cloning, service.sound
    if faults is None:
        return _routes(speak, clone, sound)
    faulty = FaultyHandlers(
        faults, origin_of=origin_of, sound_at=service.sound_at, check_key=service.check_key
    )
    routes = _routes(faulty.post(speak), faulty.post(clone), faulty.download(sound))
    routes.append(web.get(f"{POLLING_PATH}{{request_id}}", faulty.poll))
    if options.allow_fault_scripts:
        routes.append(web.put("/faults", faulty.put))
    return routes


def _routes(speak: Handler, clone: Handler, sound: Handler) -> list[web.RouteDef]:
    return [
        web.post(f"{BASE_PATH}/text-to-speech", speak),
        web.post(f"{BASE_PATH}/voice-cloning", clone),
        web.get(FILES_PATH + "{name}", sound),
    ]


def _closing(service: SpeechService) -> Callable[[web.Application], AsyncIterator[None]]:
    async def context(_app: web.Application) -> AsyncIterator[None]:
        yield
        await service.aclose()

    return context


@web.middleware
async def _errors_as_json(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.monotonic()
    try:
        response = await handler(request)
    except Exception as error:  # the border: every error becomes an answer, unknown ones are logged
        response = answer_for(error)
    seconds = time.monotonic() - started
    log.info("%s %s: %d after %.2f s", request.method, _route_name(request), response.status, seconds)
    return response


def _reads_in_time(options: ServerOptions) -> Middleware:
    @web.middleware
    async def read_first(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.match_info.http_exception is None:
            try:
                async with asyncio.timeout(options.body_seconds):
                    await request.read()  # kept by aiohttp for the handler
            except TimeoutError as error:
                raise Refusal(408, "The body did not come in time.") from error
            except web.RequestPayloadError as error:  # cut off, or not encoded as its head says
                raise Refusal(400, "The body cannot be read.") from error
        return await handler(request)

    return read_first


def _route_name(request: web.Request) -> str:
    """The pattern, not the path: the name of a sound is all that is needed to have it."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "(unknown)"
