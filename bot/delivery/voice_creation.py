"""Creation of voices: from a recording or a description, checked, kept and named; and the starters made."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import Final

import aiohttp
import discord

from bot.audio.maker import Maker
from bot.audio.reference_check import NOT_FETCHED, ReferenceCheck, examine
from bot.audio.wav import COMMENT, SUBJECT, parse_wav
from bot.errors import (
    RESTARTING,
    LibraryError,
    MemberError,
    NameTakenError,
    RecordingError,
    TTSError,
    UsageLimitError,
    sentence_for,
)
from bot.library.consent_rules import Request, Shares
from bot.library.known_recordings import GENERATED
from bot.library.library import Library
from bot.library.starters import Starter, StarterRecording, recorded, starter_of
from bot.library.voice import Kind, NewVoice, Scope, Voice, check_name, new_id
from bot.limits import (
    MAX_AUDIO_SECONDS,
    MAX_EXAMINATIONS,
    MAX_EXAMINATIONS_WAITING,
    MAX_REFERENCE_BYTES,
    MAX_VOICE_TAKE_SECONDS,
    MIN_REFERENCE_SECONDS,
)
from bot.models import Asker, Parts, Progress, Speech, SpeechRequest, Stage
from bot.speech.synthesizer import SpeechJob, SpeechSynthesizer
from bot.text.labels import one_line
from untrusted.mark import MARK

NOT_SHARED: Final = Shares()

FETCH_TIMES: Final = aiohttp.ClientTimeout(total=30.0, sock_connect=10.0, sock_read=10.0)
"""How long a recording may take to come from Discord, and stand still on the way, in seconds."""

_PIECE_BYTES: Final = 64 * 1024
_AS_IT_IS: Final = {"Accept-Encoding": "identity"}
_SAME_NAMES: Final = 9

_GONE: Final = "I can no longer get that recording from Discord. Upload it again."


@dataclass(frozen=True, slots=True)
class KeptRecording:
    """Recording that was checked and kept; ``recording`` is its SHA-256, under which it is found."""

    recording: str
    seconds: float
    transcript: str | None = field(repr=False)
    findings: tuple[str, ...]


class ExaminationQueue:
    """Queue of members whose recordings are to be fetched and checked: a place first, then the bytes.

    `MAX_EXAMINATIONS` members have a place at once, one each. `MAX_EXAMINATIONS_WAITING` more wait for one,
    again one each, and get it in the order in which they came. Belongs to one event loop.
    """

    def __init__(self) -> None:
        self._at_work: set[int] = set()
        self._waiting: dict[int, asyncio.Future[None]] = {}  # in order

    @asynccontextmanager
    async def place(self, member_id: int) -> AsyncIterator[None]:
        """Wait for a place, and keep it while the block runs.

        Raises `MemberError` at once if all places to wait are taken, or this member's is.
        """
        await self._wait(member_id)
        try:
            yield
        finally:
            self._leave(member_id)

    async def _wait(self, member_id: int) -> None:
        if member_id in self._waiting:
            raise MemberError("I'm still checking another recording of yours. Try again in a minute.")
        called_in = asyncio.get_running_loop().create_future()
        self._waiting[member_id] = called_in
        self._call_in()
        if len(self._waiting) > MAX_EXAMINATIONS_WAITING:
            del self._waiting[member_id]  # the newest
            ahead = len(self._at_work) + len(self._waiting)
            raise MemberError(f"I'm already looking at {ahead} recordings. Try again in a minute.")
        try:
            await called_in
        except asyncio.CancelledError:
            if called_in.cancelled():
                del self._waiting[member_id]
            else:  # it was called in just before
                self._leave(member_id)
            raise

    def _leave(self, member_id: int) -> None:
        self._at_work.remove(member_id)
        self._call_in()

    def _call_in(self) -> None:
        for member_id, called_in in list(self._waiting.items()):
            if len(self._at_work) == MAX_EXAMINATIONS:
                return
            if member_id not in self._at_work and not called_in.done():
                del self._waiting[member_id]
                self._at_work.add(member_id)
                called_in.set_result(None)


class VoiceCreation:
    """Creation of saved voices out of recordings. Consent is settled before; see `bot.library.consent`.

    ``session`` fetches the recordings from Discord; it stays the caller's.
    """

    def __init__(
        self,
        library: Library,
        session: aiohttp.ClientSession,
        maker: Maker,
        *,
        fetch_times: aiohttp.ClientTimeout = FETCH_TIMES,
    ) -> None:
        self._library = library
        self._maker = maker
        self._fetch_times = fetch_times
        self._session = session
        self._queue = ExaminationQueue()

    async def examine(
        self, attachment: discord.Attachment, *, scope: Scope, speaker_id: int
    ) -> ReferenceCheck:
        """Return the check of a recording that a member wants to use as the voice of ``speaker_id``.

        It is fetched once there is a place for it, and is never held whole. Raises `MemberError`: too many
        are being checked already, it is gone, it is not usable, or not for them, and why.
        """
        if attachment.size > MAX_REFERENCE_BYTES:
            limit = MAX_REFERENCE_BYTES // 1024**2
            raise RecordingError(f"That recording is larger than {limit} MB. Cut it to the best 10 seconds.")
        async with self._queue.place(scope.member_id), aclosing(self._fetch(attachment.url)) as pieces:
            examined = await examine(pieces, name=attachment.filename)
        if examined.is_generated:
            raise RecordingError(GENERATED)
        refusal = await self._library.known_recordings.permission_error(
            scope, speaker_id, upload=examined.upload, recording=examined.sha256
        )
        if refusal is not None:
            raise RecordingError(refusal)
        return examined

    async def _fetch(self, url: str) -> AsyncGenerator[bytes, None]:
        try:
            async with self._session.get(url, headers=_AS_IT_IS, timeout=self._fetch_times) as response:
                if response.status != 200:
                    raise RecordingError(_GONE if response.status == 404 else NOT_FETCHED)
                async for piece in response.content.iter_chunked(_PIECE_BYTES):
                    yield piece
        except (aiohttp.ClientError, OSError):  # a time-out is one of the latter
            raise RecordingError(NOT_FETCHED) from None

    async def record(
        self,
        attachment: discord.Attachment,
        transcript: str | None = None,
        *,
        scope: Scope,
        speaker_id: int,
    ) -> KeptRecording:
        """Return the mended recording, kept for an hour, or for as long as a voice or a question names it.

        The ``transcript`` is of the whole recording; where only a part of it was good, it is left out.
        Raises what `examine` raises, and `LibraryError`.
        """
        examined = await self.examine(attachment, scope=scope, speaker_id=speaker_id)
        findings = examined.findings
        if transcript and examined.part is not None:
            transcript = None
            findings = (
                *findings,
                "The transcript is of all of it, so I left it out: /voice edit adds one.",
            )
        recording = await self._library.recordings.keep(examined.wav, upload=examined.upload)
        return KeptRecording(recording, examined.seconds, transcript, findings)

    async def save_own(
        self, scope: Scope, name: str, recorded: KeptRecording, shares: Shares = NOT_SHARED
    ) -> Voice:
        """Return the voice of a member who has attested that it is their own.

        Raises `MemberError`: the name is taken, there are too many, or they have not attested.
        """
        try:
            consent_id = await self._library.consents.attest(scope)
            new = _new_voice(check_name(name), recorded, scope.member_id, consent_id, shares)
            return await self._library.voices.save(scope, new)
        except LibraryError:
            raise  # nothing can be looked up now either: the hourly tidying finds the recording
        except BaseException:
            with suppress(LibraryError):
                await self.drop(recorded.recording)
            raise

    async def keep_generation(
        self, speech: Speech, transcript: str | None, *, asked_by: str, description: str | None = None
    ) -> KeptRecording:
        """Return a generation, kept as `record` keeps a recording; its file says that a machine speaks.

        ``asked_by`` is the name of whoever it was made for, ``description`` what it was made after. Raises
        `RecordingError` for one that is too long or broken off, and `LibraryError`.
        """
        if speech.seconds > MAX_VOICE_TAKE_SECONDS or speech.rest_is_missing:
            raise RecordingError(
                f"Only a whole take of up to {MAX_VOICE_TAKE_SECONDS:.0f} s can become a voice."
            )
        tags = {COMMENT: f"{MARK}, for {one_line(asked_by)}"}
        if description:
            tags[SUBJECT] = description
        recording = await self._library.recordings.keep(await self._maker.wav(speech, tags=tags))
        return KeptRecording(recording, speech.seconds, transcript, ())

    async def save_designed(
        self,
        scope: Scope,
        name: str,
        recorded: KeptRecording,
        *,
        description: str | None,
    ) -> Voice:
        """Return the voice of a generation that was kept; it is nobody's own, so nobody has to agree.

        Raises `MemberError`: the name is taken, or there are too many; and `LibraryError`.
        """
        new = NewVoice(
            check_name(name),
            Kind.DESIGNED,
            recorded.recording,
            recorded.seconds,
            transcript=recorded.transcript,
            description=description,
        )
        return await self._library.voices.save(scope, new)

    async def drop(self, *recordings: str) -> None:
        """Delete these recordings, by their SHA-256, unless something names them."""
        await self._library.recordings.drop_unused(recordings)

    async def save_agreed(self, request: Request) -> Voice:
        """Return the voice that its speaker has just agreed to; a number is added to a name that is taken.

        Raises `MemberError` if there is no place for it, and `LibraryError`.
        """
        wav = await self._library.recordings.read(request.recording or "")
        seconds = parse_wav(wav, max_seconds=MAX_AUDIO_SECONDS).seconds
        recorded = KeptRecording(request.recording or "", seconds, None, ())
        scope = Scope(request.guild_id, request.asker_id)
        for name in _names(request.name or "Voice"):
            new = _new_voice(name, recorded, request.speaker_id, request.id, request.shares)
            try:
                return await self._library.voices.save(scope, new)
            except NameTakenError as error:
                taken = error
        raise taken


def _names(name: str) -> Iterator[str]:
    yield name
    for number in range(2, _SAME_NAMES + 1):
        yield check_name(f"{name[:29]} {number}")


def _new_voice(
    name: str, recorded: KeptRecording, speaker_id: int, consent_id: str, shares: Shares
) -> NewVoice:
    return NewVoice(
        name,
        Kind.CLONED,
        recorded.recording,
        recorded.seconds,
        transcript=recorded.transcript,
        speaker_id=speaker_id,
        consent_id=consent_id,
        sharing=shares.sharing,
        role_id=shares.role_id,
        member_ids=shares.member_ids,
    )


log = logging.getLogger(__name__)

GENERATIONS: Final = 3
"""Of each design, for the member to choose from."""

DESIGN_SECONDS: Final = 30 * 60.0
"""Half the time that a recording is kept which nothing names, see `bot.library.recordings`."""

MAX_DESIGNS: Final = 200
"""Designs open at once, about 2 MB on the disk each; the oldest gives way."""

_FAREWELL_SECONDS: Final = 2.0  # for the replies to those whose designs were just being made
_EXPIRED: Final = "These buttons have expired. Type /voice design for new ones."


@dataclass(frozen=True, slots=True)
class Brief:
    """Brief of a design: a voice called ``name`` after ``description``, which says ``sample``.

    ``asked_by`` is the name of the member who wants it.
    """

    scope: Scope
    name: str
    description: str = field(repr=False)
    sample: str
    asked_by: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Design:
    """Design with generations to choose from; ``failure`` is why there are fewer than `GENERATIONS`."""

    id: str
    brief: Brief
    generations: tuple[KeptRecording, ...]
    failure: TTSError | UsageLimitError | None = None


class DesignProgress:
    """Progress of a design that is being made, for whoever asks."""

    def __init__(self) -> None:
        self.number = 1
        """Which generation is being made."""
        self.job: SpeechJob | None = None

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        now = self.job.progress if self.job else Progress(Stage.MAKING)
        return replace(now, generation=Parts(self.number, GENERATIONS))


class VoiceDesigner:
    """Designer of voices; it remembers designs until one is chosen from. ``now`` is a clock in seconds."""

    def __init__(
        self,
        synthesizer: SpeechSynthesizer,
        creation: VoiceCreation,
        *,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._synthesizer = synthesizer
        self._creation = creation
        self._now = now
        self._open: OrderedDict[str, tuple[float, Design]] = OrderedDict()
        self._under_way: dict[asyncio.Task[object], asyncio.Task[Design]] = {}
        self._closing = False

    async def make(self, brief: Brief, asker: Asker, progress: DesignProgress) -> Design:
        """Return a design with up to `GENERATIONS` generations, made one after the other.

        ``asker`` pays for it; ``progress`` says how far it is. Raises `TTSError` or `UsageLimitError`
        if there is not even one, `MemberError` and `LibraryError`.
        """
        if self._closing:
            raise MemberError(RESTARTING)
        asking = asyncio.current_task()
        assert asking is not None, "a command is carried out inside a task"  # noqa: S101
        making = asyncio.create_task(self._make(brief, asker, progress), name="voice-design")
        self._under_way[asking] = making
        try:
            return await making
        except asyncio.CancelledError:
            making.cancel()
            if self._closing:
                raise MemberError(RESTARTING) from None
            raise
        finally:
            del self._under_way[asking]

    async def forget(self, member_id: int) -> None:
        """Delete all open designs of a member."""
        theirs = [design for _, design in self._open.values() if design.brief.scope.member_id == member_id]
        for design in theirs:
            del self._open[design.id]
        await self._drop(theirs)

    async def aclose(self) -> None:
        """Make nothing more, and give those who wait for a design the time to be told so."""
        self._closing = True
        waiting = set(self._under_way)
        for making in self._under_way.values():
            making.cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=_FAREWELL_SECONDS)

    async def choose(self, design_id: str, member_id: int, number: int) -> Voice:
        """Return the voice that one generation has become; the others are deleted.

        Raises `MemberError`: the buttons have expired, the name is taken, or there are too many voices.
        """
        design = self.open_design(design_id, member_id)
        if not 1 <= number <= len(design.generations):
            raise MemberError(_EXPIRED)
        brief = design.brief
        del self._open[design_id]  # a second press at the same moment finds nothing
        try:
            voice = await self._creation.save_designed(
                brief.scope,
                brief.name,
                design.generations[number - 1],
                description=brief.description,
            )
        except BaseException:
            await self._put(design)
            raise
        await self._drop([design])
        return voice

    def open_design(self, design_id: str, member_id: int) -> Design:
        """Return an open design of this member. Raises `MemberError`."""
        until, design = self._open.get(design_id, (0.0, None))
        if design is None or design.brief.scope.member_id != member_id or until < self._now():
            raise MemberError(_EXPIRED)
        return design

    async def _make(self, brief: Brief, asker: Asker, progress: DesignProgress) -> Design:
        made: list[KeptRecording] = []
        failure: TTSError | UsageLimitError | None = None
        try:
            while len(made) < GENERATIONS:
                progress.number = len(made) + 1
                made.append(await self._generate(brief, asker, progress))
        except (TTSError, UsageLimitError) as error:
            if not made:
                raise
            log.info("a design has %d of %d generations: %s", len(made), GENERATIONS, error)
            failure = error
        except BaseException:  # the disk is full, or nobody waits any more
            await self._delete(made)
            raise
        design = Design(new_id(), brief, tuple(made), failure)
        await self._put(design)
        return design

    async def _generate(self, brief: Brief, asker: Asker, progress: DesignProgress) -> KeptRecording:
        request = SpeechRequest(brief.sample, style=brief.description, fresh=True)
        with self._synthesizer.submit(request, asker) as progress.job:
            speech = await progress.job.result()
        return await self._creation.keep_generation(
            speech, brief.sample, asked_by=brief.asked_by, description=brief.description
        )

    async def _put(self, design: Design) -> None:
        self._open[design.id] = self._now() + DESIGN_SECONDS, design
        over = []
        while len(self._open) > MAX_DESIGNS or next(iter(self._open.values()))[0] < self._now():
            over.append(self._open.popitem(last=False)[1][1])
        await self._drop(over)

    async def _drop(self, designs: Sequence[Design]) -> None:
        await self._delete([made for design in designs for made in design.generations])

    async def _delete(self, generations: Sequence[KeptRecording]) -> None:
        """Delete these recordings, but not those of a voice or an open design."""
        over = {made.recording for made in generations}
        over -= {made.recording for _, design in self._open.values() for made in design.generations}
        if over:
            with suppress(LibraryError):  # the hourly tidying finds them
                await self._creation.drop(*over)


_MAX_STARTER_SECONDS: Final = 2 * MAX_VOICE_TAKE_SECONDS  # what any TTS gateway takes as a reference


class StarterMaking:
    """Making of a starter's recording, for everybody who waits for it."""

    def __init__(self, job: SpeechJob, recording: asyncio.Task[StarterRecording]) -> None:
        self._job = job
        self._recording = recording

    @property
    def progress(self) -> Progress:
        """How far it is now."""
        return self._job.progress

    async def recording(self) -> StarterRecording:
        """Return the recording. Raises `MemberError`, and `LibraryError`: then the next use tries again."""
        return await asyncio.shield(self._recording)

    async def end(self) -> None:
        """End it at once."""
        self._recording.cancel()
        await asyncio.wait([self._recording])


