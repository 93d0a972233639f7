"""One utterance in the making: segments called for ahead, handed on in order, joined to one speech."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from bot.audio.opus import FRAME_SECONDS
from bot.audio.stream import FrameListener
from bot.errors import TTSError
from bot.limits import MAX_UTTERANCE_SECONDS
from bot.models import Parts, Progress, ProgressListener, Speech, Stage
from bot.takes.experience import Experience
from bot.takes.listening import Listening
from bot.takes.one_voice import OneVoice
from bot.takes.part import Part, pause_between
from bot.takes.script import Script, Turn
from bot.text.segments import Segment

log = logging.getLogger(__name__)

PATIENT_SECONDS: Final = 5.0
"""With this much to be heard before it, a first take is checked whole before any of it is handed on."""

_NEWS_SECONDS: Final = 1.5  # the estimate is told anew this often


@dataclass(frozen=True, slots=True)
class Recited:
    """A finished utterance. ``is_worth_keeping``: it is new and whole, and every take passed its check."""

    speech: Speech
    is_worth_keeping: bool


class _Piece:
    """A segment under way. ``made`` are its seconds once the TTS gateway is done with it."""

    def __init__(self, turn: Turn, began: float) -> None:
        self.turn = turn
        self.segment = turn.segment
        self.began = began
        self.made: float | None = None
        self.handed_on = 0.0
        self.task: asyncio.Task[Part]


class Recital:
    """Makes one utterance: a few calls under way at once, and no more calls than it has segments,

    but for one that may be made again. ``script`` says which of the ``voices`` says what. No segment is added
    to more than ``max_seconds``. Used once.
    """

    def __init__(
        self,
        voices: Sequence[OneVoice],
        script: Script,
        experience: Experience,
        listening: Listening,
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

    async def perform(self, hand_on: FrameListener, on_progress: ProgressListener) -> Recited:
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
        return Recited(speech, all(voice.is_sound for voice in self._voices) and not missing)

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

    def _next_turn(self) -> Turn | None:
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
