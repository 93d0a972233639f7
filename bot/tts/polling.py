"""Looking after speech that the TTS gateway makes in its own time (202)."""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from yarl import URL

from bot.errors import TTSBusyError, TTSNoAnswerError, TTSPayloadError, TTSUnreachableError
from bot.settings import Secret
from bot.tts import wire
from bot.tts.answers import Outcome, outcome_of
from bot.tts.timeouts import Timeouts
from bot.tts.transport import Transport

log = logging.getLogger(__name__)

_GROWTH: Final = 1.5


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
