"""A take that does not end where its text does: it is passed on no further than the text can last."""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Final

from bot.audio.speech import plausible_seconds
from bot.audio.take import LONG_SLACK_SECONDS, LONGEST, early_fault
from bot.audio.wav_header import WavHeader
from bot.audio.workers import on_a_piece
from bot.errors import AudioError
from bot.models import Speech
from bot.text.speaking_time import speaking_seconds

_LOOKED_AT_ONCE: Final = 4_096  # bytes: a header that is longer is read again only after so many more


def longest_seconds(text: str) -> float:
    """Return the longest that a take of ``text`` may be, in seconds, before what follows is no part of it."""
    return min(LONGEST * speaking_seconds(text) + LONG_SLACK_SECONDS, plausible_seconds(text))


def shortened(speech: Speech, text: str) -> Speech:
    """Return no more of ``speech`` than ``text`` can last."""
    return Speech(speech.pcm[: 2 * int(48_000 * longest_seconds(text))])


class Leash:
    """Lets the bytes of a WAV through, up to the longest that its ``text`` can last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.was_needed = False
        """Whether there was more."""

    async def chunks(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Pass ``chunks`` on, none before the header is whole; what follows the longest is not fetched.

        Raises AudioError when they are no WAV that we accept, or when the header says that it is too long or
        too short for the text: nothing has been passed on then.
        """
        waiting, looked_at, left = b"", -_LOOKED_AT_ONCE, None
        async for chunk in chunks:
            waiting += chunk
            if left is None and len(waiting) - looked_at >= _LOOKED_AT_ONCE:
                looked_at = len(waiting)
                left = await on_a_piece(self._longest_bytes, waiting)
            if left is None:
                continue
            yield waiting[:left]
            left, waiting = left - len(waiting), b""
            if left < 0:
                self.was_needed = True
                return
        if waiting:
            yield waiting

    def _longest_bytes(self, beginning: bytes) -> int | None:
        """Return how much of the WAV that begins like this may be passed on; None: the header goes on."""
        if fault := early_fault(beginning, self._text):
            raise AudioError(fault)
        header = WavHeader.read(beginning)
        if header is None:
            return None
        longest = header.block_bytes * int(header.rate * longest_seconds(self._text))
        if header.data_bytes is not None and header.data_bytes <= longest:  # and notes may follow
            return sys.maxsize
        return header.data_start + longest
