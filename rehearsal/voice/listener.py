"""A human in a voice channel who hears what the bot sends, and can say what of it was lost."""

from __future__ import annotations

import asyncio
import contextlib
import time
import wave
from pathlib import Path

from rehearsal.voice.heard import HeardPacket
from rehearsal.voice.person_dave import PersonDave, Unheard, UnheardError
from rehearsal.voice.sound import RATE, pcm_of
from rehearsal.voice.transport import RTPHeader


class Listener:
    """What one human hears in one call. It stays readable after they have left."""

    def __init__(self, user_id: int, dave: PersonDave) -> None:
        self.user_id = user_id
        self.packets: list[HeardPacket] = []
        self.dave = dave
        self.encrypted = True
        self._last_speech = 0.0
        self._changed = asyncio.Event()
        dave.on_ready = self._wake

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

    def write_wav(self, path: Path) -> float:
        """Write what was heard to ``path`` and return its length in seconds."""
        pcm = self.pcm()
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(RATE)
            file.writeframes(pcm)
        return len(pcm) / 2 / RATE

    async def wait_until_ready(self, *, timeout: float) -> None:
        """Return once this person has the keys of the call; `TimeoutError` with the state."""
        try:
            async with asyncio.timeout(timeout):
                while not self.is_ready:
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"without the keys of the call after {timeout:g} s") from None

    async def next_change(self) -> None:
        """Return when the next packet has come, or the keys of the call have."""
        await self._changed.wait()

    async def wait_for_packets(self, count: int, *, timeout: float) -> None:
        """Return once ``count`` packets came in all, heard or not; `TimeoutError` with the state."""
        try:
            async with asyncio.timeout(timeout):
                while len(self.packets) < count:
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(
                f"fewer than {count} packets within {timeout:g} s; {self._summary()}"
            ) from None

    async def wait_for_speech(self, *, timeout: float, after: int = 0) -> HeardPacket:
        """Return the first speech from the ``after``-th packet on, which may be in the past.

        Raises `TimeoutError` that says what was heard instead.
        """
        try:
            async with asyncio.timeout(timeout):
                while True:
                    for packet in self.packets[after:]:
                        if packet.is_speech:
                            return packet
                    after = max(after, len(self.packets))
                    await self._changed.wait()
        except TimeoutError:
            raise TimeoutError(f"no speech within {timeout:g} s; {self._summary()}") from None

    async def wait_for_silence(self, *, seconds: float, timeout: float, after: int = 0) -> None:
        """Return once speech was heard (from the ``after``-th packet on) and then none for ``seconds``.

        Raises `TimeoutError` that says what was heard instead.
        """
        try:
            async with asyncio.timeout(timeout):
                await self.wait_for_speech(timeout=timeout, after=after)
                while (left := self._last_speech + seconds - time.monotonic()) > 0:
                    with contextlib.suppress(TimeoutError):
                        await self.wait_for_speech(timeout=left, after=len(self.packets))
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
        self._wake()

    def _wake(self) -> None:
        """Let everyone who waits look again: each waits on the event of its own moment."""
        self._changed.set()
        self._changed = asyncio.Event()

    def _summary(self) -> str:
        return f"{len(self.packets)} packets came, {len(self.speech())} with speech, {self._lost()}"

    def _lost(self) -> str:
        return ", ".join(f"{self.count(why)} {why.value}" for why in Unheard)
