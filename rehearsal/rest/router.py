"""Finds who answers a REST call, writes down what was asked, and turns refusals into Discord's JSON."""

from __future__ import annotations

import asyncio
import json
import logging
import time
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from rehearsal.backstage import Backstage
from rehearsal.cdn import SentFile
from rehearsal.errors import MALFORMED, DiscordAPIError
from rehearsal.events import Changes
from rehearsal.rest import account, channels, soundboard, webhooks
from rehearsal.rest.call import Misbehaviour, RESTCall, RESTReply, Route, read_call

_ROUTES = [*account.ROUTES, *channels.ROUTES, *soundboard.ROUTES, *webhooks.ROUTES]
_API = "/api/v10"

log = logging.getLogger(__name__)


@dataclass
class RecordedRequest:
    """What the bot sent, and the status it was answered with."""

    method: str
    path: str
    json: Any
    files: list[SentFile]
    status: int = 0
    answer: Any = None
    user_agent: str = ""
    """Who the caller said they are."""
    seconds: float = 0.0
    """How long it took to be answered, its body included."""

    @property
    def messages(self) -> list[dict[str, Any]]:
        """Return the body of a message in it: one, or none for other requests."""
        if not isinstance(self.json, dict) or self.method not in ("POST", "PATCH"):
            return []
        if self.path.endswith("/callback"):
            data = self.json.get("data")
            return [data] if self.json.get("type") in (4, 7) and data else []
        return [self.json] if "/messages" in self.path or self.path.startswith("/webhooks/") else []


class Router:
    """Answers all of https://discord.com/api/v10."""

    def __init__(self, backstage: Backstage, token: str) -> None:
        self._backstage = backstage
        self._authorization = f"Bot {token}"
        self.misbehaviours: list[Misbehaviour] = []
        """What is still to go wrong, in order."""
        self.gate = asyncio.Event()
        """Until it is set everything waits but the first responses to interactions."""
        self.gate.set()
        self.requests: list[RecordedRequest] = []
        self.changes = Changes()

    @property
    def unknown_requests(self) -> list[RecordedRequest]:
        """Return the calls for which there is no route."""
        return [request for request in self.requests if request.answer == _NO_ROUTE]

    async def answer(self, request: web.Request) -> web.Response:
        """Answer one call."""
        path = request.path.removeprefix(_API)
        route, ids = _find(request.method, path)
        record = RecordedRequest(request.method, path, None, [])
        record.user_agent = request.headers.get("User-Agent", "")
        self.requests.append(record)
        self.changes.notify()
        began = time.monotonic()
        if not path.endswith("/callback"):
            await self.gate.wait()
        try:
            call = await read_call(request, path, ids)
            record.json, record.files = call.json, list(call.files.values())
            scripted = self._misbehaviour(request.method, path, has_files=bool(call.files))
            reply = await self._misbehaving(scripted, route, call, request)
        except DiscordAPIError as error:
            reply = RESTReply(error.body(), error.status)
        except MALFORMED:
            log.warning("a body that makes no sense: %s %s", request.method, path, exc_info=True)
            reply = RESTReply({"message": "Invalid Form Body", "code": 50035}, 400)
        except web.HTTPRequestEntityTooLarge:
            reply = RESTReply({"message": "Request entity too large", "code": 40005}, 413)
        record.seconds = time.monotonic() - began
        return self._response(record, reply)

    async def _carried_out(self, route: Route | None, call: RESTCall, authorization: str | None) -> RESTReply:
        if route is None:
            return RESTReply(_NO_ROUTE, 404)
        if route.needs_token and authorization != self._authorization:
            return RESTReply({"message": "401: Unauthorized", "code": 0}, 401)
        return await route.handler(self._backstage, call)

    def _response(self, record: RecordedRequest, reply: RESTReply) -> web.Response:
        record.status, record.answer = reply.status, reply.json
        self.changes.notify()
        if reply.status == 204:
            return web.Response(status=204)
        # discord.py compares this header whole: with a charset it would take the body for text.
        headers = {"Content-Type": "application/json", **reply.headers}
        return web.Response(status=reply.status, body=json.dumps(reply.json).encode(), headers=headers)

    def _misbehaviour(self, method: str, path: str, *, has_files: bool) -> Misbehaviour | None:
        for misbehaviour in self.misbehaviours:
            if misbehaviour.matches(method, path, has_files=has_files):
                misbehaviour.times -= 1
                return misbehaviour
        return None

    async def _misbehaving(
        self, misbehaviour: Misbehaviour | None, route: Route | None, call: RESTCall, request: web.Request
    ) -> RESTReply:
        authorization = request.headers.get("Authorization")
        if misbehaviour is None:
            return await self._carried_out(route, call, authorization)
        await asyncio.sleep(misbehaviour.delay)
        if misbehaviour.released is not None:
            await misbehaviour.released.wait()
        reply: RESTReply | None = None
        if misbehaviour.carried_out:
            reply = await self._carried_out(route, call, authorization)
        if misbehaviour.cuts and request.transport is not None:
            request.transport.abort()
        return misbehaviour.reply() or reply or RESTReply(status=204)


_NO_ROUTE = {"message": "404: Not Found", "code": 0}


def _find(method: str, path: str) -> tuple[Route | None, dict[str, str]]:
    for route in _ROUTES:
        ids = route.match(method, path)
        if ids is not None:
            return route, ids
    return None, {}
