"""Speech job: segments called for ahead, passed on in order, joined to one speech, and shared."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.audio.opus import FRAME_SECONDS
from bot.audio.stream import FrameListener
from bot.errors import SpeechBotError, TTSError
from bot.limits import MAX_UTTERANCE_SECONDS
from bot.models import (
    Line,
    Parts,
    Progress,
    ProgressListener,
    Speech,
    SpeechRequest,
    SpokenVoice,
    Stage,
    VoiceAccess,
)
from bot.speech.segment_plan import LinePlan, NextSegment, PlaybackClock, SegmentPlan
from bot.speech.speaker import Part, SavedReference, Speaker, TTSGatewayStats, TTSRequests, pause_between
from bot.text.segments import Segment, segmenter

log = logging.getLogger(__name__)

PATIENT_SECONDS: Final = 5.0
"""With this much to be heard before it, a first take is checked whole before any of it is handed on."""

_NEWS_SECONDS: Final = 1.5  # the estimate is told anew this often


@dataclass(frozen=True, slots=True)
class SpeechResult:
    """A finished utterance. ``is_worth_keeping``: it is new and whole, and every take passed its check."""

    speech: Speech
    is_worth_keeping: bool


class _Piece:
    """A segment under way. ``made`` are its seconds once the TTS gateway is done with it."""

    def __init__(self, turn: NextSegment, began: float) -> None:
        self.turn = turn
        self.segment = turn.segment
        self.began = began
        self.made: float | None = None
        self.handed_on = 0.0
        self.task: asyncio.Task[Part]


class SpeechRun:
    """Makes one utterance: a few calls under way at once, and no more calls than it has segments,

    but for one that may be made again. ``script`` says which of the ``voices`` says what. No segment is added
    to more than ``max_seconds``. Used once.
    """

    def __init__(
        self,
        voices: Sequence[Speaker],
        script: SegmentPlan,
        experience: TTSGatewayStats,
        listening: PlaybackClock,
        *,
        max_seconds: float = MAX_UTTERANCE_SECONDS,
    ) -> None:
        self._voices = voices
        self._script = script
        self._experience = experience
        self._listening = listening
        self._max_seconds = max_seconds
        self._under_way: deque[_Piece] = deque()
        self._done: list[Part] = []
        self._segments_done = 0
        self._seconds = 0.0
        self._pause = 0.0
        self._news = asyncio.Event()
        self._last = Progress(Stage.MAKING)

    async def perform(self, hand_on: FrameListener, on_progress: ProgressListener) -> SpeechResult:
        """Return the whole; ``hand_on`` gets its frames as they come, the pauses among them.

        An error after the first segment ends it early, see `Speech.rest_is_missing`. Raises `TTSError`.
        """
        self._hand_on, self._on_progress = hand_on, on_progress
        missing = False
        try:
            self._begin_more()
            while self._under_way and not missing:
                await self._wait_for_news()
                missing = self._take_finished()
                self._begin_more()
                self._tell()
        finally:
            await self._drop_all()
        speech = Speech(b"".join(part.pcm for part in self._done), rest_is_missing=missing)
        self._done.clear()  # megabytes, twice
        return SpeechResult(speech, all(voice.is_sound for voice in self._voices) and not missing)

    def _begin_more(self) -> None:
        while len(self._in_flight()) < self._experience.speed.ahead:
            turn = self._next_turn()
            if turn is None:
                return
            leads = not self._under_way and not self._segments_done
            piece = _Piece(turn, asyncio.get_running_loop().time())
            piece.task = asyncio.create_task(self._make(piece, leads=leads))
            piece.task.add_done_callback(self._wake)
            self._under_way.append(piece)

    def _next_turn(self) -> NextSegment | None:
        """Return what is to be said next; None if that is nothing, or its voice is still to be found."""
        speaker = self._script.speaker
        if speaker is None:
            return None
        if not self._voices[speaker].is_known:
            if any(piece.turn.speaker == speaker and piece.made is None for piece in self._under_way):
                return None
            if not self._experience.keeps_a_voice:
                return self._script.next_line()
        return self._script.next(buffered=self._buffered(), in_flight=self._in_flight())

    async def _make(self, piece: _Piece, *, leads: bool) -> Part:
        if leads or not self._voices[piece.turn.speaker].is_known:
            return await self._first(piece, leads=leads)
        return await self._next(piece)

    async def _first(self, piece: _Piece, *, leads: bool) -> Part:
        def begun(segment: Segment) -> None:
            piece.segment, piece.made = segment, segment.seconds
            self._wake()

        def hand_on(frames: Sequence[bytes]) -> None:
            piece.handed_on += len(frames) * FRAME_SECONDS
            self._pass_on(frames)

        is_urgent = leads and self._listening.buffered < PATIENT_SECONDS
        return await self._voices[piece.turn.speaker].first(
            *(piece.turn, self._script, self._listen_to),
            begun=begun,
            hand_on=hand_on if is_urgent else None,
            leads=leads,
        )

    async def _next(self, piece: _Piece) -> Part:
        def made(seconds: float) -> None:
            piece.made = seconds
            self._wake()

        voice = self._voices[piece.turn.speaker]
        return await voice.next(piece.segment, self._listen_to, made=made)

    def _take_finished(self) -> bool:
        """Hand on what is finished and next; return whether the rest will be missing."""
        while self._under_way and self._under_way[0].task.done():
            piece = self._under_way.popleft()
            try:
                part = piece.task.result()
            except TTSError as error:
                if not self._done:
                    raise
                log.warning("part %d failed, the rest is left out: %s", self._segments_done + 1, error)
                return True
            self._add(piece, part)
            if self._seconds > self._max_seconds and (self._under_way or self._script.has_more):
                log.warning("more than %.0f s of speech, the rest is left out", self._max_seconds)
                return True
        return False

    def _add(self, piece: _Piece, part: Part) -> None:
        if self._done:
            silence = pause_between(self._done[-1], part, self._pause)
            self._done.append(silence)
            self._pass_on(silence.frames)
        if not piece.handed_on:
            self._pass_on(part.frames)
        self._done.append(part)
        self._segments_done += 1
        self._seconds += part.seconds
        self._pause = piece.segment.pause_after

    def _pass_on(self, frames: Sequence[bytes]) -> None:
        self._listening.add(len(frames) * FRAME_SECONDS)
        self._hand_on(frames)

    def _in_flight(self) -> list[float]:
        return [piece.segment.seconds for piece in self._under_way if piece.made is None]

    def _buffered(self) -> float:
        waiting = [piece.made - piece.handed_on for piece in self._under_way if piece.made is not None]
        return self._listening.buffered + sum(max(0.0, seconds) for seconds in waiting)

    def _listen_to(self, progress: Progress) -> None:
        self._last = progress
        self._tell()

    def _tell(self) -> None:
        left = self._script.parts_left(buffered=self._buffered(), in_flight=self._in_flight())
        total = self._segments_done + len(self._under_way) + left
        seconds = self._seconds_left(left)
        is_waiting = self._last.stage is Stage.WAITING and not self._segments_done
        if total <= 1 or is_waiting:
            self._on_progress(replace(self._last, seconds_left=seconds))
        else:
            made = self._segments_done + sum(piece.made is not None for piece in self._under_way)
            self._on_progress(Progress(Stage.MAKING, parts=Parts(made, total), seconds_left=seconds))

    def _seconds_left(self, parts_left: int) -> float | None:
        if not self._experience.has_learnt:
            return None
        now = asyncio.get_running_loop().time()
        speed = self._experience.speed
        calls = [
            max(0.0, speed.expected(piece.segment.seconds) - (now - piece.began))
            for piece in self._under_way
            if piece.made is None
        ]
        return self._script.making_seconds(calls, parts_left)

    def _wake(self, _task: object = None) -> None:
        self._news.set()

    async def _wait_for_news(self) -> None:
        try:
            async with asyncio.timeout(_NEWS_SECONDS):
                await self._news.wait()
        except TimeoutError:
            return
        self._news.clear()

    async def _drop_all(self) -> None:
        tasks = [piece.task for piece in self._under_way]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


SPEAKER_PAUSE_SECONDS: Final = 0.35
"""Silence between two lines: longer than after a sentence, shorter than after a paragraph."""


async def speech_run_of(
    request: SpeechRequest,
    calls: TTSRequests,
    experience: TTSGatewayStats,
    listening: PlaybackClock,
    access: VoiceAccess | None,
) -> SpeechRun:
    """Return the recital of ``request``, each line of it in its own voice.

    Raises ValueError when it has saved voices and no ``access`` to them.
    """
    lines = request.lines or (Line[SpokenVoice](None, request.text),)
    speakers = [line.voice or request.voice for line in lines]
    ensemble = list(dict.fromkeys(speakers))
    level: asyncio.Future[float] = asyncio.get_running_loop().create_future()
    voices = [_voice_of(request, speaker, calls, experience, level, access) for speaker in ensemble]
    plans = await _plans([line.text for line in lines], experience)
    numbers = [ensemble.index(speaker) for speaker in speakers]
    script = SegmentPlan(list(zip(numbers, plans, strict=True)), experience.speed)
    return SpeechRun(voices, script, experience, listening)


def _voice_of(
    request: SpeechRequest,
    speaker: SpokenVoice | None,
    calls: TTSRequests,
    experience: TTSGatewayStats,
    level: asyncio.Future[float],
    access: VoiceAccess | None,
) -> Speaker:
    own = replace(request, voice=speaker, lines=())
    if speaker is None:
        return Speaker(own, calls, experience, level)
    if access is None:
        raise ValueError("a saved voice, and no way to its recording")
    return Speaker(replace(own, reference=None), calls, experience, level, SavedReference(speaker, access))


async def _plans(texts: Sequence[str], experience: TTSGatewayStats) -> list[LinePlan]:
    segmenters = await asyncio.gather(*map(segmenter, texts))
    pauses = [SPEAKER_PAUSE_SECONDS] * (len(texts) - 1) + [0.0]
    return [
        LinePlan(text, cutter, experience.speed, pause_after=pause)
        for text, cutter, pause in zip(texts, segmenters, pauses, strict=True)
    ]


Maker = Callable[[FrameListener, ProgressListener], Awaitable[SpeechResult]]
"""Makes a speech, and hands on its frames in order and its progress on the way."""


class SharedJob:
    """Runs ``make`` once, for everyone who follows it. ``ended`` is called when nothing of it runs any more.

    What follows the making, ``afterwards``, holds nobody up.
    """

    def __init__(
        self,
        make: Maker,
        *,
        afterwards: Callable[[SpeechResult, Sequence[bytes]], Awaitable[None]],
        ended: Callable[[SharedJob], None],
    ) -> None:
        self._frames: list[bytes] = []
        self._progress = Progress(Stage.MAKING)
        self._followers: list[tuple[FrameListener, ProgressListener]] = []
        self._afterwards = afterwards
        self._recited: asyncio.Future[SpeechResult] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._run(make), name="speech")
        self._task.add_done_callback(lambda _task: ended(self))

    @property
    def is_given_up(self) -> bool:
        """Whether everyone has gone before it was finished."""
        return self._recited.cancelled()

    async def follow(self, hand_on: FrameListener, on_progress: ProgressListener) -> Speech:
        """Return the speech, with all its frames to ``hand_on`` first. Raises what the making raises.

        When the last follower is cancelled the making is cancelled too.
        """
        if self._frames:
            hand_on(list(self._frames))
        on_progress(self._progress)
        follower = (hand_on, on_progress)
        self._followers.append(follower)
        try:
            return (await asyncio.shield(self._recited)).speech
        finally:
            self._followers.remove(follower)
            if not self._followers and not self._recited.done():
                self._recited.cancel()
                self._task.cancel()

    def fail(self, error: SpeechBotError) -> None:
        """End it at once: whoever still waits for it gets ``error``, and nothing follows."""
        if not self._recited.done():
            self._recited.set_exception(error)
        self._task.cancel()

    async def wait_ended(self) -> None:
        """Wait until nothing of it runs any more."""
        await asyncio.wait({self._task})

    async def _run(self, make: Maker) -> None:
        try:
            recited = await make(self._hand_on, self._tell)
        except asyncio.CancelledError:
            self._recited.cancel()
            raise
        except Exception as error:
            if self._followers and not self._recited.done():
                self._recited.set_exception(error)
            elif not isinstance(error, SpeechBotError):
                log.exception("the making of speech failed when nobody waited for it any more")
            return
        if not self._recited.done():
            self._recited.set_result(recited)
        await self._afterwards(recited, self._frames)

    def _hand_on(self, frames: Sequence[bytes]) -> None:
        self._frames += frames
        for hand_on, _ in self._followers:
            hand_on(frames)

    def _tell(self, progress: Progress) -> None:
        self._progress = progress
        for _, on_progress in self._followers:
            on_progress(progress)
