"""Downloads of finished sound: address to bytes, streamed inside hard limits."""

from __future__ import annotations

import asyncio
import logging
import random
import socket
import time
from collections.abc import AsyncGenerator, AsyncIterator, Collection, Iterator
from contextlib import AbstractAsyncContextManager, aclosing, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from typing import Final

import aiohttp
from aiohttp.abc import AbstractResolver
from yarl import URL

from bot.errors import TTSError, TTSFetchError
from bot.limits import MAX_URL_CHARS
from bot.settings import Proxy, Secret
from bot.tts.http import (
    USER_AGENT,
    WAV_BEGINNINGS,
    DownloadLimits,
    RetryPolicy,
    bare,
    name_of,
    seconds_to_wait,
)
from untrusted.addresses import AddressGuard, AddressRefused

READ_BYTES: Final = 64 * 1024
"""The largest chunk that is passed on: two thirds of a second of 48 kHz mono 16-bit sound."""

_AGAIN_STATUSES = (403, 404, 408, 425, 429)  # a bucket may not show a new object at once; and every 5xx
_HEAD_BYTES = 12  # RIFF, a size, WAVE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


class TryAgainError(TTSFetchError):
    """A failure that another try may mend. It never leaves the downloader."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class ResumableDownload:
    """What of one recording was handed out already, over several tries to download it.

    A later try begins at the first byte: what it repeats is compared by its hash, and left out.
    """

    def __init__(self) -> None:
        self._handed = self._repeated = 0
        self._digest, self._again = _new_hash(), _new_hash()

    def begin(self) -> None:
        """Note that a try begins."""
        self._repeated, self._again = 0, _new_hash()

    def rest_of(self, chunk: bytes) -> bytes:
        """Return what is new in ``chunk``. Raises `TTSFetchError` when what it repeats is not the same."""
        known = min(len(chunk), self._handed - self._repeated)
        if known:
            self._again.update(chunk[:known])
            self._repeated += known
            if self._repeated == self._handed and self._again.digest() != self._digest.digest():
                raise TTSFetchError("another recording at the next try")
        rest = chunk[known:]
        self._digest.update(rest)
        self._handed += len(rest)
        self._repeated += len(rest)
        return rest

    def end(self) -> None:
        """Note that a try came to its end. Raises `TTSFetchError` if an earlier one brought more."""
        if self._repeated < self._handed:
            raise TTSFetchError("a shorter recording at the next try")


def check_head(response: aiohttp.ClientResponse, limits: DownloadLimits) -> None:
    """Return if a body may follow that we take. Raises `TTSFetchError`."""
    host, status = response.url.host, response.status
    if status in _AGAIN_STATUSES or status >= 500:
        raise TryAgainError(f"{host}: status {status}", seconds_to_wait(response.headers))
    if status != 200:
        raise TTSFetchError(f"{host}: status {status}")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise TTSFetchError(f"{host}: an encoding that nobody asked for")
    expected = response.content_length
    if expected is not None and expected > limits.max_bytes:
        raise TTSFetchError(f"{host}: {expected} bytes, more than {limits.max_bytes}")


@dataclass(slots=True)
class Fetched:
    """Fetched share of a recording, 0 to 1, in the try that is under way; None: its length is not known."""

    fraction: float | None = None


async def chunks_of(
    response: aiohttp.ClientResponse, limits: DownloadLimits, fetched: Fetched
) -> AsyncGenerator[bytes]:
    """Yield the body as it arrives; it begins as a WAV, and at its end it is whole as far as HTTP can tell.

    How far it is stands in ``fetched``. Raises `TTSFetchError`, also after some of it was yielded. The time
    its caller takes does not count.
    """
    host, expected = response.url.host, response.content_length
    head, held, count, waited, asked = b"", b"", 0, 0.0, time.monotonic()
    async for piece in response.content.iter_chunked(READ_BYTES):
        waited += time.monotonic() - asked
        count += len(piece)
        head = (head + piece[:_HEAD_BYTES])[:_HEAD_BYTES]
        _check_progress(host, head, count, waited, limits)
        if expected:
            fetched.fraction = min(1.0, count / expected)
        held += piece
        if len(head) == _HEAD_BYTES:
            yield held
            held = b""
        asked = time.monotonic()
    if expected is not None and count != expected:
        raise TryAgainError(f"{host}: {count} bytes of {expected}")
    if count < _HEAD_BYTES:
        raise TTSFetchError(f"{host}: no WAV")
    if expected is None and _is_cut(head, count):
        raise TryAgainError(f"{host}: cut after {count} bytes")


def _check_progress(host: str | None, head: bytes, count: int, waited: float, limits: DownloadLimits) -> None:
    if count > limits.max_bytes:
        raise TTSFetchError(f"{host}: more than {limits.max_bytes} bytes")
    if len(head) >= 4 and not head.startswith(WAV_BEGINNINGS):
        raise TTSFetchError(f"{host}: no WAV")
    if len(head) == _HEAD_BYTES and head[8:] != b"WAVE":
        raise TTSFetchError(f"{host}: no WAV")
    if waited > limits.rate_grace and count < waited * limits.min_rate:
        raise TTSFetchError(f"{host}: {count} bytes in {waited:.0f} s are too slow")


def _is_cut(head: bytes, count: int) -> bool:
    """Return whether a RIFF says it is longer than what came. Streams say 0 or all ones: unknown."""
    promised = int.from_bytes(head[4:8], "little")
    return head.startswith(b"RIFF") and promised not in _UNKNOWN_SIZES and promised + 8 > count


def _new_hash() -> blake2b:
    return blake2b(digest_size=16, usedforsecurity=False)


class AudioDownload:
    """Download of a WAV that the TTS gateway has made; it is fetched while it is read, wherever that is.

    It can be pickled before it is read. ``url`` is its public address, None when the answer was the sound
    itself, ``body``. Whoever reads the address can hear the recording, so it is never shown or logged.
    """

    def __init__(self, url: str | None, downloader: Downloader, body: bytes = b"") -> None:
        self.url = url
        self._downloader = downloader
        self._body = body
        self._fetched = Fetched()
        self.is_preview = False
        """Whether the preview voice stood in for what should have made it."""

    def __repr__(self) -> str:
        return "AudioDownload(at an address)" if self.url else "AudioDownload(in the answer)"

    def __reduce__(self) -> tuple[type[AudioDownload], tuple[str | None, Downloader, bytes]]:
        return AudioDownload, (self.url, self._downloader, self._body)

    @property
    def fraction(self) -> float | None:
        """How much of it has been fetched, 0 to 1; None: its length is not known."""
        return self._fetched.fraction

    async def chunks(self) -> AsyncGenerator[bytes]:
        """Yield the bytes as they arrive, cut anywhere; they begin as a WAV.

        Close it (`contextlib.aclosing`) when its end is not awaited. Raises `TTSFetchError`, also after
        the first chunks: then the rest could not be had in several tries.
        """
        if self.url is None:
            for start in range(0, len(self._body), READ_BYTES):
                yield self._body[start : start + READ_BYTES]
            return
        try:
            async with aclosing(self._downloader.chunks(self.url, self._fetched)) as body:
                async for chunk in body:
                    yield chunk
        except TTSError as error:
            raise bare(error) from None

    async def read(self) -> bytes:
        """Return the whole WAV. Raises `TTSFetchError`."""
        async with aclosing(self.chunks()) as chunks:
            return b"".join([chunk async for chunk in chunks])


log = logging.getLogger(__name__)

LOOPBACK_HOSTS: Final = ("127.0.0.1", "localhost", "::1")

_REDIRECTS = (301, 302, 303, 307, 308)


class Downloader:
    """Fetches finished recordings from wherever the TTS gateway has put them.

    ``allow_loopback`` permits addresses on this machine and plain http to them; it is meant for a
    TTS gateway that itself runs here. ``trusted`` holds further addresses: those of a TTS gateway in
    the operator's own network, which mostly serves its recordings itself. Behind a ``proxy`` the name is
    looked up here all the same, and the proxy is told the address that was judged. Pickled it stands for one
    with the same settings in the other process, which keeps it.
    """

    def __init__(
        self,
        *,
        allow_loopback: bool,
        limits: DownloadLimits,
        trusted: Collection[str] = (),
        resolver: AbstractResolver | None = None,
        proxy: Proxy | None = None,
    ) -> None:
        self._allow_loopback = allow_loopback
        self._trusted = trusted
        self._limits = limits
        self._retry = RetryPolicy(tries=limits.tries, base_delay=limits.base_delay, max_retry_after=10.0)
        self._guard = AddressGuard(allow_loopback=allow_loopback, trusted=trusted)
        self._guard_behind_proxy = AddressGuard(allow_loopback=False)  # loopback would be the proxy's
        self._resolver = resolver
        self._proxy = proxy
        self._closed = False
        self._direct_session: aiohttp.ClientSession | None = None
        self._proxied_session: aiohttp.ClientSession | None = None

    def download(self, address: str) -> AudioDownload:
        """Return the download of the WAV at ``address``; nothing is fetched before it is read.

        One that breaks off is begun again, and goes on behind what was read already, provided that it is the
        same. Reading it raises `TTSFetchError`, whose text names the host and never the address.
        """
        return AudioDownload(address, self)

    def __reduce__(self) -> tuple[object, ...]:
        proxy = (self._proxy.address.reveal(), self._proxy.exempt) if self._proxy else None
        return _kept_downloader, (self._allow_loopback, self._limits, frozenset(self._trusted), proxy)

    async def chunks(self, address: str, fetched: Fetched) -> AsyncGenerator[bytes]:
        """Yield what is at ``address``, see `AudioDownload.chunks`; how far it is stands in ``fetched``."""
        resumable, tries = ResumableDownload(), 0
        while True:
            tries += 1
            fetched.fraction = None
            resumable.begin()
            try:
                async with aclosing(self._one_try(address, fetched)) as body:
                    async for chunk in body:
                        if rest := resumable.rest_of(chunk):
                            yield rest
                resumable.end()
                return
            except TryAgainError as error:
                delay = self._retry.delay(tries, random.random(), retry_after=error.retry_after)
                if delay is None:
                    raise TTSFetchError(f"{error}, {tries} tries") from None
                log.warning("download: try %d failed, next in %.1f s: %s", tries, delay, error)
            await asyncio.sleep(delay)

    async def aclose(self) -> None:
        """Close all connections; later downloads fail."""
        self._closed = True
        for session in (self._direct_session, self._proxied_session):
            if session is not None:
                await session.close()

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

    async def _one_try(self, address: str, fetched: Fetched) -> AsyncGenerator[bytes]:
        async with (
            self._response(address) as response,
            aclosing(chunks_of(response, self._limits, fetched)) as chunks,
        ):
            async for chunk in chunks:
                yield chunk

    @asynccontextmanager
    async def _response(self, address: str) -> AsyncIterator[aiohttp.ClientResponse]:
        """Follow ``address`` to an answer whose body we take.

        Raises `TTSFetchError`, also for what the network does to the body meanwhile.
        """
        url = self.checked(address)
        for _ in range(self._limits.redirects + 1):
            if self._closed:
                raise TTSFetchError("the client is closed")
            with _in_our_words(url):
                async with await self._get(url) as response:
                    if response.status not in _REDIRECTS:
                        check_head(response, self._limits)
                        yield response
                        return
                    address = str(url.join(URL(response.headers.get("Location", ""))))
            url = self.checked(address)
        raise TTSFetchError(f"{url.host}: more than {self._limits.redirects} redirects")

    async def _get(self, url: URL) -> AbstractAsyncContextManager[aiohttp.ClientResponse]:
        proxy = self._proxy.for_host(url.host or "") if self._proxy else None
        if proxy is None:
            if self._direct_session is None:
                self._direct_session = self._session(
                    aiohttp.TCPConnector(
                        limit=0, socket_factory=self._guard, resolver=self._resolver, force_close=True
                    )
                )
            return self._direct_session.get(url, allow_redirects=False)
        if self._proxied_session is None:
            self._proxied_session = self._session(aiohttp.TCPConnector(limit=0, force_close=True))
        return self._proxied_session.get(
            url.with_host(await self._judged_address(url)),
            headers={"Host": url.authority},
            server_hostname=url.host,
            proxy=proxy,
            allow_redirects=False,
        )

    async def _judged_address(self, url: URL) -> str:
        """Return an address of the host that may be connected to; the proxy must not choose another."""
        resolver = self._resolver or aiohttp.DefaultResolver()
        try:
            found = await resolver.resolve(url.host or "", url.port or 443, socket.AF_UNSPEC)
        finally:
            if self._resolver is None:
                await resolver.close()
        for address in sorted(found, key=lambda one: ":" in one["host"]):  # few proxies speak IPv6
            if self._guard_behind_proxy.allows(address["host"]):
                return address["host"]
        raise TTSFetchError(f"{url.host}: {AddressRefused.__name__}")

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        # Not in the constructor: aiohttp's objects need the running loop.
        return aiohttp.ClientSession(
            connector=connector,
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


@lru_cache(maxsize=64)
def _kept_downloader(
    allow_loopback: bool,
    limits: DownloadLimits,
    trusted: frozenset[str],
    proxy: tuple[str, str] | None,
) -> Downloader:
    return Downloader(
        allow_loopback=allow_loopback,
        limits=limits,
        trusted=trusted,
        proxy=Proxy(Secret(proxy[0]), proxy[1]) if proxy else None,
    )


async def _once(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
    """Keep aiohttp from repeating a GET by itself: the tries are counted here."""
    try:
        return await handler(request)
    except aiohttp.ClientConnectorError:
        raise
    except (aiohttp.ClientOSError, aiohttp.ServerDisconnectedError) as error:
        raise TryAgainError(f"{request.url.host}: {type(error).__name__}") from None


@contextmanager
def _in_our_words(url: URL) -> Iterator[None]:
    try:
        yield
    except TTSFetchError:
        raise
    except (aiohttp.ClientError, TimeoutError, OSError, ValueError) as error:
        kind = TTSFetchError if _is_final(error) else TryAgainError
        failure = kind(f"{url.host}: {name_of(error)}")
    else:
        return
    raise failure  # here, so that nothing of what was received hangs on it


def _is_final(error: Exception) -> bool:
    """Return whether another try would end the same, or would take as long again."""
    if isinstance(error, aiohttp.ConnectionTimeoutError):
        return False
    if isinstance(error, aiohttp.ClientConnectorError):
        return isinstance(error.os_error, AddressRefused) or isinstance(error, aiohttp.ClientSSLError)
    return isinstance(error, (TimeoutError, ValueError, aiohttp.ClientResponseError))
