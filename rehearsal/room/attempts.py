"""What people have asked of the bot: each command, press and form, and how it was answered."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from rehearsal.answers import Answer, AnswerState
from rehearsal.people import Person
from rehearsal.records import Channel, Message
from rehearsal.wire import Json

_KEPT: Final = 200


@dataclass(eq=False)
class Attempt:
    """One thing asked. ``what`` is in the member's words; times are seconds after they asked."""

    number: int
    person: Person
    channel: Channel
    what: str
    answer: Answer
    source: Message | None = None
    asked_at: float = field(default_factory=time.time)
    asked: float = field(default_factory=time.monotonic)
    first_sound_after: float | None = None
    behind_others: float = 0.0
    """How much of that time other speech was heard."""
    modal_closed: bool = False

    @property
    def modal_open(self) -> bool:
        """Return whether a form waits for the member."""
        return self.answer.modal is not None and not self.modal_closed

    def payload(self) -> Json:
        """Return what the page shows of it."""
        answer, history = self.answer, self.answer.history
        return {
            "number": self.number,
            "person": str(self.person.id),
            "channel": str(self.channel.id),
            "what": self.what,
            "at": self.asked_at,
            "state": answer.state.value,
            "failure": answer.failure,
            "message": str(answer.message.id) if answer.message else None,
            "source": str(self.source.id) if self.source else None,
            "acknowledged_after": answer.acknowledged_after,
            "first_sound_after": self.first_sound_after,
            "behind_others": self.behind_others,
            "done_after": history[-1].after if history and not _is_working(answer) else None,
            "given": bool(answer.files) or self.first_sound_after is not None,
            "modal": {"title": answer.modal.title, "data": answer.modal.data}
            if self.modal_open and answer.modal
            else None,
        }


class Attempts:
    """Keeps the newest attempts and tells when one changes."""

    def __init__(self, changed: Callable[[Attempt], None]) -> None:
        self._changed = changed
        self._count = 0
        self._spoken: deque[_SoundingAttempt] = deque(maxlen=_KEPT)
        self.all: list[Attempt] = []

    def add(
        self, person: Person, channel: Channel, what: str, answer: Answer, source: Message | None = None
    ) -> Attempt:
        """Follow ``answer`` from now on."""
        self._count += 1
        attempt = Attempt(self._count, person, channel, what, answer, source)
        self.all = [*self.all[-_KEPT:], attempt]
        answer.changes.listen(lambda: self._changed(attempt))
        self._changed(attempt)
        return attempt

    def of(self, person: Person) -> list[Attempt]:
        """Return what ``person`` has asked, oldest first."""
        return [attempt for attempt in self.all if attempt.person is person]

    def with_open_modal(self, person: Person, number: int) -> Attempt | None:
        """Return the attempt whose form is open at ``person``."""
        return next((a for a in self.of(person) if a.number == number and a.modal_open), None)

    def heard(self, guild_id: int | None, at: float) -> None:
        """Note that the bot began to speak in ``guild_id`` at ``at`` (monotonic seconds)."""
        self.fell_silent(guild_id, at)
        for attempt in self.all:
            here = attempt.channel.guild_id == guild_id and attempt.first_sound_after is None
            if here and attempt.asked <= at and _may_sound(attempt):
                attempt.first_sound_after = at - attempt.asked
                attempt.behind_others = sum(spoken.since(attempt.asked) for spoken in self._in(guild_id))
                self._changed(attempt)
                break
        self._spoken.append(_SoundingAttempt(guild_id, at))

    def fell_silent(self, guild_id: int | None, at: float) -> None:
        """Note that nothing was heard in ``guild_id`` from ``at`` on."""
        for spoken in self._in(guild_id):
            if spoken.end is None:
                spoken.end = at

    def _in(self, guild_id: int | None) -> list[_SoundingAttempt]:
        return [spoken for spoken in self._spoken if spoken.guild_id == guild_id]


@dataclass
class _SoundingAttempt:
    """A stretch of speech in a server: from when to when it was heard (monotonic seconds)."""

    guild_id: int | None
    begin: float
    end: float | None = None

    def since(self, start: float) -> float:
        """Return how many seconds of it came after ``start``."""
        return max(0.0, (self.end or start) - max(self.begin, start))


def _may_sound(attempt: Attempt) -> bool:
    """Return whether sound that begins now can belong to it: the answer is made, or just was."""
    answer = attempt.answer
    if answer.state in (AnswerState.FAILED, AnswerState.DELETED, AnswerState.MODAL):
        return False
    is_spoken = any(line.startswith("Speaking in") for line in answer.content.splitlines())
    return _is_working(answer) or bool(answer.files) or is_spoken


def _is_working(answer: Answer) -> bool:
    """Return whether more is to come: nothing yet, or words that end in a promise."""
    return answer.state in (AnswerState.WAITING, AnswerState.THINKING) or answer.content.endswith(" …")
