"""Files on their way from the page into a message or a command."""

from __future__ import annotations

import secrets
from collections import OrderedDict
from typing import Final

from rehearsal.errors import RehearsalError
from rehearsal.files import SentFile
from rehearsal.wire import MEBIBYTE

MAX_BYTES: Final = 64 * MEBIBYTE
"""More than any member here may send, so that the refusal comes in Discord's words."""

_KEPT: Final = 32
_KEPT_BYTES: Final = 4 * MAX_BYTES


class Uploads:
    """Keeps the newest uploads until they are sent."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, SentFile] = OrderedDict()

    def add(self, file: SentFile) -> str:
        """Keep ``file`` and return the key to it."""
        key = secrets.token_urlsafe(12)
        self._files[key] = file
        while len(self._files) > _KEPT or self._total_bytes() > _KEPT_BYTES:
            self._files.popitem(last=False)
        return key

    def _total_bytes(self) -> int:
        return sum(len(file.data) for file in self._files.values())

    def get(self, key: object) -> SentFile:
        """Return a file. Raises `RehearsalError` for one that is not here any more."""
        file = self._files.get(key) if isinstance(key, str) else None
        if file is None:
            raise RehearsalError("That file is not here any more. Choose it again.")
        return file
