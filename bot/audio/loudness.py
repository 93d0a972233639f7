"""Loudness as ears judge it: measured by ITU-R BS.1770-4, and brought to one level."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.sound import SpeechSound
from bot.audio.workers import run_batch
from bot.errors import AudioError

Matrix = NDArray[np.float32]
Sums = NDArray[np.float64]

HOP_SAMPLES: Final = 4_800
"""100 ms at 48 kHz: gating blocks are four of these long and begin at each."""

_SHELF: Final = (
    (1.53512485958697, -2.69169618940638, 1.19839281085285),
    (-1.69065929318241, 0.73248077421585),
)
_HIGH_PASS: Final = ((1.0, -2.0, 1.0), (-1.99004745483398, 0.99007225036621))
# (numerators, denominators without the leading 1): tables 1 and 2 of the recommendation, for 48 kHz

_BLOCK: Final = 40  # samples: larger ones cost more arithmetic, smaller ones more memory
_HOPS_AT_ONCE: Final = 20
_REACH_BLOCKS: Final = 128  # 107 ms: of what came before, less than a ten-millionth is left


def hop_energies(samples: NDArray[np.int16] | NDArray[np.float32]) -> Sums:
    """Return the sum of the squares of the K-weighted ``samples`` in each 100 ms, the last one padded.

    The unit is that of the samples, squared.
    """
    hops = -(-len(samples) // HOP_SAMPLES)
    memory = np.zeros(4, np.float32)
    energies = np.empty(hops)
    step = _HOPS_AT_ONCE * HOP_SAMPLES
    for first in range(0, hops, _HOPS_AT_ONCE):
        part = samples[first * HOP_SAMPLES : first * HOP_SAMPLES + step].astype(np.float32)
        part = np.pad(part, (0, -len(part) % HOP_SAMPLES))
        filtered, memory = _filtered(part.reshape(-1, HOP_SAMPLES // _BLOCK, _BLOCK), memory)
        sums = np.einsum("hbs,hbs->hb", filtered, filtered).sum(axis=1, dtype=np.float64)
        energies[first : first + len(sums)] = sums
    return energies


class KWeighting:
    """The filter over sound that comes in parts: it remembers what came before."""

    def __init__(self) -> None:
        self._memory = np.zeros(4, np.float32)

    def energies(self, hops: Matrix) -> Sums:
        """Return the sum of the squares of each of the next ``hops``, rows of a multiple of 40 samples."""
        if not len(hops):
            return np.zeros(0)
        filtered, self._memory = _filtered(hops.reshape(len(hops), -1, _BLOCK), self._memory)
        energies: Sums = np.einsum("hbs,hbs->hb", filtered, filtered).sum(axis=1, dtype=np.float64)
        return energies


def _filtered(hops: Matrix, memory: Matrix) -> tuple[Matrix, Matrix]:
    """Return the filtered blocks of some hops, and what the filter remembers after them.

    A product for each hop, not one for all: OpenBLAS would spread that over threads, which costs more than
    it gains, most of all on a busy machine.
    """
    memories = (hops @ _INTO_MEMORY).reshape(-1, 4)  # what each block leaves behind by itself ...
    memories[0] += memory @ _CARRY[0]
    for power, carry in enumerate(_CARRY):  # ... and all before it, the reach doubling each time
        distance = 2**power
        memories[distance:] += memories[:-distance] @ carry
    before = np.concatenate([memory[None], memories[:-1]]).reshape(*hops.shape[:2], 4)
    filtered = hops @ _DIRECT
    filtered += before @ _FROM_MEMORY
    return filtered, memories[-1]


def _response(inputs: Sums, memory: Sums) -> tuple[Sums, Sums]:
    """Return (outputs, memory) of the two filters in a row, sample by sample."""
    memory = memory.copy()
    outputs = np.empty(len(inputs))
    for index, value in enumerate(inputs):
        for stage, (forward, back) in enumerate((_SHELF, _HIGH_PASS)):
            one, two = memory[2 * stage : 2 * stage + 2]
            result = forward[0] * value + one
            memory[2 * stage] = forward[1] * value - back[0] * result + two
            memory[2 * stage + 1] = forward[2] * value - back[1] * result
            value = result
        outputs[index] = value
    return outputs, memory


def _matrices() -> tuple[Sums, Sums, Sums, Sums]:
    from_input = [_response(row, np.zeros(4)) for row in np.eye(_BLOCK)]
    from_memory = [_response(np.zeros(_BLOCK), row) for row in np.eye(4)]
    direct, into_memory = (np.stack(rows) for rows in zip(*from_input, strict=True))
    out_of_memory, carry = (np.stack(rows) for rows in zip(*from_memory, strict=True))
    return direct, into_memory, out_of_memory, carry


def _powers(matrix: Sums) -> Iterator[Matrix]:
    for _ in range(_REACH_BLOCKS.bit_length() - 1):
        yield matrix.astype(np.float32)
        matrix = matrix @ matrix


_EXACT: Final = _matrices()
_DIRECT, _INTO_MEMORY, _FROM_MEMORY = (matrix.astype(np.float32) for matrix in _EXACT[:3])
_CARRY: Final = tuple(_powers(_EXACT[3]))


SPEECH_LUFS: Final = -20.0
"""The loudness of every utterance: beside people in a voice channel, neither lost nor startling."""

PEAK_CEILING: Final = 10 ** (-1.05 / 20)
"""No sample is higher: −1 dBFS, and a little room for rounding."""

_ABSOLUTE_GATE: Final = -70.0
_RELATIVE_GATE: Final = -10.0
_OFFSET: Final = -0.691
_HOPS_IN_BLOCK: Final = 4
_FULL_SCALE: Final = 32_768.0

_STEP: Final = 48  # samples: 1 ms, the grid of the limiter
_REACH: Final = 5  # steps the limiter looks ahead and back
_TRIES: Final = 4
_NEAR_LU: Final = 0.1


def loudness(samples: NDArray[np.int16] | NDArray[np.float32], *, full_scale: float = _FULL_SCALE) -> float:
    """Return the integrated loudness of 48 kHz mono ``samples`` in LUFS; −inf for silence.

    Gated as the recommendation says. Sound shorter than one gating block (0.4 s) is taken as one block.
    """
    energies = hop_energies(samples) / full_scale**2
    if len(energies) < _HOPS_IN_BLOCK:
        return lufs_of(float(energies.sum()) / max(len(samples), 1))
    blocks = np.convolve(energies, np.ones(_HOPS_IN_BLOCK), "valid") / (_HOPS_IN_BLOCK * HOP_SAMPLES)
    if len(samples) % HOP_SAMPLES and len(blocks) > 1:  # only whole blocks count
        blocks = blocks[:-1]
    heard = blocks[blocks > power_of(_ABSOLUTE_GATE)]
    if not len(heard):
        return -math.inf
    return lufs_of(float(heard[heard > heard.mean() * 10 ** (_RELATIVE_GATE / 10)].mean()))


async def speech_loudness(speech: SpeechSound) -> float:
    """Return the integrated loudness of ``speech`` in LUFS; −inf for silence."""
    return await run_batch(loudness_of, speech)


def loudness_of(speech: SpeechSound) -> float:
    """Do what `speech_loudness` does, in this thread."""
    return loudness(np.frombuffer(speech.pcm, "<i2"))


async def brought_to(speech: SpeechSound, lufs: float = SPEECH_LUFS) -> SpeechSound:
    """Return ``speech`` at this loudness (±1 LU), no sample above −1 dBFS.

    Where single peaks would be higher they are turned down softly, for some milliseconds, never cut off.
    Raises AudioError when the speech is silent.
    """
    return await run_batch(speech_at, speech, lufs)


def speech_at(speech: SpeechSound, lufs: float = SPEECH_LUFS) -> SpeechSound:
    """Do what `brought_to` does, in this thread."""
    samples = np.frombuffer(speech.pcm, "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
    return SpeechSound(to_pcm(samples_at(samples, lufs)))


def samples_at(
    samples: NDArray[np.float32], lufs: float = SPEECH_LUFS, *, max_lift: float = math.inf
) -> NDArray[np.float32]:
    """Return ``samples`` (full scale at 1.0) at this loudness, as `brought_to` does.

    They are raised by ``max_lift`` dB at most. Raises AudioError when they are silent.
    """
    measured = loudness(samples, full_scale=1.0)
    if math.isinf(measured):
        raise AudioError("silent")
    lufs = min(lufs, measured + max_lift)
    gain = 10 ** ((lufs - measured) / 20)
    if float(np.abs(samples).max()) * gain <= PEAK_CEILING:
        return samples * np.float32(gain)
    for _ in range(_TRIES):  # what the limiter takes away is given back to the rest
        limited = _limited(samples * np.float32(gain))
        missing = lufs - loudness(limited, full_scale=1.0)
        if abs(missing) < _NEAR_LU:
            break
        gain *= 10 ** (missing / 20)
    return limited


def to_pcm(samples: NDArray[np.float32]) -> bytes:
    """Return ``samples`` (full scale at 1.0) as 16-bit PCM; what is over full scale is cut off."""
    scaled = np.rint(samples * np.float32(_FULL_SCALE))
    pcm: bytes = np.clip(scaled, -32_768, 32_767).astype("<i2").tobytes()
    return pcm


def _limited(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return ``samples`` with a gain that dips smoothly around every peak above the ceiling."""
    steps = -(-len(samples) // _STEP)
    padded = np.pad(samples, (0, steps * _STEP - len(samples)))
    peaks = np.abs(padded.reshape(-1, _STEP)).max(axis=1)
    needed = np.minimum(1.0, PEAK_CEILING / np.maximum(peaks, 1e-9)).astype(np.float64)
    # The lowest gain within reach, then averaged over less than that reach: never above what is needed.
    around = np.pad(needed, _REACH + 1, constant_values=1.0)
    lowest = np.lib.stride_tricks.sliding_window_view(around, 2 * _REACH + 3).min(axis=1)
    window = np.hanning(2 * _REACH + 1)
    smooth = np.convolve(np.pad(lowest, _REACH, mode="edge"), window / window.sum(), "valid")
    places = (np.arange(steps) + 0.5) * _STEP
    gains = np.interp(np.arange(steps * _STEP), places, smooth)
    limited: NDArray[np.float32] = (padded * gains).astype(np.float32)[: len(samples)]
    return limited


def lufs_of(power: float) -> float:
    """Return the loudness of K-weighted sound with this mean square (full scale at 1.0); −inf for none."""
    return _OFFSET + 10 * math.log10(power) if power > 0 else -math.inf


def power_of(lufs: float) -> float:
    """Return the mean square of K-weighted sound that is this loud."""
    return float(10 ** ((lufs - _OFFSET) / 10))
