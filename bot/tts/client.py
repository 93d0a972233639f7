"""The client of the TTS gateway: one method per endpoint, and `synthesize` as the door."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from dataclasses import replace
from types import TracebackType
from typing import Final, Self

from yarl import URL

from bot.errors import TTSError
from bot.models import Progress, ProgressListener, SpeechRequest, Stage
from bot.settings import Proxy, Secret
from bot.tts import wire
from bot.tts.answers import error_for, outcome_of
from bot.tts.body import READ_BYTES
from bot.tts.download import LOOPBACK_HOSTS, Downloader
from bot.tts.latch import Latch
from bot.tts.own import OwnTTSGateway
from bot.tts.polling import wait_for_speech
from bot.tts.retry import RetryPolicy
from bot.tts.secrecy import bare
from bot.tts.take import Take
from bot.tts.timeouts import DownloadLimits, Timeouts
from bot.tts.transport import Transport

log = logging.getLogger(__name__)


_RETRY: Final = RetryPolicy()
_TIMEOUTS: Final = Timeouts()
_DOWNLOADS: Final = DownloadLimits()


def ignore_progress(progress: Progress) -> None:
    """Listen to nothing."""


async def permit() -> None:
    """Let every call be made."""


class TTSClient:
    """Speaks the TTS gateway's contract at one address.

    ``base_url`` goes up to and without `/text-to-speech`. ``guidance`` and ``steps`` serve requests
    that bring none of their own. ``own`` is the child process behind that address, if we started it: it gets
    recordings without an address. ``proxy`` leads to the TTS gateway and to what it has made. Objects of
    this class may be made before the event loop runs and are used in one loop. ``clock`` is for tests of
    the latch.
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
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._base_url = URL(base_url.rstrip("/"))
        self._api_key = api_key
        self._own = own
        self._retry = retry
        self._timeouts = timeouts
        self._guidance = guidance
        self._steps = steps
        self._latch = Latch(clock)
        self._transport = Transport(self._base_url.origin(), api_key, timeouts, proxy)
        self._downloads = Downloader(
            allow_loopback=self._base_url.host in LOOPBACK_HOSTS,
            limits=downloads,
            trusted=self._transport.addresses,
            proxy=proxy,
        )

    async def open(
        self,
        request: SpeechRequest,
        on_progress: ProgressListener = ignore_progress,
        *,
        check: Callable[[], Awaitable[None]] = permit,
    ) -> Take:
        """Return the take of ``request`` as soon as the TTS gateway has made it: nothing is fetched yet.

        Only what was surely not carried out is tried again. ``check`` is awaited in front of every try; what
        it raises ends the call. After a refused key or used-up credit further calls fail at once, see
        `Latch`. Raises `TTSError`: one of its subclasses.
        """
        try:
            outcome = await self._outcome(request, on_progress, check)
        except TTSError as error:
            raise bare(error) from None
        if isinstance(outcome, bytes):
            return Take(None, _in_chunks(outcome))
        return Take(outcome.url, self._downloads.chunks(outcome.url, on_progress))

    async def synthesize(
        self, request: SpeechRequest, on_progress: ProgressListener = ignore_progress
    ) -> bytes:
        """Return ``request`` as a WAV: undecoded bytes that begin with RIFF or RF64.

        It is `open` and then all of its take, and raises what they raise.
        """
        return await (await self.open(request, on_progress)).read()

    async def probe(self) -> None:
        """Return if something answers at the base URL. It costs nothing: no speech is asked for.

        Raises `TTSUnreachableError`, `TTSNoAnswerError`, `TTSServerError`, or `TTSDeniedError` for a
        key that is refused already here.
        """
        received = await self._transport.send("GET", self._base_url)
        if received.status == 401 or received.status >= 500:
            detail = wire.error_detail(received.body, self._api_key)
            raise error_for(received.status, detail, received.headers, cloning=False)

    async def aclose(self) -> None:
        """Close all connections. Calls under way fail with a `TTSError`."""
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

    async def _outcome(
        self, request: SpeechRequest, on_progress: ProgressListener, check: Callable[[], Awaitable[None]]
    ) -> bytes | wire.AudioAt:
        cloning = request.reference is not None
        path = "voice-cloning" if cloning else "text-to-speech"
        return await self._call(path, request, on_progress, check, cloning=cloning)

    async def _body(self, request: SpeechRequest) -> bytes:
        reference = request.reference
        if reference is None:
            return wire.speech_body(request, guidance=self._guidance, steps=self._steps)
        if reference.wav is not None:
            if self._own is None:
                raise ValueError("a recording without an address, and no TTS gateway of ours to take it")
            reference = replace(reference, url=await self._own.hand_over(reference.wav))
        return wire.cloning_body(request, reference)

    async def _call(
        self,
        path: str,
        request: SpeechRequest,
        on_progress: ProgressListener,
        check: Callable[[], Awaitable[None]],
        *,
        cloning: bool,
    ) -> bytes | wire.AudioAt:
        probing, tries = False, 0
        while True:
            await check()
            probing = probing or self._latch.admit()
            tries += 1
            on_progress(Progress(Stage.MAKING))
            try:
                return await self._call_once(path, await self._body(request), cloning=cloning)
            except TTSError as error:
                self._latch.failed(error)
                delay = self._retry.delay_after(tries, error, random.random())
                if delay is None:
                    raise
                log.warning("%s: try %d failed, next in %.1f s: %s", path, tries, delay, error)
            on_progress(Progress(Stage.WAITING))
            await asyncio.sleep(delay)

    async def _call_once(self, path: str, body: bytes, *, cloning: bool) -> bytes | wire.AudioAt:
        received = await self._transport.send("POST", self._base_url / path, body)
        outcome = outcome_of(received, self._api_key, cloning=cloning, sent=body)
        self._latch.succeeded()
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


async def _in_chunks(body: bytes) -> AsyncGenerator[bytes]:
    for start in range(0, len(body), READ_BYTES):
        yield body[start : start + READ_BYTES]
