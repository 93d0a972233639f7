"""What a listener heard, as sound: Opus packets to PCM by their RTP timestamps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import av
import numpy as np

from rehearsal.voice.heard import HeardPacket

RATE: Final = 48_000
_SAMPLE_BYTES: Final = 2
_TIMESTAMPS: Final = 1 << 32
_LONGEST_GAP: Final = 30 * RATE
"""A longer jump of the clock is no gap in somebody's speech; the sound goes on after this much."""


def pcm_of(packets: Sequence[HeardPacket]) -> bytes:
    """Return 48 kHz mono 16-bit PCM that begins with the first packet that could be heard.

    Sound stands where its RTP timestamp says, lost packets are silence, and the sound of a new
    connection (another SSRC) follows the one before at the distance of their arrivals.
    """
    sound = bytearray()
    decoder = new_decoder()
    ssrc, timestamp, position, arrival = -1, 0, 0, 0.0
    for packet in packets:
        if packet.opus is None:
            continue
        if packet.ssrc != ssrc:
            pause = round((packet.arrival - arrival) * RATE) if ssrc >= 0 else 0
            position += min(max(pause, 0), _LONGEST_GAP)
            ssrc = packet.ssrc
            decoder = new_decoder()
        else:
            ahead = (packet.timestamp - timestamp) % _TIMESTAMPS
            position += min(ahead, _LONGEST_GAP) if ahead < _TIMESTAMPS // 2 else ahead - _TIMESTAMPS
        timestamp, arrival = packet.timestamp, packet.arrival
        _lay(sound, position, decode(decoder, packet.opus))
    return bytes(sound)


def _lay(sound: bytearray, position: int, pcm: bytes) -> None:
    """Put ``pcm`` at sample ``position``; what lies before the beginning is cut off."""
    start = position * _SAMPLE_BYTES
    if start < 0:
        pcm, start = pcm[-start:], 0
    if len(sound) < start:
        sound.extend(bytes(start - len(sound)))
    sound[start : start + len(pcm)] = pcm


def new_decoder() -> av.AudioCodecContext:
    """Return a decoder for the packets of one sender."""
    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate = RATE
    decoder.layout = "mono"
    return decoder


def decode(decoder: av.AudioCodecContext, opus: bytes) -> bytes:
    """Return the PCM of the next packet; `av.FFmpegError` when it is no Opus."""
    frames = decoder.decode(av.Packet(opus))
    return b"".join(np.ascontiguousarray(frame.to_ndarray()).astype("<i2").tobytes() for frame in frames)
