"""Reading the answer to IP discovery in the event loop, in place of discord.py's reader thread.

Leans on private names of discord.py==2.7.1 (`VoiceConnectionState._socket_reader`, `SocketReader`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from discord.voice_state import SocketReader, VoiceConnectionState

log = logging.getLogger(__name__)

ANSWER_BYTES: Final = 74
ANSWER_TYPE: Final = b"\x00\x02"
"""An IP discovery answer is 74 bytes and begins with its type, 2 (Discord's voice documentation)."""


class DiscoveryReader(SocketReader):
    """Hands the next IP discovery answer to whoever registered for it.

    The library's thread sits in `select` on the old socket for up to 30 s after a reconnect or move
    (V2), and spins without reading when the socket's number is 1024 or more (V7). A bot that does not
    listen reads one datagram per connection: the event loop does that without a thread.
    """

    def __init__(self, state: VoiceConnectionState, *, replaced: SocketReader) -> None:
        super().__init__(state)  # never started: it is a Thread only because the library's is
        self._replaced = replaced
        self._task: asyncio.Task[None] | None = None
        self._end_thread()

    def register(self, callback: Callable[[bytes], object]) -> None:
        """Give ``callback`` the next answer that arrives on the connection's socket."""
        self._callbacks.append(callback)
        self._end_thread()
        self.resume()

    def unregister(self, callback: Callable[[bytes], object]) -> None:
        """Forget ``callback``."""
        if callback in self._callbacks:
            self._callbacks.remove(callback)
        if not self._callbacks:
            self.pause()

    def pause(self) -> None:
        """Stop reading: the socket is about to be closed."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def resume(self, *, force: bool = False) -> None:
        """Read, if somebody waits for an answer."""
        if self._callbacks and (self._task is None or self._task.done()):
            self._task = self.state.voice_client.loop.create_task(self._read(), name="voice-discovery")

    def stop(self) -> None:
        """Stop for good."""
        self.pause()
        self._callbacks.clear()
        self._end_thread()

    def _end_thread(self) -> None:
        # Told more than once: the thread forgets what it was told before it came to run.
        if self._replaced.is_alive():
            self._replaced.stop()

    async def _read(self) -> None:
        loop = self.state.voice_client.loop
        while self._callbacks:
            try:
                datagram = await loop.sock_recv(self.state.socket, 2048)
            except OSError as error:
                log.debug("IP discovery: %s", error)
                return
            if len(datagram) == ANSWER_BYTES and datagram.startswith(ANSWER_TYPE):
                # Each is called once: a repeated answer would resolve the library's future twice.
                waiting, self._callbacks = self._callbacks, []
                for callback in waiting:
                    callback(datagram)
