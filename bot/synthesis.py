"""From a request to finished speech: the TTS gateway makes it, our own parser checks it."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from weakref import WeakValueDictionary

from bot.audio.speech import speech_from_wav
from bot.errors import AudioError, MemberError, TTSUnusableAudioError
from bot.limits import MAX_SYNTHESES, MAX_SYNTHESES_PER_MEMBER, MAX_UTTERANCES_PER_MEMBER
from bot.models import Progress, ProgressListener, Speech, SpeechRequest, Stage
from bot.tts.client import TTSClient

log = logging.getLogger(__name__)


class SpeechMaker:
    """Makes speech for members: a bounded number at once, and a fair share for each.

    ``at_once`` calls run in the whole process, ``per_member`` of them for one member; ``in_hand`` is how
    many requests one member may have under way or waiting.
    """

    def __init__(
        self,
        tts: TTSClient,
        *,
        at_once: int = MAX_SYNTHESES,
        per_member: int = MAX_SYNTHESES_PER_MEMBER,
        in_hand: int = MAX_UTTERANCES_PER_MEMBER,
    ) -> None:
        self._tts = tts
        self._places = asyncio.Semaphore(at_once)
        self._per_member = per_member
        self._member_places: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._in_hand: Counter[int] = Counter()
        self._max_in_hand = in_hand

    async def make(self, request: SpeechRequest, *, member_id: int, on_progress: ProgressListener) -> Speech:
        """Return the finished speech.

        Raises `TTSError` if the TTS gateway gave no usable audio, and `MemberError` if this member has
        enough in hand already.
        """
        async with self._place(member_id, on_progress):
            on_progress(Progress(Stage.MAKING))
            wav = await self._tts.synthesize(request, on_progress)
            on_progress(Progress(Stage.PREPARING))
            try:
                return await speech_from_wav(wav, text=request.text)
            except AudioError as error:
                raise TTSUnusableAudioError(str(error)) from error

    @asynccontextmanager
    async def _place(self, member_id: int, on_progress: ProgressListener) -> AsyncIterator[None]:
        if self._in_hand[member_id] >= self._max_in_hand:
            raise MemberError(
                f"I am already making {self._max_in_hand} things for you. Wait until one of them is done."
            )
        member_places = self._member_places.setdefault(member_id, asyncio.Semaphore(self._per_member))
        self._in_hand[member_id] += 1
        try:
            if member_places.locked() or self._places.locked():
                on_progress(Progress(Stage.WAITING))
            async with member_places, self._places:
                yield
        finally:
            self._in_hand[member_id] -= 1
            if not self._in_hand[member_id]:
                del self._in_hand[member_id]
