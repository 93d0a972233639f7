"""Fetches the recording behind a stranger's address, without being of use to an attacker."""

from __future__ import annotations

import asyncio
import logging
import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from yarl import URL

from tts_gateway.wire import RequestRefused
from untrusted.addresses import AddressGuard, EndpointGuard

log = logging.getLogger(__name__)

CANNOT_BE_REACHED: Final = "reference_audio_url cannot be reached."
"""What a caller reads, whoever it was that refused."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_FIT: Final = re.compile(r"(?:[A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+")  # RFC 3986, whole
_WEB_PORTS: Final = (80, 443)


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An IP address and a port."""

    address: str
    port: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FetchOptions:
    """How recordings are fetched. ``resolve``: connections to this host name go to that endpoint."""

    resolve: Mapping[str, Endpoint] = field(default_factory=dict)
    ca_file: Path | None = None
    """Certificates (PEM) to trust besides those of the system."""
    allow_loopback: bool = False
    """Whether an address on this machine may be fetched."""
    max_bytes: int = 10 * 1024 * 1024
    """Discord's own limit for the uploads of most people."""
    max_redirects: int = 2
    total_seconds: float = 20.0
    connect_seconds: float = 5.0
    read_seconds: float = 10.0


class ReferenceFetcher:
    """Fetches recordings over http and https. Every reason not to is a `RequestRefused` with status 400."""

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._resolve = {host.lower(): endpoint for host, endpoint in options.resolve.items()}
        self._guard = AddressGuard(allow_loopback=options.allow_loopback)
        self._mapped_guard = EndpointGuard({(to.address, to.port) for to in self._resolve.values()})
        self._sessions: dict[bool, aiohttp.ClientSession] = {}

    async def fetch(self, address: str) -> bytes:
        """Return what is behind ``address``, undecoded and unchecked, never empty."""
        url = self._checked(address)
        try:
            async with asyncio.timeout(self._options.total_seconds):
                for _ in range(self._options.max_redirects + 1):
                    found = await self._get(url)
                    if isinstance(found, bytes):
                        return found
                    url = self._redirected(url, found)
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # One text for "refused by us" and "refused by them": the difference would map our network.
            cause = error.os_error if isinstance(error, aiohttp.ClientConnectorError) else error
            log.info("reference at %s: %s", url.host, type(cause).__name__)
            raise RequestRefused(400, CANNOT_BE_REACHED) from None
        raise RequestRefused(400, "reference_audio_url redirects too often.")

    @cached_property
    def _tls(self) -> ssl.SSLContext | bool:
        # At the first recording: the system's list of authorities takes a tenth of a second to read.
        return _tls(self._options.ca_file)

    async def aclose(self) -> None:
        """Close the connections."""
        for session in self._sessions.values():
            await session.close()
        self._sessions.clear()

    def _checked(self, address: str) -> URL:
        try:
            url = URL(address, encoded=True)  # as it is: a changed query is a broken signature
            fit = url.scheme in ("http", "https") and url.host and not (url.user or url.password)
            port = url.port or 0
        except ValueError:
            fit, port = False, 0
        if not fit or not _FIT.fullmatch(address):
            raise RequestRefused(400, "reference_audio_url must be an http or https address.")
        if port not in _WEB_PORTS and port < 1024:  # no talking to mail servers and the like
            raise RequestRefused(400, "reference_audio_url has a port that is not for the web.")
        return url

    def _redirected(self, url: URL, location: str) -> URL:
        target = self._checked(str(url.join(URL(location, encoded=True))))
        if url.scheme == "https" and target.scheme != "https":
            raise RequestRefused(400, "reference_audio_url redirects from https to http.")
        return target

    async def _get(self, url: URL) -> bytes | str:
        """Return the body behind ``url``, or the Location it redirects to."""
        async with self._session(url).get(url, allow_redirects=False) as response:
            if response.status in _REDIRECTS:
                return response.headers.get("Location", "")
            if response.status != 200:
                raise RequestRefused(400, f"reference_audio_url answers with status {response.status}.")
            if response.headers.get("Content-Encoding", "identity").lower() != "identity":
                raise RequestRefused(400, "reference_audio_url answers with a compressed body.")
            return await self._body(response)

    async def _body(self, response: aiohttp.ClientResponse) -> bytes:
        most = self._options.max_bytes
        body = bytearray()
        if (response.content_length or 0) <= most:
            async for chunk in response.content.iter_any():
                body += chunk
                if len(body) > most:
                    break
            else:
                if not body:
                    raise RequestRefused(400, "reference_audio_url is empty.")
                return bytes(body)
        raise RequestRefused(400, f"reference_audio_url is larger than {most} bytes.")

    def _session(self, url: URL) -> aiohttp.ClientSession:
        mapped = _name(url) in self._resolve
        if mapped not in self._sessions:
            self._sessions[mapped] = self._new_session(mapped=mapped)
        return self._sessions[mapped]

    def _new_session(self, *, mapped: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            resolver=_MappedResolver(self._resolve) if mapped else None,
            socket_factory=self._mapped_guard if mapped else self._guard,
            ssl=self._tls,
            limit_per_host=4,
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "tts-gateway"},
            timeout=aiohttp.ClientTimeout(
                total=None, sock_connect=self._options.connect_seconds, sock_read=self._options.read_seconds
            ),
        )


class _MappedResolver(AbstractResolver):
    """Knows the mapped host names and no others."""

    def __init__(self, endpoints: Mapping[str, Endpoint]) -> None:
        self._endpoints = endpoints

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        endpoint = self._endpoints[host.lower().rstrip(".")]
        return [
            ResolveResult(
                hostname=host, host=endpoint.address, port=endpoint.port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        pass


def _tls(ca_file: Path | None) -> ssl.SSLContext | bool:
    if ca_file is None:
        return True
    context = ssl.create_default_context()
    context.load_verify_locations(ca_file)
    return context


def _name(url: URL) -> str:
    return (url.host or "").lower().rstrip(".")
