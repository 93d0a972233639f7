"""Maker: the one object behind which samples are touched; outside it sound is bytes, frames and values.

The functions of this module that begin with an underscore are the work, done in whichever process has the
samples; what they are given and what they return can be sent there and back.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final, ParamSpec, Protocol, TypeVar
from weakref import WeakKeyDictionary

import numpy as np

from bot.audio import formats, opus, quality
from bot.audio.edit import sounding_range, trimmed_sound
from bot.audio.formats import AudioFile, SoundboardClip, VoiceMessage
from bot.audio.live_gain import GainMemory
from bot.audio.loudness import SPEECH_LUFS, loudness, loudness_of, speech_at
from bot.audio.opus import FRAME_SAMPLES, LOOKAHEAD_SAMPLES, SILENCE_FRAME, all_frames
from bot.audio.sound import SpeechSound, stretched
from bot.audio.stream import (
    NOTHING_KNOWN,
    DurationLimiter,
    HeldFrames,
    SpeechStream,
    frames_of,
    prepared,
    shortened,
)
from bot.audio.wav import NO_TAGS, write_wav
from bot.audio.workers import Deadline, run_batch
from bot.errors import AudioError
from bot.models import FRAME_SECONDS, Speech

log = logging.getLogger(__name__)

_RATE: Final = 48_000
_FRAME_BYTES: Final = 2 * FRAME_SAMPLES
_NEAR_LU: Final = 0.3  # nobody hears less, and every change of level costs a little
_LOUDNESS_RANGE: Final = 3.0  # LU around that of all speech, should a first generation be out of it
_TRIES: Final = 2
_BLOCK_BYTES: Final = 4_096
_SHARE_WORTH_TELLING: Final = 0.05  # of a download

P = ParamSpec("P")
T = TypeVar("T")


class Source(Protocol):
    """Source of a WAV, which is fetched while it is read; it can be sent to another process."""

    @property
    def fraction(self) -> float | None:
        """How much of it has been fetched, 0 to 1; None: its length is not known."""

    def chunks(self) -> AsyncGenerator[bytes]:
        """Yield its bytes as they arrive, cut anywhere."""


@dataclass(frozen=True, slots=True)
class Part:
    """Part of an utterance: whole frames of sound. ``sound`` stands for its samples, as in `Speech`.

    ``lead`` and ``tail`` are the silence at its beginning and its end, in seconds. ``level`` is how loud the
    parts beside it should be, in LUFS.
    """

    frames: tuple[bytes, ...] = field(repr=False)
    lead: float
    tail: float
    level: float = SPEECH_LUFS
    sound: object = field(default=None, repr=False, compare=False)

    @property
    def seconds(self) -> float:
        """The length in seconds."""
        return len(self.frames) * FRAME_SECONDS


@dataclass(frozen=True, slots=True)
class CheckedSpeech:
    """Speech of one generation, no longer than its text can last; ``defect`` is what is wrong with it.

    ``seconds`` is its length as it was made, before it became faster or slower.

    ``part`` is what was heard of it as it came, if anything was; `IncomingSpeech` puts its frames in.
    ``sound`` stands for its samples, and ``gains`` is what the next generation of the same origin needs.
    """

    seconds: float
    defect: str | None
    gains: GainMemory
    part: Part | None = None
    sound: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Arrival:
    """What has come of a generation: frames to be heard, and how much of it has been fetched, 0 to 1.

    ``blocks`` are fingerprints of what has come of its source, by which the same recording is known again.
    """

    frames: list[bytes] = field(repr=False)
    fraction: float | None
    blocks: tuple[bytes, ...] = ()


class SoundLostError(Exception):
    """The samples that a value stands for are gone, with the process that had them. It never leaves here."""


class Workplace(Protocol):
    """Where the work of a `Maker` is done."""

    async def run(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what ``work`` returns. Raises what it raises."""

    def stream(
        self, work: Callable[P, AsyncGenerator[Arrival | CheckedSpeech]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[Arrival | CheckedSpeech]:
        """Yield what ``work`` yields. Raises what it raises."""

    async def aclose(self) -> None:
        """End it, and whatever is under way there."""


class InThreads:
    """Workplace in the threads of this process, see `bot.audio.workers`."""

    async def run(self, work: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Do what `Workplace` says."""
        return await work(*args, **kwargs)

    def stream(
        self, work: Callable[P, AsyncGenerator[Arrival | CheckedSpeech]], *args: P.args, **kwargs: P.kwargs
    ) -> AsyncGenerator[Arrival | CheckedSpeech]:
        """Do what `Workplace` says."""
        return work(*args, **kwargs)

    async def aclose(self) -> None:
        """Do what `Workplace` says: its threads end by themselves."""


class IncomingSpeech:
    """Speech of one generation that comes in: iterate it, once, for the frames that are heard as they come.

    After the last of them `checked` is there. Closing it (`contextlib.aclosing`) ends the work, and the
    download. Raises AudioError, and what reading its source raises, also after the first frames.
    """

    def __init__(
        self, source: Source, text: str, tempo: float, arrivals: AsyncGenerator[Arrival | CheckedSpeech]
    ) -> None:
        self.source = source
        self.text = text
        self.tempo = tempo
        self.fraction: float | None = None
        """How much of it has been fetched, 0 to 1, as far as that is known."""
        self.checked: CheckedSpeech
        """The whole, after the last frames."""
        self._frames = self._heard(arrivals)

    def __aiter__(self) -> AsyncIterator[list[bytes]]:
        return self._frames

    async def aclose(self) -> None:
        """End it."""
        await self._frames.aclose()

    async def _heard(self, arrivals: AsyncGenerator[Arrival | CheckedSpeech]) -> AsyncGenerator[list[bytes]]:
        heard: list[bytes] = []
        async with aclosing(arrivals):
            async for arrival in arrivals:
                if isinstance(arrival, CheckedSpeech):
                    part = arrival.part and replace(arrival.part, frames=tuple(heard))
                    self.checked = replace(arrival, part=part)
                    continue
                self.fraction = arrival.fraction
                if arrival.frames:
                    heard += arrival.frames
                    yield arrival.frames


class Places:
    """Places for so many who hold megabytes at once; nobody waits for one longer than ``wait_seconds``."""

    def __init__(self, count: int, *, wait_seconds: float) -> None:
        self._places = asyncio.Semaphore(count)
        self._wait_seconds = wait_seconds

    @asynccontextmanager
    async def one(self, wait_seconds: float = math.inf) -> AsyncIterator[bool]:
        """Hold a place; who has waited long for one goes on without: slow lines hold nobody up for good.

        The value says whether there was one.
        """
        has_place = False
        with suppress(TimeoutError):
            async with asyncio.timeout(min(wait_seconds, self._wait_seconds)):
                has_place = await self._places.acquire()
        try:
            yield has_place
        finally:
            if has_place:
                self._places.release()


_AT_WORK: Final = 3  # for one thread: what waits for it holds its samples in memory
_LONGEST_WAIT_SECONDS: Final = 30.0


class Maker:
    """Maker of sound: it fetches, encodes, judges, levels and cuts speech, at its ``workplace``.

    Whoever uses it passes bytes, frames and `Speech` on, and looks into none of them. ``buffered`` is always
    for how many seconds a deadline has something to hear until then, infinite for a file: who runs dry first
    is served first.
    """

    def __init__(self, workplace: Workplace | None = None) -> None:
        self._workplace: Workplace = workplace or InThreads()
        self._gains = NOTHING_KNOWN
        self._batch = Places(_AT_WORK, wait_seconds=_LONGEST_WAIT_SECONDS)

    def start(
        self,
        source: Source,
        *,
        text: str,
        is_live: bool,
        buffered: float = 0.0,
        drops_silent_end: bool = False,
        tempo: float = 1.0,
    ) -> IncomingSpeech:
        """Return the speech of the WAV at ``source``, which is fetched and checked while it is iterated.

        With ``is_live`` it is heard as it comes, as loud as earlier generations let one expect.
        ``drops_silent_end``: more follows it, so silence at its end is left out. Without, nothing of it is
        heard before it has become a part. It is heard ``tempo`` times as fast as it was made.
        """
        stream = self._workplace.stream
        if is_live:
            known = (source, text, self._gains, tempo)
            arrivals = stream(_live, *known, buffered=buffered, drops_silent_end=drops_silent_end)
        else:
            arrivals = stream(_whole, source, text, self._gains, buffered=buffered)
        return IncomingSpeech(source, text, tempo, arrivals)

    async def part(self, speech: IncomingSpeech, *, lufs: float | None = None, buffered: float = 0.0) -> Part:
        """Return what ``speech``, which is all there, becomes: what was heard, else trimmed and levelled.

        ``lufs`` is the loudness to have; None: this is the first, and as loud as it is. Raises AudioError
        when there is nothing to be heard in it.
        """
        if speech.checked.part is not None:
            self._gains = speech.checked.gains
            return speech.checked.part
        for _ in range(_TRIES):
            try:
                sound, tempo = speech.checked.sound, speech.tempo
                return await self._workplace.run(_part, sound, lufs, tempo, buffered=buffered)
            except SoundLostError:  # there are no frames of it yet: it is fetched once more
                speech = self.start(
                    speech.source, text=speech.text, is_live=False, buffered=buffered, tempo=speech.tempo
                )
                async for _ in speech:
                    pass
        raise AudioError("its samples were lost again and again")

    async def joined(self, parts: Sequence[Part], *, rest_is_missing: bool = False) -> Speech:
        """Return ``parts``, pauses among them, as one speech."""
        async with self._batch.one():
            sound = await self._workplace.run(_joined, tuple(parts))
        return Speech(tuple(frame for part in parts for frame in part.frames), rest_is_missing, sound)

    async def wav(self, speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> bytes:
        """Return ``speech`` as a WAV. ``tags`` go by their INFO names, see `bot.audio.wav`."""
        return await self._workplace.run(_wav, speech, dict(tags))

    async def write(self, speech: Speech, path: Path, made_at: datetime) -> int:
        """Write ``speech`` to a new file that `read` reads, and return its size in bytes.

        Raises AudioError, with the reason, if the disk does not take it; nothing is left of it then.
        """
        async with self._batch.one():
            return await self._workplace.run(_write, speech, speech.frames, path, made_at)

    async def read(self, path: Path, made_at: datetime) -> Speech | None:
        """Return the speech that `write` has written then; None if it is not there or damaged."""
        return await self._workplace.run(_read, path, made_at)

    async def file(
        self, speech: Speech, *, max_bytes: int, tags: Mapping[str, str] = NO_TAGS, as_ogg: bool = False
    ) -> AudioFile:
        """Return the best file of ``speech`` with at most ``max_bytes``. Raises AudioError if none fits.

        ``as_ogg``: it is its own frames in an Ogg file, if that fits.
        """
        if as_ogg:
            ogg = await self._workplace.run(_ogg, speech.frames, dict(tags))
            if len(ogg.data) <= max_bytes:
                return ogg
        async with self._batch.one():
            return await self._workplace.run(_file, speech, max_bytes, dict(tags))

    async def voice_message(
        self, speech: Speech, *, tags: Mapping[str, str] = NO_TAGS, is_announced: bool = False
    ) -> VoiceMessage:
        """Return ``speech`` as a voice message, after two tones if ``is_announced``. Raises AudioError."""
        return await self._workplace.run(_voice_message, speech, dict(tags), is_announced)

    async def soundboard_clip(self, speech: Speech, *, tags: Mapping[str, str] = NO_TAGS) -> SoundboardClip:
        """Return the beginning of ``speech`` as a sound for a soundboard. Raises AudioError."""
        return await self._workplace.run(_soundboard_clip, speech, dict(tags))

    async def speech_from_file(self, data: bytes, *, name: str) -> Speech:
        """Return the speech in a file that `file` has made. Raises AudioError."""
        return await self._workplace.run(_speech_from_file, data, name)

    async def aclose(self) -> None:
        """End it, and whatever is under way there."""
        await self._workplace.aclose()


def is_of_that_time(path: Path, made_at: datetime) -> bool:
    """Return whether this file begins as one that `Maker.write` has written then. Raises OSError."""
    return formats.is_kept(path, made_at)


def pause_between(before: Part, after: Part, pause: float) -> Part:
    """Return what is missing between two parts so that ``pause`` seconds of silence are heard there."""
    count = max(0, round((pause - before.tail - after.lead) / FRAME_SECONDS))
    seconds = count * FRAME_SECONDS
    return Part((SILENCE_FRAME,) * count, seconds, seconds)


class _Blocks:
    """Blocks of a source, cut at the same places whatever pieces it comes in: a fingerprint of each."""

    def __init__(self) -> None:
        self._rest = b""
        self._done: list[bytes] = []

    async def read(self, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes]:
        """Pass ``chunks`` on."""
        async for chunk in chunks:
            self._rest += chunk
            while len(self._rest) >= _BLOCK_BYTES:
                block, self._rest = self._rest[:_BLOCK_BYTES], self._rest[_BLOCK_BYTES:]
                self._done.append(blake2b(block, digest_size=8, usedforsecurity=False).digest())
            yield chunk

    def taken(self) -> tuple[bytes, ...]:
        """Return the fingerprints of the blocks that have come since the last call."""
        done, self._done = tuple(self._done), []
        return done


_FAR_AHEAD_SECONDS: Final = 5.0  # with so much to be heard nobody is in a hurry; what is made waits in memory
_FAR_AHEAD_AT_ONCE: Final = 8
_FAR_AHEAD: Final[WeakKeyDictionary[asyncio.AbstractEventLoop, Places]] = WeakKeyDictionary()


def _far_ahead() -> Places:
    """Return the places for those who make more than they need by now, to their end, one after the other."""
    loop = asyncio.get_running_loop()
    return _FAR_AHEAD.setdefault(loop, Places(_FAR_AHEAD_AT_ONCE, wait_seconds=_LONGEST_WAIT_SECONDS))


async def _live(
    source: Source, text: str, gains: GainMemory, tempo: float, *, buffered: float, drops_silent_end: bool
) -> AsyncGenerator[Arrival | CheckedSpeech]:
    deadline, limiter, stream = (
        Deadline(buffered),
        DurationLimiter(text),
        SpeechStream(text=text, gains=gains, tempo=tempo),
    )
    held = HeldFrames() if drops_silent_end else None
    heard, blocks, has_place = 0, _Blocks(), False
    async with (
        AsyncExitStack() as place,
        aclosing(source.chunks()) as chunks,
        aclosing(blocks.read(chunks)) as read,
        aclosing(limiter.chunks(read)) as limited,
        aclosing(frames_of(limited, stream, deadline)) as batches,
    ):
        async for frames in batches:
            if released := held.add(frames) if held else frames:
                heard += len(released)
                yield Arrival(released, source.fraction, blocks.taken())
            while deadline.seconds_left > _FAR_AHEAD_SECONDS and not has_place:
                has_place = await place.enter_async_context(_far_ahead().one(_FAR_AHEAD_SECONDS / 2))
    whole = await deadline.run(stream.result)
    if held and (released := await deadline.run(held.finish, whole.speech)):
        heard += len(released)
        yield Arrival(released, source.fraction, blocks.taken())
    seconds = whole.natural.seconds
    cut = f"cut off after {seconds:.1f} s" if limiter.was_needed else None
    defect = cut or await deadline.run(quality.defect_in, whole.natural, text)
    if heard:
        part = await deadline.run(_played_part, whole.speech, heard, None)
        yield CheckedSpeech(seconds, defect, whole.gains, part)
    else:
        yield CheckedSpeech(seconds, defect, whole.gains, sound=whole.natural)


async def _whole(
    source: Source, text: str, gains: GainMemory, *, buffered: float
) -> AsyncGenerator[Arrival | CheckedSpeech]:
    deadline, told, wav = Deadline(buffered), 0.0, bytearray()
    async with aclosing(source.chunks()) as chunks:
        async for chunk in chunks:
            wav += chunk
            if source.fraction is not None and abs(source.fraction - told) >= _SHARE_WORTH_TELLING:
                told = source.fraction
                yield Arrival([], told)
    data = bytes(wav)
    del wav
    whole = await deadline.run(prepared, data, text)
    del data
    defect = await deadline.run(quality.defect_in, whole, text)
    sound = shortened(whole, text)
    yield CheckedSpeech(sound.seconds, defect, gains, sound=sound)


async def _part(sound: object, lufs: float | None, tempo: float, *, buffered: float) -> Part:
    deadline = Deadline(buffered)
    trimmed = await deadline.run(trimmed_sound, _samples(sound))
    if lufs is not None and abs(await deadline.run(loudness_of, trimmed) - lufs) > _NEAR_LU:
        trimmed = await deadline.run(speech_at, trimmed, lufs)
    if tempo != 1.0:
        trimmed = await deadline.run_pieces(stretched, trimmed, tempo)
    # The encoder lags behind: room for that, so that as many frames come out as samples go in.
    count = -(-(len(trimmed.pcm) // 2 + LOOKAHEAD_SAMPLES) // FRAME_SAMPLES)
    pcm = trimmed.pcm.ljust(count * _FRAME_BYTES, b"\0")
    frames = await deadline.run_pieces(all_frames, pcm[: len(pcm) - 2 * LOOKAHEAD_SAMPLES])
    part = await deadline.run(_played_part, SpeechSound(pcm), len(frames), lufs)
    return replace(part, frames=frames)


def _played_part(sound: SpeechSound, count: int, level: float | None) -> Part:
    """Return ``sound`` made as long as ``count`` frames, which are to be put in."""
    pcm = sound.pcm.ljust(count * _FRAME_BYTES, b"\0")[: count * _FRAME_BYTES]
    samples = np.frombuffer(pcm, "<i2")
    start, end = sounding_range(samples)
    if level is None:
        level = loudness(samples)
        level = level if abs(level - SPEECH_LUFS) <= _LOUDNESS_RANGE else SPEECH_LUFS
    return Part((), start / _RATE, (len(samples) - end) / _RATE, level, SpeechSound(pcm))


async def _joined(parts: Sequence[Part]) -> SpeechSound:
    return SpeechSound(b"".join([await _pcm_of(part) for part in parts]))


async def _wav(speech: Speech, tags: Mapping[str, str]) -> bytes:
    return await run_batch(write_wav, (await _sound_of(speech)).pcm, tags=tags)


async def _write(speech: Speech, frames: tuple[bytes, ...], path: Path, made_at: datetime) -> int:
    try:
        return await run_batch(formats.write_kept, path, frames, await _sound_of(speech), made_at)
    except OSError as error:
        raise AudioError(error.strerror or type(error).__name__) from None


async def _read(path: Path, made_at: datetime) -> Speech | None:
    try:
        kept = await run_batch(formats.read_kept, path, made_at)
    except OSError as error:
        log.debug("kept speech could not be read: %s", error.strerror)
        return None
    if kept is None or not kept[0]:  # nothing of it could be heard
        return None
    return Speech(kept[0], sound=kept[1])


async def _file(speech: Speech, max_bytes: int, tags: Mapping[str, str]) -> AudioFile:
    return await formats.export(await _sound_of(speech), max_bytes=max_bytes, tags=tags)


async def _ogg(frames: Sequence[bytes], tags: Mapping[str, str]) -> AudioFile:
    return await formats.ogg_of(frames, tags=tags)


async def _voice_message(speech: Speech, tags: Mapping[str, str], is_announced: bool) -> VoiceMessage:
    return await formats.voice_message(await _sound_of(speech), tags=tags, is_announced=is_announced)


async def _soundboard_clip(speech: Speech, tags: Mapping[str, str]) -> SoundboardClip:
    return await formats.soundboard_clip(await _sound_of(speech), tags=tags)


async def _speech_from_file(data: bytes, name: str) -> Speech:
    sound = await formats.speech_from_file(data, name=name)
    return Speech(await opus.opus_frames(sound), sound=sound)


async def _sound_of(held: Speech | Part) -> SpeechSound:
    """Return its samples; what its frames sound like, where there is no more of it than these."""
    return held.sound if isinstance(held.sound, SpeechSound) else await opus.speech_from_frames(held.frames)


async def _pcm_of(part: Part) -> bytes:
    if part.sound is None and set(part.frames) <= {SILENCE_FRAME}:
        return bytes(len(part.frames) * _FRAME_BYTES)
    return (await _sound_of(part)).pcm


def _samples(sound: object) -> SpeechSound:
    if not isinstance(sound, SpeechSound):
        raise TypeError("the samples are elsewhere")
    return sound
