"""A member's recording as samples, or the sentence that tells them why it cannot be used."""

from __future__ import annotations

from collections.abc import AsyncIterable
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot import limits
from bot.audio.activity import SILENCE_DBFS, Activity, activity
from bot.audio.workers import on_the_whole
from bot.errors import RecordingError
from decoding.recordings import DecodeLimits, DecodingError, Refusal, decode

RATE: Final = 48_000

_LIMITS: Final = DecodeLimits(
    max_bytes=limits.MAX_REFERENCE_BYTES,
    seconds=limits.MAX_REFERENCE_SECONDS,
    wall_seconds=30.0,  # a busy machine; the processor time is bounded more tightly
    cpu_seconds=15,
)
_STEADY_DB: Final = 1.5  # the spread of levels in noise or in a tone; of speech it is 6 and more
_SEND: Final = "Send a recording as WAV, MP3, Ogg, M4A or FLAC."
_CUT_OUT: Final = "Cut out 5 to 15 seconds in which one person speaks clearly, and send those."
NOT_FETCHED: Final = "That recording could not be fetched from Discord. Try again."
"""What a member reads when its bytes do not come."""
_SENTENCES: Final = {
    Refusal.TOO_LARGE: (
        f"That recording is larger than {limits.MAX_REFERENCE_BYTES // 1024 // 1024} MiB. {_CUT_OUT}"
    ),
    Refusal.UNREADABLE: (
        "That recording is damaged: I cannot read any sound from it. Save it again and send the new file."
    ),
    Refusal.NO_SOUND: f"There is no sound in that file. {_SEND}",
    Refusal.TOO_LATE: NOT_FETCHED,
    Refusal.TOO_SLOW: f"Reading that recording took too long. {_CUT_OUT}",
}
_TOO_LONG: Final = (
    f"That recording is longer than {limits.MAX_REFERENCE_SECONDS // 60} minutes, which is too much for me. "
    f"{_CUT_OUT}"
)
SILENT: Final = "That recording is silent. Check that the microphone is on, and record it again."
"""What a member reads when there is nothing to be heard."""
_NOBODY: Final = (
    "I hear something in that recording, but nobody speaking. Record it again, closer to the microphone."
)


@dataclass(frozen=True, slots=True, eq=False)
class Recording:
    """Speech as a member recorded it: 48 kHz, 16 bit, a row of one or two channels for each moment.

    ``channels`` and ``rate`` (Hz) are those of the file; more than two channels come as a stereo mix.
    """

    pcm: NDArray[np.int16] = field(repr=False)
    channels: int
    rate: int

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / RATE


async def decode_recording(data: bytes | AsyncIterable[bytes], *, name: str) -> Recording:
    """Return the recording in ``data``, the bytes of a file called ``name``, whole or in pieces.

    It has somebody in it who speaks for a second or more. The bytes are decoded in a process of its own.
    Raises RecordingError, whose text says why it cannot be used and what to do; and what ``data`` raises.
    """
    try:
        decoded = await decode(data, rate=RATE, most_channels=2, limits=_LIMITS)
    except DecodingError as error:
        raise RecordingError(_SENTENCES.get(error.refusal) or _no_sound_file(name)) from None
    if decoded.is_cut:
        raise RecordingError(_TOO_LONG)
    await on_the_whole(_check_speech, decoded.samples)
    return Recording(decoded.samples, decoded.channels, decoded.rate)


def _no_sound_file(name: str) -> str:
    extension = PurePath(name).suffix.lower()
    if extension in limits.REFERENCE_EXTENSIONS:
        return f"That file is called {extension}, but it is no sound file that I can read. {_SEND}"
    return f"I cannot read that kind of file. {_SEND}"


def _check_speech(pcm: NDArray[np.int16]) -> None:
    found = max((activity(channel) for channel in pcm.T), key=lambda heard: heard.speech)
    check_speech(found)


def check_speech(found: Activity) -> None:
    """Raise RecordingError when what was found is too little to be speech: silence, noise, half a word."""
    if found.speech < SILENCE_DBFS:
        raise RecordingError(SILENT)
    if not found.speaking.any() or float(found.levels[found.speaking].std()) < _STEADY_DB:
        raise RecordingError(_NOBODY)
    if found.speech_seconds < limits.MIN_REFERENCE_SECONDS:
        raise RecordingError(
            f"There are only {found.speech_seconds:.1f} s of speech in that recording. "
            "Send 5 to 15 seconds in which one person speaks clearly."
        )
