"""Speech taken back from a file of our own, as it hangs on a message of ours."""

from __future__ import annotations

from typing import Final

from bot import limits
from bot.audio.resampling import RATE
from bot.audio.wav import parse_wav
from bot.audio.workers import on_the_whole
from bot.errors import AudioError, RecordingError
from bot.models import Speech
from decoding.recordings import DecodeLimits, DecodingError, decode

_SECONDS: Final = limits.MAX_UTTERANCE_SECONDS + 2  # the padding of a lossy format
_LIMITS: Final = DecodeLimits(
    max_bytes=limits.MAX_AUDIO_BYTES, seconds=int(_SECONDS), wall_seconds=30.0, cpu_seconds=15
)
_SENTENCE: Final = "I can no longer read the sound of that message. Ask me for it again."


async def speech_from_file(data: bytes, *, name: str) -> Speech:
    """Return the speech in ``data``, a file called ``name`` that `bot.audio.export` made: WAV, FLAC or Ogg.

    It comes back as it was written, neither levelled nor faded again. A WAV is read here; anything else is
    decoded in a process of its own, since who can send a file may also change one.
    Raises RecordingError, with a sentence for the member, when there is no sound of ours in it.
    """
    if name.lower().endswith(".wav"):
        speech = await on_the_whole(_from_wav, data)
        if speech is not None:
            return speech
    try:
        decoded = await decode(data, rate=RATE, limits=_LIMITS)
    except DecodingError:
        raise RecordingError(_SENTENCE) from None
    if decoded.is_cut:
        raise RecordingError(_SENTENCE)
    return Speech(decoded.samples.tobytes())


def _from_wav(data: bytes) -> Speech | None:
    """Return the speech in a WAV of the form we write, None for any other."""
    try:
        sound = parse_wav(data, max_seconds=_SECONDS)
    except AudioError:
        return None
    if sound.rate != RATE or sound.channels != 1 or not len(sound.samples):
        return None
    return Speech(sound.samples.tobytes())
