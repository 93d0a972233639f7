"""Faults that spoil an answer on its way. They stack: `Delay(1, Drip(10, 0.1, Respond(503)))`.

``of`` is the answer that is spoiled; None means the right one. Of several ways to break the delivery
the outermost one counts.
"""

from __future__ import annotations

import asyncio
import gzip
import zlib
from dataclasses import dataclass, field, replace

from tts_gateway.faults.reply import (
    AfterInformation,
    BrokenOff,
    ClaimedLength,
    Delivery,
    Fault,
    InPieces,
    Occasion,
    Reply,
    Zeros,
)


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait ``seconds`` first."""

    seconds: float
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer, late."""
        await asyncio.sleep(self.seconds)
        return await _reply_of(self.of, occasion)


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until ``released`` is set: the way for a test to decide when the answer comes."""

    of: Fault | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer once it is released."""
        await self.released.wait()
        return await _reply_of(self.of, occasion)


@dataclass(frozen=True, slots=True)
class Reset:
    """Reset the connection after ``after_bytes`` of the body; None: before the head."""

    after_bytes: int | None = None
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer that will not arrive whole."""
        return await _delivered(self.of, occasion, BrokenOff(self.after_bytes, reset=True))


@dataclass(frozen=True, slots=True)
class Cut:
    """End the connection cleanly after this fraction of the body, although all of it was promised."""

    fraction: float
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer that will not arrive whole."""
        reply = await _reply_of(self.of, occasion)
        return replace(reply, delivery=BrokenOff(int(len(reply.body) * self.fraction), reset=False))


@dataclass(frozen=True, slots=True)
class Drip:
    """Send the body ``size`` bytes at a time, ``every`` so many seconds."""

    size: int
    every: float
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer that comes slowly."""
        return await _delivered(self.of, occasion, InPieces(self.size, self.every))


@dataclass(frozen=True, slots=True)
class Length:
    """Promise ``claimed`` bytes, whatever the body has."""

    claimed: int
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer with the wrong promise."""
        return await _delivered(self.of, occasion, ClaimedLength(self.claimed))


@dataclass(frozen=True, slots=True)
class Endless:
    """Follow the body with zero bytes: for ever, or up to ``total`` bytes in all."""

    total: int | None = None
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer that does not end."""
        return await _delivered(self.of, occasion, Zeros(self.total))


@dataclass(frozen=True, slots=True)
class Information:
    """Send ``count`` informational heads (status 102) before the answer."""

    count: int
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the answer that comes after them."""
        return await _delivered(self.of, occasion, AfterInformation(self.count))


@dataclass(frozen=True, slots=True)
class WrongType:
    """Give the answer another Content-Type, and nothing else."""

    content_type: str
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the mislabelled answer."""
        reply = await _reply_of(self.of, occasion)
        reply.headers["Content-Type"] = self.content_type
        return reply


@dataclass(frozen=True, slots=True)
class Encoded:
    """Send the body with a Content-Encoding: `gzip`, `deflate`, or a name that is not true."""

    encoding: str = "gzip"
    of: Fault | None = None

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the encoded answer."""
        reply = await _reply_of(self.of, occasion)
        reply.headers["Content-Encoding"] = self.encoding
        return replace(reply, body=_encoded(reply.body, self.encoding))


async def _reply_of(fault: Fault | None, occasion: Occasion) -> Reply:
    return await (occasion.good() if fault is None else fault.reply(occasion))


async def _delivered(fault: Fault | None, occasion: Occasion, delivery: Delivery) -> Reply:
    return replace(await _reply_of(fault, occasion), delivery=delivery)


def _encoded(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body)
    return zlib.compress(body) if encoding == "deflate" else body
