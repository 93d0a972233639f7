"""One person's ears: what they hear is counted, watched for speech, and passed on as it comes in."""

from __future__ import annotations

import asyncio
import contextlib
import struct
import time
from collections.abc import Callable
from typing import Final

from rehearsal.channels import Channel
from rehearsal.people import Person
from rehearsal.voice.heard import HeardPacket
from rehearsal.voice.listener import Listener
from rehearsal.voice.live import LiveSound
from rehearsal.voice.person_dave import Unheard
from rehearsal.wire import Json

_PATIENCE_SECONDS: Final = 3600.0
PAUSE_SECONDS: Final = 0.4
"""After this long without speech somebody is no longer shown as speaking."""


class Hearing:
    """A listener, followed until `close`. ``on_sound`` gets each packet's sound for the page:

    8 bytes of its arrival (milliseconds of the Unix clock, little-endian double), 4 bytes of its number,
    4 bytes of zero, then 48 kHz mono 16-bit PCM.
    """

    def __init__(
        self,
        person: Person,
        channel: Channel,
        listener: Listener,
        *,
        on_sound: Callable[[Person, bytes], None],
        on_speech: Callable[[Channel, float, bool], None],
    ) -> None:
        self.person = person
        self.channel = channel
        self.listener = listener
        self._on_sound = on_sound
        self._on_speech = on_speech
        self._sound = LiveSound()
        self._spoke_at = -1.0
        self._task = asyncio.create_task(self._follow(), name=f"hearing-{person.name}")

    async def close(self) -> None:
        """Stop following."""
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def _follow(self) -> None:
        heard = len(self.listener.packets)
        while True:
            with contextlib.suppress(TimeoutError):
                await self.listener.wait_for_packets(heard + 1, timeout=_PATIENCE_SECONDS)
            new = self.listener.packets[heard:]
            heard += len(new)
            for packet in new:
                self._take(packet)

    def _take(self, packet: HeardPacket) -> None:
        arrival_ms = (time.time() - time.monotonic() + packet.arrival) * 1000
        head = struct.pack("<dII", arrival_ms, len(self.listener.packets), 0)
        self._on_sound(self.person, head + self._sound.feed(packet))
        if packet.is_speech:
            begins = packet.arrival - self._spoke_at > PAUSE_SECONDS
            self._spoke_at = packet.arrival
            self._on_speech(self.channel, packet.arrival, begins)

    def report(self, others: list[Hearing]) -> Json:
        """Return what this person knows of the call's encryption; ``others`` are in the same call."""
        listener = self.listener
        return {
            "channel": str(self.channel.id),
            "encrypted": listener.encrypted and listener.is_ready,
            "meant_to_be": listener.encrypted,
            "code": listener.privacy_code,
            "others": [{"name": o.person.name, "code": o.listener.privacy_code} for o in others],
            "packets": len(listener.packets),
            "in_clear": sum(packet.in_clear for packet in listener.packets),
            "too_early": listener.too_early,
            "undecryptable": listener.count(Unheard.PLAINTEXT) + listener.count(Unheard.WRONG_KEYS),
        }
