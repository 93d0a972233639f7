"""Faults: frozen values, each one way for the TTS gateway to misbehave, once.

Some answer something else, others spoil an answer on its way. Those stack: `Delay(1, Drip(10, 0.1,
Respond(503)))`. Their field ``of`` is the answer that is spoiled; None means the right one. Of several ways
to break the transmission the outermost one counts.
"""

from __future__ import annotations

import asyncio
import gzip
import json
import secrets
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, cast

from aiohttp import web
from aiohttp.typedefs import Handler
from multidict import CIMultiDict

from rehearsal.faulty_tts_gateway import odd_wav
from tts_gateway.server import SpeechService, origin_of
from tts_gateway.wire import response_for


class Fault(Protocol):
    """One way to misbehave, once."""

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return what is answered instead of the right answer."""
        ...


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request to ``handler``, as a fault sees it.

    ``pending``: by the ids of requests that are asked about later the JSON bodies to give, in order; the last
    one is repeated.
    """

    request: web.Request
    handler: Handler
    service: SpeechService
    pending: dict[str, list[bytes]]

    async def right_answer(self) -> PlannedAnswer:
        """Do the work, and return the answer that would be right."""
        try:
            response = await self.handler(self.request)
        except Exception as error:  # whatever it is, it has a right answer, and a fault may spoil that one
            response = response_for(error)
        body = response.body if isinstance(response, web.Response) else b""
        if not isinstance(body, bytes | bytearray):
            raise TypeError("only answers made of bytes can be spoiled")
        return PlannedAnswer(response.status, CIMultiDict(response.headers), bytes(body))


@dataclass(frozen=True, slots=True)
class PlannedAnswer:
    """One answer, not sent yet; ``transmission`` breaks on its way to the client. None: it arrives whole."""

    status: int
    headers: CIMultiDict[str]
    body: bytes
    transmission: BrokenTransmission | None = None


URL_MARK: Final = "{url}"
"""Stands for the address of the sound in the body of a `Success`."""

POLLING_PATH: Final = "/v2/requests/status/"
"""Where a pending request is asked about; its id follows. The path is the hosted provider's."""

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer this status, body and headers; no sound is made.

    Text and bytes go out as they are, anything else as JSON. A Content-Type among ``headers`` wins over
    ``content_type``.
    """

    status: int
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = _JSON

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return that answer."""
        body = self.body if isinstance(self.body, bytes | str) else json.dumps(self.body)
        data = body.encode() if isinstance(body, str) else body
        return PlannedAnswer(self.status, _headers(self.content_type, self.headers), data)


@dataclass(frozen=True, slots=True)
class Success:
    """Make the sound, and announce it in another shape: ``body`` with the address for `URL_MARK`.

    A request that fails for its own reasons keeps its right answer.
    """

    body: str
    status: int = 200
    content_type: str = _JSON

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the sound's address in that shape."""
        good = await exchange.right_answer()
        if good.status != 200:
            return good
        body = self.body.replace(URL_MARK, _address(good))
        return PlannedAnswer(self.status, _headers(self.content_type), body.encode())


@dataclass(frozen=True, slots=True)
class SoundItself:
    """Make the sound, and answer with the WAV instead of its address."""

    content_type: str = "audio/wav"

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the WAV."""
        good = await exchange.right_answer()
        if good.status != 200:
            return good
        return PlannedAnswer(
            200, _headers(self.content_type), exchange.service.sound_at(_address(good)) or b""
        )


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer ``status`` (301, 302, 303, 307 or 308) with this Location."""

    status: int
    to: str

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the redirect."""
        return PlannedAnswer(self.status, _headers(None, {"Location": self.to}), b"")


@dataclass(frozen=True, slots=True)
class BadWav:
    """Answer another WAV, or none: one of `odd_wav.KINDS`."""

    wav: str

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return that file."""
        return PlannedAnswer(200, _headers("audio/wav"), odd_wav.KINDS[self.wav]())


