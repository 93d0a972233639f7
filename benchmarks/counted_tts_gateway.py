"""`python -m benchmarks.counted_tts_gateway MANNER`: a model TTS gateway that counts its calls.

A call takes 0.5 s, whatever the text, and how many there may be at once is a matter of its `MANNERS`. A text
with the word `HANGS` in it is never answered. What it says are pieces of a minute of speech, as long as the
text; references are not fetched.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Final

import aiohttp
from aiohttp import web

from benchmarks.child import running, say_ready, stdin_closed
from benchmarks.model_tts_gateway import ModelEngine
from benchmarks.sounds import speech_wav
from tts_gateway import wire
from tts_gateway.sounds import KeptSounds

CALL_SECONDS: Final = 0.5
HANGS: Final = "everlasting"

_KEEP_SECONDS: Final = 120.0
_KEEP_BYTES: Final = 512 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Manner:
    """How many calls it takes at once (None: all), and how it refuses the others."""

    at_once: int | None = None
    status: int = 0
    retry_after: int | None = None


MANNERS: Final = {
    "takes all": Manner(),
    "takes 8, else 429": Manner(8, 429),
    "takes 8, else 429 with Retry-After": Manner(8, 429, retry_after=1),
    "takes 8, else 503": Manner(8, 503),
}


@dataclass(slots=True)
class Call:
    """A call: its text, when it came and was answered by `time.monotonic`, and with which status.

    One that is still under way has neither.
    """

    text: str
    came: float
    answered: float = 0.0
    status: int = 0


class CountedTTSGateway:
    """The handlers of the contract, and what they have counted."""

    def __init__(self, engine: ModelEngine, manner: Manner) -> None:
        self._engine = engine
        self._manner = manner
        self._under_way = 0
        self._calls: list[Call] = []
        self._sounds = KeptSounds(keep_seconds=_KEEP_SECONDS, max_bytes=_KEEP_BYTES)

    def routes(self) -> list[web.RouteDef]:
        """Return what is served."""
        return [
            web.post("/v1/text-to-speech", self._speak),
            web.post("/v1/voice-cloning", self._clone),
            web.get("/files/{name}", self._sound),
            web.get("/calls", self._take_calls),
        ]

    async def _speak(self, request: web.Request) -> web.StreamResponse:
        asked = wire.read_text_to_speech(request.content_type, await request.read())
        return await self._answer(request, asked.text, None)

    async def _clone(self, request: web.Request) -> web.StreamResponse:
        asked = wire.read_voice_cloning(request.content_type, await request.read())
        return await self._answer(request, asked.text, asked.prompt_text or asked.reference_audio_url)

    async def _answer(self, request: web.Request, text: str, voice: str | None) -> web.StreamResponse:
        call, manner = Call(text, time.monotonic()), self._manner
        self._calls.append(call)
        if manner.at_once is not None and self._under_way >= manner.at_once:
            response = wire.error_response(manner.status, "There are too many calls at once.")
            if manner.retry_after is not None:
                response.headers["Retry-After"] = str(manner.retry_after)
        else:
            self._under_way += 1
            try:
                response = await self._made(request, text, voice)
            finally:
                self._under_way -= 1
        call.answered, call.status = time.monotonic(), response.status  # before anybody can act on it
        return response

    async def _made(self, request: web.Request, text: str, voice: str | None) -> web.Response:
        if HANGS in text:
            await asyncio.Event().wait()  # until whoever asked hangs up
        if voice is None:
            wav = await self._engine.speak(text, cfg_value=2.0, dit_steps=10)
        else:
            wav = await self._engine.clone(text, b"", prompt_text=voice)
        url = f"http://{request.host}/files/{self._sounds.add(wav)}"
        if voice is None:
            return wire.text_to_speech_response(url)
        return wire.voice_cloning_response(url, CALL_SECONDS)

    async def _sound(self, request: web.Request) -> web.Response:
        wav = self._sounds.get(request.match_info["name"])
        if wav is None:
            raise web.HTTPNotFound
        return web.Response(body=wav, content_type="audio/wav")

    async def _take_calls(self, _request: web.Request) -> web.Response:
        calls, self._calls = self._calls, [call for call in self._calls if not call.status]
        return web.json_response([asdict(call) for call in calls])


async def _serve(manner: Manner) -> None:
    tts_gateway = CountedTTSGateway(ModelEngine(await speech_wav(60.0), CALL_SECONDS, 0.0), manner)
    app = web.Application()
    app.add_routes(tts_gateway.routes())
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    say_ready(port=runner.addresses[0][1])
    await stdin_closed()
    await runner.cleanup()


class CallCounter:
    """The near side: ``base_url`` for whoever speaks, and the calls that were made."""

    def __init__(self, port: int, session: aiohttp.ClientSession) -> None:
        self._origin = f"http://127.0.0.1:{port}"
        self._session = session
        self.base_url = f"{self._origin}/v1"

    async def take(self) -> list[Call]:
        """Return the calls since this was asked last; those under way come again."""
        async with self._session.get(f"{self._origin}/calls") as response:
            response.raise_for_status()
            return [Call(**call) for call in await response.json()]


@asynccontextmanager
async def counted_tts_gateway(manner: str) -> AsyncIterator[CallCounter]:
    """Run one while the block runs."""
    child = running("benchmarks.counted_tts_gateway", [manner])
    async with child as serving, aiohttp.ClientSession() as session:
        yield CallCounter(serving.hello["port"], session)


def answer_times(openings: Sequence[str], calls: Sequence[Call]) -> list[float | None]:
    """Return when the first call for the text with each of these openings was answered with speech.

    An opening is the first words of a text, which no other text has.
    """
    found: dict[str, float] = {}
    for call in sorted(calls, key=lambda call: call.answered):
        if call.status == 200:
            for opening in openings:
                if call.text.startswith(opening):
                    found.setdefault(opening, call.answered)
    return [found.get(opening) for opening in openings]


if __name__ == "__main__":
    asyncio.run(_serve(MANNERS[sys.argv[1]]))
