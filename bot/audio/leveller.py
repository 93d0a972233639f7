"""Levels for sound that is heard before all of it is there: no offset, one loudness, no peaks, no clicks."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.automatic_gain import HOP_SAMPLES, AutomaticGain, KnownGain
from bot.audio.k_weighting import KWeighting
from bot.audio.limiter import LOOKAHEAD_SAMPLES, Limiter
from bot.audio.loudness import PEAK_CEILING, SPEECH_LUFS

Wave = NDArray[np.float32]
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
_BETWEEN: Final = ((np.arange(HOP_SAMPLES) + 0.5) / HOP_SAMPLES).astype(np.float32)


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
        curve = np.diff(starts)[:, None] * _BETWEEN
        curve += starts[:-1, None]
        ready *= curve
        return ready

    def _last_hop(self) -> Wave:
        if not len(self._ahead):
            return np.zeros(0, np.float32)
        start, end = self._gains.tolist()
        last: Wave = (self._ahead[0] * (start + (end - start) * _BETWEEN)).astype(np.float32)
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
