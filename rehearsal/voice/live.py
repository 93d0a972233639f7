"""What a listener hears, as sound while it comes in: one Opus packet after the other to PCM."""

from __future__ import annotations

from typing import Final

import av

from rehearsal.voice.heard import HeardPacket
from rehearsal.voice.sound import decode, new_decoder

_SAMPLE_BYTES: Final = 2
_PACKET_SAMPLES: Final = 960
_LOST_SAMPLES: Final = 10 * _PACKET_SAMPLES
"""A longer jump of the clock is a pause between two utterances, not lost packets."""


class LiveSound:
    """Decodes packets in the order of their arrival: 48 kHz mono 16-bit PCM."""

    def __init__(self) -> None:
        self._decoder = new_decoder()
        self._ssrc = -1
        self._next = 0

    def feed(self, packet: HeardPacket) -> bytes:
        """Return the sound of ``packet``, with silence in front of it for packets that were lost.

        A packet that could not be decrypted, or is no Opus, is silence of its length.
        """
        if packet.ssrc != self._ssrc:
            self._ssrc, self._next, self._decoder = packet.ssrc, packet.timestamp, new_decoder()
        ahead = (packet.timestamp - self._next) % (1 << 32)
        lost = ahead if ahead <= _LOST_SAMPLES else 0
        pcm = self._sound(packet)
        self._next = (packet.timestamp + len(pcm) // _SAMPLE_BYTES) % (1 << 32)
        return bytes(lost * _SAMPLE_BYTES) + pcm

    def _sound(self, packet: HeardPacket) -> bytes:
        if packet.opus is not None:
            try:
                return decode(self._decoder, packet.opus)
            except av.FFmpegError:
                pass
        return bytes(_PACKET_SAMPLES * _SAMPLE_BYTES)
