"""The calls of one utterance to the TTS gateway: each take checked, a bad one made again once."""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass

from bot.audio.speech import speech_from_wav
from bot.audio.stream import speech_from_chunks
from bot.audio.take import why_not
from bot.errors import AudioError, TTSError, TTSUnusableAudioError
from bot.models import ProgressListener, Speech, SpeechRequest
from bot.takes.experience import Experience
from bot.takes.live import Live
from bot.takes.runaway import Leash, shortened
from bot.text.pacing import Call
from bot.tts.client import TTSClient, permit
from bot.tts.take import Take

log = logging.getLogger(__name__)


class NoAddressError(TTSError):
    """A take has no address, so no voice can be cloned from it. It never leaves this package."""


@dataclass(frozen=True, slots=True)
class Heard:
    """A take at hand. ``fault`` is what is wrong with it although it is used, for the log."""

    speech: Speech
    url: str | None
    fault: str | None = None


class Calls:
    """Makes the takes of one utterance.

    ``place`` gives a call its place among all others; ``again`` says, and notes, that one more call is paid
    for; it is asked once at most.
    """

    def __init__(
        self,
        tts: TTSClient,
        experience: Experience,
        *,
        place: Callable[[ProgressListener], AbstractAsyncContextManager[None]],
        again: Callable[[], bool],
    ) -> None:
        self._tts = tts
        self._experience = experience
        self._place = place
        self._may_call_again = again
        self._called_again = False

    async def take(
        self,
        request: SpeechRequest,
        seconds: float,
        on_progress: ProgressListener,
        *,
        needs_address: bool = False,
        live: Live | None = None,
        check: Callable[[], Awaitable[None]] = permit,
    ) -> Heard:
        """Return the take of ``request``, which is estimated to sound for ``seconds``.

        Raises `TTSError`; `NoAddressError` among them if ``needs_address``. ``check`` is awaited in front of
        every try of a call, and what it raises is raised.
        """
        tried: Heard | TTSUnusableAudioError | None = None
        while True:
            take = await self._opened(request, seconds, on_progress, check)
            if needs_address and take.url is None:
                raise NoAddressError("a take without an address")
            found = await self._received(take, request.text, live)
            if isinstance(found, Heard) or not isinstance(tried, Heard):
                tried = found
            if not self._again(found, live):
                break
        if isinstance(tried, TTSUnusableAudioError):
            raise tried
        return tried

    async def _opened(
        self,
        request: SpeechRequest,
        seconds: float,
        on_progress: ProgressListener,
        check: Callable[[], Awaitable[None]],
    ) -> Take:
        async with self._place(on_progress):
            started, is_new = time.monotonic(), self._experience.is_new(request.reference)
            take = await self._tts.open(request, on_progress, check=check)
            call = Call(started, time.monotonic(), seconds, is_new)
            self._experience.learn(call, request.reference)
        return take

    async def _received(self, take: Take, text: str, live: Live | None) -> Heard | TTSUnusableAudioError:
        try:
            if live is not None:
                return await self._heard_live(take, text, live)
            speech = await speech_from_wav(await take.read(), text=text)
        except AudioError as error:
            return TTSUnusableAudioError(str(error))
        return Heard(shortened(speech, text), take.url, await why_not(speech, text))

    async def _heard_live(self, take: Take, text: str, live: Live) -> Heard:
        def pass_on(frames: Sequence[bytes]) -> None:
            live.feed(take.url, frames)

        leash = Leash(text)
        async with aclosing(take.chunks()) as all_chunks, aclosing(leash.chunks(all_chunks)) as chunks:
            streamed = await speech_from_chunks(chunks, pass_on, text=text, gains=self._experience.gains)
        speech = streamed.speech
        await live.finish(speech)
        self._experience.gains = streamed.gains
        fault = f"cut off after {speech.seconds:.1f} s" if leash.was_needed else await why_not(speech, text)
        return Heard(speech, take.url, fault)

    def _again(self, found: Heard | TTSUnusableAudioError, live: Live | None) -> bool:
        """Return whether another take shall be made instead of this one, and log what is wrong with it."""
        fault = found.fault if isinstance(found, Heard) else str(found)
        if fault is None:
            return False
        if live is not None and live.frames:
            log.warning("a bad take was heard already: %s", fault)
            return False
        allowed = not self._called_again and self._may_call_again()
        self._called_again = True
        log.warning("a bad take, %s: %s", "made again" if allowed else "and no call left for another", fault)
        return allowed
