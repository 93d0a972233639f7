"""Speech synthesizer: speech for members, kept from before, shared with others, or made anew.

What each asker has in hand is a `SpeechJob`; equal requests share one making, a `SharedJob`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Sequence
from contextlib import aclosing, suppress
from types import TracebackType
from typing import Final, Self

from bot import metrics
from bot.audio.maker import Maker
from bot.errors import MemberError, SpeechBotError
from bot.library.cached_speeches import Keeping, member_label, voice_label
from bot.library.usage import Usage
from bot.limits import MAX_UTTERANCES_PER_MEMBER
from bot.models import Asker, Progress, Speech, SpeechRequest, Stage, VoiceAccess
from bot.speech.cache import SpeechCache, UnfetchedGenerations, labels_of, speech_key
from bot.speech.run import SpeechResult, SpeechRun, speech_run_of
from bot.speech.segment_plan import PlaybackClock, Speed
from bot.speech.speaker import RetryBudget, SpeechResources, TTSGatewayStats
from bot.text.labels import excerpt
from bot.tts.client import TTSClient

log = logging.getLogger(__name__)


class SharedJob:
    """Shared job: one making of speech, for everyone who asked for the same.

    ``key`` is equal for equal requests; ``keeping`` is the leave to keep it in the cache. When nothing of it
    runs any more its ``task`` is over.
    """

    def __init__(self, request: SpeechRequest, key: str, keeping: Keeping) -> None:
        self.request = request
        self.key = key
        self.keeping = keeping
        self.run: SpeechRun | None = None
        self.frames: list[bytes] = []
        """All frames so far."""
        self.speech: Speech | None = None
        """The whole, when it is finished."""
        self.task: asyncio.Task[None]
        self._error: Exception | None = None
        self._is_given_up = False
        self._subscribers = 0
        self._changed = asyncio.Event()

    @property
    def can_be_shared(self) -> bool:
        """Whether another equal request may have the same speech."""
        return not (self.request.fresh or self._is_given_up or self._error or self.task.done())

    @property
    def error(self) -> Exception | None:
        """What has ended it early."""
        return self._error

    @property
    def has_subscribers(self) -> bool:
        """Whether anybody still wants it."""
        return self._subscribers > 0

    def is_finished(self) -> bool:
        """Return whether its speech is there, with all frames. Raises what has ended it early."""
        if self._error is not None:
            raise self._error
        if self._is_given_up:
            raise asyncio.CancelledError
        return self.speech is not None

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self.run.progress if self.run else Progress(Stage.MAKING)

    def subscribe(self) -> None:
        """Count one more who wants it."""
        self._subscribers += 1

    def unsubscribe(self) -> None:
        """Count one less. When the last goes before its end the making ends too."""
        self._subscribers -= 1
        if not self._subscribers and self.speech is None and self._error is None:
            self.give_up()
            self.task.cancel()
        self._wake()

    def give_up(self) -> None:
        """Note that nobody makes it any more."""
        self._is_given_up = True
        self._wake()

    async def changed(self) -> None:
        """Wait until there is something new."""
        await self._changed.wait()

    def add(self, frames: Sequence[bytes]) -> None:
        """Add the next frames."""
        self.frames += frames
        self._wake()

    def finish(self, speech: Speech) -> None:
        """Note that all frames are there, and what they are as a whole."""
        self.speech = speech
        self._wake()

    def end(self, error: Exception) -> None:
        """Note that it failed: after the frames that are there everyone gets ``error``."""
        if self._error is None:
            self._error = error
        self._wake()

    def fail(self, error: SpeechBotError) -> None:
        """End it at once: whoever still waits for it gets ``error``, and nothing follows."""
        if self.speech is None:
            self.frames = []
            self.end(error)
        self.task.cancel()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


_HURRY_SECONDS: Final = 3.0  # who has heard nothing for so long waits for a call, not for us
_LULL_SECONDS: Final = 1.0  # the most that an answer waits for others' first sound


class SharedJobs:
    """Shared jobs under way; equal requests get the same, unless they ask for a fresh one."""

    def __init__(self, resources: SpeechResources, cache: SpeechCache) -> None:
        self._resources = resources
        self._cache = cache
        self._under_way: dict[asyncio.Task[None], SharedJob] = {}
        self._by_key: dict[str, SharedJob] = {}  # the newest of each that others may share
        self._unheard: set[SharedJob] = set()  # somebody listens, and has heard nothing yet
        self._all_heard = asyncio.Event()
        self._all_heard.set()

    @property
    def seconds_today(self) -> float:
        """How many seconds of new speech all servers have had today, for the log."""
        usage = self._resources.usage
        return 0.0 if usage is None else usage.budget.seconds

    def join(
        self, request: SpeechRequest, key: str, asker: Asker, clock: PlaybackClock, access: VoiceAccess | None
    ) -> SharedJob:
        """Return the job that makes ``request``, begun if there is none yet. ``key`` is its key in the cache.

        ``clock`` and ``access`` only count for one that begins.
        """
        shared = self.find(request, key)
        if shared is not None:
            shared.keeping.add([member_label(asker.member_id)])
            return shared
        shared = SharedJob(request, key, self._cache.keeping(key, labels_of(request, asker.member_id)))
        shared.task = asyncio.create_task(self._carry_out(shared, asker, clock, access), name="speech")
        self._under_way[shared.task] = shared
        if shared.can_be_shared:
            self._by_key[key] = shared
        if math.isfinite(clock.buffered):
            self._unheard.add(shared)
            self._all_heard.clear()
            asyncio.get_running_loop().call_later(_HURRY_SECONDS, self._is_heard, shared)
        shared.task.add_done_callback(self._forget)
        return shared

    def find(self, request: SpeechRequest, key: str) -> SharedJob | None:
        """Return the job under way that ``request`` can share, if there is one."""
        return None if request.fresh else self._find(key)

    async def lull(self) -> None:
        """Wait until no listener waits for a first sound, a second at most."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_LULL_SECONDS):
                await self._all_heard.wait()

    async def withdraw(self, *voice_ids: str) -> None:
        """End everything that is being made with these voices or likenesses.

        Whoever waits for it gets a `MemberError` that says so.
        """
        gone, ended = set(voice_ids), []
        for task, shared in self._under_way.items():
            for voice in shared.request.voices:
                if voice.id in gone:
                    name = excerpt(voice.name)
                    shared.fail(MemberError(f"The voice {name} was withdrawn, so I can't use it."))
                    ended.append(task)
        if ended:
            await asyncio.wait(ended)

    async def wait_ended(self) -> None:
        """Wait until all that is under way has ended."""
        if self._under_way:
            await asyncio.wait(set(self._under_way))

    def _find(self, key: str) -> SharedJob | None:
        shared = self._by_key.get(key)
        return shared if shared is not None and shared.can_be_shared else None

    def _is_heard(self, shared: SharedJob) -> None:
        self._unheard.discard(shared)
        if not self._unheard:
            self._all_heard.set()

    def _forget(self, task: asyncio.Task[None]) -> None:
        shared = self._under_way.pop(task)
        self._is_heard(shared)
        if self._by_key.get(shared.key) is shared:
            del self._by_key[shared.key]

    async def _carry_out(
        self, shared: SharedJob, asker: Asker, clock: PlaybackClock, access: VoiceAccess | None
    ) -> None:
        try:
            result = await self._made(shared, asker, clock, access)
        except asyncio.CancelledError:
            shared.give_up()
            raise
        except Exception as error:
            if not shared.has_subscribers and not isinstance(error, SpeechBotError):
                log.exception("the making of speech failed when nobody waited for it any more")
            shared.end(error)
            return
        shared.finish(result.speech)
        if result.is_worth_keeping:
            await self._cache.put(result.speech, shared.keeping)

    async def _made(
        self, shared: SharedJob, asker: Asker, clock: PlaybackClock, access: VoiceAccess | None
    ) -> SpeechResult:
        kept = None if shared.request.fresh else await self._cache.get(shared.key, shared.keeping)
        if kept is not None:
            await check_voices(shared.request, access)
            shared.add(kept.frames)
            self._is_heard(shared)
            return SpeechResult(kept, is_worth_keeping=False)
        run = shared.run = await speech_run_of(shared.request, self._resources, asker, clock, access)
        async with aclosing(run.frames()) as batches:
            async for frames in batches:
                shared.add(frames)
                self._is_heard(shared)
        return run.result


