"""Switches for the TTS gateway: slow, refusing, broken. They are set over HTTP, at its own /faults."""

from __future__ import annotations

import socket
from typing import Any, Final

import aiohttp

from rehearsal.errors import RehearsalError
from rehearsal.room.switches import Switch

_GROUP: Final = "The TTS gateway fails"
_SECONDS: Final = 10.0
_FAULTS: Final[dict[str, tuple[str, Any]]] = {
    "": ("works", None),
    "slow": ("answers after 5 s", {"kind": "Delay", "seconds": 5}),
    "busy": ("is busy (429)", {"kind": "Respond", "status": 429, "headers": {"Retry-After": "2"}}),
    "broken": ("fails (500)", {"named": "internal"}),
    "credit": ("has no credit left (402)", {"kind": "Respond", "status": 402}),
    "key": ("refuses the key (401)", {"named": "invalid key"}),
    "cut": ("breaks off in the middle", {"kind": "Cut", "fraction": 0.5}),
}  # fmt: skip
_REFUSALS: Final = ("credit", "key")
_AFTER_REFUSAL: Final = "A bot that was refused for good may not ask again for minutes: Restart Myna."
_DOWNLOADS: Final[dict[str, tuple[str, Any]]] = {
    "": ("arrives at once", None),
    "slow": ("drips in", {"kind": "Drip", "size": 16_384, "every": 0.15}),
    "cut": ("ends too early", {"kind": "Cut", "fraction": 0.5}),
    "html": ("is a web page instead", {"kind": "BadWav", "wav": "html"}),
    "silent": ("is silent", {"kind": "BadWav", "wav": "silent"}),
}


def free_port() -> int:
    """Return a port of 127.0.0.1 on which nobody listens at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class TTSSwitches:
    """``port`` is where our own TTS gateway listens, started with `arguments`; None: it is not ours."""

    def __init__(self, port: int | None) -> None:
        self._port = port
        self._post = ""
        self._download = ""

    def arguments(self) -> list[str]:
        """Return what to start our own TTS gateway with, so that the switches reach it."""
        return [] if self._port is None else ["--port", str(self._port), "--allow-faults"]

    def all(self) -> list[Switch]:
        """Return them in the order of the page."""
        return [
            Switch("tts", _GROUP, "The TTS gateway", "What it does with the next requests.", "choice",
                   self._set_post, lambda: self._post, lambda: _choices(_FAULTS), self._why_not),
            Switch("tts-download", _GROUP, "The finished sound", "How it comes from the TTS gateway.",
                   "choice", self._set_download, lambda: self._download, lambda: _choices(_DOWNLOADS),
                   self._why_not),
        ]  # fmt: skip

    async def again(self) -> None:
        """Set the faults once more, after the TTS gateway was started anew."""
        if self._post or self._download:
            await self._put()

    async def _set_post(self, value: object) -> str:
        before, self._post = self._post, str(value) if value in _FAULTS else ""
        await self._put()
        told = f"The TTS gateway {_FAULTS[self._post][0]}."
        return f"{told} {_AFTER_REFUSAL}" if before in _REFUSALS and self._post not in _REFUSALS else told

    async def _set_download(self, value: object) -> str:
        self._download = str(value) if value in _DOWNLOADS else ""
        await self._put()
        return f"The finished sound {_DOWNLOADS[self._download][0]}."

    async def _put(self) -> None:
        script = {
            "clear": True,
            "every_post": _FAULTS[self._post][1],
            "every_download": _DOWNLOADS[self._download][1],
        }
        timeout = aiohttp.ClientTimeout(total=_SECONDS)
        try:
            async with (
                aiohttp.ClientSession(timeout=timeout) as http_session,
                http_session.put(f"http://127.0.0.1:{self._port}/faults", json=script) as response,
            ):
                if response.status != 204:
                    raise RehearsalError(f"The TTS gateway did not take it: {response.status}.")
        except (aiohttp.ClientError, TimeoutError) as error:
            raise RehearsalError("The TTS gateway cannot be reached.") from error

    def _why_not(self) -> str | None:
        return None if self._port else "Only our own TTS gateway can be told to fail."


def _choices(faults: dict[str, tuple[str, Any]]) -> list[tuple[str, str]]:
    return [(value, label) for value, (label, _fault) in faults.items()]
