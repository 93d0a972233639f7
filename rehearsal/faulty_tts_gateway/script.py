"""Script of faults: what happens to the next requests, and what has been received."""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rehearsal.faulty_tts_gateway import catalog
from rehearsal.faulty_tts_gateway.faults import Fault


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
        self.pending: dict[str, list[bytes]] = {}
        """The answers to come about requests that were accepted with 202, by their ids."""
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
        """Set what every request gets from now on, by names in `catalog.NAMED`; null is the right answer.

        Raises ValueError, and then nothing is changed.
        """
        try:
            wishes = json.loads(body)
            every_post, every_download = (
                None if wishes[name] is None else catalog.NAMED[wishes[name]]
                for name in ("every_post", "every_download")
            )
        except (RecursionError, LookupError, TypeError) as error:
            raise ValueError("every_post and every_download must be names of faults, or null.") from error
        self.clear()
        self.every_post, self.every_download = every_post, every_download

    async def received(self, *, posts: int) -> None:
        """Return as soon as so many POSTs have arrived in all."""
        while len(self.requests) < posts:
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

    def take_poll(self, request: ReceivedRequest, request_id: str) -> bytes | None:
        """Note a question about a pending request, and return the JSON of its status, if it exists."""
        self._note(self.polls, request)
        answers = self.pending.get(request_id)
        if answers is None:
            return None
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _note(self, where: list[ReceivedRequest], request: ReceivedRequest) -> None:
        where.append(request)
        self._arrival.set()
