import asyncio

import hypothesis
import hypothesis.strategies as st

from bot.playback.queue import Outcome, Utterance, UtteranceQueue
from tests.playback.speaking import frames

ANNA, BEN, CARL = 1, 2, 3


class Line:
    """A queue whose utterances are said one after the other, without a player."""

    def __init__(self) -> None:
        self.queue = UtteranceQueue()
        self._ids = iter(range(1, 1000))

    def add(self, member_id: int, *, ready: bool = True) -> Utterance:
        utterance = Utterance(
            next(self._ids), member_id=member_id, title=str(member_id), changed=lambda _utterance: None
        )
        self.queue.add(utterance)
        if ready:
            utterance.supply(frames("word"))
        return utterance

    def begin(self) -> Utterance | None:
        utterance = self.queue.next_ready()
        if utterance is not None:
            self.queue.begin(utterance)
            utterance.begin()
        return utterance

    def end(self, utterance: Utterance) -> None:
        utterance.end(Outcome.PLAYED)
        self.queue.remove(utterance)

    def say_all(self) -> list[Utterance]:
        said = []
        while utterance := self.begin():
            said.append(utterance)
            self.end(utterance)
        return said


async def test_members_take_turns_however_much_one_has_asked_for() -> None:
    line = Line()
    anna = [line.add(ANNA) for _ in range(3)]
    ben, carl = line.add(BEN), line.add(CARL)

    assert line.say_all() == [anna[0], ben, carl, anna[1], anna[2]]


async def test_who_was_served_longest_ago_comes_first() -> None:
    line = Line()
    first, second = line.add(ANNA), line.add(BEN)
    playing = line.begin()
    assert playing is first
    line.add(ANNA)
    line.end(first)
    assert line.begin() is second
    line.end(second)
    again = line.add(BEN)

    following = line.begin()

    assert following is not None
    assert following.member_id == ANNA
    assert line.queue.in_order() == [following, again]


async def test_what_is_shown_is_what_is_said() -> None:
    line = Line()
    for member_id in (ANNA, ANNA, BEN, ANNA, CARL, BEN):
        line.add(member_id)
    playing = line.begin()
    assert playing is not None

    shown = line.queue.in_order()

    line.end(playing)
    assert [playing, *line.say_all()] == shown


@hypothesis.given(st.lists(st.integers(1, 4), max_size=12), st.integers(0, 12))
@hypothesis.settings(deadline=None)
def test_whatever_was_asked_for_what_is_shown_is_what_is_said_and_nobody_waits_for_long(
    members: list[int], served_before: int
) -> None:
    shown, said = asyncio.run(shown_and_said(members, served_before))

    assert said == shown
    # While somebody waits, nobody else has two turns more than they.
    for number, utterance in enumerate(said):
        before = [entry.member_id for entry in said[:number]]
        mine = before.count(utterance.member_id)
        assert all(before.count(other) <= mine + 1 for other in set(before))


async def shown_and_said(members: list[int], served_before: int) -> tuple[list[Utterance], list[Utterance]]:
    line = Line()
    for member_id in members:
        line.add(member_id)
    for _ in range(served_before):
        if utterance := line.begin():
            line.end(utterance)
    return line.queue.in_order(), line.say_all()


async def test_one_that_is_being_made_lets_others_pass_also_those_of_its_own_member() -> None:
    line = Line()
    slow = line.add(ANNA, ready=False)
    quick, bens = line.add(ANNA), line.add(BEN)

    assert line.queue.in_order() == [quick, bens, slow]
    assert line.say_all() == [quick, bens]
    slow.supply(frames("word"))
    assert line.say_all() == [slow]


async def test_who_is_still_having_theirs_made_keeps_their_turn() -> None:
    line = Line()
    slow, bens, second = line.add(ANNA, ready=False), line.add(BEN), line.add(BEN)

    assert line.begin() is bens
    slow.supply(frames("word"))
    line.end(bens)

    assert line.say_all() == [slow, second]


async def test_what_is_brought_forward_is_next_and_counts_as_a_turn() -> None:
    line = Line()
    anna = [line.add(ANNA) for _ in range(2)]
    ben, carl = line.add(BEN), line.add(CARL)

    line.queue.bring_forward(carl)
    line.queue.bring_forward(anna[1])

    assert line.queue.in_order() == [anna[1], carl, ben, anna[0]]
    assert line.say_all() == [anna[1], carl, ben, anna[0]]


async def test_what_is_being_said_is_not_brought_forward() -> None:
    line = Line()
    playing = line.add(ANNA)
    line.begin()
    waiting = line.add(BEN)

    line.queue.bring_forward(playing)
    line.end(playing)

    assert line.queue.in_order() == [waiting]


async def test_when_nothing_is_left_it_is_forgotten_who_was_served() -> None:
    line = Line()
    line.add(ANNA)
    line.say_all()

    anna, ben = line.add(ANNA), line.add(BEN)

    assert line.say_all() == [anna, ben]
