"""Live gain: the loudness of speech that is heard before all of it is there, and the one limiter."""

from __future__ import annotations

import math
import statistics
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.loudness import PEAK_CEILING, SPEECH_LUFS, KWeighting, lufs_of, power_of

Wave = NDArray[np.float32]
Gains = NDArray[np.float64]

STEP_SAMPLES: Final = 24
"""The grid of the gain, 0.5 ms at 48 kHz."""

LOOKAHEAD_SAMPLES: Final = 192
"""4 ms: what comes out lags behind by this much, and the gain begins to fall so much before a peak."""

_AHEAD: Final = LOOKAHEAD_SAMPLES // STEP_SAMPLES
_FULL: Final = 1 - 1e-9  # full gain, but for what rounding takes away
_RELEASE: Final = 0.0025  # of full gain in a step: from nothing to all in 0.2 s
_BETWEEN: Final = ((np.arange(STEP_SAMPLES) + 0.5) / STEP_SAMPLES).astype(np.float32)


class Limiter:
    """Keeps 48 kHz sound that comes in parts under ``ceiling``; what comes out is as long as what went in."""

    def __init__(self, ceiling: float) -> None:
        self._ceiling = ceiling
        self._waiting = np.zeros(LOOKAHEAD_SAMPLES, np.float32)  # silence in front, so that it sees the start
        self._not_ours = LOOKAHEAD_SAMPLES
        self._needed = np.ones(_AHEAD)  # for each step that waits: the gain that brings it to the ceiling
        self._held = np.ones(_AHEAD)  # the lowest gain within reach, at the last boundaries between steps

    def feed(self, samples: Wave) -> Wave:
        """Take ``samples``, a whole number of steps; return what is ready."""
        self._needed = np.concatenate([self._needed, self._gains_needed(samples)])
        self._waiting = np.concatenate([self._waiting, samples])
        count = len(self._needed) - _AHEAD
        if not count:
            return self._waiting[:0]
        limited, self._waiting = np.split(self._waiting, [count * STEP_SAMPLES])
        if min(self._needed.min(), self._held.min()) < _FULL:
            gains = self._gains_at_boundaries(count).astype(np.float32)
            curve = np.diff(gains)[:, None] * _BETWEEN
            curve += gains[:-1, None]
            limited = limited * curve.reshape(-1)
        self._needed = self._needed[count:]
        ours, self._not_ours = limited[self._not_ours :], max(0, self._not_ours - len(limited))
        return ours

    def finish(self) -> Wave:
        """Return what is left."""
        return self.feed(np.zeros(LOOKAHEAD_SAMPLES, np.float32))

    def _gains_needed(self, samples: Wave) -> Gains:
        """Return for each step of ``samples`` the gain that brings its highest to the ceiling, 1 at most."""
        count = len(samples) // STEP_SAMPLES
        if not count or max(samples.max(), -samples.min()) <= self._ceiling:  # as speech mostly is
            return np.ones(count)
        peaks = np.abs(samples.reshape(-1, STEP_SAMPLES)).max(axis=1).astype(np.float64)
        needed: Gains = self._ceiling / np.maximum(peaks, self._ceiling)
        return needed

    def _gains_at_boundaries(self, count: int) -> Gains:
        """Return the gain at the beginning of ``count`` steps and at the end of the last of them.

        At each boundary the lowest gain of the step before and of all within reach is held, rises slowly,
        and is averaged over less than the reach: so it is never more than the steps beside it can bear.
        """
        lowest = np.lib.stride_tricks.sliding_window_view(self._needed, _AHEAD + 1).min(axis=1)
        rise = _RELEASE * np.arange(1, count + 1)
        held = np.minimum.accumulate(np.concatenate([self._held[-1:], lowest - rise]))[1:] + rise
        all_held = np.concatenate([self._held, held])
        self._held = all_held[-_AHEAD:]
        return np.convolve(all_held, np.full(_AHEAD, 1 / _AHEAD), "valid")


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

    def with_generation(self, decibels: float) -> GainMemory:
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


Samples = NDArray[np.int16]

SILENCE_DBFS: Final = -60.0
"""Nothing below this is heard beside other people in a voice channel."""

LAG_SAMPLES: Final = 2 * HOP_SAMPLES - 1 + LOOKAHEAD_SAMPLES
"""What comes out lags behind by 14 to 24 ms at 48 kHz: whole hops, one ahead, and the limiter."""

FADE_SAMPLES: Final = 480
"""10 ms at both ends: long enough that a cut wave does not click, too short to be heard."""

_OFFSET_HERTZ: Final = 15.0  # below any voice
_DECAY: Final = math.exp(-2 * math.pi * _OFFSET_HERTZ / 48_000)
_POWERS: Final = _DECAY ** np.arange(1, HOP_SAMPLES + 1)
_GROWTH: Final = (1 / _POWERS).astype(np.float32)
_SHARES: Final = ((1 - _DECAY) * _POWERS).astype(np.float32)
_SILENT_POWER: Final = 10 ** (SILENCE_DBFS / 10)
_RAMP: Final = (0.5 - 0.5 * np.cos(np.pi * (np.arange(FADE_SAMPLES) + 0.5) / FADE_SAMPLES)).astype(np.float32)
_LEVELLER_BETWEEN: Final = ((np.arange(HOP_SAMPLES) + 0.5) / HOP_SAMPLES).astype(np.float32)


