"""The client of the TTS gateway: a call is opened, tells its progress, and becomes a download."""

from __future__ import annotations

import asyncio
import logging
import math
import random
import re
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import replace
from types import TracebackType
from typing import Final, Protocol, Self

from yarl import URL

from bot import metrics
from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSError,
    TTSNoAnswerError,
    TTSPayloadError,
    TTSQuotaError,
    TTSReferenceError,
    TTSRejectedError,
    TTSServerError,
    TTSStatusError,
    TTSUnreachableError,
)
from bot.models import SpeechRequest, Stage
from bot.settings import PREVIEW, Proxy, Secret
from bot.tts import wire
from bot.tts.call_queue import CallPriority, CallQueue, CallSlot
from bot.tts.download import LOOPBACK_HOSTS, AudioDownload, Downloader
from bot.tts.http import (
    ENGINE_HEADER,
    WAV_BEGINNINGS,
    CircuitBreaker,
    DownloadLimits,
    Received,
    RetryPolicy,
    Timeouts,
    Transport,
    bare,
    seconds_to_wait,
    without_key,
)
from bot.tts.local_tts_gateway import OwnTTSGateway
from bot.tts.wire import printable

Outcome = bytes | wire.AudioAt | wire.Pending
"""The WAV itself, where it lies, or where to ask for it."""

_OF_REFERENCE = re.compile(
    r"reference|recording|\burls?\b|_url|download|fetch|reachable|prompt_?audio|audio file|\bwav\b",
    re.IGNORECASE,
)
_OF_QUOTA = re.compile(r"quota|call volume|replenish", re.IGNORECASE)

_KINDS: Final[Mapping[int, type[TTSStatusError]]] = {
    400: TTSRejectedError,
    401: TTSDeniedError,
    402: TTSCreditError,
    403: TTSDeniedError,
    413: TTSRejectedError,
    422: TTSRejectedError,
    429: TTSBusyError,
    503: TTSBusyError,
}


def outcome_of(received: Received, api_key: Secret | None, *, cloning: bool, sent: bytes) -> Outcome:
    """Return what ``received`` brings. Raises `TTSStatusError` or `TTSPayloadError`.

    A body that is a WAV counts whatever its type says. The key is taken out of error texts, and what they
    repeat of the body that was ``sent``.
    """
    if received.status not in (200, 201, 202):
        detail = wire.error_detail(received.body, api_key)
        raise error_for(received.status, detail, received.headers, cloning=cloning, sent=sent)
    if received.body.startswith(WAV_BEGINNINGS):
        return received.body
    answer = wire.read_answer(received.body)
    if isinstance(answer, wire.Refused):
        detail = printable(without_key(answer.detail, api_key))
        raise error_for(answer.status, detail, received.headers, cloning=cloning, sent=sent)
    return answer


def error_for(
    status: int, detail: str, headers: Mapping[str, str], *, cloning: bool, sent: bytes = b""
) -> TTSStatusError | TTSPayloadError:
    """Return the error for an answer of ``status`` that brings no speech.

    A 403 that speaks of a quota or names a time means "later". With ``cloning``, a refusal that
    speaks of the recording is about the recording and not about the text. What ``detail`` repeats of the
    body that was ``sent`` is not in the error.
    """
    retry_after = seconds_to_wait(headers, detail)
    if 200 <= status < 300:
        return TTSPayloadError(f"status {status} without speech")
    kind = _KINDS.get(status, TTSServerError if 500 <= status < 600 else TTSStatusError)
    if status == 403 and (retry_after is not None or _OF_QUOTA.search(detail)):
        kind = TTSQuotaError
    if kind is TTSRejectedError and cloning and _OF_REFERENCE.search(detail):
        kind = TTSReferenceError
    return kind(status, wire.without_words_of(sent, detail), retry_after=retry_after)


log = logging.getLogger(__name__)

