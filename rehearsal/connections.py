"""How a bot's connections to Discord's names end up at the rehearsal."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

_SUFFIXES = ("discord.com", "discord.gg", "discord.media", "discordapp.com", "discordapp.net")


def is_discord(host: str) -> bool:
    """Return whether ``host`` belongs to Discord."""
    return any(host == suffix or host.endswith(f".{suffix}") for suffix in _SUFFIXES)


class LoopbackResolver(AbstractResolver):
    """Resolves Discord's names to one port on 127.0.0.1, and no other name at all."""

    def __init__(self, port: int) -> None:
        self._port = port

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the rehearsal's address. Raises `OSError` for a name that is not Discord's."""
        if not is_discord(host):
            raise OSError(None, f"{host} is not Discord; in the rehearsal nothing leaves this machine")
        return [
            ResolveResult(
                hostname=host,
                host="127.0.0.1",
                port=self._port,
                family=socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
        ]

    async def close(self) -> None:
        """Do nothing; there is nothing to close."""


def loopback_connector(port: int, ca_file: Path) -> aiohttp.TCPConnector:
    """Return a connector for which the rehearsal on ``port`` is Discord."""
    context = ssl.create_default_context(cafile=str(ca_file))
    return aiohttp.TCPConnector(limit=0, resolver=LoopbackResolver(port), ssl=context)
