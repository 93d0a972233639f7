"""End-to-end encryption seen from the voice server: who is in the MLS group, and whose commit counts.

The order of one change is that of the DAVE whitepaper: proposals (27) to every member of the group, the
first commit (28) wins, it is announced (29) to the members and the Welcome (30) goes to who was added;
when all have said that they are ready (23), the transition is executed (22).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field

from rehearsal.voice.faults import VoiceFaults
from rehearsal.voice.group_member import GroupMember
from rehearsal.voice.mls import ExternalSender, commit_epoch, vector
from rehearsal.voice.transitions import Transitions

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
        self._epoch = 0
        self._key_packages: dict[int, bytes] = {}  # of those who wait to be added
        self._delayed: dict[int, asyncio.TimerHandle] = {}
        self._change: _Change | None = None
        self._leaving: list[int] = []  # leaves
        self._transitions = Transitions(faults, self._execute)
        self.on_executed: Callable[[], None] = lambda: None

    @property
    def epoch(self) -> int:
        """Return how many changes the present group has seen."""
        return self._epoch

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
        wanted = committer in self._present() and commit_epoch(commit) == self._epoch
        if change is None or not wanted or (change.adds and not welcome):
            log.debug("a commit came too late or without its Welcome")
            return
        self._change = None
        self._epoch += 1
        for leaf in change.removes:
            self._leaves[leaf] = None
        staying = self._present()
        for added in change.adds:
            self._occupy(added)
        entering = [added for added in change.adds if self._takes_part(added)]
        transition_id = self._transitions.open([*staying, *entering])
        for member in staying:
            member.apply_commit(transition_id, commit)
        for member in entering:
            member.enter(transition_id, welcome)
        for member in change.adds:
            if member not in entering:
                self._vacate(member)
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
            self._leaves, self._epoch = [self._members[first]], 0
        if self._leaving:
            self._propose(_Change(removes=self._leaving))
        elif self._leaves and self._key_packages:
            self._propose(_Change(adds=[self._members[user_id] for user_id in self._key_packages]))

    def _propose(self, change: _Change) -> None:
        place = (self._channel_id, self._epoch)
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
        self._leaves, self._leaving, self._epoch, self._change = [], [], 0, None

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
