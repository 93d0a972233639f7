"""An HTTP proxy on 127.0.0.1 that carries TLS, as companies have them, and writes down where to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class ConnectProxy:
    """Leads every name to ``port`` on this machine; with a ``status`` it refuses every one.

    ``asked`` are the places it was asked for, ``credentials`` what came along, both in order.
    """

    port: int = 0
    status: int | None = None
    address: str = ""
    asked: list[str] = field(default_factory=list)
    credentials: list[str | None] = field(default_factory=list)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError, ValueError):
            head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            method, place, _ = head[0].split(" ")
            headers = dict(line.lower().split(": ", 1) for line in head[1:] if line)
            self.asked.append(place if method == "CONNECT" else head[0])
            self.credentials.append(headers.get("proxy-authorization"))
            if method != "CONNECT" or self.status is not None:
                writer.write(f"HTTP/1.1 {self.status or 405} No\r\nContent-Length: 0\r\n\r\n".encode())
                await writer.drain()
            else:
                await self._tunnel(reader, writer)
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
        await asyncio.gather(_carry(reader, there_writer), _carry(there_reader, writer))


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await source.read(65_536):
            target.write(data)
            await target.drain()
    target.close()


@asynccontextmanager
async def connect_proxy(port: int = 0, *, status: int | None = None) -> AsyncIterator[ConnectProxy]:
    """Yield a proxy that is up."""
    proxy = ConnectProxy(port, status)
    server = await asyncio.start_server(proxy._serve, "127.0.0.1", 0)
    proxy.address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield proxy
    finally:
        server.close()
