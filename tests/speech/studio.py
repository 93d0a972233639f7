"""What a test of takes needs: members who ask, and what they and the TTS gateway got."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path
from typing import Any

from bot.audio.maker import Maker
from bot.models import Asker, Progress, Speech, SpeechRequest, Stage, VoiceAccess
from bot.speech.cache import SpeechCache
from bot.speech.job import SpeechJob
from bot.speech.synthesizer import SpeechSynthesizer
from bot.tts.client import TTSClient
from bot.tts.http import DownloadLimits, RetryPolicy
from rehearsal.faulty_tts_gateway.script import FaultScript

PATIENCE = 30.0
GUILD = 7

TWO_PARTS = (
    "The bird sat on the wire above the yard, and nobody had seen it come. "
    "It listened to the people below, to the bell of the school and to the radio in the kitchen."
)
SENTENCES = (
    f"{TWO_PARTS} In the evening it began to speak, first with one voice, and then with all it had heard. "
    "The children laughed when they knew their own, but the old man at the corner did not laugh at all."
)


class Hearing:
    """One member who waits for speech: the frames and the progress they got, and the speech in the end."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.progress: list[Progress] = []
        self._news = asyncio.Event()

    def hear(self, frames: Sequence[bytes]) -> None:
        self.frames += frames
        self._news.set()

    async def wait_for(self, job: SpeechJob) -> Speech:
        """Hear ``job`` to its end, and ask it often how far it is."""
        watching = asyncio.create_task(self._watch(job))
        try:
            async for frames in job:
                self.hear(frames)
            speech = await job.result()
            self.progress.append(job.progress)
            return speech
        finally:
            watching.cancel()

    async def told(self, stage: Stage) -> None:
        """Return as soon as the progress was at this stage."""
        await self._until(lambda: any(progress.stage is stage for progress in self.progress))

    async def _until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not condition():
                self._news.clear()
                await self._news.wait()

    async def _watch(self, job: SpeechJob) -> None:
        while True:
            self.progress.append(job.progress)
            self._news.set()
            await asyncio.sleep(0.01)

    async def heard(self, frames: int) -> None:
        await self._until(lambda: len(self.frames) >= frames)


class Studio:
    """A speech maker, its TTS gateway, and its cache."""

    def __init__(self, base_url: str, faults: FaultScript, cache: SpeechCache, folder: Path) -> None:
        self.faults = faults
        self.cache = cache
        self.folder = folder
        self.tts = TTSClient(
            base_url, retry=RetryPolicy(base_delay=0), downloads=DownloadLimits(base_delay=0, tries=2)
        )
        self.synthesizer = SpeechSynthesizer(self.tts, cache, Maker())
        self._members = count(1)

    def call_one_by_one(self) -> None:
        """Have calls arrive in the order of their parts from now on, each after the answer to the last."""
        self.synthesizer = SpeechSynthesizer(self.tts, self.cache, Maker(), at_once=1)

    async def aclose(self) -> None:
        await self.synthesizer.aclose()
        await self.tts.aclose()

    async def make(
        self,
        text: str = SENTENCES,
        *,
        hearing: Hearing | None = None,
        aloud: bool = True,
        seconds_before: float = 0.0,
        access: VoiceAccess | None = None,
        **request: Any,
    ) -> Speech:
        """Return the speech that a new member asked for in one server."""
        asker = Asker(next(self._members), GUILD)
        before = seconds_before if aloud else None
        async with asyncio.timeout(PATIENCE):
            with self.synthesizer.submit(
                SpeechRequest(text, **request), asker, seconds_before=before, access=access
            ) as job:
                return await (hearing or Hearing()).wait_for(job) if aloud else await job.result()

    def making(self, text: str = SENTENCES, **options: Any) -> asyncio.Task[Speech]:
        """Begin `make`, and return the task."""
        return asyncio.create_task(self.make(text, **options))

    @property
    def calls(self) -> list[tuple[str, dict[str, Any]]]:
        """Return what the TTS gateway was asked, in order: the endpoint and the fields."""
        return [(request.path.rpartition("/")[2], request.json) for request in self.faults.requests]

    @property
    def texts(self) -> list[str]:
        """Return the texts of all calls."""
        return [fields["text"] for _, fields in self.calls]

    async def called(self, times: int) -> None:
        """Return as soon as so many calls have arrived."""
        async with asyncio.timeout(PATIENCE):
            await self.faults.received(posts=times)
