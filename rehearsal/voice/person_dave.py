"""A human's own end-to-end encryption: a member of the call's group who commits and decrypts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

import davey

from rehearsal.voice.codes import DAVE_VERSION
from rehearsal.voice.dave import DaveGroup

log = logging.getLogger(__name__)

SILENCE_FRAME: Final = b"\xf8\xff\xfe"
"""Opus' shortest silence; DAVE lets it through without encryption."""

_MAGIC_MARKER: Final = b"\xfa\xfa"


_ON_THE_WAY_SECONDS: Final = 0.5
"""How long after a change a packet may still arrive that was sent before it."""


class Unheard(Enum):
    """Why a packet could not be heard."""

    PLAINTEXT = "sent without end-to-end encryption in a call that has it"
    TOO_EARLY = "encrypted before this person was part of the call's group"
    WRONG_KEYS = "encrypted with keys this person does not have"


class UnheardError(Exception):
    """The frame cannot be decrypted; ``why`` says for which reason."""

    def __init__(self, why: Unheard) -> None:
        super().__init__(why.value)
        self.why = why


class PersonDave:
    """One human's `davey.DaveSession`, kept in step with the group."""

    def __init__(self, user_id: int, channel_id: int, group: DaveGroup) -> None:
        self._user_id = user_id
        self._channel_id = channel_id
        self._group = group
        self._session = davey.DaveSession(DAVE_VERSION, user_id, channel_id)
        self._ready_since = 0.0
        self.is_ready = False
        self.on_ready: Callable[[], None] = lambda: None

    @property
    def user_id(self) -> int:
        """Return whose encryption this is."""
        return self._user_id

    @property
    def privacy_code(self) -> str | None:
        """Return the code that is the same for everyone in the call; None while alone."""
        return self._session.voice_privacy_code

    def set_external_sender(self, package: bytes) -> None:
        """Make a group of one, and offer a key package."""
        self._session.set_external_sender(package)
        self._offer_key_package()

    def consider(self, proposals: bytes) -> None:
        """Commit to the proposals as soon as everybody else has them too."""
        answer = self._session.process_proposals(davey.ProposalsOperationType.append, proposals)
        if answer is not None:
            self._soon(self._group.commit, self, answer.commit, answer.welcome or b"")

    def apply_commit(self, transition_id: int, commit: bytes) -> None:
        """Go over to the keys of the next epoch; those of this one still open late packets."""
        self._session.process_commit(commit)
        self._group.ready(self, transition_id)

    def enter(self, transition_id: int, welcome: bytes) -> None:
        """Leave the group of one for the call's."""
        self._session.process_welcome(welcome)
        self._group.ready(self, transition_id)

    def start_over(self) -> None:
        """Be alone again: a new group of one."""
        self.is_ready = False
        self._session.reinit(DAVE_VERSION, self._user_id, self._channel_id)
        self._offer_key_package()

    def execute(self, transition_id: int) -> None:
        """Be ready: from here on the others send with keys this person has."""
        if self._session.ready and not self.is_ready:
            self.is_ready = True
            self._ready_since = time.monotonic()
            self.on_ready()

    def decrypt(self, sender_id: int, frame: bytes) -> bytes:
        """Return the Opus frame in ``frame``; `UnheardError` when it stays closed."""
        if frame == SILENCE_FRAME:
            return frame
        try:
            return self._session.decrypt(sender_id, davey.MediaType.audio, frame)
        except ValueError as error:
            log.debug("a frame stays closed: %s", error)
        if not frame.endswith(_MAGIC_MARKER):
            raise UnheardError(Unheard.PLAINTEXT)
        settled = self.is_ready and time.monotonic() > self._ready_since + _ON_THE_WAY_SECONDS
        raise UnheardError(Unheard.WRONG_KEYS if settled else Unheard.TOO_EARLY)

    def _offer_key_package(self) -> None:
        self._soon(self._group.key_package, self, self._session.get_serialized_key_package())

    def _soon(self, call: Callable[..., None], *arguments: object) -> None:
        asyncio.get_running_loop().call_soon(call, *arguments)
