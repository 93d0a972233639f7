"""The takes of one utterance in one voice: that of its reference audio, or else that of its first take."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Final

from bot.audio.loudness import SPEECH_LUFS, speech_loudness
from bot.audio.stream import FrameListener
from bot.errors import AudioError, TTSReferenceError, TTSUnusableAudioError
from bot.models import ProgressListener, ReferenceAudio, Speech, SpeechRequest
from bot.takes.calls import Calls, Heard, NoAddressError
from bot.takes.experience import Experience
from bot.takes.live import Live
from bot.takes.part import Part, part_of, played_part
from bot.takes.plan import Plan
from bot.text.segments import Segment
from bot.tts.spoken import text_with_style

log = logging.getLogger(__name__)

_LOUDNESS_RANGE: Final = 3.0  # LU around that of all speech, should a first take be out of it


class OneVoice:
    """Makes the takes of ``request``, all in one voice.

    The model gives a voice without reference audio only once: it is another one in every call. So the first
    take becomes the reference audio of the others, with its words as the transcript.
    """

    def __init__(self, request: SpeechRequest, calls: Calls, experience: Experience) -> None:
        self._request = request
        self._calls = calls
        self._experience = experience
        self._reference = request.reference
        self._loudness: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self.is_sound = True
        """Whether every take so far has passed its check."""

    @property
    def is_known(self) -> bool:
        """Whether there is a voice for further takes yet."""
        return self._reference is not None

    async def first(
        self,
        segment: Segment,
        plan: Plan,
        on_progress: ProgressListener,
        *,
        begun: Callable[[Segment], None],
        hand_on: FrameListener | None,
    ) -> Part:
        """Return the first part; if somebody waits for it, its frames went to ``hand_on`` as they came.

        As soon as its voice can be used ``begun`` is called with its segment. Where takes have no address
        that is all of the text, and ``plan`` then has nothing left of it. Raises `TTSError`.
        """
        try:
            return await self._first(segment, on_progress, begun, hand_on, has_more=plan.has_more)
        except NoAddressError:
            log.warning("takes have no address to clone a voice from: texts are made in one call each")
            self._experience.keeps_a_voice = False
        return await self._first(plan.whole(), on_progress, begun, hand_on, has_more=False)

    async def next(
        self, segment: Segment, on_progress: ProgressListener, *, made: Callable[[float], None]
    ) -> Part:
        """Return a later part; ``made`` gets its seconds when its call is over. Raises `TTSError`."""
        request = replace(self._request, text=segment.text, reference=self._reference)
        try:
            heard = await self._calls.take(request, segment.seconds, on_progress)
        except TTSReferenceError:
            if self._request.reference is None:  # it cannot fetch what it has made itself
                self._experience.keeps_a_voice = False
            raise
        made(heard.speech.seconds)
        return await self._part(heard, (), await self._loudness)

    async def _first(
        self,
        segment: Segment,
        on_progress: ProgressListener,
        begun: Callable[[Segment], None],
        hand_on: FrameListener | None,
        *,
        has_more: bool,
    ) -> Part:
        def begin(url: str | None) -> None:
            if self._reference is None and url is not None:
                self._reference = ReferenceAudio(url, text_with_style(segment.text, None))
            begun(segment)

        request = replace(self._request, text=segment.text)
        live = Live(begin, hand_on, holds=has_more) if hand_on else None
        needs_address = has_more and self._reference is None
        heard = await self._calls.take(
            *(request, segment.seconds, on_progress), needs_address=needs_address, live=live
        )
        if live is None:
            begin(heard.url)
        part = await self._part(heard, tuple(live.frames) if live else (), None)
        lufs = await speech_loudness(Speech(part.pcm))
        self._loudness.set_result(lufs if abs(lufs - SPEECH_LUFS) <= _LOUDNESS_RANGE else SPEECH_LUFS)
        return part

    async def _part(self, heard: Heard, played: tuple[bytes, ...], lufs: float | None) -> Part:
        self.is_sound = self.is_sound and heard.fault is None
        if played:
            return await played_part(heard.speech, played)
        try:
            return await part_of(heard.speech, lufs=lufs)
        except AudioError as error:
            raise TTSUnusableAudioError(str(error)) from error
