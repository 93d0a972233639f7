"""The order in which one guild's utterances are said: fair between members."""

from __future__ import annotations

from bot.errors import MemberError
from bot.limits import MAX_QUEUED_SECONDS, MAX_UTTERANCES_PER_GUILD, MAX_UTTERANCES_PER_MEMBER
from bot.playback.utterance import Utterance, UtteranceState


class UtteranceQueue:
    """What waits, and whose turn it is: of the members with something ready, the one served longest ago.

    Of one member's utterances the earliest comes first, but one that is still being made lets a later one
    pass. A moderator may bring one to the front of all.
    """

    def __init__(self) -> None:
        self._entries: list[Utterance] = []  # in the order of their reservation
        self._brought_forward: list[Utterance] = []
        self._served: dict[int, int] = {}  # when each member had their last turn; the longest ago is lowest
        self._turn = 0
        self._playing: Utterance | None = None

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def playing(self) -> Utterance | None:
        """What is being said now."""
        return self._playing

    def refuse_if_full(self, member_id: int) -> None:
        """Raise `MemberError` when the member, the guild or the waiting sound is at its limit."""
        mine = sum(entry.member_id == member_id for entry in self._entries)
        if mine >= MAX_UTTERANCES_PER_MEMBER:
            raise MemberError(
                f"You already have {MAX_UTTERANCES_PER_MEMBER} things waiting here. "
                "Wait until one of them has been said, or skip one."
            )
        seconds = sum(entry.seconds or 0.0 for entry in self._entries)
        if len(self._entries) >= MAX_UTTERANCES_PER_GUILD or seconds >= MAX_QUEUED_SECONDS:
            raise MemberError("The queue here is full. Wait a moment, or stop what is waiting.")

    def add(self, utterance: Utterance) -> None:
        """Let ``utterance`` wait for its turn."""
        self._entries.append(utterance)

    def remove(self, utterance: Utterance) -> None:
        """Forget ``utterance``: it is over. With the last one it is forgotten whose turn it is."""
        self._entries.remove(utterance)
        if utterance in self._brought_forward:
            self._brought_forward.remove(utterance)
        if utterance is self._playing:
            self._playing = None
        if not self._entries:
            self._served.clear()

    def begin(self, utterance: Utterance) -> None:
        """Note that ``utterance`` is being said: its member has had their turn."""
        self._playing = utterance
        self._turn += 1
        self._served[utterance.member_id] = self._turn

    def next_ready(self) -> Utterance | None:
        """Return what is to be said next; None when nothing is ready."""
        ready = (entry for entry in self.in_order() if entry.state is UtteranceState.READY)
        return next(ready, None)

    def bring_forward(self, utterance: Utterance) -> None:
        """Let ``utterance`` be the next one, before everybody's turn. What is over or being said stays."""
        if utterance in self._entries and utterance is not self._playing:
            if utterance in self._brought_forward:
                self._brought_forward.remove(utterance)
            self._brought_forward.insert(0, utterance)

    def in_order(self) -> list[Utterance]:
        """Return what is being said, then the rest as it will be said if all of it is ready in time."""
        order = [] if self._playing is None else [self._playing]
        order += [entry for entry in self._brought_forward if entry is not self._playing]
        served = dict(self._served)
        for turn, entry in enumerate(order, start=self._turn + 1):
            served[entry.member_id] = turn
        waiting: dict[int, list[Utterance]] = {}  # by member, in the order of their first reservation
        for entry in sorted(self._entries, key=_is_being_made):
            if entry not in order:
                waiting.setdefault(entry.member_id, []).append(entry)
        first_asked = {entry.member_id: number for number, entry in reversed([*enumerate(self._entries)])}
        turn = self._turn + len(order)
        while waiting:
            member_id = min(waiting, key=lambda member: (served.get(member, 0), first_asked[member]))
            order.append(waiting[member_id].pop(0))
            turn += 1
            served[member_id] = turn
            if not waiting[member_id]:
                del waiting[member_id]
        return order


def _is_being_made(entry: Utterance) -> bool:
    return entry.state is UtteranceState.MAKING
