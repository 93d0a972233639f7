"""Lets a fault script stand between a request and its right answer."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from tts_gateway.faults.from_json import apply_json
from tts_gateway.faults.reply import Fault, Occasion, Reply
from tts_gateway.faults.script import FaultScript, ReceivedRequest, received_request
from tts_gateway.faults.sending import send
from tts_gateway.wire import NOT_FOUND, Refusal, answer_for

Taker = Callable[[ReceivedRequest], Fault | None]


class FaultyHandlers:
    """Wraps handlers so that ``script`` decides about each request first."""

    def __init__(
        self,
        script: FaultScript,
        *,
        origin_of: Callable[[web.Request], str],
        sound_at: Callable[[str], bytes | None],
        check_key: Callable[[web.Request], None],
    ) -> None:
        self._script = script
        self._origin_of = origin_of
        self._sound_at = sound_at
        self._check_key = check_key

    def post(self, handler: Handler) -> Handler:
        """Return ``handler`` under the faults for POSTs."""
        return self._under(handler, self._script.take_post)

    def download(self, handler: Handler) -> Handler:
        """Return ``handler`` under the faults for downloads."""
        return self._under(handler, self._script.take_download)

    async def poll(self, request: web.Request) -> web.StreamResponse:
        """Answer how far a request is that was accepted with 202."""
        self._check_key(request)
        body = self._script.take_poll(await _received(request), request.match_info["request_id"])
        if body is None:
            raise Refusal(404, NOT_FOUND)
        return web.Response(body=body, content_type="application/json")

    async def put(self, request: web.Request) -> web.StreamResponse:
        """Change the script as the JSON body says."""
        self._check_key(request)
        try:
            apply_json(await request.read(), self._script)
        except ValueError as error:
            raise Refusal(400, str(error)) from error
        return web.Response(status=204)

    def _under(self, handler: Handler, take: Taker) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            fault = take(await _received(request))
            if fault is None:
                return await handler(request)

            async def good() -> Reply:
                return _as_reply(await _answered(handler, request))

            occasion = Occasion(good, self._sound_at, self._origin_of(request), self._script.add_poll)
            return await send(await fault.reply(occasion), request)

        return answer


async def _answered(handler: Handler, request: web.Request) -> web.StreamResponse:
    try:
        return await handler(request)
    except Exception as error:  # whatever it is, it has a right answer, and a fault may spoil that one
        return answer_for(error)


def _as_reply(response: web.StreamResponse) -> Reply:
    body = response.body if isinstance(response, web.Response) else b""
    if not isinstance(body, bytes | bytearray):
        raise TypeError("only answers made of bytes can be spoiled")
    headers = CIMultiDict(response.headers)
    return Reply(response.status, headers, bytes(body))


async def _received(request: web.Request) -> ReceivedRequest:
    return received_request(request.method, request.path_qs, request.headers, await request.read())
