"""A whole answer of the TTS gateway → speech, a promise of it, or our error."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from bot.errors import (
    TTSBusyError,
    TTSCreditError,
    TTSDeniedError,
    TTSPayloadError,
    TTSQuotaError,
    TTSReferenceError,
    TTSRejectedError,
    TTSServerError,
    TTSStatusError,
)
from bot.settings import Secret
from bot.tts import wire
from bot.tts.plain_text import printable
from bot.tts.retry_after import seconds_to_wait
from bot.tts.secrecy import without_key
from bot.tts.transport import WAV_BEGINNINGS, Received

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
