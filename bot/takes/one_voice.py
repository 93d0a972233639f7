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
from bot.takes.references import SavedReference
from bot.takes.script import Script, Turn
from bot.text.segments import Segment
from bot.tts.client import permit
from bot.tts.spoken import text_with_style

log = logging.getLogger(__name__)

_LOUDNESS_RANGE: Final = 3.0  # LU around that of all speech, should a first take be out of it


class OneVoice:
    """Makes takes of parts of ``request``, all in one voice.

    The model gives a voice without reference audio only once: it is another one in every call. So the first
    take becomes the reference audio of the others, with its words as the transcript. With ``saved`` it is
    the voice of that. ``level`` is how loud the parts of the utterance are, in LUFS, those of other voices
    too; it is known when the first of all is there.
    """

    def __init__(
        self,
        request: SpeechRequest,
        calls: Calls,
        experience: Experience,
        level: asyncio.Future[float],
        saved: SavedReference | None = None,
    ) -> None:
        self._request = request
        self._calls = calls
        self._experience = experience
        self._reference = request.reference
        self._level = level
        self._saved = saved
        self.is_sound = True
        """Whether every take so far has passed its check."""

    @property
    def is_known(self) -> bool:
        """Whether there is a voice for further takes yet."""
        return self._saved is not None or self._reference is not None

    async def first(
        self,
        turn: Turn,
        script: Script,
        on_progress: ProgressListener,
        *,
        begun: Callable[[Segment], None],
        hand_on: FrameListener | None = None,
        leads: bool = False,
    ) -> Part:
        """Return the first part in this voice; if it ``leads`` it is the first of all and sets the level.

        If somebody waits for it, its frames went to ``hand_on`` as they came. As soon as its voice can be
        used ``begun`` is called with its segment. Where takes have no address that is all of the line, and
        ``turn.line`` then has nothing left of it. Raises `TTSError`, and what `next` raises.
        """
        needs_address = (
            not self.is_known and self._experience.keeps_a_voice and script.has_more_of(turn.speaker)
        )
        rest = (script, on_progress, begun, hand_on)
        try:
            heard, played = await self._first(turn.segment, *rest, needs_address=needs_address)
        except NoAddressError:
            log.warning("takes have no address to clone a voice from: texts are made in one call each")
            self._experience.keeps_a_voice = False
            heard, played = await self._first(turn.line.whole(), *rest, needs_address=False)
        if not leads:
            return await self._part(heard, played, await self._level)
        part = await self._part(heard, played, None)
        lufs = await speech_loudness(Speech(part.pcm))
        self._level.set_result(lufs if abs(lufs - SPEECH_LUFS) <= _LOUDNESS_RANGE else SPEECH_LUFS)
        return part

    async def next(
        self, segment: Segment, on_progress: ProgressListener, *, made: Callable[[float], None]
    ) -> Part:
        """Return a later part; ``made`` gets its seconds when its call is over.

        Raises `TTSError`, and `MemberError` if a saved voice may not speak any more.
        """
        heard = await self._take(segment, on_progress)
        made(heard.speech.seconds)
        return await self._part(heard, (), await self._level)

    async def _first(
        self,
        segment: Segment,
        script: Script,
        on_progress: ProgressListener,
        begun: Callable[[Segment], None],
        hand_on: FrameListener | None,
        *,
        needs_address: bool,
    ) -> tuple[Heard, tuple[bytes, ...]]:
        def begin(url: str | None) -> None:
            if not self.is_known and url is not None and self._experience.keeps_a_voice:
                self._reference = ReferenceAudio(url, text_with_style(segment.text, None))
            begun(segment)

        live = Live(begin, hand_on, holds=script.has_more) if hand_on else None
        heard = await self._take(segment, on_progress, needs_address=needs_address, live=live)
        if live is None:
            begin(heard.url)
        return heard, tuple(live.frames) if live else ()

    async def _take(
        self,
        segment: Segment,
        on_progress: ProgressListener,
        *,
        needs_address: bool = False,
        live: Live | None = None,
    ) -> Heard:
        saved = self._saved
        while True:
            reference = await saved.audio() if saved else self._reference
            request = replace(self._request, text=segment.text, reference=reference)
            try:
                return await self._calls.take(
                    *(request, segment.seconds, on_progress),
                    needs_address=needs_address,
                    live=live,
                    check=saved.check if saved else permit,
                )
            except TTSReferenceError:
                if saved is not None and reference is not None and await saved.renew(reference):
                    continue
                if saved is None and self._request.reference is None:  # it cannot fetch what it made itself
                    self._experience.keeps_a_voice = False
                raise

    async def _part(self, heard: Heard, played: tuple[bytes, ...], lufs: float | None) -> Part:
        self.is_sound = self.is_sound and heard.fault is None
        if played:
            return await played_part(heard.speech, played)
        try:
            return await part_of(heard.speech, lufs=lufs)
        except AudioError as error:
            raise TTSUnusableAudioError(str(error)) from error
