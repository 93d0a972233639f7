"""From a request to speech, whole or as it comes: kept from before, shared with others, or made anew."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from weakref import WeakValueDictionary

from bot.audio.opus import speech_from_frames
from bot.audio.stream import FrameListener
from bot.errors import MemberError
from bot.limits import MAX_SYNTHESES, MAX_SYNTHESES_PER_MEMBER, MAX_UTTERANCES_PER_MEMBER
from bot.models import Progress, ProgressListener, Speech, SpeechRequest, Stage, VoiceAccess
from bot.speech.cache import (
    Keeping,
    KeptSpeech,
    SpeechCache,
    member_label,
    recording_label,
    speech_key,
    speech_label,
    voice_label,
)
from bot.speech.job import SharedJob, SpeechResult, speech_run_of
from bot.speech.pacing import Speed
from bot.speech.segment_plan import PlaybackClock
from bot.speech.speaker import RetryBudget, TTSGatewayStats, TTSRequests
from bot.text.labels import excerpt
from bot.tts.client import TTSClient


@dataclass(frozen=True, slots=True)
class Asker:
    """Who wants something said, and whose allowance pays for a second try: ``account`` is the server,

    or the member where there is none.
    """

    member_id: int
    account: int


class SpeechSynthesizer:
    """Makes speech for members: a bounded number of calls at once, and a fair share for each.

    ``at_once`` calls run in the whole process, ``per_member`` of them for one member; ``in_hand`` is how
    many requests one member may have under way or waiting. ``source`` stands for the TTS gateway and its
    defaults: what is kept in ``cache`` under another one is not used. ``speed`` is what is believed of it
    before the first call.
    """

    def __init__(
        self,
        tts: TTSClient,
        cache: SpeechCache,
        *,
        source: str = "",
        speed: Speed | None = None,
        at_once: int = MAX_SYNTHESES,
        per_member: int = MAX_SYNTHESES_PER_MEMBER,
        in_hand: int = MAX_UTTERANCES_PER_MEMBER,
    ) -> None:
        self._tts = tts
        self._cache = cache
        self._source = source
        self._experience = TTSGatewayStats(speed)
        self._extra_calls = RetryBudget()
        self._makings: dict[SharedJob, tuple[SpeechRequest, Keeping]] = {}
        self._shared: dict[str, SharedJob] = {}
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
        access: VoiceAccess | None = None,
    ) -> Speech:
        """Return the finished speech, after handing on its Opus frames as they come if somebody listens.

        What it returns is what was handed on. ``seconds_before`` is what the listener hears before it. Equal
        requests get the same speech, made once, unless they ask for a fresh one. An error may come after
        the first frames. ``access`` is needed for a request with saved voices or a likeness.

        Raises `TTSError` if the TTS gateway gave no usable audio, and `MemberError` if this member has
        enough in hand already, or a voice may not speak or is withdrawn on the way.
        """
        with self._one_in_hand(asker.member_id):
            await _check(request, access)
            listening = PlaybackClock(None if on_frames is None else seconds_before)
            making = self._making(request, asker, listening, access)
            return await making.follow(on_frames or _nobody, on_progress)

    async def withdraw(self, *voice_ids: str) -> None:
        """End everything that is being made with these voices or likenesses, and forget what is kept of them.

        Whoever waits for it gets a `MemberError` that says so. New requests are up to `VoiceAccess`.
        """
        gone, ended = set(voice_ids), []
        for making, (request, _) in self._makings.items():
            for voice in request.voices:
                if voice.id in gone:
                    name = excerpt(voice.name)
                    making.fail(MemberError(f"The voice {name} was withdrawn, so it is silent now."))
                    ended.append(making.wait_ended())
        await asyncio.gather(self._cache.forget(*map(voice_label, voice_ids)), *ended)

    async def made_before(
        self, request: SpeechRequest, frames: Sequence[bytes], *, rest_is_missing: bool
    ) -> Speech:
        """Return the speech that `make` handed on as ``frames``, for whoever did not hold on to it.

        It is the very same while it is kept in the cache, and else what the frames sound like.
        Raises AudioError.
        """
        kept = await self._cache.get(speech_key(request, self._source))
        if kept is not None and kept.frames == tuple(frames):
            return kept.speech
        return await speech_from_frames(frames, rest_is_missing=rest_is_missing)

    def key_of(self, request: SpeechRequest) -> str:
        """Return the word under which the speech of ``request`` is kept; it tells nothing of what it says."""
        return speech_key(request, self._source)

    async def kept(self, key: str) -> KeptSpeech | None:
        """Return the speech that is kept under ``key``, a word of `key_of`."""
        return await self._cache.get(key)

    async def forget(self, key: str) -> None:
        """Throw away the speech that is kept under ``key``."""
        await self._cache.forget(speech_label(key))

    async def forget_member(self, member_id: int) -> None:
        """Throw away all kept speech that this member has asked for."""
        await self._cache.forget(member_label(member_id))

    async def keep_as(self, request: SpeechRequest, again: SpeechRequest, asker: Asker) -> None:
        """Keep the speech of ``request`` for ``again`` too: its take has become the voice of that."""
        making = self._shared.get(self.key_of(request))
        if making is not None:
            await making.wait_ended()
        kept = await self._cache.get(self.key_of(request))
        if kept is not None:
            key = self.key_of(again)
            await self._cache.put(key, kept, self._cache.keeping(_labels(again, asker, key)))

    async def aclose(self) -> None:
        """Wait until nothing is made or kept any more. Whoever waits for speech has been cancelled before."""
        await asyncio.gather(*(making.wait_ended() for making in self._makings))

    def _making(
        self, request: SpeechRequest, asker: Asker, listening: PlaybackClock, access: VoiceAccess | None
    ) -> SharedJob:
        key = speech_key(request, self._source)
        shared = self._shared.get(key)
        if shared is not None and not (request.fresh or shared.is_given_up):
            self._makings[shared][1].add([member_label(asker.member_id)])
            return shared

        def ended(making: SharedJob) -> None:
            self._makings.pop(making, None)
            if self._shared.get(key) is making:
                del self._shared[key]

        keeping = self._cache.keeping(_labels(request, asker, key))
        making = SharedJob(
            partial(self._make, request, key, keeping, asker, listening, access),
            afterwards=partial(self._keep, key, keeping),
            ended=ended,
        )
        self._makings[making] = request, keeping
        if not request.fresh:
            self._shared[key] = making
        return making

    async def _make(
        self,
        request: SpeechRequest,
        key: str,
        keeping: Keeping,
        asker: Asker,
        listening: PlaybackClock,
        access: VoiceAccess | None,
        on_frames: FrameListener,
        on_progress: ProgressListener,
    ) -> SpeechResult:
        kept = None if request.fresh else await self._cache.get(key, keeping)
        if kept is not None:
            on_frames(kept.frames)
            return SpeechResult(kept.speech, is_worth_keeping=False)
        calls = TTSRequests(
            self._tts,
            self._experience,
            place=partial(self._place, asker.member_id),
            again=partial(self._extra_calls.take, asker.account),
        )
        recital = await speech_run_of(request, calls, self._experience, listening, access)
        return await recital.perform(on_frames, on_progress)

    async def _keep(self, key: str, keeping: Keeping, recited: SpeechResult, frames: Sequence[bytes]) -> None:
        if recited.is_worth_keeping:
            await self._cache.put(key, KeptSpeech(recited.speech, tuple(frames)), keeping)

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


async def _check(request: SpeechRequest, access: VoiceAccess | None) -> None:
    for voice in request.voices:
        if access is None:
            raise ValueError("a saved voice, and no way to its recording")
        reason = await access.may_speak(voice)
        if reason is not None:
            raise MemberError(reason)


def _labels(request: SpeechRequest, asker: Asker, key: str) -> list[str]:
    voices = [
        label
        for voice in request.voices
        for label in (voice_label(voice.id), *([recording_label(voice.recording)] if voice.recording else ()))
    ]
    return [member_label(asker.member_id), speech_label(key), *voices]
