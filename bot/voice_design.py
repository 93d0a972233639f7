"""Designing voices: a few takes after a description, one of which becomes the voice."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from bot.errors import LibraryError, MemberError, TTSError
from bot.library.scope import Scope
from bot.library.voice import new_id
from bot.library.voices import Voice
from bot.models import Progress, SpeechRequest
from bot.synthesis import Asker, SpeechMaker
from bot.voice_making import Recorded, VoiceMaking

log = logging.getLogger(__name__)

TAKES: Final = 3

DESIGN_SECONDS: Final = 30 * 60.0
"""Half the time that a recording is kept which nothing names, see `bot.library.recordings`."""

MAX_DESIGNS: Final = 200
"""Open at once. Their takes are on the disk, about 2 MB each design; the oldest gives way."""

_FAREWELL_SECONDS: Final = 2.0  # for the answers of those whose takes were just being made
_RESTARTING: Final = "I am restarting. Try again in a minute."
_EXPIRED: Final = "These buttons have expired, or were pressed before. Type /voice design for new ones."


@dataclass(frozen=True, slots=True)
class Brief:
    """What is to be designed: a voice called ``name`` after ``description``, which says ``sample``.

    ``asked_by`` is the name of the member who wants it.
    """

    scope: Scope
    name: str
    description: str = field(repr=False)
    sample: str
    language: str
    asked_by: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Design:
    """Takes to choose from; ``failure`` is why there are fewer than `TAKES`."""

    id: str
    brief: Brief
    takes: tuple[Recorded, ...]
    failure: TTSError | None = None


class VoiceDesign:
    """Makes designs, and remembers those that nobody has chosen from yet. ``now`` is a clock in seconds."""

    def __init__(
        self, speeches: SpeechMaker, making: VoiceMaking, *, now: Callable[[], float] = time.monotonic
    ) -> None:
        self._speeches = speeches
        self._making = making
        self._now = now
        self._open: OrderedDict[str, tuple[float, Design]] = OrderedDict()
        self._making_now: dict[asyncio.Task[object], asyncio.Task[Design]] = {}
        self._closing = False

    async def make(
        self, brief: Brief, account: int, *, on_progress: Callable[[int, Progress], None]
    ) -> Design:
        """Return a design with up to `TAKES` takes, each one call of the TTS gateway, one after the other.

        ``account`` pays for it, see `Asker`; ``on_progress`` also gets the number of the take. Raises
        `TTSError` if there is not even one, `MemberError` and `LibraryError`.
        """
        if self._closing:
            raise MemberError(_RESTARTING)
        asking = asyncio.current_task()
        assert asking is not None, "a command is carried out inside a task"  # noqa: S101
        making = asyncio.create_task(self._make(brief, account, on_progress), name="voice-design")
        self._making_now[asking] = making
        try:
            return await making
        except asyncio.CancelledError:
            making.cancel()
            if self._closing:
                raise MemberError(_RESTARTING) from None
            raise
        finally:
            del self._making_now[asking]

    async def forget(self, member_id: int) -> None:
        """Delete all takes of a member that nothing has become of yet."""
        theirs = [design for _, design in self._open.values() if design.brief.scope.member_id == member_id]
        for design in theirs:
            del self._open[design.id]
        await self._drop(theirs)

    async def aclose(self) -> None:
        """Make nothing more, and let those who wait for takes be told so."""
        self._closing = True
        waiting = set(self._making_now)
        for making in self._making_now.values():
            making.cancel()
        if waiting:
            await asyncio.wait(waiting, timeout=_FAREWELL_SECONDS)

    async def choose(self, design_id: str, member_id: int, number: int) -> Voice:
        """Return the voice that one take has become; the others are deleted.

        Raises `MemberError`: the buttons are over, the name is taken meanwhile, or there are too many voices.
        """
        design = self.open_design(design_id, member_id)
        if not 1 <= number <= len(design.takes):
            raise MemberError(_EXPIRED)
        brief = design.brief
        del self._open[design_id]  # a second press at the same moment finds nothing
        try:
            voice = await self._making.save_made(
                brief.scope,
                brief.name,
                design.takes[number - 1],
                description=brief.description,
                language=brief.language,
            )
        except BaseException:
            await self._put(design)
            raise
        await self._drop([design])
        return voice

    def open_design(self, design_id: str, member_id: int) -> Design:
        """Return a member's own design that nobody has chosen from yet. Raises `MemberError`."""
        until, design = self._open.get(design_id, (0.0, None))
        if design is None or design.brief.scope.member_id != member_id or until < self._now():
            raise MemberError(_EXPIRED)
        return design

    async def _make(self, brief: Brief, account: int, on_progress: Callable[[int, Progress], None]) -> Design:
        takes: list[Recorded] = []
        failure: TTSError | None = None
        asker = Asker(brief.scope.member_id, account)
        try:
            while len(takes) < TAKES:
                number = len(takes) + 1
                takes.append(await self._take(brief, asker, partial(on_progress, number)))
        except TTSError as error:
            if not takes:
                raise
            log.info("a design has %d of %d takes: %s", len(takes), TAKES, error)
            failure = error
        except BaseException:  # the disk is full, or nobody waits any more
            await self._delete(takes)
            raise
        design = Design(new_id(), brief, tuple(takes), failure)
        await self._put(design)
        return design

    async def _take(self, brief: Brief, asker: Asker, on_progress: Callable[[Progress], None]) -> Recorded:
        request = SpeechRequest(brief.sample, style=brief.description, fresh=True)
        speech = await self._speeches.make(request, asker, on_progress=on_progress)
        return await self._making.keep_take(speech, brief.sample, asked_by=brief.asked_by)

    async def _put(self, design: Design) -> None:
        self._open[design.id] = self._now() + DESIGN_SECONDS, design
        over = []
        while len(self._open) > MAX_DESIGNS or next(iter(self._open.values()))[0] < self._now():
            over.append(self._open.popitem(last=False)[1][1])
        await self._drop(over)

    async def _drop(self, designs: Sequence[Design]) -> None:
        await self._delete([take for design in designs for take in design.takes])

    async def _delete(self, takes: Sequence[Recorded]) -> None:
        """Delete the recordings of takes that are over, but not those of a voice or an open design."""
        over = {take.recording for take in takes}
        over -= {take.recording for _, design in self._open.values() for take in design.takes}
        if over:
            with suppress(LibraryError):  # the hourly tidying finds them
                await self._making.drop(*over)
