"""Whether a take can be used: what the model does wrong now and then, heard without understanding it.

A take is one answer of the TTS gateway to one text. Missing or wrong words cannot be noticed here unless the
length gives them away, and neither can a short runaway that sounds like speech.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.joins import sounding_range
from bot.audio.wav_header import WavHeader
from bot.audio.workers import on_the_whole
from bot.models import Speech
from bot.text.speaking_time import speaking_seconds

SHORTEST: Final = 0.4
LONGEST: Final = 2.5
"""Times the estimate: voices differ by half at most, and the estimate is wrong by as much."""

SHORT_SLACK_SECONDS: Final = 0.25
LONG_SLACK_SECONDS: Final = 1.5
"""A single word may be drawn out or swallowed more than that."""

MAX_SILENCE_SECONDS: Final = 2.0
"""The longest pause inside a take; a full stop makes up to a second of it."""

MAX_CLIPPED_SHARE: Final = 0.002
"""Of the samples, in flat tops; single ones cannot be heard."""

MAX_STEADY_SECONDS: Final = 1.2
"""How long sound may stay at one level: syllables change it several times a second, howling does not."""

_RATE: Final = 48_000
_FRAME: Final = 960  # 20 ms
_SILENT_DB: Final = -60.0
_PAUSE_DB: Final = -35.0  # below the level of the words
_SMOOTHING: Final = 25  # frames: slower changes than half a second are swelling, not syllables
_STEADY_DB: Final = 2.0  # of spread; the offline engine never gets below 4, whatever the language
_FLAT_TOP: Final = 4  # samples in a row at the highest value
_TOP: Final = 0.995
_STREAM_BYTES: Final = 0x7F00_0000  # a size from here on is what writers put who do not know it

Samples = NDArray[np.int16]
Levels = NDArray[np.float64]


async def why_not(speech: Speech, text: str) -> str | None:
    """Return why ``speech`` cannot be a good take of ``text``, in a few words for the log; None if it can."""
    return await on_the_whole(fault, speech, text)


def fault(speech: Speech, text: str) -> str | None:
    """Do what `why_not` does, in this thread."""
    samples = np.frombuffer(speech.pcm, "<i2")
    start, end = sounding_range(samples)
    if not end:
        return "silent"
    samples = samples[start:end]
    levels = _levels(samples)
    return (
        _wrong_length(len(samples) / _RATE, speaking_seconds(text))
        or _silence_inside(levels)
        or _steady_sound(levels)
        or _clipped(samples)
    )


def early_fault(beginning: bytes, text: str) -> str | None:
    """Return why the take whose WAV begins with these bytes cannot be good, as far as they tell: its length.

    Raises AudioError when they are no beginning of a WAV that we accept.
    """
    header = WavHeader.read(beginning)
    if header is None or not header.data_bytes or header.data_bytes >= _STREAM_BYTES:
        return None
    seconds = header.data_bytes / header.block_bytes / header.rate
    return _wrong_length(seconds, speaking_seconds(text))


def clipped_share(samples: NDArray[np.int16] | NDArray[np.float32]) -> float:
    """Return the share of ``samples`` in flat tops: four or more in a row at the highest or lowest value."""
    if not len(samples):
        return 0.0
    share = 0.0
    for signed in (samples, -samples.astype(np.float32)):
        top = float(signed.max())
        if top <= 0:
            continue
        at_top = np.concatenate([[False], signed >= _TOP * top, [False]]).astype(np.int8)
        change = np.diff(at_top)
        lengths = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
        share += float(lengths[lengths >= _FLAT_TOP].sum()) / len(samples)
    return share


def _wrong_length(seconds: float, expected: float) -> str | None:
    if seconds < SHORTEST * expected - SHORT_SLACK_SECONDS:
        return f"too short: {seconds:.1f} s, {expected:.1f} s expected"
    if seconds > LONGEST * expected + LONG_SLACK_SECONDS:
        return f"too long: {seconds:.1f} s, {expected:.1f} s expected"
    return None


def _silence_inside(levels: Levels) -> str | None:
    loud = levels[levels > levels.max() - 25]
    pause = _longest_run(levels < max(float(loud.mean()) + _PAUSE_DB, _SILENT_DB))
    return f"{pause:.1f} s of silence inside" if pause > MAX_SILENCE_SECONDS else None


def _steady_sound(levels: Levels) -> str | None:
    """Find noise, howling, buzzing, a tone: sound whose level has no syllables in it."""
    length = 2 * _SMOOTHING + 1
    if len(levels) < length:
        return None
    windows = np.lib.stride_tricks.sliding_window_view(levels, length)
    centre = np.arange(length) - _SMOOTHING
    slope = (windows @ centre) / float(centre @ centre)
    spread = np.sqrt(np.maximum(windows.var(axis=1) - slope**2 * centre.var(), 0))
    audible = windows.min(axis=1) > max(float(levels.max()) - 40, _SILENT_DB)
    steady = (spread < _STEADY_DB) & audible
    run = _longest_run(steady)
    seconds = run + (length - 1) * _FRAME / _RATE if run else 0.0
    return f"{seconds:.1f} s of one steady sound" if seconds > MAX_STEADY_SECONDS else None


def _clipped(samples: Samples) -> str | None:
    share = clipped_share(samples)
    return f"clipped: {100 * share:.1f} % in flat tops" if share > MAX_CLIPPED_SHARE else None


def _levels(samples: Samples) -> Levels:
    """Return the level of each 20 ms in dBFS."""
    padded = np.pad(samples, (0, -len(samples) % _FRAME)).reshape(-1, _FRAME)
    power = np.square(padded.astype(np.float32)).mean(axis=1, dtype=np.float64) / 32_768**2
    levels: Levels = 10 * np.log10(np.maximum(power, 1e-12))
    return levels


def _longest_run(flags: NDArray[np.bool_]) -> float:
    """Return the length of the longest run of true frames, in seconds."""
    change = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    lengths = np.flatnonzero(change == -1) - np.flatnonzero(change == 1)
    return float(lengths.max(initial=0)) * _FRAME / _RATE
