"""Speaker: one voice in one utterance, its reference, its calls, and a bad generation made again."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Final

from bot.audio.maker import IncomingSpeech, Maker, Part
from bot.errors import (
    AudioError,
    MemberError,
    TTSError,
    TTSFetchError,
    TTSReferenceError,
    TTSSavedVoiceError,
    TTSStatusError,
    TTSUnreachableError,
    TTSUnusableAudioError,
    UsageLimitError,
)
from bot.library.usage import Charge, Reservations, Usage
from bot.limits import MAX_EXTRA_CALLS_PER_HOUR
from bot.models import (
    FRAME_SECONDS,
    Asker,
    Progress,
    ReferenceAudio,
    SpeechRequest,
    SpokenVoice,
    Stage,
    VoiceAccess,
)
from bot.speech.cache import UnfetchedGenerations
from bot.speech.segment_plan import Call, NextSegment, SegmentPlan, Speed
from bot.tts.call_queue import CallPriority
from bot.tts.client import CallGate, TTSCall, TTSClient
from bot.tts.download import AudioDownload
from bot.tts.wire import text_with_style

log = logging.getLogger(__name__)

_VOICES: Final = 64  # whose recordings are remembered, as many as our own TTS gateway keeps


class TTSGatewayStats:
    """Statistics of one TTS gateway; all utterances learn and use them together.

    ``speed`` is how fast it makes speech. Without ``gives_addresses`` it cannot clone a voice from what it
    made itself: a line in a voice without a reference is one call then, as no other call would have the same
    voice.
    """

    def __init__(self, speed: Speed | None = None) -> None:
        self.speed = speed or Speed()
        self.gives_addresses = True
        self._has_learnt = False
        self._cloned: dict[str, float] = {}

    def is_new(self, reference: ReferenceAudio | None, began: float = math.inf) -> bool:
        """Return if no voice was cloned from this recording before ``began``, as far as is known."""
        return reference is not None and self._cloned.get(reference.url, math.inf) >= began

    def expected(self, seconds: float, reference: ReferenceAudio | None) -> float | None:
        """Return how long a call for so much sound should take; None while nothing is known."""
        if not self._has_learnt:
            return None
        return self.speed.expected(seconds) + (self.speed.new_voice if self.is_new(reference) else 0.0)

    def learn(self, began: float, ended: float, seconds: float, reference: ReferenceAudio | None) -> None:
        """Take a finished call into account. Calls are given in the order in which they ended."""
        self.speed.learn(Call(began, ended, seconds, self.is_new(reference, began)))
        self._has_learnt = True
        if reference is not None:
            self._cloned.setdefault(reference.url, ended)
            while len(self._cloned) > _VOICES:
                del self._cloned[next(iter(self._cloned))]


_HOUR: Final = 3600.0


class RetryBudget:
    """Retry budget of each account, a server or a person in private; it fills up again within the hour."""

    def __init__(
        self, *, per_hour: int = MAX_EXTRA_CALLS_PER_HOUR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._spent: dict[int, deque[float]] = {}

    def spend(self, account: int) -> bool:
        """Use one extra call of ``account``; return False if it has none left."""
        now = self._clock()
        self._forget(now)
        spent = self._spent.setdefault(account, deque())
        if len(spent) < self._per_hour:
            spent.append(now)
            return True
        return False

    def _forget(self, now: float) -> None:
        for account, spent in list(self._spent.items()):
            while spent and spent[0] <= now - _HOUR:
                spent.popleft()
            if not spent:
                del self._spent[account]


@dataclass(frozen=True, slots=True)
class SpeechResources:
    """Resources that all utterances share: the TTS gateway, what is known of it, and the maker of sound.

    ``usage`` counts the calls; None: nobody does.
    """

    tts: TTSClient
    maker: Maker
    stats: TTSGatewayStats
    retries: RetryBudget
    unfetched: UnfetchedGenerations
    usage: Usage | None = None


@dataclass(frozen=True, slots=True)
class SegmentAudio:
    """Audio of a segment, all there; it may have a defect although it is used."""

    speech: IncomingSpeech
    url: str | None
    is_preview: bool = False

    @property
    def defect(self) -> str | None:
        """What is wrong with it, for the log."""
        return self.speech.checked.defect


class CallBudget:
    """Budget of one call, as its gate: what it may cost is reserved in front of it, behind the voice's gate.

    Tries that were surely not carried out are the same call. After it, it is settled once.
    """

    def __init__(
        self, reservations: Reservations, seconds: float, gate: CallGate | None, voice_id: str | None
    ) -> None:
        self._reservations = reservations
        self._seconds = seconds
        self._gate = gate
        self._voice_id = voice_id
        self._charge: Charge | None = None

    async def check(self) -> None:
        """Return if the call may be made. Raises `UsageLimitError`, and what the gate of the voice raises."""
        async with self._reservations.turn:  # with the gate in it: behind that a later part could be first
            if self._gate is not None:
                await self._gate.check()
            if self._charge is None:
                self._charge = await self._reservations.reserve(self._seconds, self._voice_id)

    def settle(self, seconds: float | None = None) -> None:
        """Count ``seconds``, or where nobody knows how many it has made, as many as were reserved."""
        if self._charge is not None:
            self._charge.settle(seconds)

    def failed(self, error: TTSError) -> None:
        """Release what a refusal does not cost; what was sent and never answered may have been billed."""
        if self._charge is not None:
            is_free = isinstance(error, TTSStatusError | TTSUnreachableError)
            was_called = not isinstance(error, TTSUnreachableError)
            self._charge.settle(0.0 if is_free else None, was_called=was_called)


class TTSRequests:
    """Requests of one utterance to the TTS gateway; one bad generation in all of them is made again."""

    def __init__(self, resources: SpeechResources, asker: Asker) -> None:
        self.resources = resources
        self._asker = asker
        self._reservations = Reservations(resources.usage, asker)
        self._has_repeated = False
        self.seconds_called = 0.0
        """How long the TTS gateway worked on what it has answered so far, one call added to the other."""

    def budget(self, request: SpeechRequest, gate: CallGate | None, seconds: float) -> CallBudget:
        """Return the budget of a call for ``seconds`` of ``request``, whose voice has this ``gate``."""
        voice_id = None if request.voice is None else request.voice.id
        return CallBudget(self._reservations, seconds, gate, voice_id)

    def call(self, request: SpeechRequest, gate: CallGate | None, segment: SegmentInProgress) -> TTSCall:
        """Return the call that makes ``segment`` of ``request``."""
        stats, reference, seconds = self.resources.stats, request.reference, segment.segment.seconds
        return TTSCall(
            request,
            gate,
            priority=CallPriority(self._asker.account, self._asker.member_id, segment.due, segment.is_live),
            seconds=None if stats.is_new(reference) else seconds,
            expected=stats.expected(seconds, reference),
        )

    async def open(self, call: TTSCall, seconds: float, budget: CallBudget) -> AudioDownload:
        """Return the generation of ``call``, which should sound for ``seconds``.

        Raises `TTSError`, and what its gate raises.
        """
        try:
            download = await self.resources.tts.open(call)
        except TTSError as error:
            budget.failed(error)
            raise
        except BaseException:
            budget.settle()
            raise
        ended = asyncio.get_running_loop().time()
        self.seconds_called += ended - call.began
        self.resources.stats.learn(call.began, ended, seconds, call.request.reference)
        return download

    def find_unfetched(self, request: SpeechRequest) -> AudioDownload | None:
        """Return the download of what was made for ``request`` before and could not be fetched then."""
        url = self.resources.unfetched.find(request, self._asker.member_id)
        return None if url is None else self.resources.tts.download(url)

    def note_unfetched(self, request: SpeechRequest, url: str | None) -> None:
        """Note that what was made for ``request`` could not be fetched."""
        if url is not None:
            self.resources.unfetched.keep(request, self._asker.member_id, url)

    def note_fetched(self, request: SpeechRequest) -> None:
        """Note that it was fetched, whatever it turned out to be."""
        self.resources.unfetched.forget(request, self._asker.member_id)

    def may_repeat(self) -> bool:
        """Return whether one more call is paid for, and note it; it is asked once at most."""
        allowed = not self._has_repeated and self.resources.retries.spend(self._asker.account)
        self._has_repeated = True
        return allowed


class SegmentRequest:
    """Request for one segment: iterate it for the frames that are heard as they come, then it has `audio`.

    If the segment is not live there are no such frames: its generation is checked whole before anyone hears
    it. A bad one is made again, unless some of it was heard.
    """

    def __init__(
        self,
        requests: TTSRequests,
        request: SpeechRequest,
        segment: SegmentInProgress,
        gate: CallGate | None,
    ) -> None:
        self._requests = requests
        self._request = request
        self._segment = segment
        self._gate = gate
        self._budget = requests.budget(request, gate, segment.segment.seconds)
        self._call = requests.call(request, self._budget, segment)
        self._download: AudioDownload | None = None
        self._incoming: IncomingSpeech | None = None
        self.audio: SegmentAudio
        """The whole, after the last frames."""

    @property
    def progress(self) -> Progress:
        """How far its newest call is."""
        incoming = self._incoming
        return Progress(Stage.FETCHING, incoming.fraction) if incoming else Progress(self._call.stage)

    @property
    def url(self) -> str | None:
        """The address of the generation that is being fetched, if it has one."""
        return self._download.url if self._download else None

    async def open(self) -> AudioDownload:
        """Return as soon as the generation is made; nothing is fetched yet. Raises as `frames` does."""
        seconds = self._segment.segment.seconds
        self._budget = self._requests.budget(self._request, self._gate, seconds)
        self._call = self._requests.call(self._request, self._budget, self._segment)
        self._incoming = None
        self._download = self._requests.find_unfetched(self._request)
        if self._download is None:
            self._download = await self._requests.open(self._call, seconds, self._budget)
        elif self._gate is not None:
            await self._gate.check()
        return self._download

    def drop(self) -> None:
        """Use nothing of what was made; it counts all the same."""
        self._budget.settle()

    async def frames(self) -> AsyncGenerator[list[bytes]]:
        """Yield the frames that are heard as they come. Raises `TTSError`; and what the gate raises."""
        usable: SegmentAudio | TTSUnusableAudioError | None = None
        while True:
            try:
                download = self._download or await self.open()
            except UsageLimitError:
                if usable is None:
                    raise
                break  # the one with a defect is better than none
            made: SegmentAudio | TTSUnusableAudioError
            was_heard = False
            try:
                incoming = self._incoming = self._requests.resources.maker.start(
                    download,
                    text=self._request.text,
                    is_live=self._segment.is_live,
                    buffered=self._segment.buffered,
                    drops_silent_end=self._segment.is_followed,
                    tempo=self._request.tempo,
                )
                async with aclosing(incoming):
                    async for frames in incoming:
                        was_heard = True
                        yield frames
                made = SegmentAudio(incoming, self.url, download.is_preview)
                self._budget.settle(incoming.checked.seconds)
            except AudioError as error:
                made = TTSUnusableAudioError(str(error))
            except TTSFetchError:
                self._requests.note_unfetched(self._request, self.url)
                raise
            finally:
                self._budget.settle()  # as far as it is known, if not yet
            self._requests.note_fetched(self._request)
            if isinstance(made, SegmentAudio) or not isinstance(usable, SegmentAudio):
                usable = made
            if not self._is_made_again(made, was_heard=was_heard):
                break
            self._download = None
        if isinstance(usable, TTSUnusableAudioError):
            raise usable
        self.audio = usable

    def _is_made_again(self, made: SegmentAudio | TTSUnusableAudioError, *, was_heard: bool) -> bool:
        """Return whether another generation shall be made, and log what is wrong with this one."""
        defect = made.defect if isinstance(made, SegmentAudio) else str(made)
        if defect is None:
            return False
        if was_heard:
            log.warning("a bad generation was heard already: %s", defect)
            return False
        allowed = self._requests.may_repeat()
        remedy = "made again" if allowed else "and no call left for another"
        log.warning("a bad generation, %s: %s", remedy, defect)
        return allowed


class SavedReference:
    """Reference audio of one saved voice, or of a likeness, in one utterance.

    All calls of the utterance have the same address. That of a saved voice is replaced once, should the TTS
    gateway not be able to use it.
    """

    def __init__(self, voice: SpokenVoice, access: VoiceAccess) -> None:
        self._voice = voice
        self._access = access
        self._audio: ReferenceAudio | None = None
        self._was_renewed = False
        self._lock = asyncio.Lock()

    @property
    def is_kept(self) -> bool:
        """Whether its recording is kept here; that of a likeness lies where its member has put it."""
        return self._voice.url is None

    async def check(self) -> None:
        """Return if the voice may speak now. Raises `MemberError` with the reason if not."""
        reason = await self._access.permission_error(self._voice)
        if reason is not None:
            raise MemberError(reason)

    async def audio(self) -> ReferenceAudio:
        """Return its recording as the TTS gateway can have it now. Raises `MemberError`."""
        async with self._lock:
            if self._audio is None:
                self._audio = self._members_own() or await self._access.reference(self._voice)
            return self._audio

    async def renew(self, refused: ReferenceAudio) -> bool:
        """Return whether there is another address than that of ``refused``; if need be, a fresh one.

        Raises `MemberError`.
        """
        async with self._lock:
            if self._audio is not refused:  # another call has renewed it already
                return True
            if self._was_renewed or not self.is_kept:
                return False
            self._was_renewed = True
            log.info("the TTS gateway could not use a reference; it gets a fresh address once")
            self._audio = await self._access.renew(self._voice)
            return True

    def _members_own(self) -> ReferenceAudio | None:
        """Return the recording of a likeness, which lies where its member has put it."""
        url = self._voice.url
        return None if url is None else ReferenceAudio(url, self._voice.transcript)


class SegmentInProgress:
    """Segment under way, filled by its `Speaker`; ``changed`` is set whenever there is something new.

    ``leads``: it is the first of the utterance. ``is_live``: its frames are heard as they come, and nothing
    before them. ``is_followed``: more is heard after it. ``due`` is as in `CallPriority`.
    """

    def __init__(
        self,
        taken: NextSegment,
        changed: asyncio.Event,
        *,
        leads: bool,
        is_live: bool,
        is_followed: bool,
        due: float,
    ) -> None:
        self.segment = taken.segment
        self.line = taken.line
        self.speaker = taken.speaker
        self.leads = leads
        self.is_live = is_live
        self.is_followed = is_followed
        self.due = due
        self.request: SegmentRequest | None = None
        self.seconds_made: float | None = None
        """About how long it sounds, as soon as no other call for it is to be made."""
        self.frames: list[bytes] = []
        """The frames that are heard as they come; they cannot be taken back."""
        self.passed_on = 0
        """How many of them whoever runs the utterance has passed on."""
        self.outcome: Part | Exception | None = None
        """What became of it, at its end."""
        self.task: asyncio.Task[None]
        self._changed = changed

    @property
    def buffered(self) -> float:
        """For how many seconds there is something to be heard before it; infinite when nobody listens."""
        return self.due - asyncio.get_running_loop().time()

    @property
    def is_in_flight(self) -> bool:
        """Whether the TTS gateway is still busy with it."""
        return self.seconds_made is None

    @property
    def seconds_ready(self) -> float:
        """How much of its sound is made and not passed on yet, in seconds."""
        return max(0.0, (self.seconds_made or 0.0) - self.passed_on * FRAME_SECONDS)

    @property
    def progress(self) -> Progress:
        """How far its newest call is."""
        return self.request.progress if self.request else Progress(Stage.MAKING)

    def note_made(self, seconds: float) -> None:
        """Note how long it sounds: its call is over, and so is the search for its voice."""
        self.seconds_made = seconds
        self._changed.set()

    def add(self, frames: list[bytes]) -> None:
        """Add frames that are heard as they come."""
        self.frames += frames
        self._changed.set()

    def end(self, outcome: Part | Exception) -> None:
        """Note what became of it."""
        self.outcome = outcome
        self.request = None  # it holds us: samples would stay until the cycle is looked for
        self._changed.set()


class Speaker:
    """Speaker of one voice in an utterance: it makes the segments of ``request`` that this voice says.

    The model gives a voice without reference audio only once: it is another one in every call. So the first
    generation becomes the reference audio of the others, with its words as the transcript. With ``saved`` it
    is the voice of that. ``level`` is how loud the parts of the utterance are, in LUFS, those of other voices
    too; it is known when the first of all is there.
    """

    def __init__(
        self,
        request: SpeechRequest,
        requests: TTSRequests,
        level: asyncio.Future[float],
        saved: SavedReference | None = None,
    ) -> None:
        self._request = request
        self._requests = requests
        self._maker = requests.resources.maker
        self._stats = requests.resources.stats
        self._reference = request.reference
        self._level = level
        self._saved = saved
        self.is_sound = True
        """Whether every generation so far has passed its check."""
        self.is_preview = False
        """Whether the preview voice has stood in for one."""

    @property
    def is_known(self) -> bool:
        """Whether there is a voice for further segments yet."""
        return self._saved is not None or self._reference is not None

    async def make(self, segment: SegmentInProgress, plan: SegmentPlan) -> Part:
        """Return the part that ``segment`` becomes; what comes before its end is put into it.

        The leading one sets the level of all. Where generations turn out to have no address the segment grows
        to all of its line, which then has nothing left in ``plan``. Raises `TTSError`, and `MemberError` if a
        saved voice may not speak any more.
        """
        audio = await self._audio(segment, plan, finds_voice=not self.is_known)
        self.is_sound = self.is_sound and audio.defect is None
        self.is_preview = self.is_preview or audio.is_preview
        if not segment.leads:
            return await self._part(segment, audio, await self._level)
        part = await self._part(segment, audio, None)
        self._level.set_result(part.level)
        return part

    async def _audio(
        self, segment: SegmentInProgress, plan: SegmentPlan, *, finds_voice: bool
    ) -> SegmentAudio:
        saved = self._saved
        while True:
            reference = await saved.audio() if saved else self._reference
            segment.request = request = SegmentRequest(
                self._requests,
                replace(self._request, text=segment.segment.text, reference=reference),
                segment,
                saved,
            )
            try:
                await request.open()
                if finds_voice and request.url is None and self._stats.gives_addresses:
                    log.warning("generations have no address to clone a voice from: a line is one call each")
                    self._stats.gives_addresses = False
                    if plan.has_more_of(segment.speaker):  # the rest would be in another voice
                        segment.segment, segment.is_followed = segment.line.whole(), plan.has_more
                        request.drop()
                        continue
                async with aclosing(request.frames()) as batches:
                    async for frames in batches:
                        if not segment.frames:
                            self._use(request.url, segment, finds_voice=finds_voice)
                            segment.note_made(segment.segment.seconds / self._request.tempo)
                        segment.add(frames)
            except TTSReferenceError as error:
                if saved is not None and reference is not None and await saved.renew(reference):
                    continue
                if saved is None and self._request.reference is None:  # it cannot fetch what it made itself
                    self._stats.gives_addresses = False
                if saved is not None and saved.is_kept:
                    raise TTSSavedVoiceError(
                        error.status, error.detail, retry_after=error.retry_after
                    ) from error
                raise
            if not segment.frames:
                self._use(request.audio.url, segment, finds_voice=finds_voice)
                segment.note_made(request.audio.speech.checked.seconds / self._request.tempo)
            return request.audio

    def _use(self, url: str | None, segment: SegmentInProgress, *, finds_voice: bool) -> None:
        """Use the generation at ``url`` as the voice of what follows, if that is still to be found."""
        if finds_voice and url is not None and self._stats.gives_addresses:
            self._reference = ReferenceAudio(url, text_with_style(segment.segment.text, None))

    async def _part(self, segment: SegmentInProgress, audio: SegmentAudio, lufs: float | None) -> Part:
        try:
            return await self._maker.part(audio.speech, lufs=lufs, buffered=segment.buffered)
        except AudioError as error:
            raise TTSUnusableAudioError(str(error)) from error
