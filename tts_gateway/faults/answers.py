"""Faults that answer something else: small frozen values, each used for one request."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from multidict import CIMultiDict

from tts_gateway.faults import odd_wav
from tts_gateway.faults.reply import Occasion, Poll, Reply

URL_MARK: Final = "{url}"
"""Stands for the address of the sound in the body of a `Success`."""

POLLING_PATH: Final = "/v2/requests/status/"
"""Where a pending request is asked about; its id follows. The path is the hosted provider's."""

_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Respond:
    """Answer this status, body and headers; no sound is made. Text and bytes go out as they are,

    anything else as JSON. A Content-Type among ``headers`` wins over ``content_type``.
    """

    status: int
    body: object = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = _JSON

    async def reply(self, occasion: Occasion) -> Reply:
        """Return that answer."""
        body = self.body if isinstance(self.body, bytes | str) else json.dumps(self.body)
        data = body.encode() if isinstance(body, str) else body
        return Reply(self.status, _headers(self.content_type, self.headers), data)


@dataclass(frozen=True, slots=True)
class Success:
    """Make the sound, and announce it in another shape: ``body`` with the address for `URL_MARK`.

    A request that fails for its own reasons keeps its right answer.
    """

    body: str
    status: int = 200
    content_type: str = _JSON

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the sound's address in that shape."""
        good = await occasion.good()
        if good.status != 200:
            return good
        body = self.body.replace(URL_MARK, _address(good))
        return Reply(self.status, _headers(self.content_type), body.encode())


@dataclass(frozen=True, slots=True)
class SoundItself:
    """Make the sound, and answer with the WAV instead of its address."""

    content_type: str = "audio/wav"

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the WAV."""
        good = await occasion.good()
        if good.status != 200:
            return good
        return Reply(200, _headers(self.content_type), occasion.sound_at(_address(good)) or b"")


@dataclass(frozen=True, slots=True)
class Redirect:
    """Answer ``status`` (301, 302, 303, 307 or 308) with this Location."""

    status: int
    to: str

    async def reply(self, occasion: Occasion) -> Reply:
        """Return the redirect."""
        return Reply(self.status, _headers(None, {"Location": self.to}), b"")


@dataclass(frozen=True, slots=True)
class BadWav:
    """Answer another WAV, or none: one of `odd_wav.KINDS`."""

    wav: str

    async def reply(self, occasion: Occasion) -> Reply:
        """Return that file."""
        return Reply(200, _headers("audio/wav"), odd_wav.KINDS[self.wav]())


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

    async def reply(self, occasion: Occasion) -> Reply:
        """Make the sound, and return the promise of it."""
        good = await occasion.good()
        if good.status != 200:
            return good
        request_id = occasion.add_poll(Poll(self._answers(_address(good))))
        own = f"{occasion.origin}{POLLING_PATH}{request_id}"
        url = own if self.polling_url is None else self.polling_url
        body = {"request_id": request_id, "status": "QUEUED"} | ({"polling_url": url} if url else {})
        return Reply(self.status, _headers(_JSON), json.dumps(body).encode())

    def _answers(self, address: str) -> list[bytes]:
        pending = [json.dumps({"status": "QUEUED" if n == 0 else "PROCESSING"}) for n in range(self.polls)]
        last = {
            "COMPLETED": {"status": "COMPLETED", "output": {"media_url": [address]}},
            "NEVER": {"status": "PROCESSING"},
        }.get(self.outcome, {"status": self.outcome, "error": "The model stopped."})
        return [answer.encode() for answer in (*pending, json.dumps(last))]


def _address(good: Reply) -> str:
    answer = json.loads(good.body)
    return str(answer.get("output") or answer["audio_url"])


def _headers(content_type: str | None, more: Mapping[str, str] | None = None) -> CIMultiDict[str]:
    headers = CIMultiDict({"Content-Type": content_type} if content_type else {})
    headers.update(more or {})
    return headers
