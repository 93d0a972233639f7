"""A human in a voice channel who hears what the bot sends, live and as a whole."""

from __future__ import annotations

import asyncio
import time
import wave
from collections.abc import Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Final

import av
import numpy as np

from rehearsal.events import Changes
from rehearsal.voice.dave import SILENCE_FRAME, PersonDave, Unheard, UnheardError
from rehearsal.voice.protocol import RTPHeader


@dataclass(frozen=True, slots=True)
class HeardPacket:
    """A packet of the bot at one listener.

    ``arrival`` is `time.monotonic()` in seconds, ``timestamp`` counts samples of 48 kHz. ``opus`` is
    None when the packet could not be heard, and then ``why`` says for which reason. ``in_clear``: it was
    heard, but nobody had encrypted it end to end.
    """

    ssrc: int
    sequence: int
    timestamp: int
    arrival: float
    opus: bytes | None = field(repr=False)
    why: Unheard | None = None
    in_clear: bool = False

    @property
    def is_speech(self) -> bool:
        """Return whether this could be heard and is more than Opus' silence frame."""
        return self.opus is not None and self.opus != SILENCE_FRAME


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


def wav_of(pcm: bytes) -> bytes:
    """Return 48 kHz mono 16-bit PCM as a WAV."""
    buffer = BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(_SAMPLE_BYTES)
        file.setframerate(RATE)
        file.writeframes(pcm)
    return buffer.getvalue()


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


class Listener:
    """What one human hears in one call. It stays readable after they have left."""

    def __init__(self, user_id: int, dave: PersonDave) -> None:
        self.user_id = user_id
        self.packets: list[HeardPacket] = []
        self.dave = dave
        self.encrypted = True
        self._last_speech = 0.0
        self.changes = Changes()
        """A packet has come, or the keys of the call have."""
        dave.on_ready = self.changes.notify

    @property
    def is_ready(self) -> bool:
        """Return whether whatever the bot sends from now on can be heard."""
        return not self.encrypted or self.dave.is_ready

    @property
    def undecryptable(self) -> int:
        """Return how many packets were lost on this person by the sender's fault.

        What was encrypted for the others before this person came in is no fault: see `too_early`.
        """
        return self.count(Unheard.PLAINTEXT) + self.count(Unheard.WRONG_KEYS)

    @property
    def too_early(self) -> int:
        """Return how many packets were encrypted for the others before this person came in."""
        return self.count(Unheard.TOO_EARLY)

    @property
    def privacy_code(self) -> str | None:
        """Return the call's privacy code as this person's client would show it."""
        return self.dave.privacy_code if self.encrypted else None

    def count(self, why: Unheard) -> int:
        """Return how many packets could not be heard for this reason."""
        return sum(packet.why is why for packet in self.packets)

    def speech(self, *, after: int = 0) -> list[HeardPacket]:
        """Return the packets with more than silence, from the ``after``-th of `packets` on."""
        return [packet for packet in self.packets[after:] if packet.is_speech]

    def pcm(self, *, after: int = 0) -> bytes:
        """Return what was heard from the ``after``-th packet on: 48 kHz mono 16-bit PCM."""
        return pcm_of(self.packets[after:])

    async def wait_until_ready(self, *, timeout: float) -> None:
        """Return once this person has the keys of the call; `TimeoutError` with the state."""
        await self.changes.until(
            lambda: self.is_ready, timeout=timeout, story=lambda: "without the keys of the call"
        )

    async def wait_for_packets(self, count: int, *, timeout: float) -> None:
        """Return once ``count`` packets came in all, heard or not; `TimeoutError` with the state."""
        await self.changes.until(
            lambda: len(self.packets) >= count,
            timeout=timeout,
            story=lambda: f"fewer than {count} packets; {self._summary()}",
        )

    async def wait_for_speech(self, *, timeout: float, after: int = 0) -> HeardPacket:
        """Return the first speech from the ``after``-th packet on, which may be in the past.

        Raises `TimeoutError` that says what was heard instead.
        """
        await self.changes.until(
            lambda: bool(self.speech(after=after)),
            timeout=timeout,
            story=lambda: f"no speech; {self._summary()}",
        )
        return self.speech(after=after)[0]

    async def wait_for_silence(self, *, seconds: float, timeout: float, after: int = 0) -> None:
        """Return once speech was heard (from the ``after``-th packet on) and then none for ``seconds``.

        Raises `TimeoutError` that says what was heard instead.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.wait_for_speech(timeout=timeout, after=after)
                while (left := self._last_speech + seconds - time.monotonic()) > 0:
                    await self.changes.next(left)
        except TimeoutError:
            raise TimeoutError(
                f"no {seconds:g} s of silence within {timeout:g} s; {self._summary()}"
            ) from None

    def hear(self, header: RTPHeader, sender_id: int, payload: bytes, *, in_clear: bool) -> None:
        """Take one packet; ``in_clear`` says that this call has no end-to-end encryption now."""
        opus: bytes | None = None
        why = None
        open_sound = False
        try:
            opus = self.dave.decrypt(sender_id, payload)
        except UnheardError as error:
            opus, why = (payload, None) if in_clear else (None, error.why)
            open_sound = in_clear
        now = time.monotonic()
        packet = HeardPacket(header.ssrc, header.sequence, header.timestamp, now, opus, why, open_sound)
        self.packets.append(packet)
        if packet.is_speech:
            self._last_speech = now
        self.changes.notify()

    def _summary(self) -> str:
        lost = ", ".join(f"{self.count(why)} {why.value}" for why in Unheard)
        return f"{len(self.packets)} packets came, {len(self.speech())} with speech, {lost}"
