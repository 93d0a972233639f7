"""One channel of several: the louder one, or a mix, whichever holds one speaker best."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from bot.audio.activity import Activity, activity

Samples = NDArray[np.int16]

_MUCH_LOUDER_DB: Final = 12.0  # the other channel has crosstalk or noise, which a mix would only add
_TURN_DB: Final = 10.0  # so much louder than the other channel: whose turn it is to speak
_TURNS_SHARE: Final = 0.15  # of the speech, on either side
_CANCELS: Final = -0.3  # a correlation below it: one channel is upside down
_SAME: Final = 0.98  # a correlation above it: one recording in two channels
_EVERY: Final = 16  # samples: those between would not change a correlation
_AT_ONCE: Final = 480_000  # samples: 10 s; it bounds the memory, whatever the length
_NAMES: Final = ("left", "right")


@dataclass(frozen=True, slots=True, eq=False)
class OneChannel:
    """Mono samples, and what was done to get them, if a member should know."""

    samples: Samples
    finding: str | None = None


def one_channel(pcm: Samples) -> OneChannel:
    """Return one channel of ``pcm`` (48 kHz, a row of one or two channels for each moment).

    A mix of two is written over ``pcm``: of a long recording a second copy would be 30 MB.
    """
    if pcm.shape[1] == 1:
        return OneChannel(pcm[:, 0])
    sides = list(pcm.T)
    heard = [activity(side) for side in sides]
    louder = 0 if heard[0].speech >= heard[1].speech else 1
    name, other = _NAMES[louder], _NAMES[1 - louder]
    if heard[louder].speech - heard[1 - louder].speech > _MUCH_LOUDER_DB:
        return OneChannel(sides[louder], f"The {other} channel is nearly silent; I used the {name} one.")
    likeness = _correlation(pcm)
    if likeness < _CANCELS:
        return OneChannel(sides[louder], f"The two channels cancel each other out; I used the {name} one.")
    if likeness < _SAME and _take_turns(*heard):
        return OneChannel(
            sides[louder],
            "The left and the right channel seem to hold different people. "
            f"I used the {name} one, which is louder; if that is the wrong one, send the {other} one alone.",
        )
    return OneChannel(_mixed(pcm))


def _mixed(pcm: Samples) -> Samples:
    flat = pcm.reshape(-1)
    for start in range(0, len(pcm), _AT_ONCE):  # what is written is never ahead of what is read
        both = pcm[start : start + _AT_ONCE] // 2
        flat[start : start + len(both)] = both[:, 0] + both[:, 1]
    return flat[: len(pcm)]


def _correlation(pcm: Samples) -> float:
    left, right = (side[::_EVERY].astype(np.float32) for side in pcm.T)
    left, right = left - left.mean(), right - right.mean()
    powers = float(np.square(left).sum()) * float(np.square(right).sum())
    return float((left * right).sum()) / max(math.sqrt(powers), 1.0)


def _take_turns(left: Activity, right: Activity) -> bool:
    speech = (left.speaking | right.speaking).sum()
    difference = left.levels - right.levels
    left_turns = (left.speaking & (difference > _TURN_DB)).sum()
    right_turns = (right.speaking & (difference < -_TURN_DB)).sum()
    return bool(min(left_turns, right_turns) > _TURNS_SHARE * speech)