_GROWTH: Final = 1.5
_HEALTH_SECONDS: Final = 3.0


async def wait_for_speech(
    transport: Transport,
    origin: URL,
    pending: wire.Pending,
    *,
    api_key: Secret | None,
    timeouts: Timeouts,
    cloning: bool,
    sent: bytes,
) -> bytes | wire.AudioAt:
    """Ask for ``pending`` until it is finished, at growing distances, and return what it became.

    Looking costs nothing, so trouble on the way is looked over until the deadline. What comes out
    after that is never retryable: the speech was ordered, and ordering it again would be paid again.
    Raises `TTSNoAnswerError` at the deadline, or what the answer says, without the words of ``sent``, the
    body with which it was ordered.
    """
    url = _progress_url(origin, pending)
    delay = timeouts.poll_first
    try:
        async with asyncio.timeout(timeouts.polling):
            while True:
                await asyncio.sleep(delay)
                delay = min(timeouts.poll_longest, delay * _GROWTH)
                outcome = await _look(transport, url, api_key, cloning=cloning, sent=sent)
                if outcome is not None and not isinstance(outcome, wire.Pending):
                    return outcome
    except TimeoutError:
        pass
    raise TTSNoAnswerError(f"still not finished after {timeouts.polling:.0f} s")


async def _look(
    transport: Transport, url: URL, api_key: Secret | None, *, cloning: bool, sent: bytes
) -> Outcome | None:
    """Return what there is, or None for trouble that another look may find gone."""
    try:
        received = await transport.send("GET", url)
        if received.status < 500:
            return outcome_of(received, api_key, cloning=cloning, sent=sent)
        log.debug("progress: status %d", received.status)
    except (TTSUnreachableError, TTSNoAnswerError, TTSBusyError) as error:
        log.debug("progress: %s", error)
    return None


def _progress_url(origin: URL, pending: wire.Pending) -> URL:
    if pending.progress_path is None:
        raise TTSPayloadError("an answer promises speech and does not say where to ask for it")
    try:
        url = origin.join(URL(pending.progress_path))
        same = url.origin() == origin
    except ValueError:
        same = False
    if not same:
        raise TTSPayloadError("the progress is said to be at another server, which is not asked")
    return url


_RETRY: Final = RetryPolicy()
_TIMEOUTS: Final = Timeouts()
_DOWNLOADS: Final = DownloadLimits()
_ANYBODY: Final = CallPriority()


class CallGate(Protocol):
    """Gate in front of every call of the TTS gateway, each try of it included."""

    async def check(self) -> None:
        """Return if the call may be made now; whatever it raises ends the call."""


class TTSCall:
    """Call of the TTS gateway for ``request``; it is made by `TTSClient.open`.

    ``gate`` is asked in front of every try; ``priority`` says how urgent it is. ``seconds`` is about how long
    the sound of a known voice will be, and ``expected`` how long making it should take; None: nobody knows.
    """

    def __init__(
        self,
        request: SpeechRequest,
        gate: CallGate | None = None,
        *,
        priority: CallPriority = _ANYBODY,
        seconds: float | None = None,
        expected: float | None = None,
    ) -> None:
        self.request = request
        self.gate = gate
        self.priority = priority
        self.seconds = seconds
        self.expected = expected
        self.began = math.nan
        """When its newest try was sent, by the event loop's clock."""
        self.stage = Stage.MAKING
        """How far it is before its sound can be fetched."""
        self.is_preview = False
        """Whether the TTS gateway says that its preview voice stood in."""