class StarterMaker:
    """Maker of starter voices: the TTS gateway ``source`` makes each once, at its first use, for all servers.

    What is being made is made to its end, also when nobody waits for it any more.
    """

    def __init__(
        self, library: Library, synthesizer: SpeechSynthesizer, maker: Maker, *, source: str
    ) -> None:
        self._library = library
        self._synthesizer = synthesizer
        self._maker = maker
        self._source = source
        self._known: dict[str, StarterRecording] = {}
        self._under_way: dict[str, StarterMaking] = {}

    async def find(self, voice: Voice) -> Voice | None:
        """Return a starter with its recording; None: it is still to be made. Raises `LibraryError`."""
        starter = _starter(voice)
        if starter.id not in self._known:
            found = await self._library.starters.find(starter, self._source)
            if found is not None:
                self._known[starter.id] = found
        made = self._known.get(starter.id)  # maybe it was made at this very moment
        return None if made is None else recorded(voice, made)

    def make(self, voice: Voice, asker: Asker) -> StarterMaking:
        """Return the making of a starter's recording: the one under way, or a new one that ``asker`` pays.

        Raises `MemberError` if they have enough in hand.
        """
        starter = _starter(voice)
        under_way = self._under_way.get(starter.id)
        if under_way is not None:
            return under_way
        job = self._synthesizer.submit(SpeechRequest(starter.sample, style=starter.style), asker)
        making = StarterMaking(job, asyncio.create_task(self._made(starter, job), name="starter"))
        self._under_way[starter.id] = making
        return making

    async def aclose(self) -> None:
        """End what is being made."""
        await asyncio.gather(*(making.end() for making in self._under_way.values()))

    async def _made(self, starter: Starter, job: SpeechJob) -> StarterRecording:
        try:
            with job:
                speech = await job.result()
            if speech.rest_is_missing or not MIN_REFERENCE_SECONDS <= speech.seconds <= _MAX_STARTER_SECONDS:
                log.warning("the starter %s is no voice: %.1f s", starter.name, speech.seconds)
                raise MemberError(f"The voice {starter.name} came out wrong. Try again.")
            tags = {COMMENT: f"{MARK} of {starter.name}", SUBJECT: starter.style}
            wav = await self._maker.wav(speech, tags=tags)
            made = StarterRecording(await self._library.recordings.keep(wav), speech.seconds)
            await self._library.starters.keep(starter, self._source, made)
        except TTSError as error:
            log.warning("the starter %s was not made: %s", starter.name, error)
            raise MemberError(f"I couldn't make the voice {starter.name}. {sentence_for(error)}") from error
        finally:
            del self._under_way[starter.id]
        self._known[starter.id] = made
        return made


def _starter(voice: Voice) -> Starter:
    starter = starter_of(voice.id)
    if starter is None:
        raise ValueError("this voice is no starter")
    return starter
