"""The backlog: fair between authors, in order of each, and nothing waits too long."""

from __future__ import annotations

import random

import pytest

from bot.reading.backlog import MAX_OF_AN_AUTHOR, Backlog, ReadMessage, tempo_at

ADA, BEN, CAT = 1, 2, 3


def message(
    number: int, author_id: int = ADA, *, at: float = 0.0, wait: float = 60.0, channel: int = 9
) -> ReadMessage:
    return ReadMessage(
        id=number,
        channel_id=channel,
        author_id=author_id,
        text=f"message number {number}",
        language="en",
        written_at=at,
        longest_wait=wait,
    )


def taken(backlog: Backlog, *, now: float = 0.0, before: float = 0.0) -> list[int]:
    found = []
    while (one := backlog.take(now, before)) is not None:
        found.append(one.id)
    return found


def test_authors_take_turns_and_each_is_read_in_order() -> None:
    backlog = Backlog()
    for number, author_id in enumerate([ADA, ADA, ADA, BEN, CAT, BEN]):
        backlog.add(message(number, author_id, at=number / 10))

    assert taken(backlog) == [0, 3, 4, 1, 5, 2]


@pytest.mark.parametrize("seed", range(20))
def test_whatever_is_written_nobody_is_more_than_one_message_behind_another_who_waits(seed: int) -> None:
    rng, backlog = random.Random(seed), Backlog()
    waiting: dict[int, list[int]] = {}
    turns: dict[int, int] = {}
    for number in range(300):
        if rng.random() < 0.6:
            author_id = rng.choice([ADA, ADA, ADA, BEN, CAT])
            if len(waiting.get(author_id, [])) < MAX_OF_AN_AUTHOR:
                waiting.setdefault(author_id, []).append(number)
            backlog.add(message(number, author_id, at=float(number), wait=10_000.0))
        elif (one := backlog.take(float(number))) is not None:
            assert one.id == waiting[one.author_id].pop(0)
            others = [
                turns.get(author, 0) for author, left in waiting.items() if left and author != one.author_id
            ]
            assert all(turns.get(one.author_id, 0) <= other for other in others)
            turns[one.author_id] = number + 1
        if not any(waiting.values()):
            turns.clear()


def test_an_author_with_enough_in_hand_waits_and_others_do_not() -> None:
    backlog = Backlog()
    backlog.add(message(1, ADA))
    backlog.add(message(2, BEN, at=1.0))

    first = backlog.take(0.0, busy=[ADA])
    assert first is not None
    assert first.id == 2
    assert backlog.take(0.0, busy=[ADA]) is None
    assert len(backlog) == 1


def test_what_would_come_too_late_is_left_out_and_counted() -> None:
    backlog = Backlog()
    for number in range(3):
        backlog.add(message(number, at=10.0 * number, wait=20.0))

    assert taken(backlog, now=20.0, before=4.0) == [1, 2]
    assert backlog.left_out == 1
    backlog.add(message(9, at=20.0, wait=20.0))
    assert taken(backlog, now=20.0, before=30.0) == []


def test_of_a_flood_by_one_author_those_too_many_are_left_out_and_others_are_read() -> None:
    backlog = Backlog()
    for number in range(3 * MAX_OF_AN_AUTHOR):
        backlog.add(message(number, ADA))
    backlog.add(message(999, BEN, at=1.0))

    assert backlog.left_out == 2 * MAX_OF_AN_AUTHOR
    assert 999 in taken(backlog)[:2]


def test_messages_are_removed_replaced_and_cleared_by_author_and_channel() -> None:
    backlog = Backlog()
    for number, author_id in enumerate([ADA, BEN, ADA, CAT]):
        backlog.add(message(number, author_id, at=float(number), channel=5 if author_id == CAT else 9))

    assert backlog.remove(0)
    assert not backlog.remove(0)
    assert backlog.replace(2, "something else", "de")
    assert not backlog.replace(0, "gone", "en")
    assert [(one.text, one.language) for one in backlog if one.id == 2] == [("something else", "de")]
    assert backlog.clear(author_id=BEN) == 1
    assert backlog.clear(channel_id=5) == 1
    assert taken(backlog) == [2]


def test_the_more_waits_the_faster_it_is_read_in_few_steps() -> None:
    assert [tempo_at(seconds) for seconds in (0.0, 7.9, 8.0, 19.9, 20.0, 500.0)] == [
        1.0,
        1.0,
        1.2,
        1.2,
        1.4,
        1.4,
    ]
