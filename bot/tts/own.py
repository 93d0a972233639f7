"""Our own TTS gateway: a child process on this machine, for bots without a key."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from yarl import URL

from bot.errors import TTSUnreachableError
from bot.tts.child import Child

log = logging.getLogger(__name__)

_STEADY_SECONDS: Final = 60.0  # after this long a death is a new one, and the back-off starts anew


class OwnTTSGateway:
    """Runs `python -m tts_gateway` on a free loopback port, and again on the same one if it dies.

    ``data_dir`` is where it may leave temporary files; the system's place for them by default.
    ``extra_arguments`` go to its command line. The child ends when `aclose` is called, and by itself
    when this process dies, because then its stdin closes. ``start_seconds`` is how long it may take to
    answer; ``restart_delay`` and ``max_restart_delay`` bound the wait before it is started again.
    """

    def __init__(
        self,
        *,
        data_dir: Path | None = None,
        extra_arguments: Sequence[str] = (),
        start_seconds: float = 60.0,
        restart_delay: float = 0.5,
        max_restart_delay: float = 30.0,
    ) -> None:
        self._data_dir = data_dir
        self._arguments = tuple(extra_arguments)
        self._start_seconds = start_seconds
        self._restart_delay = restart_delay
        self._max_restart_delay = max_restart_delay
        self._base_url = URL()
        self._child: Child | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def process_id(self) -> int | None:
        """The child's process id; None while there is no child."""
        return None if self._child is None else self._child.process_id

    async def start(self) -> str:
        """Start it, wait until it answers, and return its base URL.

        Raises `TTSUnreachableError` if it does not answer in time; its text is the child's last words.
        """
        if self._keeper is None:
            self._child = await self._start_child()
            self._base_url = self._child.base_url
            self._keeper = asyncio.create_task(self._keep_running(), name="own-tts-gateway")
        return str(self._base_url)

    async def hand_over(self, wav: bytes) -> str:
        """Return an address with which one call, and only one, can name this recording.

        Raises `TTSUnreachableError` while there is no child.
        """
        if self._child is None:
            raise TTSUnreachableError("our own TTS gateway is being started again")
        return await self._child.hand_over(wav)

    async def aclose(self) -> None:
        """End the child and wait until it is gone."""
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.cancel()
            await asyncio.wait([keeper])
        child, self._child = self._child, None
        if child is not None:
            await child.end()

    async def _start_child(self) -> Child:
        child = await Child.start(
            ("--port", str(self._base_url.port or 0), *self._arguments), temporary=self._data_dir
        )
        try:
            await child.answers(self._start_seconds)
        except BaseException:
            await child.end()
            raise
        return child

    async def _keep_running(self) -> None:
        deaths = 0
        while True:
            started = time.monotonic()
            if self._child is not None:
                status = await self._child.ended()
                self._child = None
                log.warning("our own TTS gateway ended with status %d", status)
            if time.monotonic() - started > _STEADY_SECONDS:
                deaths = 0
            await asyncio.sleep(min(self._max_restart_delay, self._restart_delay * 2.0**deaths))
            deaths = min(deaths + 1, 30)
            try:
                self._child = await self._start_child()
            except TTSUnreachableError as error:
                log.error("our own TTS gateway does not start again: %s", error)
            else:
                log.info("our own TTS gateway is back")
