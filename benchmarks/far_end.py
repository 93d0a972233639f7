"""`python -m benchmarks.far_end SOUNDS`: a TTS gateway behind a slow line, and a watchful voice server.

The voice server notes what arrives when. The TTS gateway answers for every file of the folder SOUNDS, over a
line of so many Mbit/s: its base URL is /MBITS/NAME. Both read `time.monotonic`, which on Linux, macOS and
Windows counts for all processes alike.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections import defaultdict
from contextlib import suppress
from pathlib import Path
from typing import Final

from aiohttp import web

from benchmarks.child import say_ready, stdin_closed

_PACKET_BYTES: Final = 1_448  # what a segment of TCP carries over Ethernet
_TICK_SECONDS: Final = 0.001
_SSRC: Final = slice(8, 12)  # of an RTP packet


class FarEnd:
    """The handlers, and what they have noted."""

    def __init__(self, sounds: dict[str, bytes]) -> None:
        self._sounds = sounds
        self._answered = 0.0

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.post("/{mbits}/{name}/text-to-speech", self._speak),
            web.get("/{mbits}/{name}/sound.wav", self._sound),
            web.get("/answered", self._when_answered),
        ]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        """Answer at once: the sound is made already."""
        address = f"http://{request.host}{request.path.removesuffix('text-to-speech')}sound.wav"
        response = web.json_response({"output": address})
        await response.prepare(request)
        await response.write_eof()
        self._answered = time.monotonic()
        return response

    async def _sound(self, request: web.Request) -> web.StreamResponse:
        data = self._sounds[request.match_info["name"]]
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        response.content_length = len(data)
        with suppress(ConnectionResetError):  # a listener who has heard enough hangs up
            await response.prepare(request)
            await send_slowly(response, data, bytes_per_second=float(request.match_info["mbits"]) * 1e6 / 8)
        return response

    async def _when_answered(self, _request: web.Request) -> web.Response:
        return web.json_response(self._answered)


async def send_slowly(response: web.StreamResponse, data: bytes, *, bytes_per_second: float) -> None:
    """Send ``data`` as a line of that speed delivers it: packet by packet, never ahead of its time."""
    began, sent = time.monotonic(), 0
    while sent < len(data):
        passed = int((time.monotonic() - began) * bytes_per_second) // _PACKET_BYTES
        due = (passed + 1) * _PACKET_BYTES
        if due > sent:
            await response.write(data[sent:due])
            sent = due
        await asyncio.sleep(_TICK_SECONDS)
    await response.write_eof()


class Arrivals(asyncio.DatagramProtocol):
    """Notes when which voice packet came, by SSRC: its time in seconds and its size in bytes."""

    def __init__(self) -> None:
        self._noted: defaultdict[int, list[tuple[float, int]]] = defaultdict(list)

    def datagram_received(self, data: bytes, _address: object) -> None:
        """Note one."""
        self._noted[int.from_bytes(data[_SSRC], "big")].append((time.monotonic(), len(data)))

    async def take(self, request: web.Request) -> web.Response:
        """Answer GET: what came for one SSRC since it was asked for last."""
        return web.json_response(self._noted.pop(int(request.match_info["ssrc"]), []))


async def _serve(sounds: dict[str, bytes]) -> None:
    arrivals = Arrivals()
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: arrivals, local_addr=("127.0.0.1", 0)
    )
    app = web.Application()
    app.add_routes(FarEnd(sounds).routes())
    app.router.add_get("/arrivals/{ssrc}", arrivals.take)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say_ready(port=runner.addresses[0][1], voice=transport.get_extra_info("sockname")[1])
    await stdin_closed()
    transport.close()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(_serve({path.stem: path.read_bytes() for path in Path(sys.argv[1]).glob("*.wav")}))
