"""TTS gateway that misbehaves as its script says: the server as it is shipped, wrapped."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
from typing import Final

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict, CIMultiDictProxy

from rehearsal.faulty_tts_gateway.faults import (
    POLLING_PATH,
    Cut,
    Drip,
    Endless,
    Exchange,
    Fault,
    Information,
    Length,
    PlannedAnswer,
    Reset,
)
from rehearsal.faulty_tts_gateway.script import FaultScript, ReceivedRequest
from tts_gateway.engines.base import Engine
from tts_gateway.server import SERVICE, ServerOptions, SpeechService, create_app
from tts_gateway.sounds import HandedOverRecordings
from tts_gateway.wire import NOT_FOUND, RequestRefused

SCRIPT_PATH: Final = "/faults"
"""Where the script is put, as JSON."""


def create_faulty_app(
    engine: Engine,
    script: FaultScript | None = None,
    *,
    options: ServerOptions | None = None,
    handed_over: HandedOverRecordings | None = None,
    stand_in: Engine | None = None,
) -> web.Application:
    """Return the TTS gateway's own application, in which ``script`` decides about each request first."""
    app = create_app(engine, options=options, handed_over=handed_over, stand_in=stand_in)
    faulty = _FaultyService(app[SERVICE], FaultScript() if script is None else script)
    app.middlewares.append(faulty.answer)  # the innermost: bodies are read before, errors answered after
    app.router.add_get(f"{POLLING_PATH}{{request_id}}", faulty.poll)
    app.router.add_put(SCRIPT_PATH, faulty.put_script)
    return app


class _FaultyService:
    """Handlers around those of ``service``."""

    def __init__(self, service: SpeechService, script: FaultScript) -> None:
        self._service = service
        self._script = script

    @web.middleware
    async def answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Answer ``request`` with its fault; rightly if there is none for it."""
        fault = self._take_fault(request.match_info.handler, await _received(request))
        if fault is None:
            return await handler(request)
        exchange = Exchange(request, handler, self._service, self._script.pending)
        return await _send(await fault.answer(exchange), request)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """Answer how far a request is that was accepted with 202."""
        self._service.check_key(request)
        body = self._script.take_poll(await _received(request), request.match_info["request_id"])
        if body is None:
            raise RequestRefused(404, NOT_FOUND)
        return web.Response(body=body, content_type="application/json")

    async def put_script(self, request: web.Request) -> web.StreamResponse:
        """Change the script as the JSON body says."""
        self._service.check_key(request)
        try:
            self._script.apply_json(await request.read())
        except ValueError as error:
            raise RequestRefused(400, str(error)) from error
        return web.Response(status=204)

    def _take_fault(self, handler: Handler, received: ReceivedRequest) -> Fault | None:
        if handler in (self._service.text_to_speech, self._service.voice_cloning):
            return self._script.take_post(received)
        return self._script.take_download(received) if handler == self._service.sound else None


async def _received(request: web.Request) -> ReceivedRequest:
    headers = CIMultiDictProxy(CIMultiDict(request.headers))
    return ReceivedRequest(request.method, request.path_qs, headers, await request.read())


_ZEROS = bytes(64 * 1024)
_INFORMATION = b"HTTP/1.1 102 Processing\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # struct linger


async def _send(planned: PlannedAnswer, request: web.Request) -> web.StreamResponse:
    """Send ``planned`` as the answer to ``request``; what it returns is the handler's result."""
    match planned.transmission:
        case None:
            return _plain(planned)
        case Information(count):
            _transport(request).write(_INFORMATION * count)
            return _plain(planned)
        case Reset(None):
            _hang_up(request, reset=True)
            return web.Response()
        case Reset(after):
            return await _broken_off(planned, request, after or 0, reset=True)
        case Cut(fraction):
            return await _broken_off(planned, request, int(len(planned.body) * fraction), reset=False)
        case Drip(size, every):
            return await _in_pieces(planned, request, size, every)
        case Length(claimed):
            return await _claimed(planned, request, claimed)
        case Endless(total):
            return await _with_zeros(planned, request, total)


def _plain(planned: PlannedAnswer) -> web.Response:
    return web.Response(status=planned.status, headers=planned.headers, body=planned.body or None)


async def _started(planned: PlannedAnswer, request: web.Request, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=planned.status, headers=planned.headers)
    response.content_length = length
    response.force_close()
    await response.prepare(request)
    return response


async def _broken_off(
    planned: PlannedAnswer, request: web.Request, after: int, *, reset: bool
) -> web.StreamResponse:
    response = await _started(planned, request, len(planned.body))
    await response.write(planned.body[:after])
    _hang_up(request, reset=reset)
    return response


async def _in_pieces(
    planned: PlannedAnswer, request: web.Request, size: int, every: float
) -> web.StreamResponse:
    response = await _started(planned, request, len(planned.body))
    for start in range(0, len(planned.body), size):
        await response.write(planned.body[start : start + size])
        await asyncio.sleep(every)
    return response


async def _claimed(planned: PlannedAnswer, request: web.Request, length: int) -> web.StreamResponse:
    response = await _started(planned, request, length)
    await response.write(planned.body[:length])
    _transport(request).write(planned.body[length:])  # aiohttp itself never sends more than was promised
    _hang_up(request, reset=False)
    return response


async def _with_zeros(planned: PlannedAnswer, request: web.Request, total: int | None) -> web.StreamResponse:
    response = await _started(planned, request, total)
    await response.write(planned.body[:total])
    left = total - len(planned.body) if total is not None else None
    while left is None or left > 0:
        piece = _ZEROS if left is None else _ZEROS[:left]
        await response.write(piece)  # ends with an error when the client has gone
        left = left - len(piece) if left is not None else None
        await asyncio.sleep(0)
    return response


def _transport(request: web.Request) -> asyncio.Transport:
    if not isinstance(request.transport, asyncio.Transport) or request.transport.is_closing():
        raise ConnectionResetError("the client has gone")
    return request.transport


def _hang_up(request: web.Request, *, reset: bool) -> None:
    transport = _transport(request)
    if reset:
        connection = transport.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    else:
        transport.close()
