"""HTTP exchanges with the TTS gateway: bounds, retries, the circuit breaker, and the key that goes out."""

from __future__ import annotations

import asyncio
import base64
import logging
import math
import re
import socket
import time
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import aiohttp
from yarl import URL

from bot import __version__
from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSError,
    TTSNoAnswerError,
    TTSPayloadError,
    TTSQuotaError,
    TTSRejectedError,
    TTSStatusError,
    TTSUnreachableError,
)
from bot.limits import MAX_ANSWER_BYTES, MAX_AUDIO_BYTES
from bot.settings import Proxy, Secret

KEY_HEADER = "Ocp-Apim-Subscription-Key"
"""The header that the hosted TTS gateway documents; it is Azure API Management's."""

ENGINE_HEADER = "X-TTS-Engine"
"""The header in which our own TTS gateway names the engine that made the speech; others leave it out."""

_MASK = "***"
_TELLTALE_CHARS = 8


class MaskedHeader(str):
    """A header value that is sent as it is and shown as ``***``.

    aiohttp keeps request headers in its exceptions and in the local variables of its frames, and
    both show them by `repr`.
    """

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(_MASK)


def key_headers(api_key: Secret | None) -> dict[str, str]:
    """Return the header that carries the key; nothing if there is none."""
    return {} if api_key is None else {KEY_HEADER: MaskedHeader(api_key.reveal())}


def bare(error: TTSError) -> TTSError:
    """Return ``error`` without the frames and the errors behind it.

    They hold what the server sent, whole, and crash reporters show local variables.
    """
    error.__context__ = None
    return error.with_traceback(None)


def without_key(text: str, api_key: Secret | None) -> str:
    """Return ``text`` without the key in any usual spelling, and without its beginning."""
    if api_key is None:
        return text
    for pattern_of in (_plain, _quoted, _encoded):
        text = pattern_of(api_key).sub(_MASK, text)
    return text


# The beginning goes together with whatever follows it: a server may echo the key cut off.


def _plain(api_key: Secret) -> re.Pattern[str]:
    return re.compile(re.escape(api_key.reveal()[:_TELLTALE_CHARS]) + r"[^\s\"'<>]*", re.IGNORECASE)


def _quoted(api_key: Secret) -> re.Pattern[str]:
    return re.compile(re.escape(quote(api_key.reveal(), safe="")[:_TELLTALE_CHARS]) + r"[\w%.~-]*")


