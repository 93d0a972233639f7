"""Quality of speech: where somebody speaks, and what is wrong with a generation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.edit import sounding_range
from bot.audio.sound import SpeechSound
from bot.audio.wav import WavHeader
from bot.audio.workers import run_batch
from bot.text.speaking_time import speaking_seconds

Samples = NDArray[np.int16]
Levels = NDArray[np.float64]
Flags = NDArray[np.bool_]

FRAME_SAMPLES: Final = 480
FRAME_SECONDS: Final = 0.01
"""What is judged at once: 10 ms at 48 kHz."""

SILENCE_DBFS: Final = -60.0
"""Below this there is nothing to be heard, whatever surrounds it."""

_FLOOR_DBFS: Final = -96.0  # of 16 bits
_LOUD_FRAMES: Final = 30  # the loudest 0.3 s: a click is shorter, a word is not
_SPREAD_DB: Final = 25.0  # from the loudest syllables down to the weak ones
_NOISE_PERCENTILE: Final = 5
_BETWEEN: Final = 0.3  # of the way from the noise up to the speech, in decibels
_SHORTEST_PAUSE: Final = 15  # frames: the closure of a "t" or "k" is shorter
_SHORTEST_SOUND: Final = 4  # frames: a click, a tap on the microphone
_FRAMES_AT_ONCE: Final = 2_000  # bounds the memory, whatever the length


@dataclass(frozen=True, slots=True, eq=False)
class Activity:
    """One value for each 10 ms: its level in dBFS, and whether somebody speaks.

    ``speech`` and ``noise`` are the levels of the words and of what is behind them, in dBFS.
    """

    levels: Levels
    speaking: Flags
    speech: float
    noise: float

    @property
    def speech_seconds(self) -> float:
        """How long somebody speaks, short pauses included."""
        return float(self.speaking.sum()) * FRAME_SECONDS

    @property
    def snr(self) -> float:
        """How far the words alone are above the noise, in decibels, roughly."""
        ratio = 10 ** ((self.speech - self.noise) / 10) - 1  # what was measured as speech has noise in it
        return 10 * math.log10(max(ratio, 0.01))


def activity(samples: Samples) -> Activity:
    """Return who speaks when in ``samples`` (48 kHz mono)."""
    levels = frame_levels(samples)
    if not len(levels):
        return Activity(levels, np.zeros(0, np.bool_), _FLOOR_DBFS, _FLOOR_DBFS)
    loudest = float(np.sort(levels)[-min(_LOUD_FRAMES, len(levels))])
    speech = 10 * math.log10(np.mean(10 ** (levels[levels >= loudest - _SPREAD_DB] / 10)))
    noise = float(np.percentile(levels, _NOISE_PERCENTILE))
    threshold = max(SILENCE_DBFS, loudest - 2 * _SPREAD_DB, noise + _BETWEEN * (speech - noise))
    speaking = levels > threshold
    for start, end in runs(~speaking):
        if start > 0 and end < len(levels) and end - start < _SHORTEST_PAUSE:
            speaking[start:end] = True
    for start, end in runs(speaking):
        if end - start < _SHORTEST_SOUND:
            speaking[start:end] = False
    return Activity(levels, speaking, speech, noise)


def frame_levels(samples: Samples) -> Levels:
    """Return the level of each 10 ms in dBFS, −96 at the lowest; a constant offset does not count."""
    offset = np.float32(samples.mean(dtype=np.float64)) if len(samples) else np.float32(0)
    step = _FRAMES_AT_ONCE * FRAME_SAMPLES
    powers = [_powers(samples[start : start + step], offset) for start in range(0, len(samples), step)]
    power = np.concatenate([np.zeros(0), *powers]) / 32_768**2
    levels: Levels = 10 * np.log10(np.maximum(power, 10 ** (_FLOOR_DBFS / 10)))
    return levels


def _powers(samples: Samples, offset: np.float32) -> Levels:
    whole = len(samples) - len(samples) % FRAME_SAMPLES
    centred = samples.astype(np.float32) - offset
    powers: list[Levels] = [np.square(centred[:whole]).reshape(-1, FRAME_SAMPLES).mean(axis=1)]
    if whole < len(samples):
        powers.append(np.square(centred[whole:]).mean(keepdims=True))
    return np.concatenate(powers).astype(np.float64)


def runs(flags: Flags) -> list[tuple[int, int]]:
    """Return where each run of true values begins and ends."""
    change = np.diff(np.concatenate([[False], flags, [False]]).astype(np.int8))
    return list(zip(np.flatnonzero(change == 1).tolist(), np.flatnonzero(change == -1).tolist(), strict=True))


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


async def find_defect(speech: SpeechSound, text: str) -> str | None:
    """Return why ``speech`` cannot be a good take of ``text``, in a few words for the log; None if it can."""
    return await run_batch(defect_in, speech, text)


def defect_in(speech: SpeechSound, text: str) -> str | None:
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


def early_defect_in(beginning: bytes, text: str) -> str | None:
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
