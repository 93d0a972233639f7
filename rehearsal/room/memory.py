"""How much the room keeps: the oldest messages go, with their files, before it holds too much."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rehearsal.cdn import Cdn
from rehearsal.channels import Channel
from rehearsal.messages import Message
from rehearsal.wire import MEBIBYTE

MAX_MESSAGES: Final = 400
"""In each channel; the page lists all of them, and stays quick with so many."""

MAX_FILE_BYTES: Final = 512 * MEBIBYTE
"""Of all files together: an afternoon of speech, and little enough for a small machine."""


class Memory:
    """Forgets what is too much of the files in ``cdn`` and of the messages of some channels."""

    def __init__(
        self, cdn: Cdn, *, max_messages: int = MAX_MESSAGES, max_file_bytes: int = MAX_FILE_BYTES
    ) -> None:
        self._cdn = cdn
        self._max_messages = max_messages
        self._max_file_bytes = max_file_bytes

    def tidy(self, channels: Sequence[Channel]) -> None:
        """Forget the oldest messages of each of ``channels``, and the oldest files of all."""
        for channel in channels:
            for message in list(channel.messages.values())[: -self._max_messages]:
                self._forget(channel, message)
        if self._cdn.total_bytes > self._max_file_bytes:
            self._forget_files(channels)

    def _forget_files(self, channels: Sequence[Channel]) -> None:
        holders = {f.id: (c, m) for c in channels for m in c.messages.values() for f in m.files}
        while self._cdn.total_bytes > self._max_file_bytes:
            file = self._cdn.oldest()
            if file.id in holders:
                self._forget(*holders[file.id])
            self._cdn.forget(file)  # it may have been sent with a command, and then no message has it

    def _forget(self, channel: Channel, message: Message) -> None:
        for file in message.files:
            self._cdn.forget(file)
        message.files = []
        channel.messages.pop(message.id, None)
