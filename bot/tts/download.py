"""Audio address → bytes: an HTTP session of its own that knows no key, inside hard limits."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Collection
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.errors import TTSFetchError
from bot.limits import MAX_URL_CHARS
from bot.models import Progress, ProgressListener, Stage
from bot.tts.guard import AddressGuard, AddressRefused
from bot.tts.retry import RetryPolicy
from bot.tts.retry_after import seconds_to_wait
from bot.tts.timeouts import DownloadLimits
from bot.tts.transport import USER_AGENT, WAV_BEGINNINGS, name_of

log = logging.getLogger(__name__)

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")

_READ_BYTES = 64 * 1024
_AGAIN_STATUSES = (403, 404, 408, 425, 429)  # a bucket may not show a new object at once; and every 5xx
_REDIRECTS = (301, 302, 303, 307, 308)


class _TryAgain(TTSFetchError):  # noqa: N818  (it never leaves this file)
    """A failure that another try may mend."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Downloader:
    """Fetches finished recordings from wherever the TTS gateway has put them.

    ``allow_loopback`` permits addresses on this machine and plain http to them; it is meant for a
    TTS gateway that itself runs here. ``trusted`` holds further addresses: those of a TTS gateway in
    the operator's own network, which mostly serves its recordings itself.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool,
        limits: DownloadLimits,
        trusted: Collection[str] = (),
        resolver: AbstractResolver | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._limits = limits
        self._retry = RetryPolicy(tries=limits.tries, base_delay=limits.base_delay, max_retry_after=10.0)
        self._guard = AddressGuard(allow_loopback=allow_loopback, trusted=trusted)
        self._resolver = resolver
        self._closed = False
        self._download_session: aiohttp.ClientSession | None = None

    async def fetch(self, address: str, on_progress: ProgressListener) -> bytes:
        """Return the WAV at ``address``: bytes that begin as one, whole as far as HTTP can tell.

        Raises `TTSFetchError`, whose text names the host and never the address.
        """
        tries = 0
        while True:
            tries += 1
            on_progress(Progress(Stage.FETCHING))
            try:
                return await self._follow(address, on_progress)
            except _TryAgain as error:
                delay = self._retry.delay(tries, random.random(), retry_after=error.retry_after)
                if delay is None:
                    raise TTSFetchError(f"{error}, {tries} tries") from None
                log.warning("download: try %d failed, next in %.1f s: %s", tries, delay, error)
            await asyncio.sleep(delay)

    async def aclose(self) -> None:
        """Close all connections; later downloads fail."""
        self._closed = True
        if self._download_session is not None:
            await self._download_session.close()

    def checked(self, address: str) -> URL:
        """Return ``address`` parsed, or raise `TTSFetchError` if we do not go there."""
        if len(address) > MAX_URL_CHARS or not address.isprintable() or {" ", "\\"} & set(address):
            raise TTSFetchError("an audio address with characters that do not belong in one")
        try:
            url = URL(address)
            host, port = url.host, url.port
        except ValueError:
            raise TTSFetchError("an audio address that is none") from None
        if not host or url.user is not None or url.password is not None:
            raise TTSFetchError("an audio address without a host, or with a name and password")
        plain = self._allow_loopback and url.scheme == "http" and host in LOOPBACK_HOSTS
        if not (plain or url.scheme == "https"):
            raise TTSFetchError(f"an audio address with {url.scheme!r} instead of https")
        if not plain and port != 443 and (port is None or port < 1024):
            raise TTSFetchError(f"an audio address with port {port}")
        return url

    async def _follow(self, address: str, on_progress: ProgressListener) -> bytes:
        url = self.checked(address)
        for _ in range(self._limits.redirects + 1):
            outcome = await self._get(url, on_progress)
            if isinstance(outcome, TTSFetchError):
                raise outcome
            if isinstance(outcome, bytes):
                return outcome
            url = self.checked(outcome)
        raise TTSFetchError(f"{url.host}: more than {self._limits.redirects} redirects")

    async def _get(self, url: URL, on_progress: ProgressListener) -> bytes | str | TTSFetchError:
        """Return the WAV, the address of a redirect, or the error."""
        if self._closed:
            return TTSFetchError("the client is closed")
        try:
            async with self._opened().get(url, allow_redirects=False) as response:
                if response.status in _REDIRECTS:
                    return str(url.join(URL(response.headers.get("Location", ""))))
                return await self._received(response, on_progress)
        except TTSFetchError as error:
            return error
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
            kind = TTSFetchError if _is_final(error) else _TryAgain
            return kind(f"{url.host}: {name_of(error)}")

    async def _received(self, response: aiohttp.ClientResponse, on_progress: ProgressListener) -> bytes:
        host, status = response.url.host, response.status
        if status in _AGAIN_STATUSES or status >= 500:
            raise _TryAgain(f"{host}: status {status}", seconds_to_wait(response.headers))
        if status != 200:
            raise TTSFetchError(f"{host}: status {status}")
        if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
            raise TTSFetchError(f"{host}: an encoding that nobody asked for")
        expected = response.content_length
        if expected is not None and expected > self._limits.max_bytes:
            raise TTSFetchError(f"{host}: {expected} bytes, more than {self._limits.max_bytes}")
        return await self._body(response, expected, on_progress)

    async def _body(
        self, response: aiohttp.ClientResponse, expected: int | None, on_progress: ProgressListener
    ) -> bytes:
        host, started, body = response.url.host, time.monotonic(), bytearray()
        async for piece in response.content.iter_chunked(_READ_BYTES):
            body += piece
            if len(body) > self._limits.max_bytes:
                raise TTSFetchError(f"{host}: more than {self._limits.max_bytes} bytes")
            if len(body) >= 4 and not body.startswith(WAV_BEGINNINGS):
                raise TTSFetchError(f"{host}: no WAV")
            seconds = time.monotonic() - started
            if seconds > self._limits.rate_grace and len(body) < seconds * self._limits.min_rate:
                raise TTSFetchError(f"{host}: {len(body)} bytes in {seconds:.0f} s are too slow")
            if expected:
                on_progress(Progress(Stage.FETCHING, min(1.0, len(body) / expected)))
        if expected is not None and len(body) != expected:
            raise _TryAgain(f"{host}: {len(body)} bytes of {expected}")
        if len(body) < 12 or body[8:12] != b"WAVE":
            raise TTSFetchError(f"{host}: no WAV")
        if expected is None and _is_cut(body):
            raise _TryAgain(f"{host}: cut after {len(body)} bytes")
        return bytes(body)

    def _opened(self) -> aiohttp.ClientSession:
        # Not in the constructor: aiohttp's objects need the running loop.
        if self._download_session is None:
            self._download_session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(
                    socket_factory=self._guard,
                    resolver=self._resolver,
                    force_close=True,
                ),
                timeout=aiohttp.ClientTimeout(
                    connect=self._limits.connect,
                    sock_connect=self._limits.connect,
                    sock_read=self._limits.gap,
                    total=self._limits.total,
                ),
                cookie_jar=aiohttp.DummyCookieJar(),
                headers={"User-Agent": USER_AGENT, "Accept-Encoding": "identity"},
                auto_decompress=False,
                trust_env=False,
                middlewares=(_once,),
            )
        return self._download_session


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET by itself: the tries are counted here."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise _TryAgain(f"{request.url.host}: {type(error).__name__}") from None


def _is_final(error: Exception) -> bool:
    """Return whether another try would end the same, or would take as long again."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return False
    if isinstance(error, aiohttp.ClientConnectorError):
        return isinstance(error.os_error, AddressRefused) or isinstance(error, aiohttp.ClientSSLError)
    return isinstance(error, (TimeoutError, ValueError, aiohttp.ClientResponseError))


def _is_cut(body: bytearray) -> bool:
    """Return whether a RIFF says it is longer than what came. Streams say 0 or all ones: unknown."""
    promised = int.from_bytes(body[4:8], "little")
    return body.startswith(b"RIFF") and promised not in (0, 0xFFFFFFFF) and promised + 8 > len(body)
