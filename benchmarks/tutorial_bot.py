"""`python -m benchmarks.tutorial_bot CHANNELS PORT`: the tutorial way in so many voice channels at once.

Its connections are as after a handshake, to a voice server at PORT (see `benchmarks.voice_channels`): no
commands, no answers, no database. What it is told to say over HTTP begins at once.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp
import discord
from aiohttp import web

from benchmarks import tutorial
from benchmarks.arrivals import Packet, lateness, spoken_seconds
from benchmarks.child import running, say_ready, stdin_closed
from benchmarks.counted_tts_gateway import CALL_SECONDS, counted_tts_gateway
from benchmarks.far_line import SILENT_BYTES
from benchmarks.many_servers import cpu_seconds
from benchmarks.voice_channels import connect, disconnect
from benchmarks.voice_watch import VoiceWatch, voice_watch
from benchmarks.ways_to_play import can_encode

_NOBODY: Final = 9
_LOOK_SECONDS: Final = 0.25
_QUIET_SECONDS: Final = 0.7


async def _serve(channels: int, port: int) -> None:
    if not can_encode():
        raise RuntimeError("there is no libopus here")
    clients = await connect(channels, discord.VoiceClient, ("127.0.0.1", port))
    saying: set[asyncio.Task[None]] = set()

    async def say(request: web.Request) -> web.Response:
        asked = await request.json()
        for client, text in zip(clients, asked["texts"], strict=True):
            saying.add(asyncio.create_task(tutorial.speak(asked["base_url"], text, client)))
        return web.json_response(None)

    app = web.Application()
    app.router.add_post("/say", say)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say_ready(port=runner.addresses[0][1], ssrcs=[client._connection.ssrc for client in clients])
    await stdin_closed()
    for task in saying:
        task.cancel()
    for client in clients:
        await tutorial.stop(client)
    disconnect(clients)
    await runner.cleanup()


@dataclass(frozen=True, slots=True)
class TutorialRound:
    """As `benchmarks.many_servers.Round`, of texts that the tutorial way has said."""

    first_packets: Sequence[float]
    late: Sequence[float]
    seconds: float
    cpu: float


class TutorialBot:
    """The near side: the tutorial way in as many voice channels as it is given texts for."""

    def __init__(
        self,
        pid: int,
        port: int,
        ssrcs: list[int],
        base_url: str,
        watch: VoiceWatch,
        session: aiohttp.ClientSession,
    ) -> None:
        self._pid = pid
        self._address = f"http://127.0.0.1:{port}/say"
        self._ssrcs = ssrcs
        self._base_url = base_url
        self._watch = watch
        self._session = session

    async def round(self, texts: Sequence[str], *, patience: float) -> TutorialRound:
        """Have each channel say its text, all at once, and wait for the end, or ``patience`` seconds."""
        cpu, began = cpu_seconds(self._pid), time.monotonic()
        async with self._session.post(
            self._address, json={"base_url": self._base_url, "texts": list(texts)}
        ) as response:
            response.raise_for_status()
        while time.monotonic() < began + patience:
            await asyncio.sleep(_LOOK_SECONDS)
            newest = await self._watch.newest()
            is_quiet = all(time.monotonic() - one.at > _QUIET_SECONDS for one in newest.values())
            if is_quiet and set(self._ssrcs) <= newest.keys():
                break
        cpu = cpu_seconds(self._pid) - cpu
        heard: list[list[Packet]] = [await self._watch.take(ssrc) for ssrc in self._ssrcs]
        return TutorialRound(
            [packets[0].at - began - CALL_SECONDS if packets else patience for packets in heard],
            [late for packets in heard for late in lateness(packets)],
            sum(spoken_seconds(packets, silent_bytes=SILENT_BYTES) for packets in heard),
            cpu,
        )


@asynccontextmanager
async def tutorial_bot(channels: int) -> AsyncIterator[TutorialBot]:
    """Run the tutorial way while the block runs, with a TTS gateway that takes all calls at once."""
    async with (
        voice_watch(_NOBODY) as watch,
        counted_tts_gateway("takes all") as tts_gateway,
        running("benchmarks.tutorial_bot", [str(channels), str(watch.address[1])]) as bot,
        aiohttp.ClientSession() as session,
    ):
        yield TutorialBot(
            bot.pid, bot.hello["port"], bot.hello["ssrcs"], tts_gateway.base_url, watch, session
        )


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1]), int(sys.argv[2])))
