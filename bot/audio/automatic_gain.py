"""How far speech is turned up or down while it still comes in: from what is known to what is heard."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import lufs_of, power_of

Sums = NDArray[np.float64]

HOP_SAMPLES: Final = 480
"""10 ms at 48 kHz: for each of them there is one gain."""

MAX_LIFT_DB: Final = 24.0
"""Speech is never lifted further, or its noise would become the sound."""

REMEMBERED_TAKES: Final = 8
"""Enough that one odd take does not count, few enough that a new engine is soon known."""

_BLOCK_HOPS: Final = 40  # the gating block of BS.1770 lasts 0.4 s
_SHORTEST_BLOCK_HOPS: Final = 5  # what there is in the first moments
_ABSOLUTE_GATE: Final = power_of(-70.0)
_RELATIVE_GATE: Final = 0.1
_EVERY_HOP_UNTIL: Final = 100  # then every tenth: after a second nothing changes fast any more
_FIRST_RISE_DB: Final = 1.5  # in a hop, in the first second
_RISE_DB: Final = 0.2  # in a hop; down it may go at once, for the sake of ears
_OUTBURST_LU: Final = 12.0  # above the target, for one hop: no syllable is louder than that
_LOUD_SURPRISE_DB: Final = 2.0  # so far from what was known, and half of the belief in it is gone
_QUIET_SURPRISE_DB: Final = 4.0


@dataclass(frozen=True, slots=True)
class KnownGain:
    """What is known before the first sample: the gain in decibels, and how long to believe it.

    After ``seconds`` of speech what was heard counts as much as what was known.
    """

    decibels: float = 0.0
    seconds: float = 0.1


@dataclass(frozen=True, slots=True)
class GainMemory:
    """What the last takes of one TTS gateway, or of one voice, needed. Its holder replaces it."""

    takes: tuple[float, ...] = ()

    def with_take(self, decibels: float) -> GainMemory:
        """Return the memory with one take more; the oldest is forgotten."""
        return GainMemory((*self.takes, decibels)[-REMEMBERED_TAKES:])

    def known(self) -> KnownGain:
        """Return what the next take will need, as far as that can be said."""
        if not self.takes:
            return KnownGain()
        spread = statistics.pstdev(self.takes)
        count = len(self.takes)
        seconds = 4.0 * count / (count + 0.5) / (1 + (spread / 2) ** 2)
        return KnownGain(statistics.median(self.takes), max(seconds, KnownGain().seconds))


class AutomaticGain:
    """Decides the gain of each hop from the K-weighted energies up to that hop, and from what was known."""

    def __init__(self, known: KnownGain, target: float) -> None:
        self._known = known
        self._target = target
        self._outburst = power_of(target + _OUTBURST_LU)
        self._sums = np.zeros(256)  # of the energies before each hop, from the first sounding one on
        self._count = 0
        self._wanted = self._last = min(known.decibels, MAX_LIFT_DB)

    @property
    def needed(self) -> float:
        """The gain in decibels that would have brought all of it to the target; NaN if nothing was heard."""
        return self._target - self._loudness()[0]

    def next(self, energies: Sums) -> Sums:
        """Return the gains, as factors, for hops with these sums of squares (full scale at 1.0)."""
        powers = energies / HOP_SAMPLES
        sounding = powers > _ABSOLUTE_GATE
        highest = np.full(len(powers), math.inf)
        highest[sounding] = 10 * np.log10(self._outburst / powers[sounding])
        silent_hops = 0 if self._count else int(np.argmax(sounding)) if sounding.any() else len(sounding)
        self._note(energies[silent_hops:])
        decibels = [self._last] * silent_hops + self._decibels(highest[silent_hops:].tolist())
        gains: Sums = 10 ** (np.array(decibels) / 20)
        return gains

    def _decibels(self, limits: list[float]) -> list[float]:
        """Return the gains of the next hops in decibels, none above its limit."""
        decibels, last = [], self._last
        for limit in limits:
            self._count += 1
            is_early = self._count <= _EVERY_HOP_UNTIL
            if is_early or self._count % 10 == 0:
                self._wanted = self._weighed()
            last += _FIRST_RISE_DB if is_early else _RISE_DB
            last = min(last, self._wanted, limit)
            decibels.append(last)
        self._last = last
        return decibels

    def _note(self, energies: Sums) -> None:
        end = self._count + len(energies) + 1
        if end > len(self._sums):
            self._sums = np.concatenate([self._sums, np.zeros(max(end, len(self._sums)))])
        self._sums[self._count + 1 : end] = self._sums[self._count] + np.cumsum(energies)

    def _weighed(self) -> float:
        loudness, seconds = self._loudness()
        if math.isnan(loudness):
            return self._wanted
        difference = self._target - loudness - self._known.decibels
        surprise = difference / (_LOUD_SURPRISE_DB if difference < 0 else _QUIET_SURPRISE_DB)
        believed = self._known.seconds / (1 + surprise**2)
        weight = seconds / (seconds + believed)
        return min(self._known.decibels + weight * difference, MAX_LIFT_DB)

    def _loudness(self) -> tuple[float, float]:
        """Return the integrated loudness so far in LUFS (NaN: nothing heard), and the seconds it rests on."""
        length = min(self._count, _BLOCK_HOPS, max(_SHORTEST_BLOCK_HOPS, self._count // 4))
        if not length:
            return math.nan, 0.0
        step = max(1, length // 4)
        sums = self._sums[: self._count + 1]
        blocks = (sums[length:][::-step] - sums[:-length][::-step]) / (length * HOP_SAMPLES)
        heard = blocks[blocks > _ABSOLUTE_GATE]
        if not len(heard):
            return math.nan, 0.0
        loud = heard[heard > heard.sum() / len(heard) * _RELATIVE_GATE]
        return lufs_of(float(loud.sum()) / len(loud)), len(loud) * step * 0.01