def _encoded(api_key: Secret) -> re.Pattern[str]:
    return re.compile(
        re.escape(base64.b64encode(api_key.reveal().encode())[:_TELLTALE_CHARS].decode()) + r"[\w+/=-]*"
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """Seconds that one call to the TTS gateway may take.

    The hosted one documents no times. An API management in front of a model cuts after 300 s at the
    latest; members do not wait that long, and speech of 500 characters is made within a minute.
    """

    connect: float = 5.0
    """Name, connection and TLS together."""

    first_byte: float = 90.0
    """Silence after the request was sent, and any silence within the answer."""

    total: float = 120.0
    """One request and its whole answer."""

    polling: float = 120.0
    """From an answer of 202 to the finished speech."""

    poll_first: float = 0.5
    poll_longest: float = 5.0
    """The wait before the first look at a 202's progress; it grows by half up to the longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownloadLimits:
    """What the download of one recording may cost. Seconds and bytes count for each try."""

    connect: float = 5.0
    gap: float = 10.0
    """Silence within the answer."""

    total: float = 30.0
    max_bytes: int = MAX_AUDIO_BYTES
    min_rate: int = 32 * 1024
    """Bytes per second on average, judged once ``rate_grace`` seconds are over."""

    rate_grace: float = 5.0
    redirects: int = 2
    tries: int = 4
    """A new object may not be visible everywhere yet, and public buckets answer 429 under load."""

    base_delay: float = 0.5
    """The wait before the second try; it doubles."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how soon a call is repeated that surely was not carried out.

    The defaults are those of the large API clients: two repetitions, half a second doubled up to
    eight. A wait that the answer itself names is obeyed if it is short, and otherwise ends the call
    at once, because a member rather reads "try again in five minutes" than waits for it.
    """

    tries: int = 3
    base_delay: float = 0.5
    max_delay: float = 8.0
    jitter: float = 0.25
    max_retry_after: float = 60.0

    def delay_after(self, tries_made: int, error: TTSError, luck: float) -> float | None:
        """Return the seconds to wait before the next try, or None if there is none.

        ``luck`` is a random number from 0 to 1.
        """
        if not error.retryable:
            return None
        retry_after = error.retry_after if isinstance(error, TTSStatusError) else None
        return self.delay(tries_made, luck, retry_after=retry_after)

    def delay(self, tries_made: int, luck: float, *, retry_after: float | None = None) -> float | None:
        """Return the seconds to wait after ``tries_made`` tries, whatever the failure was."""
        if tries_made >= self.tries:
            return None
        if retry_after:  # 0 says "now" to everybody at once, so it gets the ordinary delay
            if retry_after > self.max_retry_after:
                return None
            return retry_after * (1 + self.jitter * luck / 4)  # never sooner than told
        return min(self.max_delay, self.base_delay * 2.0 ** (tries_made - 1)) * (1 - self.jitter * luck)


_NUMBER = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,9})?")
_CLOCK = re.compile(r"(?<![\d.:])(?:(\d{1,4})\.)?(\d{1,3}):([0-5]\d):([0-5]\d)(?![\d:])")
_WORDS = re.compile(
    r"\b(?:in|after)\s+(?:about\s+)?([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*"
    r"(ms|milliseconds?|s|secs?|seconds?|m|mins?|minutes?|h|hours?|d|days?)\b",
    re.IGNORECASE,
)
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}


def seconds_to_wait(headers: Mapping[str, str], detail: str = "") -> float | None:
    """Return the seconds an answer asks us to wait, or None if it names no time we understand.

    ``headers`` must ignore case. The forms: seconds, whole or not; an HTTP date, where the past
    means 0; milliseconds; and in ``detail`` what an API management writes: "in 26 seconds",
    "in 07:01:20", "in 20.09:58:55" (days first), "in 2.12 days".
    """
    for seconds in (
        _number(headers.get("retry-after-ms", ""), unit=0.001),
        _number(headers.get("Retry-After", "")),
        _date(headers.get("Retry-After", ""), headers.get("Date", "")),
        _clock(detail),
        _words(detail),
    ):
        if seconds is not None:
            return seconds
    return None


def _number(value: str, *, unit: float = 1.0) -> float | None:
    value = value.strip()
    return float(value) * unit if _NUMBER.fullmatch(value) else None


def _date(value: str, server_date: str) -> float | None:
    moment = _moment(value)
    if moment is None:
        return None
    now = _moment(server_date) or datetime.now(UTC)  # the server's clock, where it tells, beats ours
    return max(0.0, (moment - now).total_seconds())


def _moment(value: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(value)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def _clock(detail: str) -> float | None:
    found = _CLOCK.search(detail)
    if found is None:
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60 + seconds)


def _words(detail: str) -> float | None:
    found = _WORDS.search(detail)
    if found is None:
        return None
    unit = found[2].lower()
    if unit.startswith("milli"):
        unit = "ms"
    return float(found[1]) * (_UNITS["ms"] if unit == "ms" else _UNITS[unit[0]])


log = logging.getLogger(__name__)

PROBE_SECONDS: Final = (60.0, 120.0, 300.0, 900.0)
"""After how long an open circuit lets one call through, to see whether the operator has mended it: first, and

after each that has failed; the last holds for all that follow.
"""

MAX_REFUSALS: Final = 3
"""Answers of 403 in a row that open the circuit; a single one may be about that one call."""

OUTAGE_SECONDS: Final = 30.0
"""So long, and `MAX_REFUSALS` calls, nobody must have been served for other trouble to open the circuit."""

_OUTAGE_TIMES: Final = 4.0  # as long as a call takes: where they take long, nobody is served for long
_USUAL_FORGOTTEN: Final = 0.9  # what the longest of the last calls counts for after the next
_FIRST_LOOK_SECONDS: Final = 15.0
_LONGEST_LOOK_SECONDS: Final = 300.0  # an outage is looked at again; the time doubles up to this


class CircuitBreaker:
    """Circuit breaker, opened by a refused key (401, or three times 403), by no credit (402) or quota (403),

    and by an outage: nobody was served for `OUTAGE_SECONDS`, or for four times as long as calls take.
    While it is open, `admit` raises the error that opened it, so that members have their answer at once and
    a bad key is not tried hundreds of times. It closes after any successful call, and a quota whose time is
    known closes it when that is over. ``clock`` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._error: TTSError | None = None
        self._until = 0.0
        self._refusals = 0
        self._usual = 0.0
        self._served_at = self._failing_since = -math.inf
        self._failures = 0
        self._look_seconds = _FIRST_LOOK_SECONDS
        self._probes = 0
        self.has_served = False
        """Whether any call was carried out."""
        self.changes: asyncio.Queue[TTSError | None] = asyncio.Queue()
        """What the operator has to mend, whenever that begins; None when it is over, and at the first call

        that is carried out: an outage may have begun before a restart.
        """

    @property
    def is_open(self) -> bool:
        """Whether calls fail at once now."""
        return self._error is not None and self._clock() < self._until

    @property
    def error(self) -> TTSError | None:
        """What has opened it, until a call is carried out again, or its time is over; None: it is closed."""
        is_over = self._error is None or (_closes_by_itself(self._error) and not self.is_open)
        return None if is_over else self._error

    @property
    def outage(self) -> TTSError | None:
        """What kept everybody from being served, while it is that what has opened it."""
        return None if self._error is None or _is_for_the_operator(self._error) else self._error

    def admit(self) -> bool:
        """Let a call through, or raise the `TTSError` that opened it. True: this call is the one probe."""
        if self._error is None:
            return False
        remaining = self._until - self._clock()
        if remaining <= 0 and _closes_by_itself(self._error):
            self._error = None
            return False
        if remaining > 0:
            raise _again(self._error, remaining)
        if self.outage is None:
            self._probes += 1
            self._until = self._clock() + self._probe_seconds
        else:
            self._look_seconds = min(_LONGEST_LOOK_SECONDS, 2 * self._look_seconds)
            self._until = self._clock() + self._look_seconds
        return True

    def succeeded(self, took: float = 0.0) -> None:
        """A call was carried out within ``took`` seconds: our key, credit and quota are good."""
        if self._error is not None:
            log.warning("the TTS gateway serves us again")
        if not self.has_served or (self._error is not None and _is_to_be_mended(self._error)):
            self.changes.put_nowait(None)
        self.has_served = True
        self._error = None
        self._refusals = self._failures = 0
        self._usual = max(took, _USUAL_FORGOTTEN * self._usual)
        self._served_at = self._clock()
        self._look_seconds = _FIRST_LOOK_SECONDS
        self._probes = 0

    def failed(self, error: TTSError, *, began: float | None = None) -> None:
        """Take note of how a call failed that ``began`` at this time."""
        if isinstance(error, TTSRejectedError):  # it looked at our text, so our key and credit are good
            self.succeeded()
        elif isinstance(error, TTSQuotaError):
            self._open(error, self._probe_seconds if error.retry_after is None else error.retry_after)
        elif isinstance(error, TTSCreditError) or (isinstance(error, TTSDeniedError) and error.status == 401):
            self._open(error, self._probe_seconds)
        elif isinstance(error, TTSDeniedError):
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._open(error, self._probe_seconds)
        else:
            if isinstance(error, TTSStatusError):
                self._refusals = 0
            if not (isinstance(error, TTSBusyError) and error.retryable):  # it is there, and says "later"
                self._note_trouble(error, self._clock() if began is None else began)

    def _note_trouble(self, error: TTSError, began: float) -> None:
        since = max(began, self._served_at)
        self._failing_since = min(since, self._failing_since) if self._failures else since
        self._failures += 1
        has_lasted = self._clock() - self._failing_since >= max(OUTAGE_SECONDS, _OUTAGE_TIMES * self._usual)
        if self._error is None and has_lasted and self._failures >= MAX_REFUSALS:
            self._open(error, self._look_seconds)

    @property
    def _probe_seconds(self) -> float:
        return PROBE_SECONDS[min(self._probes, len(PROBE_SECONDS) - 1)]

    def _open(self, error: TTSError, seconds: float) -> None:
        if _is_to_be_mended(error) and not (self._error is not None and _is_to_be_mended(self._error)):
            self.changes.put_nowait(error)
        self._error = error.with_traceback(None)
        self._until = self._clock() + seconds
        log.error("no calls of the TTS gateway for %.0f s: %s. %s", seconds, error, _cure_of(error))


def _is_for_the_operator(error: TTSError) -> bool:
    return isinstance(error, TTSDeniedError | TTSCreditError)


def _is_to_be_mended(error: TTSError) -> bool:
    return _is_for_the_operator(error) and not isinstance(error, TTSQuotaError)


def _cure_of(error: TTSError) -> str:
    """Return what the operator can do, as a sentence."""
    match error:
        case TTSCreditError():
            return "Top up the voice credit."
        case TTSQuotaError():
            return "It goes on by itself."
        case TTSDeniedError():
            return "Check TTS_API_KEY."
    return "Check that it runs and can be reached. After that time it's tried again."


def _closes_by_itself(error: TTSError) -> bool:
    return isinstance(error, TTSQuotaError) and error.retry_after is not None


def _again(error: TTSError, remaining: float) -> TTSError:
    if not isinstance(error, TTSStatusError):
        return TTSUnreachableError(f"not called: {error}")
    retry_after = remaining if isinstance(error, TTSQuotaError) else None
    return type(error)(error.status, error.detail, retry_after=retry_after)


USER_AGENT: Final = f"Myna/{__version__}"
"""Content networks turn away the names of bare HTTP libraries."""

WAV_BEGINNINGS: Final = (b"RIFF", b"RF64")

_READ_BYTES = 64 * 1024
_KEEP_ALIVE_SECONDS = 4.0  # below the 5 s of common servers: a call on a line just closed is lost money
_CONNECTIONS = 0  # as many as `bot.tts.call_queue` admits: nobody may time out waiting for a free one


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
