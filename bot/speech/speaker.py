"""Speaker: one voice in one utterance, its reference, its calls, and a bad generation made again."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, aclosing
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np

from bot.audio.edit import EDGE_SECONDS, sounding_range, trimmed
from bot.audio.loudness import SPEECH_LUFS, brought_to, speech_loudness
from bot.audio.opus import FRAME_SAMPLES, FRAME_SECONDS, LOOKAHEAD_SAMPLES, SILENCE_FRAME, opus_frames
from bot.audio.quality import LONG_SLACK_SECONDS, LONGEST, early_defect_in, find_defect
from bot.audio.stream import (
    NOTHING_KNOWN,
    FrameListener,
    plausible_seconds,
    speech_from_chunks,
    speech_from_wav,
)
from bot.audio.wav import WavHeader
from bot.audio.workers import run_batch, run_realtime
from bot.errors import AudioError, MemberError, TTSError, TTSReferenceError, TTSUnusableAudioError
from bot.limits import MAX_EXTRA_CALLS_PER_HOUR
from bot.models import ProgressListener, ReferenceAudio, Speech, SpeechRequest, SpokenVoice, VoiceAccess
from bot.speech.pacing import Call, Speed
from bot.speech.segment_plan import NextSegment, SegmentPlan
from bot.text.segments import Segment
from bot.text.speaking_time import speaking_seconds
from bot.tts.client import TTSClient, permit
from bot.tts.download import AudioDownload
from bot.tts.wire import text_with_style

_VOICES: Final = 64  # whose recordings are remembered, as many as our own TTS gateway keeps


class TTSGatewayStats:
    """What is known of one TTS gateway; all utterances learn and use it together.

    ``speed`` is how fast it makes speech. ``keeps_a_voice`` is whether it gives its takes an address that it
    can clone a voice from; where it does not, a text without a reference is made in one call. ``has_learnt``
    is whether there was a call at all; ``gains`` are the levels of its takes.
    """

    def __init__(self, speed: Speed | None = None) -> None:
        self.speed = speed or Speed()
        self.keeps_a_voice = True
        self.has_learnt = False
        self.gains = NOTHING_KNOWN
        self._cloned: deque[str] = deque(maxlen=_VOICES)

    def is_new(self, reference: ReferenceAudio | None) -> bool:
        """Return if no voice was cloned from this recording before, as far as is known."""
        return reference is not None and reference.url not in self._cloned

    def learn(self, call: Call, reference: ReferenceAudio | None) -> None:
        """Take a finished call into account. Calls are given in the order in which they ended."""
        self.speed.learn(call)
        self.has_learnt = True
        if reference is not None and self.is_new(reference):
            self._cloned.append(reference.url)


_HOUR: Final = 3600.0


class RetryBudget:
    """A small allowance for each account, a server or a person in private, that fills up within the hour."""

    def __init__(
        self, *, per_hour: int = MAX_EXTRA_CALLS_PER_HOUR, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_hour = per_hour
        self._clock = clock
        self._taken: dict[int, deque[float]] = {}

    def take(self, account: int) -> bool:
        """Use one extra call of ``account``; return False if it has none left."""
        now = self._clock()
        self._forget(now)
        taken = self._taken.setdefault(account, deque())
        if len(taken) < self._per_hour:
            taken.append(now)
            return True
        return False

    def _forget(self, now: float) -> None:
        for account, taken in list(self._taken.items()):
            while taken and taken[0] <= now - _HOUR:
                taken.popleft()
            if not taken:
                del self._taken[account]


_LOOKED_AT_ONCE: Final = 4_096  # bytes: a header that is longer is read again only after so many more


def longest_seconds(text: str) -> float:
    """Return the longest that a take of ``text`` may be, in seconds, before what follows is no part of it."""
    return min(LONGEST * speaking_seconds(text) + LONG_SLACK_SECONDS, plausible_seconds(text))


def shortened(speech: Speech, text: str) -> Speech:
    """Return no more of ``speech`` than ``text`` can last."""
    return Speech(speech.pcm[: 2 * int(48_000 * longest_seconds(text))])


class DurationLimiter:
    """Lets the bytes of a WAV through, up to the longest that its ``text`` can last."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.was_needed = False
        """Whether there was more."""

    async def chunks(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Pass ``chunks`` on, none before the header is whole; what follows the longest is not fetched.

        Raises AudioError when they are no WAV that we accept, or when the header says that it is too long or
        too short for the text: nothing has been passed on then.
        """
        waiting, looked_at, left = b"", -_LOOKED_AT_ONCE, None
        async for chunk in chunks:
            waiting += chunk
            if left is None and len(waiting) - looked_at >= _LOOKED_AT_ONCE:
                looked_at = len(waiting)
                left = await run_realtime(self._longest_bytes, waiting)
            if left is None:
                continue
            yield waiting[:left]
            left, waiting = left - len(waiting), b""
            if left < 0:
                self.was_needed = True
                return
        if waiting:
            yield waiting

    def _longest_bytes(self, beginning: bytes) -> int | None:
        """Return how much of the WAV that begins like this may be passed on; None: the header goes on."""
        if fault := early_defect_in(beginning, self._text):
            raise AudioError(fault)
        header = WavHeader.read(beginning)
        if header is None:
            return None
        longest = header.block_bytes * int(header.rate * longest_seconds(self._text))
        if header.data_bytes is not None and header.data_bytes <= longest:  # and notes may follow
            return sys.maxsize
        return header.data_start + longest


HELD_FRAMES: Final = 25
"""Half a second: as much silence as a take may end with and still be followed by the next without a gap."""

_AT_ONCE_FRAMES: Final = 10  # are never held: playing begins with fewer


class Live:
    """Passes frames on to ``hand_on``; before the first it calls ``begun`` with the take's address.

    ``holds``: the newest half second waits until more comes, so that silence at the end can be left out.
    ``frames`` are those handed on so far; they cannot be taken back.
    """

    def __init__(
        self, begun: Callable[[str | None], None], hand_on: FrameListener, *, holds: bool = False
    ) -> None:
        self._begun = begun
        self._hand_on = hand_on
        self._holds = holds
        self._held: list[bytes] = []
        self.frames: list[bytes] = []

    def feed(self, url: str | None, frames: Sequence[bytes]) -> None:
        """Take the next frames of the take at ``url``."""
        if not self.frames:
            self._begun(url)
        self._held += frames
        held = HELD_FRAMES if self._holds else 0
        self._release(max(len(self._held) - held, _AT_ONCE_FRAMES - len(self.frames)))

    async def finish(self, speech: Speech) -> None:
        """Hand on the rest of the take, which is ``speech`` as a whole."""
        if self._held:
            silent = await run_batch(_silent_frames, speech)
            self._release(len(self._held) - silent)
        self._held.clear()

    def _release(self, count: int) -> None:
        released, self._held = self._held[: max(count, 0)], self._held[max(count, 0) :]
        if released:
            self.frames += released
            self._hand_on(released)


def _silent_frames(speech: Speech) -> int:
    """Return how many frames at the end of ``speech`` hold nothing but silence that is not wanted."""
    samples = np.frombuffer(speech.pcm, "<i2")
    silence = (len(samples) - sounding_range(samples)[1]) / 48_000
    return max(0, int((silence - EDGE_SECONDS) / FRAME_SECONDS))


log = logging.getLogger(__name__)


class NoAddressError(TTSError):
    """A take has no address, so no voice can be cloned from it. It never leaves this package."""


@dataclass(frozen=True, slots=True)
class SegmentAudio:
    """A take at hand. ``fault`` is what is wrong with it although it is used, for the log."""

    speech: Speech
    url: str | None
    fault: str | None = None


class TTSRequests:
    """Makes the takes of one utterance.

    ``place`` gives a call its place among all others; ``again`` says, and notes, that one more call is paid
    for; it is asked once at most.
    """

    def __init__(
        self,
        tts: TTSClient,
        experience: TTSGatewayStats,
        *,
        place: Callable[[ProgressListener], AbstractAsyncContextManager[None]],
        again: Callable[[], bool],
    ) -> None:
        self._tts = tts
        self._experience = experience
        self._place = place
        self._may_call_again = again
        self._called_again = False

    async def take(
        self,
        request: SpeechRequest,
        seconds: float,
        on_progress: ProgressListener,
        *,
        needs_address: bool = False,
        live: Live | None = None,
        check: Callable[[], Awaitable[None]] = permit,
    ) -> SegmentAudio:
        """Return the take of ``request``, which is estimated to sound for ``seconds``.

        Raises `TTSError`; `NoAddressError` among them if ``needs_address``. ``check`` is awaited in front of
        every try of a call, and what it raises is raised.
        """
        tried: SegmentAudio | TTSUnusableAudioError | None = None
        while True:
            take = await self._opened(request, seconds, on_progress, check)
            if needs_address and take.url is None:
                raise NoAddressError("a take without an address")
            found = await self._received(take, request.text, live)
            if isinstance(found, SegmentAudio) or not isinstance(tried, SegmentAudio):
                tried = found
            if not self._again(found, live):
                break
        if isinstance(tried, TTSUnusableAudioError):
            raise tried
        return tried

    async def _opened(
        self,
        request: SpeechRequest,
        seconds: float,
        on_progress: ProgressListener,
        check: Callable[[], Awaitable[None]],
    ) -> AudioDownload:
        async with self._place(on_progress):
            started, is_new = time.monotonic(), self._experience.is_new(request.reference)
            take = await self._tts.open(request, on_progress, check=check)
            call = Call(started, time.monotonic(), seconds, is_new)
            self._experience.learn(call, request.reference)
        return take

    async def _received(
        self, take: AudioDownload, text: str, live: Live | None
    ) -> SegmentAudio | TTSUnusableAudioError:
        try:
            if live is not None:
                return await self._heard_live(take, text, live)
            speech = await speech_from_wav(await take.read(), text=text)
        except AudioError as error:
            return TTSUnusableAudioError(str(error))
        return SegmentAudio(shortened(speech, text), take.url, await find_defect(speech, text))

    async def _heard_live(self, take: AudioDownload, text: str, live: Live) -> SegmentAudio:
        def pass_on(frames: Sequence[bytes]) -> None:
            live.feed(take.url, frames)

        leash = DurationLimiter(text)
        async with aclosing(take.chunks()) as all_chunks, aclosing(leash.chunks(all_chunks)) as chunks:
            streamed = await speech_from_chunks(chunks, pass_on, text=text, gains=self._experience.gains)
        speech = streamed.speech
        await live.finish(speech)
        self._experience.gains = streamed.gains
        fault = (
            f"cut off after {speech.seconds:.1f} s" if leash.was_needed else await find_defect(speech, text)
        )
        return SegmentAudio(speech, take.url, fault)

    def _again(self, found: SegmentAudio | TTSUnusableAudioError, live: Live | None) -> bool:
        """Return whether another take shall be made instead of this one, and log what is wrong with it."""
        fault = found.fault if isinstance(found, SegmentAudio) else str(found)
        if fault is None:
            return False
        if live is not None and live.frames:
            log.warning("a bad take was heard already: %s", fault)
            return False
        allowed = not self._called_again and self._may_call_again()
        self._called_again = True
        log.warning("a bad take, %s: %s", "made again" if allowed else "and no call left for another", fault)
        return allowed


class SavedReference:
    """The reference audio of one saved voice, or of a likeness, in one utterance.

    All calls of the utterance have the same address. That of a saved voice is replaced once, should the TTS
    gateway not be able to use it.
    """

    def __init__(self, voice: SpokenVoice, access: VoiceAccess) -> None:
        self._voice = voice
        self._access = access
        self._audio: ReferenceAudio | None = None
        self._was_renewed = False
        self._lock = asyncio.Lock()

    async def check(self) -> None:
        """Return if the voice may speak now. Raises `MemberError` with the reason if not."""
        reason = await self._access.may_speak(self._voice)
        if reason is not None:
            raise MemberError(reason)

    async def audio(self) -> ReferenceAudio:
        """Return its recording as the TTS gateway can have it now. Raises what `check` raises."""
        async with self._lock:
            if self._audio is None:
                await self.check()  # the recording of a revoked voice is not published again
                self._audio = self._member_s_own() or await self._access.reference(self._voice)
            return self._audio

    async def renew(self, refused: ReferenceAudio) -> bool:
        """Return whether there is another address than that of ``refused``; if need be, a fresh one.

        Raises what `check` raises.
        """
        async with self._lock:
            if self._audio is not refused:  # another call has renewed it already
                return True
            if self._was_renewed or self._voice.url is not None:
                return False
            self._was_renewed = True
            await self.check()
            log.info("the TTS gateway could not use a reference; it gets a fresh address once")
            self._audio = await self._access.renew(self._voice)
            return True

    def _member_s_own(self) -> ReferenceAudio | None:
        """Return the recording of a likeness, which lies where its member has put it."""
        url = self._voice.url
        return None if url is None else ReferenceAudio(url, self._voice.transcript)


_RATE: Final = 48_000
_FRAME_BYTES: Final = 2 * FRAME_SAMPLES
_NEAR_LU: Final = 0.3  # nobody hears less, and every change of level costs a little


@dataclass(frozen=True, slots=True)
class Part:
    """Whole frames of sound and their PCM, equally long.

    ``lead`` and ``tail`` are the silence at its beginning and its end, in seconds.
    """

    pcm: bytes = field(repr=False)
    frames: tuple[bytes, ...] = field(repr=False)
    lead: float
    tail: float

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.pcm) / (2 * _RATE)


async def part_of(speech: Speech, *, lufs: float | None = None) -> Part:
    """Return ``speech`` trimmed and at this loudness (as it is, if None).

    Raises AudioError when there is nothing to be heard in it.
    """
    speech = await trimmed(speech)
    if lufs is not None and abs(await speech_loudness(speech) - lufs) > _NEAR_LU:
        speech = await brought_to(speech, lufs)
    # The encoder lags behind: room for that, so that as many frames come out as samples go in.
    count = -(-(len(speech.pcm) // 2 + LOOKAHEAD_SAMPLES) // FRAME_SAMPLES)
    pcm = speech.pcm.ljust(count * _FRAME_BYTES, b"\0")
    frames = await opus_frames(Speech(pcm[: len(pcm) - 2 * LOOKAHEAD_SAMPLES]))
    return await played_part(Speech(pcm), frames)


async def played_part(speech: Speech, frames: tuple[bytes, ...]) -> Part:
    """Return what was played as it was: ``frames``, and ``speech`` made as long as they are."""
    pcm = speech.pcm.ljust(len(frames) * _FRAME_BYTES, b"\0")[: len(frames) * _FRAME_BYTES]
    return Part(pcm, frames, *await run_batch(_silence_around, pcm))


def pause_between(before: Part, after: Part, pause: float) -> Part:
    """Return what is missing between two parts so that ``pause`` seconds of silence are heard there."""
    count = max(0, round((pause - before.tail - after.lead) / FRAME_SECONDS))
    seconds = count * FRAME_SECONDS
    return Part(bytes(count * _FRAME_BYTES), (SILENCE_FRAME,) * count, seconds, seconds)


def _silence_around(pcm: bytes) -> tuple[float, float]:
    samples = np.frombuffer(pcm, "<i2")
    start, end = sounding_range(samples)
    return start / _RATE, (len(samples) - end) / _RATE


_LOUDNESS_RANGE: Final = 3.0  # LU around that of all speech, should a first take be out of it


class Speaker:
    """Makes takes of parts of ``request``, all in one voice.

    The model gives a voice without reference audio only once: it is another one in every call. So the first
    take becomes the reference audio of the others, with its words as the transcript. With ``saved`` it is
    the voice of that. ``level`` is how loud the parts of the utterance are, in LUFS, those of other voices
    too; it is known when the first of all is there.
    """

    def __init__(
        self,
        request: SpeechRequest,
        calls: TTSRequests,
        experience: TTSGatewayStats,
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
        turn: NextSegment,
        script: SegmentPlan,
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
        script: SegmentPlan,
        on_progress: ProgressListener,
        begun: Callable[[Segment], None],
        hand_on: FrameListener | None,
        *,
        needs_address: bool,
    ) -> tuple[SegmentAudio, tuple[bytes, ...]]:
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
    ) -> SegmentAudio:
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

    async def _part(self, heard: SegmentAudio, played: tuple[bytes, ...], lufs: float | None) -> Part:
        self.is_sound = self.is_sound and heard.fault is None
        if played:
            return await played_part(heard.speech, played)
        try:
            return await part_of(heard.speech, lufs=lufs)
        except AudioError as error:
            raise TTSUnusableAudioError(str(error)) from error
