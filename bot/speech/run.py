"""Speech run: the segments of one utterance called for ahead, passed on in order, joined to one speech."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.audio.maker import Part, pause_between
from bot.errors import MemberError, TTSError, UsageLimitError
from bot.limits import MAX_UTTERANCE_SECONDS
from bot.models import (
    FRAME_SECONDS,
    Asker,
    Line,
    Parts,
    Progress,
    Speech,
    SpeechRequest,
    SpokenVoice,
    Stage,
    VoiceAccess,
)
from bot.speech.segment_plan import MAX_CALLS_UNHURRIED, LinePlan, NextSegment, PlaybackClock, SegmentPlan
from bot.speech.speaker import SavedReference, SegmentInProgress, Speaker, SpeechResources, TTSRequests
from bot.text.segments import MIN_SECONDS, segmenter

log = logging.getLogger(__name__)

PATIENT_SECONDS: Final = 5.0
"""With this much to be heard before it, a first generation is checked whole before any of it is handed on."""

SPEAKER_PAUSE_SECONDS: Final = 0.35
"""Silence between two lines: longer than after a sentence, shorter than after a paragraph."""


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """Finished utterance. ``is_worth_keeping``: it is whole, and every generation passed its check."""

    speech: Speech
    is_worth_keeping: bool


class SpeechRun:
    """Run of one utterance: a few calls under way at once, and no more calls than it has segments,

    but for one that may be made again. ``plan`` says which of the ``speakers`` says what, ``tempo`` how much
    faster it is heard than it is made. No segment is added to more than ``max_seconds``. Used once.
    """

    def __init__(
        self,
        speakers: Sequence[Speaker],
        plan: SegmentPlan,
        requests: TTSRequests,
        clock: PlaybackClock,
        *,
        tempo: float = 1.0,
        max_seconds: float = MAX_UTTERANCE_SECONDS,
    ) -> None:
        self._speakers = speakers
        self._plan = plan
        self._requests = requests
        self._stats = requests.resources.stats
        self._maker = requests.resources.maker
        self._clock = clock
        self._tempo = tempo
        self._max_seconds = max_seconds
        self._under_way: deque[SegmentInProgress] = deque()
        self._done: list[Part] = []
        self._segments_done = 0
        self._seconds = 0.0
        self._pause = 0.0
        self._rest_is_missing = False
        self._why = ""
        self._changed = asyncio.Event()
        self.result: SpeechResult
        """The whole, after the last frames."""

    async def frames(self) -> AsyncGenerator[Sequence[bytes]]:
        """Yield the frames of the whole as they come, the pauses among them; then there is its `result`.

        An error after the first segment ends it early, see `Speech.rest_is_missing`. Raises `TTSError`, and
        `MemberError` if a voice may not speak any more.
        """
        try:
            self._begin_more()
            while self._under_way and not self._rest_is_missing:
                await self._changed.wait()
                self._changed.clear()
                for frames in self._due():
                    self._clock.add(len(frames) * FRAME_SECONDS)
                    yield frames
                self._begin_more()
        finally:
            await self._drop_all()
        speech = await self._maker.joined(self._done, rest_is_missing=self._rest_is_missing)
        is_preview = any(speaker.is_preview for speaker in self._speakers)
        speech = replace(speech, why=self._why, is_preview=is_preview)
        self._done.clear()  # megabytes, twice
        is_sound = all(speaker.is_sound for speaker in self._speakers)
        is_whole = not (self._rest_is_missing or is_preview)  # a better one is heard once there is one
        self.result = SpeechResult(speech, is_sound and is_whole)

    @property
    def seconds_called(self) -> float:
        """How long the TTS gateway has worked for it so far."""
        return self._requests.seconds_called

    @property
    def progress(self) -> Progress:
        """How far it is now: parts made of about how many."""
        left = self._plan.parts_left(buffered=self._buffered(), in_flight=self._in_flight())
        total = self._segments_done + len(self._under_way) + left
        newest = self._under_way[0].progress if self._under_way else Progress(Stage.MAKING)
        if total <= 1 or (newest.stage is Stage.WAITING and not self._segments_done):
            return newest
        made = self._segments_done + sum(not segment.is_in_flight for segment in self._under_way)
        return Progress(Stage.MAKING, parts=Parts(made, total))

    def _begin_more(self) -> None:
        while not self._rest_is_missing and len(self._in_flight()) < self._stats.speed.ahead:
            taken = self._next_segment()
            if taken is None:
                return
            leads = not self._under_way and not self._segments_done
            before = self._clock.buffered if leads else self._buffered() + sum(self._in_flight())
            segment = SegmentInProgress(
                taken,
                self._changed,
                leads=leads,
                is_live=leads and before < PATIENT_SECONDS,
                is_followed=self._plan.has_more,
                due=asyncio.get_running_loop().time() + before,
            )
            segment.task = asyncio.create_task(self._make(segment))
            self._under_way.append(segment)

    def _next_segment(self) -> NextSegment | None:
        """Return what is to be said next; None if that is nothing, or its voice is still to be found."""
        speaker = self._plan.speaker
        if speaker is None:
            return None
        is_known = self._speakers[speaker].is_known
        if not is_known and any(one.speaker == speaker and one.is_in_flight for one in self._under_way):
            return None
        return self._plan.next(
            buffered=self._buffered(),
            in_flight=self._in_flight(),
            whole_line=not (is_known or self._stats.gives_addresses),
        )

    async def _make(self, segment: SegmentInProgress) -> None:
        try:
            segment.end(await self._speakers[segment.speaker].make(segment, self._plan))
        except Exception as error:
            segment.end(error)

    def _due(self) -> Iterator[Sequence[bytes]]:
        """Yield what can be heard next: of the first segment as it comes, of those behind it when it is over.

        Raises `TTSError` if the first segment of all failed.
        """
        while self._under_way:
            segment = self._under_way[0]
            if len(segment.frames) > segment.passed_on:
                frames = segment.frames[segment.passed_on :]
                segment.passed_on += len(frames)
                yield frames
            if segment.outcome is None:
                return
            self._under_way.popleft()
            if isinstance(segment.outcome, Exception):
                if not (self._done and isinstance(segment.outcome, TTSError | UsageLimitError)):
                    raise segment.outcome
                if isinstance(segment.outcome, UsageLimitError):
                    self._why = str(segment.outcome)
                number = self._segments_done + 1
                log.warning("part %d failed, the rest is left out: %s", number, segment.outcome)
                self._rest_is_missing = True
                return
            yield from self._joined(segment, segment.outcome)
            if self._seconds > self._max_seconds and (self._under_way or self._plan.has_more):
                log.warning("more than %.0f s of speech, the rest is left out", self._max_seconds)
                self._rest_is_missing = True
                return

    def _joined(self, segment: SegmentInProgress, part: Part) -> Iterator[Sequence[bytes]]:
        """Add a part to the whole, and yield what of it and of the pause before it was not passed on yet."""
        if self._done:
            silence = pause_between(self._done[-1], part, self._pause)
            self._done.append(silence)
            yield silence.frames
        if not segment.frames:
            yield part.frames
        self._done.append(part)
        self._segments_done += 1
        self._seconds += part.seconds
        self._pause = segment.segment.pause_after / self._tempo

    def _in_flight(self) -> list[float]:
        """Return about how long the segments that are being made will be heard."""
        return [one.segment.seconds / self._tempo for one in self._under_way if one.is_in_flight]

    def _buffered(self) -> float:
        return self._clock.buffered + sum(segment.seconds_ready for segment in self._under_way)

    async def _drop_all(self) -> None:
        tasks = [segment.task for segment in self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def speech_run_of(
    request: SpeechRequest,
    resources: SpeechResources,
    asker: Asker,
    clock: PlaybackClock,
    access: VoiceAccess | None,
    *,
    max_seconds: float = MAX_UTTERANCE_SECONDS,
) -> SpeechRun:
    """Return the run of ``request``, each line of it in its own voice.

    Raises `MemberError` if it needs too many calls, and ValueError when it has saved voices and no ``access``
    to them.
    """
    lines = request.lines or (Line[SpokenVoice](None, request.text),)
    voices = [line.voice or request.voice for line in lines]
    voices_in_turn = list(dict.fromkeys(voices))
    level: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    requests = TTSRequests(resources, asker)
    speakers = [_speaker_of(request, voice, requests, level, access) for voice in voices_in_turn]
    line_plans = await _line_plans([line.text for line in lines], resources)
    await _check_calls(line_plans)
    numbers = [voices_in_turn.index(voice) for voice in voices]
    plan = SegmentPlan(list(zip(numbers, line_plans, strict=True)))
    return SpeechRun(speakers, plan, requests, clock, tempo=request.tempo, max_seconds=max_seconds)


def _speaker_of(
    request: SpeechRequest,
    voice: SpokenVoice | None,
    requests: TTSRequests,
    level: asyncio.Future[float],
    access: VoiceAccess | None,
) -> Speaker:
    own = replace(request, voice=voice, lines=())
    if voice is None:
        return Speaker(own, requests, level)
    if access is None:
        raise ValueError("a saved voice, and no way to its recording")
    return Speaker(replace(own, reference=None), requests, level, SavedReference(voice, access))


async def _check_calls(line_plans: Sequence[LinePlan]) -> None:
    """Raise `MemberError` if the lines need more calls than one utterance gets."""
    most = sum(1 + plan.seconds_left / MIN_SECONDS for plan in line_plans)
    if most <= MAX_CALLS_UNHURRIED:
        return
    least = await asyncio.to_thread(lambda: sum(plan.least_segments() for plan in line_plans))
    if least > MAX_CALLS_UNHURRIED:
        raise MemberError(
            f"That text is too long: it splits into {least} parts, and the limit is "
            f"{MAX_CALLS_UNHURRIED}. Send it in two, or use longer paragraphs."
        )


async def _line_plans(texts: Sequence[str], resources: SpeechResources) -> list[LinePlan]:
    segmenters = await asyncio.gather(*map(segmenter, texts))
    pauses = [SPEAKER_PAUSE_SECONDS] * (len(texts) - 1) + [0.0]
    return [
        LinePlan(text, cutter, resources.stats.speed, pause_after=pause)
        for text, cutter, pause in zip(texts, segmenters, pauses, strict=True)
    ]
