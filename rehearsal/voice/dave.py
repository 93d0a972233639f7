"""End-to-end encryption (DAVE): the MLS group as the voice server sees it, and a person who is a member."""

from __future__ import annotations

import asyncio
import logging
import struct
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

import davey
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from rehearsal.voice.protocol import DAVE_VERSION, VoiceFaults


class GroupMember(Protocol):
    """Someone with end-to-end encryption, as the voice server reaches them. Nothing here may wait."""

    @property
    def user_id(self) -> int:
        """Return whose encryption this is."""

    def set_external_sender(self, package: bytes) -> None:
        """Learn who may propose (25); a key package is due."""

    def consider(self, proposals: bytes) -> None:
        """Learn of proposals (27); a commit is due, but not before this returns."""

    def apply_commit(self, transition_id: int, commit: bytes) -> None:
        """Learn which commit counts (29); readiness is due, or with the id 0 nothing: it is in force."""

    def enter(self, transition_id: int, welcome: bytes) -> None:
        """Be let into the group (30); readiness is due, or with the id 0 nothing: it is in force."""

    def start_over(self) -> None:
        """Make a new group of one (24 with epoch 1, and 21 with id 0); a key package is due."""

    def execute(self, transition_id: int) -> None:
        """Send with the keys of this transition from now on (22)."""


@dataclass(slots=True)
class _Transition:
    waiting: list[GroupMember]
    deadline: asyncio.TimerHandle


class Transitions:
    """Executes each transition when all have said that they are ready, or when its time is up."""

    def __init__(self, faults: VoiceFaults, execute: Callable[[int], None]) -> None:
        self._faults = faults
        self._execute = execute
        self._open: dict[int, _Transition] = {}
        self._last = 0

    def __bool__(self) -> bool:
        return bool(self._open)

    def open(self, members: Iterable[GroupMember]) -> int:
        """Begin to wait for ``members`` and return the id of this transition, which is not 0."""
        self._last = self._last % 0xFFFE + 1
        loop = asyncio.get_running_loop()
        deadline = loop.call_later(self._faults.transition_seconds, self._finish, self._last)
        self._open[self._last] = _Transition(list(members), deadline)
        return self._last

    def ready(self, member: GroupMember, transition_id: int) -> None:
        """Wait no longer for ``member`` in this transition."""
        transition = self._open.get(transition_id)
        if transition is None:
            return
        if member in transition.waiting:
            transition.waiting.remove(member)
        if not transition.waiting:
            self._finish(transition_id)

    def excuse(self, member: GroupMember) -> None:
        """Wait no longer for someone who is gone or starts over."""
        for transition_id in list(self._open):
            self.ready(member, transition_id)

    def clear(self) -> None:
        """Forget every transition."""
        for transition in self._open.values():
            transition.deadline.cancel()
        self._open.clear()

    def _finish(self, transition_id: int) -> None:
        transition = self._open.pop(transition_id, None)
        if transition is not None:
            transition.deadline.cancel()
            self._execute(transition_id)


_AT_ONCE: Final = 0
"""The transition id with which a new group begins: nobody says that they are ready, or is waited for."""

_MLS_10: Final = 1
_PUBLIC_MESSAGE: Final = 1
_SENDER_MEMBER: Final = 1
_SENDER_EXTERNAL: Final = 2
_CONTENT_PROPOSAL: Final = 2
_CONTENT_COMMIT: Final = 3
_PROPOSAL_ADD: Final = 1
_PROPOSAL_REMOVE: Final = 3
_CREDENTIAL_BASIC: Final = 1
_LEAF_OF_KEY_PACKAGE: Final = 1
_LEAF_OF_COMMIT: Final = 3
_LIFETIME_BYTES: Final = 16


def vector(data: bytes) -> bytes:
    """Return ``data`` behind its length, as MLS writes variable-size vectors (§2.1.2)."""
    size = len(data)
    if size < 1 << 6:
        return bytes([size]) + data
    if size < 1 << 14:
        return struct.pack(">H", size | 0x4000) + data
    return struct.pack(">I", size | 0x80000000) + data


