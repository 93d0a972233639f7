"""Puts a reply on the wire, as badly as it asks for."""

from __future__ import annotations

import asyncio
import socket
import struct
import sys

from aiohttp import web

from tts_gateway.faults.reply import (
    AfterInformation,
    BrokenOff,
    ClaimedLength,
    InPieces,
    Reply,
    Whole,
    Zeros,
)

_ZEROS = bytes(64 * 1024)
_INFORMATION = b"HTTP/1.1 102 Processing\r\n\r\n"
_RESET_ON_CLOSE = struct.pack("HH" if sys.platform == "win32" else "ii", 1, 0)  # struct linger


async def send(reply: Reply, request: web.Request) -> web.StreamResponse:
    """Send ``reply`` as the answer to ``request``; what it returns is the handler's result."""
    match reply.delivery:
        case Whole():
            return _plain(reply)
        case AfterInformation(count):
            _transport(request).write(_INFORMATION * count)
            return _plain(reply)
        case BrokenOff(None, reset):
            _hang_up(request, reset=reset)
            return web.Response()
        case BrokenOff(after, reset):
            return await _broken_off(reply, request, after or 0, reset=reset)
        case InPieces(size, every):
            return await _in_pieces(reply, request, size, every)
        case ClaimedLength(length):
            return await _claimed(reply, request, length)
        case Zeros(total):
            return await _with_zeros(reply, request, total)


def _plain(reply: Reply) -> web.Response:
    return web.Response(status=reply.status, headers=reply.headers, body=reply.body or None)


def _started(reply: Reply, length: int | None) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_length = length
    response.force_close()
    return response


async def _broken_off(reply: Reply, request: web.Request, after: int, *, reset: bool) -> web.StreamResponse:
    response = _started(reply, len(reply.body))
    await response.prepare(request)
    await response.write(reply.body[:after])
    _hang_up(request, reset=reset)
    return response


async def _in_pieces(reply: Reply, request: web.Request, size: int, every: float) -> web.StreamResponse:
    response = _started(reply, len(reply.body))
    await response.prepare(request)
    for start in range(0, len(reply.body), size):
        await response.write(reply.body[start : start + size])
        await asyncio.sleep(every)
    return response


async def _claimed(reply: Reply, request: web.Request, length: int) -> web.StreamResponse:
    response = _started(reply, length)
    await response.prepare(request)
    await response.write(reply.body[:length])
    _transport(request).write(reply.body[length:])  # aiohttp itself never sends more than was promised
    _hang_up(request, reset=False)
    return response


async def _with_zeros(reply: Reply, request: web.Request, total: int | None) -> web.StreamResponse:
    response = _started(reply, total)
    await response.prepare(request)
    await response.write(reply.body[:total])
    left = total - len(reply.body) if total is not None else None
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
