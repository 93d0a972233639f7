"""When a failed call is made again: pure arithmetic, nothing here waits or rolls dice."""

from __future__ import annotations

from dataclasses import dataclass

from bot.errors import TTSError, TTSStatusError


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