async def check_voices(request: SpeechRequest, access: VoiceAccess | None) -> None:
    """Return if every voice of ``request`` may speak now: asked before speech is given that others had made.

    What is made anew asks in front of each call. Raises `MemberError` with the reason if one may not.
    """
    if access is None:  # there are no such voices in it then
        return
    for voice in request.voices:
        reason = await access.permission_error(voice)
        if reason is not None:
            raise MemberError(reason)


class MemberQuota:
    """Quota of requests that one member may have in hand, under way or waiting."""

    def __init__(self, most: int = MAX_UTTERANCES_PER_MEMBER) -> None:
        self._most = most
        self._in_hand: Counter[int] = Counter()

    def claim(self, member_id: int) -> None:
        """Count one more. Raises `MemberError` if that is too many."""
        if self._in_hand[member_id] >= self._most:
            raise MemberError(
                f"I'm already making {self._most} takes for you. Wait until one of them is done."
            )
        self._in_hand[member_id] += 1

    def release(self, member_id: int) -> None:
        """Count one less."""
        self._in_hand[member_id] -= 1
        if not self._in_hand[member_id]:
            del self._in_hand[member_id]


class SpeechJob:
    """Job of making one speech, for one asker: iterate it for its Opus frames, then it has its `result`.

    Nothing is made before somebody asks for either. Use it in ``with``: whoever leaves that lets go of it,
    and the last to let go of a making ends it. Raises `TTSError` if the TTS gateway gave no usable audio,
    also after the first frames, and `MemberError` if a voice may not speak or is withdrawn on the way.
    """

    def __init__(
        self,
        jobs: SharedJobs,
        quota: MemberQuota,
        request: SpeechRequest,
        key: str,
        asker: Asker,
        clock: PlaybackClock,
        access: VoiceAccess | None,
        asked: float | None = None,
    ) -> None:
        if request.voices and access is None:
            raise ValueError("a saved voice, and no way to its recording")
        quota.claim(asker.member_id)
        self._jobs = jobs
        self._quota = quota
        self._request = request
        self._key = key
        self._asker = asker
        self._clock = clock
        self._access = access
        self._shared: SharedJob | None = None
        self._begun = 0
        self._is_over = False
        self._is_shared = False
        self._asked = time.monotonic() if asked is None else asked
        self._first_sound: float | None = None  # seconds after it was asked for, and the same of the whole
        self._whole: float | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.cancel()

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return self

    async def __anext__(self) -> list[bytes]:
        shared = await self._joined()
        while len(shared.frames) <= self._begun:
            if shared.is_finished():
                raise StopAsyncIteration
            await self._wait(shared)
        frames = shared.frames[self._begun :]
        if self._first_sound is None:
            self._first_sound = time.monotonic() - self._asked
            metrics.sound_began(self._first_sound, is_kept=self.is_kept)
        self._begun += len(frames)
        return frames

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self._shared.progress if self._shared else Progress(Stage.MAKING)

    @property
    def is_kept(self) -> bool:
        """Whether, now that it is finished, nothing was made for it: it was kept from before."""
        return self._shared is not None and self._shared.run is None

    async def result(self) -> Speech:
        """Return the finished speech; it is what all its frames sound like."""
        shared = await self._joined()
        while not shared.is_finished():
            await self._wait(shared)
        assert shared.speech is not None, "it is finished"  # noqa: S101
        self._whole = self._whole or time.monotonic() - self._asked
        return shared.speech

    def cancel(self) -> None:
        """Let go of it; whoever still waits for it is cancelled. A second call does nothing."""
        if self._is_over:
            return
        self._is_over = True
        self._quota.release(self._asker.member_id)
        if self._shared is not None:
            self._note_end(self._shared)
            self._shared.unsubscribe()
            self._shared = None

    def _note_end(self, shared: SharedJob) -> None:
        """Count how it ended, and log what a whole one took: never a word of what is said."""
        voice, speech = self._request.voice_kind, shared.speech
        if speech is None:
            metrics.generation_failed(voice, shared.error)
            return
        whole = self._whole or time.monotonic() - self._asked
        metrics.generation_ended(voice, whole, speech.seconds, is_kept=self.is_kept)
        where = f"server {self._asker.account}"
        log.info(
            "%s: %.1f s of speech, voice: %s, %s in %.2f s: calls %.2f s, first sound %s, today %.0f s",
            "private" if self._asker.account == self._asker.member_id else where,
            *(speech.seconds, voice),
            "kept" if self.is_kept else "shared" if self._is_shared else "made",
            *(whole, shared.run.seconds_called if shared.run and not self._is_shared else 0.0),
            "none" if self._first_sound is None else f"{self._first_sound:.2f} s",
            self._jobs.seconds_today,
        )

    async def _joined(self) -> SharedJob:
        """Return the making that this one has joined or begun."""
        if self._shared is None and self._jobs.find(self._request, self._key) is not None:
            await check_voices(self._request, self._access)
        if self._is_over:
            raise asyncio.CancelledError
        if self._shared is None:  # or it was joined meanwhile, by whoever waits for the result
            self._is_shared = self._jobs.find(self._request, self._key) is not None
            self._shared = self._jobs.join(self._request, self._key, self._asker, self._clock, self._access)
            self._shared.subscribe()
        return self._shared

    async def _wait(self, shared: SharedJob) -> None:
        try:
            await shared.changed()
        except asyncio.CancelledError:
            self.cancel()
            raise
        if self._is_over:
            raise asyncio.CancelledError


