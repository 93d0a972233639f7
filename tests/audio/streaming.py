"""What the tests of streamed speech share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from bot.audio.live_gain import GainMemory
from bot.audio.sound import SpeechSound
from bot.audio.stream import NOTHING_KNOWN, SpeechStream, StreamedSpeech, frames_of

TEXT = "A sentence of some length, as people say it, and then a little more of it."


def cut(data: bytes, size: int) -> Iterator[bytes]:
    """Yield ``data`` in chunks of ``size`` bytes."""
    for start in range(0, len(data), size):
        yield data[start : start + size]


async def arriving(chunks: Iterator[bytes] | Sequence[bytes]) -> AsyncIterator[bytes]:
    """Yield ``chunks`` as a download does."""
    for chunk in chunks:
        yield chunk


async def streamed(
    data: bytes, *, size: int = 20_000, text: str = TEXT, gains: GainMemory = NOTHING_KNOWN
) -> tuple[StreamedSpeech, tuple[bytes, ...]]:
    """Return the speech in ``data``, and the frames that were handed out."""
    stream, frames = SpeechStream(text=text, gains=gains), list[bytes]()
    await hand_out(arriving(cut(data, size)), stream, frames)
    return stream.result(), tuple(frames)


async def hand_out(chunks: AsyncIterator[bytes], stream: SpeechStream, frames: list[bytes]) -> None:
    """Put into ``frames`` what comes of ``chunks``, also where that ends with an error."""
    async for batch in frames_of(chunks, stream):
        frames += batch


def frames_after(data: bytes, *, text: str = TEXT) -> list[bytes]:
    """Return the frames that are handed out when nothing but ``data`` has come so far."""
    return SpeechStream(text=text).feed(data)


def samples_of(speech: SpeechSound) -> NDArray[np.float64]:
    """Return the samples of ``speech``, full scale at 1.0."""
    return np.frombuffer(speech.pcm, "<i2") / 32_768
