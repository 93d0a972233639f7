"""What the times tell at which the voice packets of one utterance arrived."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.models import FRAME_SECONDS

CLOCK: Final = 48_000
"""Of RTP, in hertz."""

_WINDOW: Final = 50  # packets: a second
_SEQUENCES: Final = 1 << 16


@dataclass(frozen=True, slots=True)
class Packet:
    """A voice packet: when it arrived by `time.monotonic`, what its RTP header says, its size in bytes."""

    at: float
    sequence: int
    timestamp: int
    size: int


def lateness(packets: Sequence[Packet]) -> list[float]:
    """Return how much later each packet came than the most punctual of the second before it, in seconds.

    A listener's jitter buffer reckons like that. ``packets`` belong to one utterance: the RTP clock stands
    still between two. Where a sender skips the time that it lost, that counts as late for a second.
    """
    if not packets:
        return []
    offsets = np.array([packet.at - packet.timestamp / CLOCK for packet in packets])
    padded = np.concatenate([np.full(_WINDOW, np.inf), offsets])
    best = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW + 1).min(axis=1)
    return [float(late) for late in offsets - best]


def held_up_seconds(packets: Sequence[Packet]) -> float:
    """Return how much longer than their sound the packets of one utterance took to arrive."""
    if not packets:
        return 0.0
    first, last = packets[0], packets[-1]
    return last.at - first.at - (last.timestamp - first.timestamp) / CLOCK


def longest_silence(packets: Sequence[Packet], *, silent_bytes: int) -> float:
    """Return the longest time between two packets with sound, by the RTP clock, in seconds."""
    sounding = [packet.timestamp for packet in packets if packet.size > silent_bytes]
    return max((int(step) for step in np.diff(sounding)), default=0) / CLOCK


def lost(packets: Sequence[Packet]) -> int:
    """Return how many packets are missing between the first and the last."""
    if not packets:
        return 0
    return (packets[-1].sequence - packets[0].sequence) % _SEQUENCES + 1 - len(packets)


def spoken_seconds(packets: Sequence[Packet], *, silent_bytes: int) -> float:
    """Return how long there was sound, in seconds; a packet of up to ``silent_bytes`` has none."""
    return FRAME_SECONDS * sum(packet.size > silent_bytes for packet in packets)
