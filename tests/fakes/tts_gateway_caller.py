"""Calls a TTS gateway as a stranger would, and shows everything that came back."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import aiohttp
from multidict import CIMultiDictProxy
from yarl import URL

DEADLINE = 20.0  # s: far beyond what anything here takes, so that a hang ends


@dataclass(frozen=True)
class Heard:
    """One answer."""

    status: int
    headers: CIMultiDictProxy[str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def message(self) -> str:
        return str(self.json["message"])


class Caller:
    """One client of one server."""

    def __init__(self, session: aiohttp.ClientSession, base_url: str) -> None:
        self._session = session
        self.base_url = base_url
        self.origin = str(URL(base_url).origin())
        self.port = URL(base_url).port or 0

    async def speak(self, text: str = "Hello there.", **fields: object) -> Heard:
        return await self.post("/text-to-speech", {"text": text, **fields})

    async def clone(self, url: str, text: str = "Hello there.", **fields: object) -> Heard:
        return await self.post("/voice-cloning", {"text": text, "reference_audio_url": url, **fields})

    async def post(self, path: str, body: object, **more: Any) -> Heard:
        return await self.request("POST", self.base_url + path, json=body, **more)

    async def post_bytes(self, path: str, body: bytes, **headers: str) -> Heard:
        headers = {"Content-Type": "application/json"} | headers
        return await self.request("POST", self.base_url + path, data=body, headers=headers)

    async def get(self, url: str) -> Heard:
        return await self.request("GET", url if "://" in url else self.origin + url)

    async def get_until(self, status: int, url: str) -> Heard:
        """Get ``url`` again and again until it answers ``status``."""
        async with asyncio.timeout(DEADLINE):
            while True:
                answer = await self.get(url)
                if answer.status == status:
                    return answer

    async def request(self, method: str, url: str, **more: Any) -> Heard:
        async with (
            asyncio.timeout(DEADLINE),
            self._session.request(method, url, allow_redirects=False, **more) as response,
        ):
            return Heard(response.status, response.headers, await response.read())

    async def raw(self, request: bytes) -> bytes:
        """Send these bytes on a connection of their own; return all that comes until it ends."""
        async with asyncio.timeout(DEADLINE):
            reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            try:
                writer.write(request)
                await writer.drain()
                return await reader.read()
            finally:
                writer.close()

    async def raw_post(self, path: str = "/text-to-speech", body: bytes = b'{"text": "Hello"}') -> bytes:
        head = (
            f"POST {URL(self.base_url).path}{path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return await self.raw(head.encode() + body)
