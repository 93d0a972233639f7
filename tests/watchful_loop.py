"""An event loop that tells a test when another thread touches it."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from contextvars import Context

if sys.platform == "win32":
    _Loop = asyncio.ProactorEventLoop
else:
    _Loop = asyncio.SelectorEventLoop


class WatchfulLoop(_Loop):
    """Raises `RuntimeError` where something is scheduled from another thread, as asyncio's debug mode does.

    The debug mode itself writes down a stack for every callback, task and request, which makes tests with
    servers and clients a third slower.
    """

    def call_soon(
        self, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.Handle:
        """Schedule ``callback`` from the loop's own thread; every task and future comes this way."""
        self._refuse_others()
        return super().call_soon(callback, *args, context=context)

    def call_at(
        self, when: float, callback: Callable[..., object], *args: object, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """Schedule ``callback`` for later from the loop's own thread; `call_later` comes this way too."""
        self._refuse_others()
        return super().call_at(when, callback, *args, context=context)

    def _refuse_others(self) -> None:
        if self.is_running() and asyncio._get_running_loop() is not self:
            raise RuntimeError("the event loop is touched from another thread; use call_soon_threadsafe")
