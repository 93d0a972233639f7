"""Backlog of one voice channel: messages that wait to be read, fair between authors, in order of each."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from bot.text.speaking_time import speaking_seconds

MAX_OF_AN_AUTHOR: Final = 20
"""Messages of one author that wait; the next ones are left out. At 3 s each that is a minute already."""

_LATER: Final = 1.25
"""What is heard before a message may take so much longer than its estimate: voices differ."""

FAST: Final = ((20.0, 1.4), (8.0, 1.2))
"""From so many seconds of backlog on, messages are read so many times as fast. These steps are few, so that
what was made once is found again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadMessage:
    """A message that is to be read. ``name`` is what its author is called; "" for what has no author.

    ``written_at`` is in seconds of the loop's clock.
    """

    id: int
    channel_id: int
    author_id: int
    role_ids: frozenset[int] = frozenset()
    name: str = ""
    text: str = field(repr=False)
    language: str
    written_at: float
    longest_wait: float
    name_pause: float | None = None
    seconds: float = field(init=False)
    """About how long it takes to say. Reckoned once: every display of a backlog asks all that wait."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "seconds", speaking_seconds(self.text))


@dataclass(frozen=True, slots=True)
class Behind:
    """How far behind a reader is: messages and seconds that wait, and how many were left out lately."""

    messages: int
    seconds: float
    left_out: int


class Backlog:
    """Messages that wait. The author who was read longest ago comes next, with their earliest message."""

    def __init__(self) -> None:
        self._waiting: dict[int, deque[ReadMessage]] = {}
        self._turns: dict[int, int] = {}  # when each author was read last; the longest ago is lowest
        self._turn = 0
        self.left_out = 0
        """How many messages were left out since it was empty: they had waited too long, or were too many."""

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def __iter__(self) -> Iterator[ReadMessage]:
        for messages in self._waiting.values():
            yield from messages

    @property
    def seconds(self) -> float:
        """About how long all of it takes to say."""
        return sum(message.seconds for message in self)

    def add(self, message: ReadMessage) -> None:
        """Let a message wait behind those of its author, unless those are too many already."""
        waiting = self._waiting.setdefault(message.author_id, deque())
        if len(waiting) < MAX_OF_AN_AUTHOR:
            waiting.append(message)
        else:
            self.left_out += 1

    def remove(self, message_id: int) -> bool:
        """Forget a message; return whether it was waiting."""
        for author_id, messages in self._waiting.items():
            for message in messages:
                if message.id == message_id:
                    messages.remove(message)
                    if not messages:
                        del self._waiting[author_id]
                    return True
        return False

    def replace(self, message_id: int, text: str, language: str) -> bool:
        """Let a message say something else, in the place it has; return whether it was waiting."""
        for messages in self._waiting.values():
            for index, message in enumerate(messages):
                if message.id == message_id:
                    messages[index] = replace(message, text=text, language=language)
                    return True
        return False

    def clear(self, *, author_id: int | None = None, channel_id: int | None = None) -> int:
        """Forget what waits, or only that of an author or of a channel; return how many that were."""
        before = len(self)
        self._waiting = {
            author: kept
            for author, messages in self._waiting.items()
            if (kept := deque(one for one in messages if not _is_of(one, author_id, channel_id)))
        }
        return before - len(self)

    def take(
        self, now: float, seconds_before: float = 0.0, *, busy: Collection[int] = ()
    ) -> ReadMessage | None:
        """Return the next message, which does not wait any more; None: there is none that may be read now.

        ``seconds_before`` is what is heard in front of it: what would come too late is left out. Authors who
        are ``busy`` have enough in hand.
        """
        self._leave_out(now, seconds_before)
        authors = [author_id for author_id in self._waiting if author_id not in busy]
        if not authors:
            if not self._waiting:
                self._turns.clear()
            return None
        author_id = min(authors, key=lambda one: (self._turns.get(one, 0), self._waiting[one][0].written_at))
        messages = self._waiting[author_id]
        message = messages.popleft()
        if not messages:
            del self._waiting[author_id]
        self._turn += 1
        self._turns[author_id] = self._turn
        return message

    def _leave_out(self, now: float, seconds_before: float) -> None:
        for author_id, messages in list(self._waiting.items()):
            while (
                messages and now + _LATER * seconds_before - messages[0].written_at > messages[0].longest_wait
            ):
                messages.popleft()
                self.left_out += 1
            if not messages:
                del self._waiting[author_id]


def _is_of(message: ReadMessage, author_id: int | None, channel_id: int | None) -> bool:
    return author_id in (None, message.author_id) and channel_id in (None, message.channel_id)


def tempo_at(seconds: float) -> float:
    """Return how much faster messages are read where so many seconds wait."""
    return next((tempo for least, tempo in FAST if seconds >= least), 1.0)
