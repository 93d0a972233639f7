"""Recordings as the engines want them, and what their senders read when one cannot be used."""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from tts_gateway.engines.base import ReferenceRefused
from untrusted.decoder import DEFAULT_LIMITS, DecodeLimits, DecodingError, Refusal, decode

_NOT_READABLE: Final = "this is not a recording we can read; send WAV, MP3, Ogg, Opus, FLAC, M4A, AAC or WebM"
_REASONS: Final = {
    Refusal.UNKNOWN_KIND: _NOT_READABLE,
    Refusal.UNREADABLE: _NOT_READABLE,
    Refusal.NO_SOUND: "there is no sound in the recording",
    Refusal.TOO_LATE: "the recording did not come in time",
    Refusal.TOO_SLOW: "reading the recording took too long",
}


async def decode_recording(
    data: bytes, *, rate: int, limits: DecodeLimits = DEFAULT_LIMITS
) -> npt.NDArray[np.float32]:
    """Return the recording as mono samples at ``rate``, full scale ±1; what is over the limit is cut off.

    Raises ReferenceRefused, with a reason for people, when it is too large or cannot be read.
    """
    try:
        decoded = await decode(data, rate=rate, limits=limits)
    except DecodingError as error:
        if error.refusal is Refusal.TOO_LARGE:
            raise ReferenceRefused(
                f"the recording is larger than {limits.max_bytes // 1024 // 1024} MiB"
            ) from None
        raise ReferenceRefused(_REASONS[error.refusal]) from None
    return decoded.samples[:, 0].astype(np.float32) / np.float32(32768)
