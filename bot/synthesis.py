"""From a request to speech, whole or as it comes: kept from before, shared with others, or made anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from bot.audio.stream import FrameListener
from bot.errors import MemberError
from bot.limits import MAX_SYNTHESES, MAX_SYNTHESES_PER_MEMBER, MAX_UTTERANCES_PER_MEMBER
from bot.models import Progress, ProgressListener, Speech, SpeechRequest, Stage
from bot.takes.cache import SpeechCache
from bot.takes.cache_file import KeptSpeech
from bot.takes.calls import Calls
from bot.takes.experience import Experience
from bot.takes.extra_calls import ExtraCalls
from bot.takes.key import speech_key
from bot.takes.listening import Listening
from bot.takes.one_voice import OneVoice
from bot.takes.plan import Plan
from bot.takes.recital import Recital, Recited
from bot.takes.shared import SharedMaking
from bot.text.segments import segmenter
from bot.tts.client import TTSClient


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants something said, and whose allowance pays for a second try: ``account`` is the server,

    or the member where there is none.
    """

    member_id: int
    account: int


class SpeechMaker:
    """Makes speech for members: a bounded number of calls at once, and a fair share for each.

    ``at_once`` calls run in the whole process, ``per_member`` of them for one member; ``in_hand`` is how
    many requests one member may have under way or waiting. ``source`` stands for the TTS gateway and its
    defaults: what is kept in ``cache`` under another one is not used.
    """

    def __init__(
        self,
        tts: TTSClient,
        cache: SpeechCache,
        *,
        source: str = "",
        at_once: int = MAX_SYNTHESES,
        per_member: int = MAX_SYNTHESES_PER_MEMBER,
        in_hand: int = MAX_UTTERANCES_PER_MEMBER,
    ) -> None:
        self._tts = tts
        self._cache = cache
        self._source = source
        self._experience = Experience()
        self._extra_calls = ExtraCalls()
        self._makings: set[SharedMaking] = set()
        self._shared: dict[str, SharedMaking] = {}
        self._places = asyncio.Semaphore(at_once)
        self._per_member = per_member
        self._member_places: WeakValueDictionary[int, asyncio.Semaphore] = WeakValueDictionary()
        self._in_hand: Counter[int] = Counter()
        self._max_in_hand = in_hand

    async def make(
        self,
        request: SpeechRequest,
        asker: Asker,
        *,
        on_progress: ProgressListener,
        on_frames: FrameListener | None = None,
        seconds_before: float = 0.0,
    ) -> Speech:
        """Return the finished speech, after handing on its Opus frames as they come if somebody listens.

        What it returns is what was handed on. ``seconds_before`` is what the listener hears before it. Equal
        requests get the same speech, made once, unless they ask for a fresh one. An error may come after
        the first frames.

        Raises `TTSError` if the TTS gateway gave no usable audio, and `MemberError` if this member has
        enough in hand already.
        """
        with self._one_in_hand(asker.member_id):
            listening = Listening(None if on_frames is None else seconds_before)
            making = self._making(request, asker, listening)
            return await making.follow(on_frames or _nobody, on_progress)

    async def aclose(self) -> None:
        """Wait until nothing is made or kept any more. Whoever waits for speech has been cancelled before."""
        await asyncio.gather(*(making.wait_ended() for making in self._makings))

    def _making(self, request: SpeechRequest, asker: Asker, listening: Listening) -> SharedMaking:
        key = speech_key(request, self._source)
        shared = self._shared.get(key)
        if shared is not None and not (request.fresh or shared.is_given_up):
            return shared

        def ended(making: SharedMaking) -> None:
            self._makings.discard(making)
            if self._shared.get(key) is making:
                del self._shared[key]

        making = SharedMaking(
            partial(self._make, request, key, asker, listening),
            afterwards=partial(self._keep, key),
            ended=ended,
        )
        self._makings.add(making)
        if not request.fresh:
            self._shared[key] = making
        return making

    async def _make(
        self,
        request: SpeechRequest,
        key: str,
        asker: Asker,
        listening: Listening,
        on_frames: FrameListener,
        on_progress: ProgressListener,
    ) -> Recited:
        kept = None if request.fresh else await self._cache.get(key)
        if kept is not None:
            on_frames(kept.frames)
            return Recited(kept.speech, is_worth_keeping=False)
        calls = Calls(
            self._tts,
            self._experience,
            place=partial(self._place, asker.member_id),
            again=partial(self._extra_calls.take, asker.account),
        )
        plan = Plan(request.text, await segmenter(request.text), self._experience.speed)
        voice = OneVoice(request, calls, self._experience)
        return await Recital(voice, plan, self._experience, listening).perform(on_frames, on_progress)

    async def _keep(self, key: str, recited: Recited, frames: Sequence[bytes]) -> None:
        if recited.is_worth_keeping:
            await self._cache.put(key, KeptSpeech(recited.speech, tuple(frames)))

    @contextmanager
    def _one_in_hand(self, member_id: int) -> Iterator[None]:
        if self._in_hand[member_id] >= self._max_in_hand:
            raise MemberError(
                f"I am already making {self._max_in_hand} things for you. Wait until one of them is done."
            )
        self._in_hand[member_id] += 1
        try:
            yield
        finally:
            self._in_hand[member_id] -= 1
            if not self._in_hand[member_id]:
                del self._in_hand[member_id]

    @asynccontextmanager
    async def _place(self, member_id: int, on_progress: ProgressListener) -> AsyncIterator[None]:
        member_places = self._member_places.setdefault(member_id, asyncio.Semaphore(self._per_member))
        if member_places.locked() or self._places.locked():
            on_progress(Progress(Stage.WAITING))
        async with member_places, self._places:
            yield


def _nobody(frames: Sequence[bytes]) -> None:
    """Hear nothing."""
