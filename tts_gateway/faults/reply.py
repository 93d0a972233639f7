"""An answer before it is sent: what it says, and how badly it is delivered."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol

from multidict import CIMultiDict


@dataclass(frozen=True, slots=True)
class Whole:
    """Delivered as it should be."""


@dataclass(frozen=True, slots=True)
class BrokenOff:
    """The connection ends after ``after`` body bytes although the head promised all of them.

    ``after=None``: not even the head is sent. ``reset``: with a TCP reset, otherwise with a clean end.
    """

    after: int | None
    reset: bool


@dataclass(frozen=True, slots=True)
class InPieces:
    """The body comes ``size`` bytes at a time, ``every`` so many seconds."""

    size: int
    every: float


@dataclass(frozen=True, slots=True)
class ClaimedLength:
    """The head promises ``length`` bytes, whatever the body has; then the connection is closed."""

    length: int


@dataclass(frozen=True, slots=True)
class Zeros:
    """After the body come zero bytes, up to ``total`` bytes in all; None: without end."""

    total: int | None


@dataclass(frozen=True, slots=True)
class AfterInformation:
    """``count`` informational heads (status 102) come before the answer itself."""

    count: int


Delivery = Whole | BrokenOff | InPieces | ClaimedLength | Zeros | AfterInformation


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer, not sent yet."""

    status: int
    headers: CIMultiDict[str]
    body: bytes
    delivery: Delivery = Whole()


@dataclass(frozen=True, slots=True)
class Occasion:
    """What a fault may use: the good answer, the sounds kept, and where to poll."""

    good: Callable[[], Awaitable[Reply]]
    """Does the work and returns the answer that would be right."""
    sound_at: Callable[[str], bytes | None]
    """The kept WAV behind one of our own addresses."""
    origin: str
    """Scheme, host and port the request came to."""
    add_poll: Callable[[Poll], str]
    """Keep a pending request; returns its id."""


@dataclass(slots=True)
class Poll:
    """A request that was answered with 202 and is asked about later."""

    answers: list[bytes]
    """The JSON bodies to give, in order; the last one is repeated."""


class Fault(Protocol):
    """One way to misbehave, once."""

    async def reply(self, occasion: Occasion) -> Reply:
        """Return what is answered instead of the right answer."""
        ...