class ExternalSender:
    """The voice server as MLS sees it: someone outside who may propose to add and to remove (§12.1.8)."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        point = self._key.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        credential = struct.pack(">H", _CREDENTIAL_BASIC) + vector(b"rehearsal")
        self.package = vector(point) + credential

    def propose_add(self, group_id: int, epoch: int, key_package: bytes) -> bytes:
        """Return a signed proposal to add the owner of ``key_package`` (§12.1.1)."""
        return self._proposal(group_id, epoch, struct.pack(">H", _PROPOSAL_ADD) + key_package)

    def propose_remove(self, group_id: int, epoch: int, leaf: int) -> bytes:
        """Return a signed proposal to remove the member at ``leaf`` (§12.1.3)."""
        return self._proposal(group_id, epoch, struct.pack(">HI", _PROPOSAL_REMOVE, leaf))

    def _proposal(self, group_id: int, epoch: int, proposal: bytes) -> bytes:
        message = (
            struct.pack(">HH", _MLS_10, _PUBLIC_MESSAGE)
            + vector(group_id.to_bytes(8, "big"))
            + struct.pack(">QBI", epoch, _SENDER_EXTERNAL, 0)
            + vector(b"")
            + bytes([_CONTENT_PROPOSAL])
            + proposal
        )
        labelled = vector(b"MLS 1.0 FramedContentTBS") + vector(message)
        return message + vector(self._key.sign(labelled, ec.ECDSA(hashes.SHA256())))


def split_commit(data: bytes) -> tuple[bytes, bytes]:
    """Return the commit and the Welcome that stand one after the other in ``data``.

    The Welcome may be empty. `ValueError` when ``data`` does not begin with a commit.
    """
    reader = _MLSReader(data)
    try:
        reader.commit()
    except (IndexError, struct.error) as error:
        raise ValueError("the commit is cut short") from error
    return data[: reader.position], data[reader.position :]


def commit_epoch(commit: bytes) -> int:
    """Return the epoch that ``commit`` ends; -1 when it is no commit of a member."""
    reader = _MLSReader(commit)
    try:
        return reader.commit()
    except (IndexError, ValueError, struct.error):
        return -1


class _MLSReader:
    """Walks over the structures of one message to find where it ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self.position = 0

    def commit(self) -> int:
        """Pass one PublicMessage that carries a commit (§6.2, §12.4); return its epoch."""
        if self._numbers(">HH") != (_MLS_10, _PUBLIC_MESSAGE):
            raise ValueError("not a public message of MLS 1.0")
        self._vector()  # group id
        epoch, sender, _leaf = self._numbers(">QBI")
        self._vector()  # authenticated data
        if sender != _SENDER_MEMBER or self._numbers(">B") != (_CONTENT_COMMIT,):
            raise ValueError("not a commit of a member")
        self._vector()  # proposals
        if self._numbers(">B") == (1,):
            self._leaf_node()
            self._vector()  # one update path node per level
        for _field in ("signature", "confirmation tag", "membership tag"):
            self._vector()
        return epoch

    def _leaf_node(self) -> None:
        self._vector()  # encryption key
        self._vector()  # signature key
        self._numbers(">H")  # credential type
        self._vector()  # identity
        for _capability in ("versions", "ciphersuites", "extensions", "proposals", "credentials"):
            self._vector()
        (source,) = self._numbers(">B")
        if source == _LEAF_OF_KEY_PACKAGE:
            self.position += _LIFETIME_BYTES
        elif source == _LEAF_OF_COMMIT:
            self._vector()  # parent hash
        self._vector()  # extensions
        self._vector()  # signature

    def _numbers(self, form: str) -> tuple[int, ...]:
        values = struct.unpack_from(form, self._data, self.position)
        self.position += struct.calcsize(form)
        return values

    def _vector(self) -> None:
        first = self._data[self.position]
        width = 1 << (first >> 6)
        size = int.from_bytes(self._data[self.position : self.position + width], "big")
        size &= (1 << (8 * width - 2)) - 1
        self.position += width + size
        if width > 4 or self.position > len(self._data):
            raise ValueError("a vector reaches past the end")


