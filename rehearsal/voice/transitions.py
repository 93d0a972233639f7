"""Transitions of the end-to-end encryption: a commit was announced, and not everyone has gone over yet."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from rehearsal.voice.faults import VoiceFaults
from rehearsal.voice.group_member import GroupMember


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
        """Begin to wait for ``members`` and return the id of this transition; 0 is never one."""
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
