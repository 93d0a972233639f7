"""Saved voices for a test: their recordings on a real local server, and what was asked about them."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from contextlib import AsyncExitStack
from typing import Self

from aiohttp import web

from bot.audio.wav import write_wav
from bot.errors import MemberError
from bot.models import ReferenceAudio, SpokenVoice
from tests.fakes.babble_engine import babble
from tts_gateway.server import serving

WITHDRAWN = "Alice has taken her voice back."


def voice(name: str) -> SpokenVoice:
    """Return the saved voice of this name."""
    words = f"My name is {name}, and this is my voice."
    return SpokenVoice(f"id-{name}", name, hashlib.sha256(babble(words)).hexdigest(), words)


class Shelf:
    """Hands out addresses that can be fetched, each a new one, as an async context manager.

    ``broken``: so many of the next addresses lead nowhere. ``silenced``: the ids of voices that may not
    speak; ``silenced_after`` how often a voice may. ``granted``, ``addresses`` and ``renewals`` count by id.
    """

    def __init__(self) -> None:
        self.broken = 0
        self.silenced: set[str] = set()
        self.silenced_after: dict[str, int] = {}
        self.granted: Counter[str] = Counter()
        self.addresses: Counter[str] = Counter()
        self.renewals: Counter[str] = Counter()
        self._served: dict[str, bytes] = {}
        self._parts = AsyncExitStack()

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/voxcpm/v1/{place}", self._serve)
        self._base_url = await self._parts.enter_async_context(serving(app))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._parts.aclose()

    @property
    def access(self) -> Shelf:
        """The shelf is a `VoiceAccess`."""
        return self

    async def permission_error(self, voice: SpokenVoice) -> str | None:
        await asyncio.sleep(0)
        if voice.id in self.silenced or self.granted[voice.id] == self.silenced_after.get(voice.id):
            return WITHDRAWN
        self.granted[voice.id] += 1
        return None

    async def reference(self, voice: SpokenVoice) -> ReferenceAudio:
        await self._check(voice)
        self.addresses[voice.id] += 1
        return self._place(voice)

    async def renew(self, voice: SpokenVoice) -> ReferenceAudio:
        await self._check(voice)
        self.renewals[voice.id] += 1
        return self._place(voice)

    async def _check(self, voice: SpokenVoice) -> None:
        reason = await self.permission_error(voice)
        if reason is not None:
            raise MemberError(reason)

    def _place(self, voice: SpokenVoice) -> ReferenceAudio:
        name = f"{voice.id}-{self.addresses[voice.id]}-{self.renewals[voice.id]}.wav"
        if self.broken:
            self.broken -= 1
        else:
            self._served[name] = write_wav(babble(voice.transcript or ""))
        return ReferenceAudio(f"{self._base_url}/{name}", voice.transcript)

    async def _serve(self, request: web.Request) -> web.Response:
        wav = self._served.get(request.match_info["place"])
        return web.Response(body=wav, content_type="audio/wav") if wav else web.Response(status=404)
