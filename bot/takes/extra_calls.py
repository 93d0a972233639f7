"""How many calls may be made a second time, because their first take was bad."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Final

from bot.limits import MAX_EXTRA_CALLS_PER_HOUR

_HOUR: Final = 3600.0


class ExtraCalls:
    """A small allowance for each account, a server or a person in private, that fills up within the hour."""

    def __init__(
        self, *, per_hour: int = MAX_EXTRA_CALLS_PER_HOUR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._taken: dict[int, deque[float]] = {}

    def take(self, account: int) -> bool:
        """Use one extra call of ``account``; return False if it has none left."""
        now = self._clock()
        self._forget(now)
        taken = self._taken.setdefault(account, deque())
        if len(taken) < self._per_hour:
            taken.append(now)
            return True
        return False

    def _forget(self, now: float) -> None:
        for account, taken in list(self._taken.items()):
            while taken and taken[0] <= now - _HOUR:
                taken.popleft()
            if not taken:
                del self._taken[account]
