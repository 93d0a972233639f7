"""One source on its way to a voice channel, and how its end is told."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import discord

log = logging.getLogger(__name__)

After = Callable[[Exception | None], Any]


class Playing:
    """One source on its way. ``after`` is called once, in the scheduler's thread, and must not wait."""

    def __init__(self, source: discord.AudioSource, after: After | None) -> None:
        self.source = source
        self.paused = False
        self.over = False
        self._is_ended = False
        self._after = after

    @property
    def is_active(self) -> bool:
        """Return whether its frames are to be sent now."""
        return not self.paused and not self.over

    def end(self, error: Exception | None) -> None:
        """Call ``after``; only the first end counts."""
        if self._is_ended:
            return
        self.over = self._is_ended = True
        if self._after is None and error is not None:
            log.error("playing failed", exc_info=error)
        try:
            if self._after is not None:
                self._after(error)
        except Exception:
            log.exception("the end of playing could not be told")
        self.source.cleanup()