class SpeechSynthesizer:
    """Synthesizer of speech for members, with the same TTS gateway, cache and maker for all of them.

    ``in_hand`` is how many requests one member may have under way or waiting. ``source`` stands for the TTS
    gateway and its defaults: what is kept in ``cache`` under another one is not used. ``speed`` is what is
    believed of it before the first call. ``usage`` counts what the TTS gateway is asked for.
    """

    def __init__(
        self,
        tts: TTSClient,
        cache: SpeechCache,
        maker: Maker,
        *,
        source: str = "",
        speed: Speed | None = None,
        in_hand: int = MAX_UTTERANCES_PER_MEMBER,
        usage: Usage | None = None,
    ) -> None:
        self._cache = cache
        self._source = source
        self._unfetched = UnfetchedGenerations()
        retries = RetryBudget()
        resources = SpeechResources(tts, maker, TTSGatewayStats(speed), retries, self._unfetched, usage)
        self._jobs = SharedJobs(resources, cache)
        self._quota = MemberQuota(in_hand)

    def submit(
        self,
        request: SpeechRequest,
        asker: Asker,
        *,
        access: VoiceAccess | None = None,
        seconds_before: float | None = None,
        asked: float | None = None,
    ) -> SpeechJob:
        """Return the job of making ``request``, to be used in ``with`` and iterated for its Opus frames.

        Equal requests get the same speech, made once, unless they ask for a fresh one. ``seconds_before`` is
        what the listener hears before it; None: nobody listens, it becomes a file. ``access`` is needed for
        a request with saved voices or a likeness. ``asked`` is when it was asked for, by the monotonic clock,
        if that was earlier: the first sound is timed from then on. Raises `MemberError` if this member has
        enough in hand.
        """
        clock = PlaybackClock(seconds_before)
        key = self.key_of(request)
        return SpeechJob(self._jobs, self._quota, request, key, asker, clock, access, asked)

    async def lull(self) -> None:
        """Wait until no listener of any server waits for a first sound, a second at most.

        Whatever can wait and takes a while is done behind this: when a hundred ask at once, the files of
        some would else be made and sent before others hear anything.
        """
        await self._jobs.lull()

    async def withdraw(
        self, *voice_ids: str, members: Collection[str] = (), speeches: Collection[str] = ()
    ) -> None:
        """End everything that is being made with these voices or likenesses, and forget what is kept of them.

        ``speeches`` are the keys of what is forgotten too, ``members`` labels of whom it was for. Whoever
        waits for it gets a `MemberError` that says so. New requests are up to `VoiceAccess`.
        """
        labels = [*(voice_label(one) for one in voice_ids), *members]
        forgetting = self._cache.forget(labels, speeches)
        try:
            await asyncio.gather(forgetting, self._jobs.withdraw(*voice_ids))
        finally:  # after the jobs, one of which may just have failed
            self._unfetched.forget_all(voice_ids=voice_ids, members=members)

    def forget_member(self, member_id: int) -> None:
        """Forget where what this member asked for lies, if it could not be fetched."""
        self._unfetched.forget_all(members=[member_label(member_id)])

    async def made_before(
        self, request: SpeechRequest, frames: Sequence[bytes], *, rest_is_missing: bool
    ) -> Speech:
        """Return the speech of a job that gave these ``frames``, for whoever did not hold on to it.

        It is the very same while it is kept in the cache, and else what the frames sound like.
        """
        kept = await self.kept(self.key_of(request))
        if kept is not None and kept.frames == tuple(frames):
            return kept
        return Speech(tuple(frames), rest_is_missing)

    def key_of(self, request: SpeechRequest) -> str:
        """Return the word under which the speech of ``request`` is kept; it tells nothing of what it says."""
        return speech_key(request, self._source)

    async def kept(self, key: str) -> Speech | None:
        """Return the speech that is kept under ``key``, a word of `key_of`."""
        return await self._cache.get(key)

    async def forget(self, key: str) -> None:
        """Throw away the speech that is kept under ``key``."""
        await self._cache.forget(keys=[key])

    async def aclose(self) -> None:
        """Wait until nothing is made or kept any more. Whoever waits for speech has been cancelled before."""
        await self._jobs.wait_ended()
        await self._cache.settled()
