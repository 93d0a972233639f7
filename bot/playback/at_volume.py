"""The sound of an utterance on its way into the queue, brought to the volume of its guild."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from bot.audio.volume import FrameAmplifier
from bot.audio.workers import on_a_piece
from bot.errors import AudioError
from bot.limits import FULL_VOLUME
from bot.playback.utterance import Utterance

log = logging.getLogger(__name__)


class AtVolume:
    """What a maker hands the sound of ``utterance`` to, instead of the utterance itself.

    At full volume everything passes at once. Otherwise it is made softer or louder in a worker thread, and
    comes a few milliseconds later, in order.
    """

    def __init__(self, utterance: Utterance, percent: int) -> None:
        self._utterance = utterance
        self._percent = percent
        self._amplifier: FrameAmplifier | None = None
        self._waiting: list[bytes] = []
        self._working: asyncio.Task[None] | None = None

    def append(self, frames: Sequence[bytes]) -> None:
        """Hand over the next 20 ms Opus frames. Too late is no error."""
        if self._percent == FULL_VOLUME:
            self._utterance.append(frames)
            return
        self._waiting += frames
        if self._working is None:
            self._working = asyncio.create_task(self._work(), name=f"volume-{self._utterance.id}")

    async def complete(self) -> None:
        """Note that the sound is whole, and return when all of it is in the queue."""
        if self._working is not None:
            await self._working
        if self._amplifier is not None:
            self._utterance.append(await on_a_piece(self._amplifier.finish))
        self._utterance.complete()

    async def _work(self) -> None:
        if self._amplifier is None:
            self._amplifier = FrameAmplifier(self._percent / FULL_VOLUME)
        while self._waiting:
            frames, self._waiting = self._waiting, []
            try:
                frames = await on_a_piece(self._amplifier.feed, frames)
            except AudioError as error:
                log.error("a sound keeps its volume: %s", error)
            self._utterance.append(frames)
        self._working = None