@dataclass(frozen=True, slots=True)
class Accepted202:
    """Answer 202 at once; the sound is announced when it is asked for ``polls`` times.

    ``outcome``: `COMPLETED`, `FAILED`, `ERROR`, or `NEVER`. ``polling_url``: None is the right address,
    an empty text leaves the field out, anything else is given as it is.
    """

    polls: int = 2
    outcome: str = "COMPLETED"
    polling_url: str | None = None
    status: int = 202

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Make the sound, and return the promise of it."""
        good = await exchange.right_answer()
        if good.status != 200:
            return good
        request_id = secrets.token_hex(8)
        exchange.pending[request_id] = self._answers(_address(good))
        own = f"{origin_of(exchange.request)}{POLLING_PATH}{request_id}"
        url = own if self.polling_url is None else self.polling_url
        body = {"request_id": request_id, "status": "QUEUED"} | ({"polling_url": url} if url else {})
        return PlannedAnswer(self.status, _headers(_JSON), json.dumps(body).encode())

    def _answers(self, address: str) -> list[bytes]:
        pending = [json.dumps({"status": "QUEUED" if n == 0 else "PROCESSING"}) for n in range(self.polls)]
        last = {
            "COMPLETED": {"status": "COMPLETED", "output": {"media_url": [address]}},
            "NEVER": {"status": "PROCESSING"},
        }.get(self.outcome, {"status": self.outcome, "error": "The model stopped."})
        return [answer.encode() for answer in (*pending, json.dumps(last))]


@dataclass(frozen=True, slots=True)
class Delay:
    """Wait ``seconds`` first."""

    seconds: float
    of: Fault | None = None

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the answer, late."""
        await asyncio.sleep(self.seconds)
        return await _answer_of(self.of, exchange)


@dataclass(frozen=True, slots=True)
class Hold:
    """Wait until ``released`` is set: the way for a test to decide when the answer comes."""

    of: Fault | None = None
    released: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the answer once it is released."""
        await self.released.wait()
        return await _answer_of(self.of, exchange)


class _BrokenOnItsWay:
    """Base of the faults that give the right answer, or that of ``of``, and break it on its way."""

    __slots__ = ()
    of: Fault | None

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the answer that will be broken."""
        return replace(await _answer_of(self.of, exchange), transmission=cast("BrokenTransmission", self))


@dataclass(frozen=True, slots=True)
class Reset(_BrokenOnItsWay):
    """Reset the connection after ``after_bytes`` of the body; None: before the head."""

    after_bytes: int | None = None
    of: Fault | None = None


@dataclass(frozen=True, slots=True)
class Cut(_BrokenOnItsWay):
    """End the connection cleanly after this fraction of the body, although all of it was promised."""

    fraction: float
    of: Fault | None = None


@dataclass(frozen=True, slots=True)
class Drip(_BrokenOnItsWay):
    """Send the body ``size`` bytes at a time, ``every`` so many seconds."""

    size: int
    every: float
    of: Fault | None = None


@dataclass(frozen=True, slots=True)
class Length(_BrokenOnItsWay):
    """Promise ``claimed`` bytes, whatever the body has; then the connection is closed."""

    claimed: int
    of: Fault | None = None


@dataclass(frozen=True, slots=True)
class Endless(_BrokenOnItsWay):
    """Follow the body with zero bytes: for ever, or up to ``total`` bytes in all."""

    total: int | None = None
    of: Fault | None = None


@dataclass(frozen=True, slots=True)
class Information(_BrokenOnItsWay):
    """Send ``count`` informational heads (status 102) before the answer."""

    count: int
    of: Fault | None = None


BrokenTransmission = Reset | Cut | Drip | Length | Endless | Information


@dataclass(frozen=True, slots=True)
class WrongType:
    """Give the answer another Content-Type, and nothing else."""

    content_type: str
    of: Fault | None = None

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the mislabelled answer."""
        answer = await _answer_of(self.of, exchange)
        answer.headers["Content-Type"] = self.content_type
        return answer


@dataclass(frozen=True, slots=True)
class Encoded:
    """Send the body with a Content-Encoding: `gzip`, `deflate`, or a name that is not true."""

    encoding: str = "gzip"
    of: Fault | None = None

    async def answer(self, exchange: Exchange) -> PlannedAnswer:
        """Return the encoded answer."""
        answer = await _answer_of(self.of, exchange)
        answer.headers["Content-Encoding"] = self.encoding
        return replace(answer, body=_encoded(answer.body, self.encoding))


def _address(good: PlannedAnswer) -> str:
    answer = json.loads(good.body)
    return str(answer.get("output") or answer["audio_url"])


def _headers(content_type: str | None, more: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    headers = CIMultiDict({"Content-Type": content_type} if content_type else {})
    headers.update(more or {})
    return headers


async def _answer_of(fault: Fault | None, exchange: Exchange) -> PlannedAnswer:
    return await (exchange.right_answer() if fault is None else fault.answer(exchange))


def _encoded(body: bytes, encoding: str) -> bytes:
    if encoding == "gzip":
        return gzip.compress(body)
    return zlib.compress(body) if encoding == "deflate" else body
