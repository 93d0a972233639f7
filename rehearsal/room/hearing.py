"""One person's ears: what they hear is counted, watched for speech, and passed on as it comes in."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from rehearsal.people import Person
from rehearsal.records import Channel
from rehearsal.voice.dave import Unheard
from rehearsal.voice.listener import HeardPacket, Listener, LiveSound
from rehearsal.wire import Json

_CLOSING_FRAMES: Final = 5
"""So many frames of silence end speech (Discord's documentation, Voice Data Interpolation)."""

PAUSE_SECONDS: Final = 0.4
"""After this long without speech somebody is no longer shown as speaking."""


class Hearing:
    """A listener, followed until `close`; packets that were followed are counted, and not kept.

    ``on_sound`` gets each packet's sound for the page: 8 bytes of its arrival (milliseconds of the Unix
    clock, little-endian double), 4 bytes of its number, 4 bytes of zero, then 48 kHz mono 16-bit PCM.
    ``on_speech`` gets each packet with speech, and whether silence was sent right before it. ``on_keys``
    is called when the keys of the call have come.
    """

    def __init__(
        self,
        person: Person,
        channel: Channel,
        listener: Listener,
        *,
        on_sound: Callable[[Person, bytes], None],
        on_speech: Callable[[Channel, HeardPacket, bool], None],
        on_keys: Callable[[], None],
    ) -> None:
        self.person = person
        self.channel = channel
        self.listener = listener
        self._on_sound = on_sound
        self._on_speech = on_speech
        self._on_keys = on_keys
        self._sound = LiveSound()
        self._silent_frames = 0
        self._packets = 0
        self._in_clear = 0
        self._unheard: Counter[Unheard] = Counter()
        self._task = asyncio.create_task(self._follow(), name=f"hearing-{person.name}")

    async def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _follow(self) -> None:
        packets = self.listener.packets
        while True:
            if not packets:  # then it was not for a packet that we were woken
                self._on_keys()
            for packet in packets:
                self._take(packet)
            packets.clear()
            await self.listener.changes.next()

    def _take(self, packet: HeardPacket) -> None:
        self._packets += 1
        self._in_clear += packet.in_clear
        if packet.why is not None:
            self._unheard[packet.why] += 1
        arrival_ms = (time.time() - time.monotonic() + packet.arrival) * 1000
        head = struct.pack("<dII", arrival_ms, self._packets, 0)
        self._on_sound(self.person, head + self._sound.feed(packet))
        if packet.is_speech:
            self._on_speech(self.channel, packet, self._silent_frames >= _CLOSING_FRAMES)
        self._silent_frames = 0 if packet.is_speech else self._silent_frames + 1

    def report(self, others: list[Hearing]) -> Json:
        """Return what this person knows of the call's encryption; ``others`` are in the same call."""
        listener = self.listener
        return {
            "channel": str(self.channel.id),
            "encrypted": listener.encrypted and listener.is_ready,
            "meant_to_be": listener.encrypted,
            "code": listener.privacy_code,
            "others": [{"name": o.person.name, "code": o.listener.privacy_code} for o in others],
            "packets": self._packets,
            "in_clear": self._in_clear,
            "too_early": self._unheard[Unheard.TOO_EARLY],
            "undecryptable": self._unheard[Unheard.PLAINTEXT] + self._unheard[Unheard.WRONG_KEYS],
        }
