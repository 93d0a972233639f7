"""Script of faults: what happens to the next requests, and what has been received.

It can be written as JSON:

    {"clear": true, "on_post": [{"kind": "Delay", "seconds": 2, "of": {"named": "rate limit"}}, null],
     "every_download": {"kind": "Drip", "size": 4096, "every": 0.1}}

``kind`` is the name of a fault's class, the other keys are its fields; ``named`` is an entry of the
catalog; null is a right answer.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Any, Final

from rehearsal.faulty_tts_gateway import catalog, faults, odd_wav
from rehearsal.faulty_tts_gateway.faults import Fault, PendingRequest


@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """One request as it arrived."""

    method: str
    path: str
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def json(self) -> Any:
        """The body read as JSON. Raises ValueError."""
        return json.loads(self.body)


class FaultScript:
    """Faults for the next requests, each used once and in order; after the last one all is right.

    Belongs to the event loop that serves.
    """

    def __init__(self) -> None:
        self.requests: list[ReceivedRequest] = []
        """The POSTs of the contract, right or wrong, in order of arrival."""
        self.downloads: list[ReceivedRequest] = []
        """The GETs of sounds."""
        self.polls: list[ReceivedRequest] = []
        """The GETs of a pending request's status."""
        self.every_post: Fault | None = None
        """What every POST gets once the script is used up; None: the right answer."""
        self.every_download: Fault | None = None
        """The same for sounds."""
        self._on_post: deque[Fault | None] = deque()
        self._on_download: deque[Fault | None] = deque()
        self._pending: dict[str, PendingRequest] = {}
        self._arrival = asyncio.Event()

    def on_post(self, *faults: Fault | None) -> None:
        """Queue ``faults`` for the next POSTs; None is a right answer in between."""
        self._on_post.extend(faults)

    def on_download(self, *faults: Fault | None) -> None:
        """Queue ``faults`` for the next downloads of sounds; None is a right answer in between."""
        self._on_download.extend(faults)

    def clear(self) -> None:
        """Behave from now on. What was received stays."""
        self._on_post.clear()
        self._on_download.clear()
        self.every_post = self.every_download = None

    def apply_json(self, body: bytes) -> None:
        """Change what happens as ``body`` says. Raises ValueError, and then nothing is changed."""
        try:
            wishes = json.loads(body)
        except RecursionError as error:
            raise ValueError("The body is nested too deeply.") from error
        if not isinstance(wishes, dict):
            raise ValueError("A script must be an object.")
        posts = [fault_from_json(value) for value in _list(wishes, "on_post")]
        downloads = [fault_from_json(value) for value in _list(wishes, "on_download")]
        every_post = fault_from_json(wishes.get("every_post"))
        every_download = fault_from_json(wishes.get("every_download"))
        if wishes.get("clear"):
            self.clear()
        self.on_post(*posts)
        self.on_download(*downloads)
        self.every_post = every_post if "every_post" in wishes else self.every_post
        self.every_download = every_download if "every_download" in wishes else self.every_download

    async def received(self, *, posts: int = 0, downloads: int = 0, polls: int = 0) -> None:
        """Return as soon as so many requests have arrived in all."""
        while len(self.requests) < posts or len(self.downloads) < downloads or len(self.polls) < polls:
            self._arrival.clear()
            await self._arrival.wait()

    def take_post(self, request: ReceivedRequest) -> Fault | None:
        """Note a POST, and return what happens to it."""
        self._note(self.requests, request)
        return self._on_post.popleft() if self._on_post else self.every_post

    def take_download(self, request: ReceivedRequest) -> Fault | None:
        """Note a download, and return what happens to it."""
        self._note(self.downloads, request)
        return self._on_download.popleft() if self._on_download else self.every_download

    def keep_pending(self, pending: PendingRequest) -> str:
        """Keep a pending request, and return its id."""
        request_id = secrets.token_hex(8)
        self._pending[request_id] = pending
        return request_id

    def take_poll(self, request: ReceivedRequest, request_id: str) -> bytes | None:
        """Note a question about a pending request, and return the JSON of its status, if it exists."""
        self._note(self.polls, request)
        pending = self._pending.get(request_id)
        if pending is None:
            return None
        return pending.answers.pop(0) if len(pending.answers) > 1 else pending.answers[0]

    def _note(self, where: list[ReceivedRequest], request: ReceivedRequest) -> None:
        where.append(request)
        self._arrival.set()


_KINDS: Final[Mapping[str, type]] = MappingProxyType(
    {
        kind.__name__: kind
        for kind in (
            *(faults.Respond, faults.Success, faults.SoundItself, faults.Redirect),
            *(faults.BadWav, faults.Accepted202),
            *(faults.Delay, faults.Reset, faults.Cut, faults.Drip, faults.Length),
            *(faults.Endless, faults.Information, faults.WrongType, faults.Encoded),
        )
    }
)
_NAMED: Final[Mapping[str, Fault]] = MappingProxyType(
    {**catalog.AZURE_ERRORS, **catalog.OTHER_SHAPES, **catalog.BROKEN_SUCCESSES}
)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value >= 0


def _is_count(value: object) -> bool:
    return _is_number(value) and isinstance(value, int)


def _is_headers(value: object) -> bool:
    return isinstance(value, dict) and all(
        isinstance(text, str) and text.isprintable() for text in (*value, *value.values())
    )


_CHECKS: Final[Mapping[str, Callable[[object], bool]]] = MappingProxyType(
    {
        "int": _is_count,
        "int | None": lambda value: value is None or _is_count(value),
        "float": _is_number,
        "str": lambda value: isinstance(value, str),
        "str | None": lambda value: value is None or isinstance(value, str),
        "object": lambda value: True,
        "Mapping[str, str]": _is_headers,
    }
)


def fault_from_json(value: object) -> Fault | None:
    """Return the fault that ``value``, read from JSON, describes. Raises ValueError that says why not."""
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError("A fault must be an object or null.")
    if "named" in value:
        return _named(value["named"])
    given = dict(value)
    kind = _KINDS.get(str(given.pop("kind", "")))
    if kind is None:
        raise ValueError(f"kind must be one of {', '.join(_KINDS)}.")
    types = {field.name: str(field.type) for field in fields(kind)}
    for name, argument in given.items():
        if types.get(name) == "Fault | None":
            given[name] = fault_from_json(argument)
        elif name not in types or not _CHECKS[types[name]](argument):
            raise ValueError(f"{kind.__name__} has no such {name}.")
    return _made(kind, given)


def _named(name: object) -> Fault:
    if not isinstance(name, str) or name not in _NAMED:
        raise ValueError(f"named must be one of {', '.join(_NAMED)}.")
    return _NAMED[name]


def _made(kind: type, arguments: dict[str, Any]) -> Fault:
    try:
        fault: Fault = kind(**arguments)
    except TypeError as error:
        raise ValueError(f"{kind.__name__} needs more fields.") from error
    if not 200 <= arguments.get("status", 200) <= 599:
        raise ValueError("status must be from 200 to 599.")
    if arguments.get("size") == 0:
        raise ValueError("size must be above 0.")
    if isinstance(fault, faults.BadWav) and fault.wav not in odd_wav.KINDS:
        raise ValueError(f"wav must be one of {', '.join(odd_wav.KINDS)}.")
    return fault


def _list(wishes: dict[str, Any], name: str) -> list[object]:
    value = wishes.get(name, [])
    if not isinstance(value, list):
        raise ValueError(f"{name} must be a list.")
    return value
