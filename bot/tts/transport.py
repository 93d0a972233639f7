"""One HTTP exchange with the TTS gateway: the only place where the key goes out."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import aiohttp
from yarl import URL

from bot import __version__
from bot.errors import TTSError, TTSNoAnswerError, TTSPayloadError, TTSUnreachableError
from bot.limits import MAX_ANSWER_BYTES, MAX_AUDIO_BYTES
from bot.settings import Proxy, Secret
from bot.tts.secrecy import key_headers
from bot.tts.timeouts import Timeouts

USER_AGENT: Final = f"Myna/{__version__}"
"""Content networks turn away the names of bare HTTP libraries."""

WAV_BEGINNINGS: Final = (b"RIFF", b"RF64")

_READ_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 4.0  # below the 5 s of common servers: a call on a line just closed is lost money
_CONNECTIONS = 32  # far above `MAX_SYNTHESES`: nobody may time out here while waiting for a free one


@dataclass(frozen=True, slots=True)
class Received:
    """A whole answer. ``headers`` ignore case; ``body`` is within its cap."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)


class Transport:
    """Sends requests to one origin, with the key, and to nowhere else."""

    def __init__(
        self, origin: URL, api_key: Secret | None, timeouts: Timeouts, proxy: Proxy | None = None
    ) -> None:
        self._origin = origin
        self._proxy = proxy.for_host(origin.host or "") if proxy else None
        self._api_key = api_key
        self._timeouts = timeouts
        self._http_session: aiohttp.ClientSession | None = None
        self._closed = False
        self.addresses: set[str] = set()
        """The IP addresses of the TTS gateway, as far as it has been spoken to; none behind a proxy."""

    async def send(self, method: str, url: URL, body: bytes | None = None) -> Received:
        """Return the answer, whatever its status.

        Raises `TTSUnreachableError` if nothing was sent, `TTSNoAnswerError` if something was and no
        whole answer came back, `TTSPayloadError` if a success is larger than any real one, or if
        ``url`` belongs to somebody else.
        """
        if url.origin() != self._origin:
            raise TTSPayloadError(f"{url.host} is not the TTS gateway, so it does not get the key")
        if self._closed:
            raise TTSUnreachableError("the client is closed")
        outcome = await self._exchange(method, url, body)
        # Raised here and not where it was caught: `from None` hides the context of an exception but
        # keeps it, and in that context aiohttp's frames hold the request.
        if isinstance(outcome, TTSError):
            raise outcome
        return outcome

    async def aclose(self) -> None:
        """Close all connections; later requests fail."""
        self._closed = True
        if self._http_session is not None:
            await self._http_session.close()

    async def _exchange(self, method: str, url: URL, body: bytes | None) -> Received | TTSError:
        try:
            async with self._opened().request(
                method,
                url,
                data=body,
                headers=self._headers(body),
                allow_redirects=False,  # aiohttp takes the key along to wherever it is sent
                proxy=self._proxy,
            ) as response:
                content = await _read(response)
                if isinstance(content, TTSError):
                    return content
                return Received(response.status, response.headers, content)
        except (
            aiohttp.ClientConnectorError,
            aiohttp.ClientHttpProxyError,  # it refused the way, so nothing has gone along it
            aiohttp.ConnectionTimeoutError,
            UnicodeError,
        ) as error:
            # A UnicodeError comes from names that not even a resolver would take.
            return TTSUnreachableError(f"{url.path}: {name_of(error)}")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return TTSNoAnswerError(f"{url.path}: {name_of(error)}")

    def _headers(self, body: bytes | None) -> dict[str, str]:
        headers = {"Cache-Control": "no-cache", "Accept-Encoding": "identity"}
        if body is not None:
            headers["Content-Type"] = "application/json"
        return headers | key_headers(self._api_key)

    def _opened(self) -> aiohttp.ClientSession:
        # Not in the constructor: aiohttp's objects need the running loop.
        if self._http_session is None:
            self._http_session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    limit=_CONNECTIONS,
                    keepalive_timeout=_KEEP_ALIVE_SECONDS,
                    socket_factory=self._socket,
                ),
                timeout=aiohttp.ClientTimeout(
                    connect=self._timeouts.connect,
                    sock_connect=self._timeouts.connect,
                    sock_read=self._timeouts.first_byte,
                    total=self._timeouts.total,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT},
                auto_decompress=False,
                trust_env=False,
            )
        return self._http_session

    def _socket(self, info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, peer = info
        if self._proxy is None:
            self.addresses.add(str(peer[0]))
        return socket.socket(family, kind, protocol)


async def _read(response: aiohttp.ClientResponse) -> bytes | TTSError:
    """Return the body within its cap. Of a failure, the status is enough, however little else came."""
    success = 200 <= response.status < 300
    content, cap = bytearray(), MAX_ANSWER_BYTES
    try:
        async for piece in response.content.iter_chunked(_READ_BYTES):
            content += piece
            cap = MAX_AUDIO_BYTES if content.startswith(WAV_BEGINNINGS) else MAX_ANSWER_BYTES
            if len(content) > cap:
                break
    except (aiohttp.ClientError, TimeoutError):
        if success:
            raise
    decoded = _decoded(bytes(content), response.headers.get("Content-Encoding", ""), cap)
    if decoded is None or len(decoded) > cap:
        return TTSPayloadError(f"an answer of more than {cap} bytes, or in disguise") if success else b""
    return decoded


def _decoded(content: bytes, encoding: str, cap: int) -> bytes | None:
    """Return ``content`` without its Content-Encoding, cut after ``cap`` + 1 bytes; None: unknown to us.

    aiohttp would do it, but it drops an answer whole, status and all, if it does not know the encoding.
    """
    match encoding.strip().lower():
        case "" | "identity":
            return content
        case "gzip" | "deflate":
            try:
                return zlib.decompressobj(zlib.MAX_WBITS | 32).decompress(content, cap + 1)
            except zlib.error:
                return None
        case _:
            return None


def name_of(error: BaseException) -> str:
    """Return what kind of error this is, and what is behind it; never its text, which has addresses."""
    cause = getattr(error, "os_error", None) or getattr(error, "certificate_error", None)
    if isinstance(error, aiohttp.ClientHttpProxyError):
        return f"{type(error).__name__} (status {error.status})"
    return type(error).__name__ if cause is None else f"{type(error).__name__} ({type(cause).__name__})"