class TTSClient:
    """Speaks the TTS gateway's contract at one address.

    ``base_url`` goes up to and without `/text-to-speech`. ``guidance`` and ``steps`` serve requests
    that bring none of their own. ``own`` is the child process behind that address, if we started it: it gets
    recordings without an address. ``proxy`` leads to the TTS gateway and to what it has made. All calls
    stand in ``queue``. ``is_preview``: nothing else is expected there than the preview voice. Objects of this
    class may be made before the event loop runs and are used in one loop. ``clock`` is for tests of the
    circuit breaker.
    """

    def __init__(
        self,
        base_url: str,
        api_key: Secret | None = None,
        *,
        own: OwnTTSGateway | None = None,
        retry: RetryPolicy = _RETRY,
        timeouts: Timeouts = _TIMEOUTS,
        downloads: DownloadLimits = _DOWNLOADS,
        guidance: float = 2.0,
        steps: int = 10,
        proxy: Proxy | None = None,
        queue: CallQueue | None = None,
        is_preview: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = URL(base_url.rstrip("/"))
        self._api_key = api_key
        self._own = own
        self._retry = retry
        self._timeouts = timeouts
        self._guidance = guidance
        self._steps = steps
        self._is_preview = is_preview
        self._clock = clock
        self._breaker = CircuitBreaker(clock)
        self._queue = queue or CallQueue()
        self._transport = Transport(self._base_url.origin(), api_key, timeouts, proxy)
        self._downloads = Downloader(
            allow_loopback=self._base_url.host in LOOPBACK_HOSTS,
            limits=downloads,
            trusted=self._transport.addresses,
            proxy=proxy,
        )

    async def open(self, call: TTSCall) -> AudioDownload:
        """Return the generation of ``call`` as soon as the TTS gateway has made it: nothing is fetched yet.

        It waits for its turn in the queue. Only what was surely not carried out is tried again, and waits in
        the queue for that too. After a refused key or used-up credit, and while nobody is served, calls fail
        at once, those that wait as well, see `CircuitBreaker`. Raises `TTSError`: one of its subclasses; and
        what the gate of the call raises.
        """
        try:
            outcome = await self._outcome(call)
        except TTSError as error:
            raise bare(error) from None
        if isinstance(outcome, bytes):
            download = AudioDownload(None, self._downloads, outcome)
        else:
            download = self._downloads.download(outcome.url)
        download.is_preview = call.is_preview
        return download

    def download(self, url: str) -> AudioDownload:
        """Return the download of a generation that was made before and is at ``url``; nothing is called."""
        return self._downloads.download(url)

    async def synthesize(self, request: SpeechRequest) -> bytes:
        """Return ``request`` as a WAV: undecoded bytes that begin with RIFF or RF64.

        It is `open` and then all of its download, and raises what they raise.
        """
        return await (await self.open(TTSCall(request))).read()

    async def probe(self) -> None:
        """Return if something answers at the base URL. It costs nothing: no speech is asked for.

        Raises `TTSUnreachableError`, `TTSNoAnswerError`, `TTSServerError`, or `TTSDeniedError` for a
        key that is refused already here.
        """
        received = await self._transport.send("GET", self._base_url)
        if received.status == 401 or received.status >= 500:
            detail = wire.error_detail(received.body, self._api_key)
            raise error_for(received.status, detail, received.headers, cloning=False)

    async def health(self) -> wire.TTSHealth:
        """Return what the TTS gateway says of itself; only ours does."""
        try:
            async with asyncio.timeout(_HEALTH_SECONDS):
                received = await self._transport.send("GET", self._base_url.origin() / "health")
        except (TTSError, TimeoutError):
            return wire.TTSHealth()
        return wire.read_health(received.body if received.status == 200 else b"")

    @property
    def queue(self) -> CallQueue:
        """The queue in which all its calls stand."""
        return self._queue

    @property
    def outage(self) -> TTSError | None:
        """Why calls fail at once now; None: they are made."""
        return self._breaker.error

    @property
    def has_served(self) -> bool:
        """Whether the TTS gateway has carried out a call of this process."""
        return self._breaker.has_served

    async def outages(self) -> AsyncGenerator[TTSError | None]:
        """Yield what the operator has to mend, credit or key, when that begins, and None when it is over.

        None comes after the first call of all too, see `CircuitBreaker`. For one listener; it never ends.
        """
        while True:
            yield await self._breaker.changes.get()

    async def aclose(self) -> None:
        """Close all connections. Calls under way, or in the queue, fail with a `TTSError`."""
        await self._queue.aclose()
        await asyncio.gather(self._transport.aclose(), self._downloads.aclose())

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def _body(self, request: SpeechRequest) -> bytes:
        reference = request.reference
        if reference is None:
            return wire.speech_body(request, guidance=self._guidance, steps=self._steps)
        if reference.wav is not None:
            if self._own is None:
                raise ValueError("a recording without an address, and no TTS gateway of ours to take it")
            reference = replace(reference, url=await self._own.hand_over(reference.wav))
        return wire.cloning_body(request, reference)

    async def _outcome(self, call: TTSCall) -> bytes | wire.AudioAt:
        path = "text-to-speech" if call.request.reference is None else "voice-cloning"
        probing, tries, delay = False, 0, 0.0
        while True:
            if not probing and self._breaker.admit():
                probing = True
                await self._look_at_outage()
            call.stage, asked = Stage.WAITING, time.monotonic()
            slot = await self._queue.take(call.priority, delay=delay)
            if slot is None:  # the circuit has opened meanwhile
                continue
            metrics.tts_call_waited(time.monotonic() - asked - delay)
            with slot:
                call.stage = Stage.MAKING
                if call.gate is not None:
                    await call.gate.check()
                tries += 1
                slot.begin(call.expected)
                call.began, began = slot.began, self._clock()
                try:
                    with metrics.tts_call():
                        outcome = await self._call_in_time(slot, path, call)
                except TTSError as error:
                    wait = self._retry.delay_after(tries, error, random.random())
                    self._note_failure(slot, error, wait, began)
                    if wait is None:
                        raise
                    log.warning("%s: try %d failed, next in %.1f s: %s", path, tries, wait, error)
                    delay = wait
                else:
                    slot.answered(call.seconds)
                    return outcome

    async def _look_at_outage(self) -> None:
        """Return if a call may be risked after an outage. Raises `TTSError` if there is nobody to call."""
        outage = self._breaker.outage
        if outage is not None:
            await self.probe()
            if isinstance(outage, TTSUnreachableError):
                self._breaker.succeeded()

    def _note_failure(self, slot: CallSlot, error: TTSError, wait: float | None, began: float) -> None:
        if isinstance(error, TTSBusyError):
            slot.refused(wait if wait is not None and error.retry_after else 0.0)
        elif isinstance(error, TTSNoAnswerError):
            slot.unanswered()
        self._breaker.failed(error, began=began)
        if self._breaker.is_open:
            self._queue.send_all_away()

    async def _call_in_time(self, slot: CallSlot, path: str, call: TTSCall) -> bytes | wire.AudioAt:
        try:
            async with asyncio.timeout_at(slot.ends) as slot.timeout:
                return await self._call_once(path, await self._body(call.request), call)
        except TimeoutError:
            seconds = slot.ends - slot.began
        raise TTSNoAnswerError(f"{path}: ended after {seconds:.0f} s, far longer than calls take")

    async def _call_once(self, path: str, body: bytes, call: TTSCall) -> bytes | wire.AudioAt:
        began, cloning = self._clock(), call.request.reference is not None
        received = await self._transport.send("POST", self._base_url / path, body)
        outcome = outcome_of(received, self._api_key, cloning=cloning, sent=body)
        self._breaker.succeeded(self._clock() - began)
        call.is_preview = received.headers.get(ENGINE_HEADER) == PREVIEW and not self._is_preview
        if not isinstance(outcome, wire.Pending):
            return outcome
        return await wait_for_speech(
            self._transport,
            self._base_url.origin(),
            outcome,
            api_key=self._api_key,
            timeouts=self._timeouts,
            cloning=cloning,
            sent=body,
        )
