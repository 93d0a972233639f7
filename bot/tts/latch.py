"""The latch: after some answers every further call would fail too, so none is made."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from bot.errors import (
    TTSCreditError,
    TTSDeniedError,
    TTSError,
    TTSQuotaError,
    TTSRejectedError,
    TTSStatusError,
)

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 15 * 60.0
"""How often a shut latch lets one call through, to see whether the operator has mended it."""

MAX_REFUSALS: Final = 3
"""Answers of 403 in a row that shut the latch; a single one may be about that one call."""


class Latch:
    """Shut by a refused key (401, or 403 three times), used-up credit (402) and used-up quota (403).

    While it is shut, `admit` raises the error that shut it, so that members have their answer at
    once and a bad key is not tried hundreds of times. It opens after any successful call, and a
    quota whose time is known opens when that is over. ``clock`` counts seconds and never goes back.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._error: TTSStatusError | None = None
        self._until = 0.0
        self._refusals = 0

    def admit(self) -> bool:
        """Let a call through, or raise a `TTSStatusError`. True: this call is the one probe."""
        if self._error is None:
            return False
        remaining = self._until - self._clock()
        if remaining <= 0 and _reopens_by_itself(self._error):
            self._error = None
            return False
        if remaining <= 0:
            self._until = self._clock() + PROBE_SECONDS
            return True
        raise _again(self._error, remaining)

    def succeeded(self) -> None:
        """A call was carried out: our key, credit and quota are good."""
        if self._error is not None:
            log.warning("the TTS gateway serves us again")
        self._error = None
        self._refusals = 0

    def failed(self, error: TTSError) -> None:
        """Take note of how a call failed."""
        if isinstance(error, TTSRejectedError):  # it looked at our text, so our key and credit are good
            self.succeeded()
        elif isinstance(error, TTSQuotaError):
            self._shut(error, PROBE_SECONDS if error.retry_after is None else error.retry_after)
        elif isinstance(error, TTSCreditError) or (isinstance(error, TTSDeniedError) and error.status == 401):
            self._shut(error, PROBE_SECONDS)
        elif isinstance(error, TTSDeniedError):
            self._refusals += 1
            if self._refusals >= MAX_REFUSALS:
                self._shut(error, PROBE_SECONDS)
        elif isinstance(error, TTSStatusError):
            self._refusals = 0

    def _shut(self, error: TTSStatusError, seconds: float) -> None:
        self._error = error.with_traceback(None)
        self._until = self._clock() + seconds
        log.error("no calls to the TTS gateway for %.0f s: %s", seconds, error)


def _reopens_by_itself(error: TTSStatusError) -> bool:
    return isinstance(error, TTSQuotaError) and error.retry_after is not None


def _again(error: TTSStatusError, remaining: float) -> TTSStatusError:
    retry_after = remaining if isinstance(error, TTSQuotaError) else None
    return type(error)(error.status, error.detail, retry_after=retry_after)