class Leveller:
    """Takes 48 kHz mono samples (full scale at 1.0) in parts; gives 16-bit samples back, a little later.

    It begins with the gain that is ``known``, and moves towards what it hears. How the samples were cut into
    parts makes no difference.
    """

    def __init__(self, known: KnownGain, *, target: float = SPEECH_LUFS) -> None:
        self._gain = AutomaticGain(known, target)
        self._weighting = KWeighting()
        self._limiter = Limiter(PEAK_CEILING)
        self._rest = np.zeros(0, np.float32)  # less than a hop
        self._offset: float | None = None
        self._ahead: Wave = np.zeros((0, HOP_SAMPLES), np.float32)  # the hop whose next neighbour is unknown
        self._gains = np.zeros(0)  # at the beginning of that hop, and all through it
        self._given = 0
        self._energy, self._count = 0.0, 0
        self.is_audible = False
        """Whether there was anything to be heard so far."""

    @property
    def is_silent(self) -> bool:
        """Whether all of it so far, taken together, is below what can be heard."""
        return self._energy <= self._count * _SILENT_POWER

    @property
    def needed_gain(self) -> float:
        """The gain in decibels that would have been right from the start; NaN if nothing was heard."""
        return self._gain.needed

    def feed(self, samples: Wave) -> Samples:
        """Return what is ready."""
        self._rest = np.concatenate([self._rest, samples])
        whole = len(self._rest) - len(self._rest) % HOP_SAMPLES
        if not whole:
            return np.zeros(0, np.int16)
        hops, self._rest = self._rest[:whole].reshape(-1, HOP_SAMPLES), self._rest[whole:]
        return self._given_out(self._limiter.feed(self._with_gain(self._centred(hops)).reshape(-1)))

    def finish(self) -> Samples:
        """Return what is left; with it, as much as went in has come out."""
        length = len(self._rest)
        hops = np.pad(self._rest, (0, -length % HOP_SAMPLES)).reshape(-1, HOP_SAMPLES)
        levelled = [self._with_gain(self._centred(hops)).reshape(-1), self._last_hop()]
        wave = np.concatenate([self._limiter.feed(np.concatenate(levelled)), self._limiter.finish()])
        wave = wave[: len(wave) - (-length % HOP_SAMPLES)].copy()
        fade = min(FADE_SAMPLES, len(wave))
        wave[len(wave) - fade :] *= _RAMP[:fade][::-1]
        return self._given_out(wave)

    def _centred(self, hops: Wave) -> Wave:
        """Return ``hops`` without what is slower than any voice, such as a constant offset."""
        if not len(hops):
            return hops
        # A running mean that forgets, as a sum over samples that grow as fast as it would forget them.
        grown = hops * _GROWTH
        offset = float(hops[0].mean()) if self._offset is None else self._offset
        for index, total in enumerate(grown.sum(axis=1).tolist()):
            before = offset / (1 - _DECAY)
            grown[index, 0] += before
            offset = (total + before) * float(_SHARES[-1])
        self._offset = offset
        slow = np.cumsum(grown, axis=1, out=grown)
        slow *= _SHARES
        centred: Wave = np.subtract(hops, slow, out=slow)
        powers = np.einsum("hs,hs->h", centred, centred)
        self._energy, self._count = self._energy + float(powers.sum()), self._count + centred.size
        self.is_audible = self.is_audible or float(powers.max()) > HOP_SAMPLES * _SILENT_POWER
        return centred

    def _with_gain(self, hops: Wave) -> Wave:
        """Return the hops before the last of ``hops``, each with a gain that glides to its next one's.

        Where the gain falls it has fallen before the hop that needs it begins.
        """
        if not len(hops):
            return hops
        gains = np.concatenate([self._gains[-1:], self._gain.next(self._weighting.energies(hops))])
        if not len(self._gains):
            gains = np.concatenate([gains[:1], gains])
        boundaries = np.minimum(gains[:-1], gains[1:])
        ready = np.concatenate([self._ahead, hops])[:-1]
        starts = np.concatenate([self._gains[:1], boundaries])[: len(ready) + 1].astype(np.float32)
        self._ahead, self._gains = hops[-1:], np.array([boundaries[-1], gains[-1]])
        curve = np.diff(starts)[:, None] * _LEVELLER_BETWEEN
        curve += starts[:-1, None]
        ready *= curve
        return ready

    def _last_hop(self) -> Wave:
        if not len(self._ahead):
            return np.zeros(0, np.float32)
        start, end = self._gains.tolist()
        last: Wave = (self._ahead[0] * (start + (end - start) * _LEVELLER_BETWEEN)).astype(np.float32)
        return last

    def _given_out(self, wave: Wave) -> Samples:
        if self._given < FADE_SAMPLES:
            wave = wave.copy()
            fade = _RAMP[self._given : self._given + len(wave)]
            wave[: len(fade)] *= fade
        self._given += len(wave)
        scaled = wave * np.float32(32_768)
        np.rint(scaled, out=scaled)
        samples: Samples = np.clip(scaled, -32_768, 32_767, out=scaled).astype(np.int16)
        return samples
