"""The body of a download: passed on as it arrives, inside hard limits, and only while it is a WAV."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from hashlib import blake2b
from typing import Final

import aiohttp

from bot.errors import TTSFetchError
from bot.models import Progress, ProgressListener, Stage
from bot.tts.retry_after import seconds_to_wait
from bot.tts.timeouts import DownloadLimits
from bot.tts.transport import WAV_BEGINNINGS

READ_BYTES: Final = 64 * 1024
"""The largest chunk that is passed on: two thirds of a second of 48 kHz mono 16-bit sound."""

_AGAIN_STATUSES = (403, 404, 408, 425, 429)  # a bucket may not show a new object at once; and every 5xx
_HEAD_BYTES = 12  # RIFF, a size, WAVE
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)


class TryAgainError(TTSFetchError):
    """A failure that another try may mend. It never leaves the downloader."""

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


class Handover:
    """What of one recording was handed out already, over several tries to download it.

    A later try begins at the first byte: what it repeats is compared by its hash, and left out.
    """

    def __init__(self) -> None:
        self._handed = self._repeated = 0
        self._digest, self._again = _new_hash(), _new_hash()

    def begin(self) -> None:
        """Note that a try begins."""
        self._repeated, self._again = 0, _new_hash()

    def rest_of(self, chunk: bytes) -> bytes:
        """Return what is new in ``chunk``. Raises `TTSFetchError` when what it repeats is not the same."""
        known = min(len(chunk), self._handed - self._repeated)
        if known:
            self._again.update(chunk[:known])
            self._repeated += known
            if self._repeated == self._handed and self._again.digest() != self._digest.digest():
                raise TTSFetchError("another recording at the next try")
        rest = chunk[known:]
        self._digest.update(rest)
        self._handed += len(rest)
        self._repeated += len(rest)
        return rest

    def end(self) -> None:
        """Note that a try came to its end. Raises `TTSFetchError` if an earlier one brought more."""
        if self._repeated < self._handed:
            raise TTSFetchError("a shorter recording at the next try")


def check_head(response: aiohttp.ClientResponse, limits: DownloadLimits) -> None:
    """Return if a body may follow that we take. Raises `TTSFetchError`."""
    host, status = response.url.host, response.status
    if status in _AGAIN_STATUSES or status >= 500:
        raise TryAgainError(f"{host}: status {status}", seconds_to_wait(response.headers))
    if status != 200:
        raise TTSFetchError(f"{host}: status {status}")
    if response.headers.get("Content-Encoding", "identity").strip().lower() not in ("", "identity"):
        raise TTSFetchError(f"{host}: an encoding that nobody asked for")
    expected = response.content_length
    if expected is not None and expected > limits.max_bytes:
        raise TTSFetchError(f"{host}: {expected} bytes, more than {limits.max_bytes}")


async def chunks_of(
    response: aiohttp.ClientResponse, limits: DownloadLimits, on_progress: ProgressListener
) -> AsyncGenerator[bytes]:
    """Yield the body as it arrives; it begins as a WAV, and at its end it is whole as far as HTTP can tell.

    Raises `TTSFetchError`, also after some of it was yielded. The time its caller takes does not count.
    """
    host, expected = response.url.host, response.content_length
    head, held, count, waited, asked = b"", b"", 0, 0.0, time.monotonic()
    async for piece in response.content.iter_chunked(READ_BYTES):
        waited += time.monotonic() - asked
        count += len(piece)
        head = (head + piece[:_HEAD_BYTES])[:_HEAD_BYTES]
        _check_progress(host, head, count, waited, limits)
        if expected:
            on_progress(Progress(Stage.FETCHING, min(1.0, count / expected)))
        held += piece
        if len(head) == _HEAD_BYTES:
            yield held
            held = b""
        asked = time.monotonic()
    if expected is not None and count != expected:
        raise TryAgainError(f"{host}: {count} bytes of {expected}")
    if count < _HEAD_BYTES:
        raise TTSFetchError(f"{host}: no WAV")
    if expected is None and _is_cut(head, count):
        raise TryAgainError(f"{host}: cut after {count} bytes")


def _check_progress(host: str | None, head: bytes, count: int, waited: float, limits: DownloadLimits) -> None:
    if count > limits.max_bytes:
        raise TTSFetchError(f"{host}: more than {limits.max_bytes} bytes")
    if len(head) >= 4 and not head.startswith(WAV_BEGINNINGS):
        raise TTSFetchError(f"{host}: no WAV")
    if len(head) == _HEAD_BYTES and head[8:] != b"WAVE":
        raise TTSFetchError(f"{host}: no WAV")
    if waited > limits.rate_grace and count < waited * limits.min_rate:
        raise TTSFetchError(f"{host}: {count} bytes in {waited:.0f} s are too slow")


def _is_cut(head: bytes, count: int) -> bool:
    """Return whether a RIFF says it is longer than what came. Streams say 0 or all ones: unknown."""
    promised = int.from_bytes(head[4:8], "little")
    return head.startswith(b"RIFF") and promised not in _UNKNOWN_SIZES and promised + 8 > count


def _new_hash() -> blake2b:
    return blake2b(digest_size=16, usedforsecurity=False)
