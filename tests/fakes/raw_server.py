"""A server that speaks whatever bytes a test wants, for what aiohttp.web refuses to send."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field

Script = Callable[[asyncio.StreamWriter, bytes], Awaitable[None]]


@dataclass
class RawServer:
    """Remembers the head and body of every request and the number of connections."""

    scheme: str = "http"
    port: int = 0
    connections: int = 0
    requests: list[bytes] = field(default_factory=list)
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    """Set with the first request."""

    @property
    def url(self) -> str:
        return f"{self.scheme}://127.0.0.1:{self.port}"


@contextlib.asynccontextmanager
async def serving(script: Script, *, tls: ssl.SSLContext | None = None) -> AsyncIterator[RawServer]:
    """Serve while the block runs; ``script`` is called with each request and writes what it wants."""
    record = RawServer("https" if tls else "http")
    handlers: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handlers.add(task)
        record.connections += 1
        try:
            while True:
                request = await _request(reader)
                record.requests.append(request)
                record.asked.set()
                await script(writer, request)
                await writer.drain()
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            handlers.discard(task)
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=tls)
    record.port = server.sockets[0].getsockname()[1]
    try:
        yield record
    finally:
        server.close()
        await server.wait_closed()
        for task in tuple(handlers):
            task.cancel()
        if handlers:
            await asyncio.wait(handlers)


def saying(*pieces: bytes, every: float = 0.0, close: bool = True) -> Script:
    """Return a script that writes ``pieces`` and hangs up."""

    async def script(writer: asyncio.StreamWriter, request: bytes) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)
        if close:
            writer.close()

    return script


def repeating(head: bytes, piece: bytes, *, every: float = 0.0) -> Script:
    """Return a script that writes ``head`` and then ``piece`` without end."""

    async def script(writer: asyncio.StreamWriter, request: bytes) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(every)

    return script


async def silence(writer: asyncio.StreamWriter, request: bytes) -> None:
    """Say nothing, for ever."""
    await asyncio.Event().wait()


def answer(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """Return a whole answer with the right Content-Length."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


async def _request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.partition(b":")[2])
    return head + await reader.readexactly(length)