log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Change:
    """Proposals under way: only adds or only removes, because davey 0.1.7 sends no Welcome for a mix."""

    adds: list[GroupMember] = field(default_factory=list)
    removes: list[int] = field(default_factory=list)  # leaves


class DaveGroup:
    """The MLS group of one call. Everything happens at once or by a callback of the event loop."""

    def __init__(self, channel_id: int, faults: VoiceFaults) -> None:
        self._channel_id = channel_id
        self._faults = faults
        self._sender = ExternalSender()
        self._members: dict[int, GroupMember] = {}
        self._leaves: list[GroupMember | None] = []  # empty: there is no group yet
        self.epoch = 0
        """How many changes the present group has seen."""
        self._key_packages: dict[int, bytes] = {}  # of those who wait to be added
        self._delayed: dict[int, asyncio.TimerHandle] = {}
        self._change: _Change | None = None
        self._leaving: list[int] = []  # leaves
        self._transitions = Transitions(faults, self._execute)
        self.on_executed: Callable[[], None] = lambda: None

    @property
    def user_ids(self) -> set[int]:
        """Return who is in the group."""
        return {member.user_id for member in self._present()}

    @property
    def is_settled(self) -> bool:
        """Return whether everyone is in the group and no change or transition is under way."""
        busy = self._change or self._leaving or self._transitions or self._delayed or self._key_packages
        return not busy and self.user_ids == set(self._members)

    def join(self, member: GroupMember) -> None:
        """Let ``member`` take part; they become part of the group once their key package is here."""
        self.leave(member.user_id)
        self._members[member.user_id] = member
        member.set_external_sender(self._sender.package)

    def leave(self, user_id: int) -> None:
        """Take a member out; who is left alone starts over with a group of one."""
        member = self._members.pop(user_id, None)
        if member is None:
            return
        self._forget_key_package(user_id)
        self._transitions.excuse(member)
        if len(self._members) <= 1:
            self._reset()
            for lonely in self._members.values():
                lonely.start_over()
        else:
            self._vacate(member)
            self._advance()

    def close(self) -> None:
        """Forget everybody and every callback."""
        self._members.clear()
        self._reset()

    def key_package(self, member: GroupMember, package: bytes) -> None:
        """Take a member's key package (26)."""
        if not self._takes_part(member) or self._present() == [member]:
            return  # gone in the meantime, or alone in a group that needs nobody's package
        self._forget_key_package(member.user_id)
        self._vacate(member)
        if self._faults.mls_delay and self._leaves:
            loop = asyncio.get_running_loop()
            timer = loop.call_later(self._faults.mls_delay, self._offer, member.user_id, package)
            self._delayed[member.user_id] = timer
        else:
            self._offer(member.user_id, package)

    def commit(self, committer: GroupMember, commit: bytes, welcome: bytes) -> None:
        """Take a member's commit (28). It counts if it is the first one for the change under way."""
        change = self._change
        wanted = committer in self._present() and commit_epoch(commit) == self.epoch
        if change is None or not wanted or (change.adds and not welcome):
            log.debug("a commit came too late or without its Welcome")
            return
        self._change = None
        is_first = self.epoch == 0
        self.epoch += 1
        for leaf in change.removes:
            self._leaves[leaf] = None
        staying = self._present()
        for added in change.adds:
            self._occupy(added)
        entering = [added for added in change.adds if self._takes_part(added)]
        transition_id = _AT_ONCE if is_first else self._transitions.open([*staying, *entering])
        for member in staying:
            member.apply_commit(transition_id, commit)
        for member in entering:
            member.enter(transition_id, welcome)
        for member in change.adds:
            if member not in entering:
                self._vacate(member)
        if is_first:
            self.on_executed()
        self._advance()

    def ready(self, member: GroupMember, transition_id: int) -> None:
        """Take a member's word that they can go over (23)."""
        self._transitions.ready(member, transition_id)

    def invalid(self, member: GroupMember) -> None:
        """Take a member's word that a commit or Welcome made no sense (31): out, and in again."""
        self._vacate(member)
        self._transitions.excuse(member)
        self._advance()

    def _offer(self, user_id: int, package: bytes) -> None:
        self._delayed.pop(user_id, None)
        self._key_packages[user_id] = package
        self._advance()

    def _advance(self) -> None:
        """Begin the next change if none is under way; removals first, so that each has its own epoch."""
        if self._change is not None:
            return
        if not self._leaves and self._key_packages:
            first = next(iter(self._key_packages))
            del self._key_packages[first]
            self._leaves, self.epoch = [self._members[first]], 0
        if self._leaving:
            self._propose(_Change(removes=self._leaving))
        elif self._leaves and self._key_packages:
            self._propose(_Change(adds=[self._members[user_id] for user_id in self._key_packages]))

    def _propose(self, change: _Change) -> None:
        place = (self._channel_id, self.epoch)
        proposals = [self._sender.propose_remove(*place, leaf) for leaf in change.removes]
        for added in change.adds:
            package = self._key_packages.pop(added.user_id)
            proposals.append(self._sender.propose_add(*place, package))
        self._change = change
        for member in self._present():
            member.consider(vector(b"".join(proposals)))
        self._leaving = [leaf for leaf in self._leaving if leaf not in change.removes]

    def _reset(self) -> None:
        for timer in self._delayed.values():
            timer.cancel()
        self._delayed.clear()
        self._transitions.clear()
        self._key_packages.clear()
        self._leaves, self._leaving, self.epoch, self._change = [], [], 0, None

    def _execute(self, transition_id: int) -> None:
        present = self._present()
        for member in present if len(present) > 1 else ():
            member.execute(transition_id)
        self.on_executed()

    def _forget_key_package(self, user_id: int) -> None:
        self._key_packages.pop(user_id, None)
        if timer := self._delayed.pop(user_id, None):
            timer.cancel()

    def _occupy(self, member: GroupMember) -> None:
        """Seat a new member where MLS does: on the leftmost empty leaf (§7.7)."""
        if None in self._leaves:
            self._leaves[self._leaves.index(None)] = member
        else:
            self._leaves.append(member)

    def _vacate(self, member: GroupMember) -> None:
        if member in self._leaves and self._leaves.index(member) not in self._going():
            self._leaving.append(self._leaves.index(member))

    def _going(self) -> list[int]:
        return [*self._leaving, *(self._change.removes if self._change else ())]

    def _takes_part(self, member: GroupMember) -> bool:
        return self._members.get(member.user_id) is member

    def _present(self) -> list[GroupMember]:
        """Return who is in the group and stays."""
        seated = [member for leaf, member in enumerate(self._leaves) if leaf not in self._going()]
        return [member for member in seated if member is not None and self._takes_part(member)]


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
        self.user_id = user_id
        self._channel_id = channel_id
        self._group = group
        self._session = davey.DaveSession(DAVE_VERSION, user_id, channel_id)
        self._ready_since = 0.0
        self.is_ready = False
        self.on_ready: Callable[[], None] = lambda: None

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
        self._go_over(transition_id)

    def enter(self, transition_id: int, welcome: bytes) -> None:
        """Leave the group of one for the call's."""
        self._session.process_welcome(welcome)
        self._go_over(transition_id)

    def _go_over(self, transition_id: int) -> None:
        if transition_id == _AT_ONCE:
            self.execute(transition_id)
        else:
            self._group.ready(self, transition_id)

    def start_over(self) -> None:
        """Be alone again: a new group of one."""
        self.is_ready = False
        self._session.reinit(DAVE_VERSION, self.user_id, self._channel_id)
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
