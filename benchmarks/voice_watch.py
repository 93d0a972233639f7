"""`python -m benchmarks.voice_watch PORT`: the UDP port of a voice server, and when which packet came there.

On Linux the kernel notes the time, so that no packet is late because this program was. IP discovery is
answered as a voice server does. Packets of connections that somebody listens to are passed on to PORT, where
a rehearsal decrypts them; those of all others end here, which leaves the machine to what is measured.
"""

from __future__ import annotations

import asyncio
import socket
import struct
import sys
import threading
import time
from array import array
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import aiohttp
from aiohttp import web

from benchmarks.arrivals import Packet
from benchmarks.child import running, say_ready, stdin_closed

_DISCOVERY_BYTES: Final = 74
_DISCOVERY_REQUEST: Final = b"\x00\x01"
_PUT_ANSWER: Final = struct.Struct(">HHI64sH")
_RTP: Final = struct.Struct(">2xHII")
_BUFFER_BYTES: Final = 8 * 1024 * 1024
_PACKET_BYTES: Final = 2048
_NANOSECONDS: Final = 35  # SO_TIMESTAMPNS of Linux, which Python has no name for
_KERNEL_TIME: Final = struct.Struct("@qq")
_FIELDS: Final = 4
_LOOKS: Final = 200


class WatchedPort:
    """The port, read by a thread of its own."""

    def __init__(self, listening_port: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
        self._socket.bind(("127.0.0.1", 0))
        if sys.platform == "linux":
            self._socket.setsockopt(socket.SOL_SOCKET, _NANOSECONDS, 1)
        self._listening = ("127.0.0.1", listening_port)
        self._listened_to: set[int] = set()
        self._noted: defaultdict[int, array[float]] = defaultdict(lambda: array("d"))
        self._ahead = _seconds_ahead()
        threading.Thread(target=self._watch, name="watch", daemon=True).start()

    @property
    def number(self) -> int:
        """The number of the port."""
        return int(self._socket.getsockname()[1])

    async def newest(self, _request: web.Request) -> web.Response:
        """Answer GET: for each SSRC how many packets came, and when the newest did."""
        noted = {ssrc: (len(values) // _FIELDS, values[-_FIELDS]) for ssrc, values in self._noted.items()}
        return web.json_response(noted)

    async def take(self, request: web.Request) -> web.Response:
        """Answer GET: what came for one SSRC since it was asked for last."""
        return web.json_response(list(self._noted.pop(int(request.match_info["ssrc"]), ())))

    async def listen(self, request: web.Request) -> web.Response:
        """Answer POST: pass on what comes for one SSRC."""
        self._listened_to.add(int(request.match_info["ssrc"]))
        return web.json_response(None)

    def _watch(self) -> None:
        while True:
            if sys.platform == "win32":
                data, sender = self._socket.recvfrom(_PACKET_BYTES)
                self._take_in(data, time.monotonic(), sender)
                continue
            data, extra, _flags, sender = self._socket.recvmsg(_PACKET_BYTES, 64)
            at = time.monotonic()
            for level, kind, value in extra:
                if level == socket.SOL_SOCKET and kind == _NANOSECONDS:
                    seconds, nanoseconds = _KERNEL_TIME.unpack(value)
                    at = seconds - self._ahead + nanoseconds / 1e9
            self._take_in(data, at, sender)

    def _take_in(self, data: bytes, at: float, sender: tuple[str, int]) -> None:
        if len(data) == _DISCOVERY_BYTES and data.startswith(_DISCOVERY_REQUEST):
            ssrc = int.from_bytes(data[4:8], "big")
            self._socket.sendto(_PUT_ANSWER.pack(2, 70, ssrc, sender[0].encode(), sender[1]), sender)
            return
        if len(data) < _RTP.size:
            return
        sequence, timestamp, ssrc = _RTP.unpack_from(data)
        self._noted[ssrc].extend((at, sequence, timestamp, len(data)))
        if ssrc in self._listened_to:
            self._socket.sendto(data, self._listening)


def _seconds_ahead() -> float:
    """Return how far the kernel's clock is ahead of `time.monotonic`: the quickest of many looks at both."""
    looks = []
    for _ in range(_LOOKS):
        before, kernel, after = time.monotonic(), time.time(), time.monotonic()
        looks.append((after - before, kernel - (before + after) / 2))
    return min(looks)[1]


async def _serve(listening_port: int) -> None:
    port = WatchedPort(listening_port)
    app = web.Application()
    app.router.add_get("/newest", port.newest)
    app.router.add_get("/arrivals/{ssrc}", port.take)
    app.router.add_post("/listen/{ssrc}", port.listen)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say_ready(port=runner.addresses[0][1], voice=port.number)
    await stdin_closed()
    await runner.cleanup()


@dataclass(frozen=True, slots=True)
class Newest:
    """What came from one connection: how many packets since they were taken, and when the newest did."""

    count: int
    at: float


class VoiceWatch:
    """The near side: asks the watched port at ``address``."""

    def __init__(self, port: int, voice_port: int, session: aiohttp.ClientSession) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._session = session
        self.address = ("127.0.0.1", voice_port)

    async def newest(self) -> dict[int, Newest]:
        """Return what is known of each SSRC from which anything came that was not taken yet."""
        found = await self._get("/newest")
        return {int(ssrc): Newest(*values) for ssrc, values in found.items()}

    async def take(self, ssrc: int) -> list[Packet]:
        """Return what came from ``ssrc`` since this was asked last."""
        flat = await self._get(f"/arrivals/{ssrc}")
        fields = (flat[start : start + _FIELDS] for start in range(0, len(flat), _FIELDS))
        return [Packet(at, int(sequence), int(stamp), int(size)) for at, sequence, stamp, size in fields]

    async def listen(self, ssrc: int) -> None:
        """Let the rehearsal hear what comes from ``ssrc``."""
        async with self._session.post(f"{self._origin}/listen/{ssrc}") as response:
            response.raise_for_status()

    async def _get(self, path: str) -> Any:
        async with self._session.get(self._origin + path) as response:
            response.raise_for_status()
            return await response.json()


@asynccontextmanager
async def voice_watch(listening_port: int) -> AsyncIterator[VoiceWatch]:
    """Watch a port while the block runs; see the module."""
    child = running("benchmarks.voice_watch", [str(listening_port)])
    async with child as watching, aiohttp.ClientSession() as session:
        yield VoiceWatch(watching.hello["port"], watching.hello["voice"], session)


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
