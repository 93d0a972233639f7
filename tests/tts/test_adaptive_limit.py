"""How many calls at once the TTS gateway gets: how that is learnt, and remembered over restarts."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from bot.limits import MAX_CALLS_AT_ONCE
from bot.tts.call_queue import AdaptiveLimit, CallPriority, CallQueue, LimitMemory


def test_the_limit_falls_once_per_round_trip_and_then_grows_slowly() -> None:
    limit = AdaptiveLimit(100)

    for _ in range(20):
        limit.refused(began=0.0, now=1.0, under_way=100)
    assert limit.value == pytest.approx(70.0)
    limit.answered(began=1.5, now=2.0, under_way=70, seconds=2.0)
    assert limit.value == pytest.approx(70.0 + 1 / 70)
    limit.refused(began=2.0, now=3.0, under_way=60)
    assert limit.value == pytest.approx(42.0)


def test_before_any_refusal_the_limit_grows_by_one_per_answer_but_only_while_it_is_used() -> None:
    limit = AdaptiveLimit(16)

    for _ in range(50):
        limit.answered(began=0.0, now=1.0, under_way=3, seconds=2.0)
    assert limit.value == 16
    for _ in range(10):
        limit.answered(began=0.0, now=1.0, under_way=16, seconds=2.0)
    assert limit.value == 21, "of which 16 are less than four fifths"


def test_an_answer_three_times_as_late_as_the_best_lowers_it_if_many_were_under_way() -> None:
    limit = AdaptiveLimit(16)
    limit.answered(began=0.0, now=0.5, under_way=1, seconds=2.0)

    limit.answered(began=1.0, now=3.0, under_way=2, seconds=2.0)
    limit.answered(began=1.0, now=3.0, under_way=16, seconds=14.0)  # a long text; nothing like it is known
    assert limit.value >= 16
    limit.answered(began=3.0, now=5.0, under_way=16, seconds=2.0)
    assert limit.value < 12


def test_one_refusal_in_a_quiet_hour_costs_half_of_it_at_most() -> None:
    limit = AdaptiveLimit(16)

    limit.refused(began=0.0, now=1.0, under_way=1)

    assert limit.slots == 8


@pytest.mark.parametrize("fails", [AdaptiveLimit.refused, AdaptiveLimit.unanswered])
def test_after_an_outage_it_is_nearly_what_it_was_before(fails: Callable[..., None]) -> None:
    limit = AdaptiveLimit(40)
    limit.answered(began=0.0, now=0.5, under_way=40, seconds=2.0)
    for second in range(1, 30):
        fails(limit, began=second, now=second + 0.5, under_way=limit.slots)
    assert limit.slots == 2

    limit.answered(began=30.0, now=30.5, under_way=1, seconds=2.0)

    assert 25 <= limit.value <= 30


def test_a_tts_gateway_that_refuses_while_it_answers_has_no_outage() -> None:
    limit = AdaptiveLimit(40)
    for second in range(1, 30):
        limit.refused(began=second, now=second + 0.5, under_way=limit.slots)
        limit.answered(began=second, now=second + 0.9, under_way=limit.slots, seconds=2.0)

    assert limit.value < 5


@pytest.mark.parametrize(("start", "most", "value"), [(16, 1, 1), (1, 200, 2), (900, 200, 200), (16, 9, 9)])
def test_it_stays_within_its_bounds(start: int, most: int, value: int) -> None:
    limit = AdaptiveLimit(start, most)

    assert limit.slots == value
    for now in range(50):
        limit.refused(began=now, now=now, under_way=1)
    assert limit.slots == min(2, most)
    for now in range(1_000, 26_000):
        limit.answered(began=now, now=now + 0.5, under_way=limit.slots, seconds=2.0)
    assert limit.slots == most


# over restarts


HERE = "https://tts.example.com/v1"


def test_what_was_learnt_is_there_after_a_restart_for_each_tts_gateway(tmp_path: Path) -> None:
    async def simulate(address: str, *, takes: int) -> None:
        memory = LimitMemory(tmp_path / "limits.json", address)
        queue = CallQueue(memory.limit(), memory=memory)
        for _ in range(takes):
            slot = await queue.take(CallPriority())
            assert slot is not None
            with slot:
                slot.begin()
                slot.refused()
        await queue.aclose()

    asyncio.run(simulate(HERE, takes=2))
    asyncio.run(simulate("https://other.example.com", takes=0))

    again = LimitMemory(tmp_path / "limits.json", HERE).limit()
    assert (again.slots, again.is_settled) == (4, True)
    other = LimitMemory(tmp_path / "limits.json", "https://other.example.com").limit(23)
    assert (other.slots, other.is_settled) == (23, False)


def test_only_so_many_tts_gateways_are_remembered_and_the_newest_stay(tmp_path: Path) -> None:
    for number in range(40):
        LimitMemory(tmp_path / "limits.json", f"https://{number}.example").write(30.0, is_settled=True)

    kept = json.loads((tmp_path / "limits.json").read_text())
    assert list(kept) == [f"https://{number}.example" for number in range(24, 40)]


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\xff\xfe",
        b"[" * 100_000,
        b"[]",
        b'{"%s": 7}' % HERE.encode(),
        b'{"%s": {"limit": true}}' % HERE.encode(),
        b'{"%s": {"limit": -5}}' % HERE.encode(),
        b'{"%s": {"limit": NaN}}' % HERE.encode(),
        b'{"%s": {"limit": "9"}}' % HERE.encode(),
    ],
    ids=lambda garbage: garbage[:30].decode("latin-1"),
)
def test_with_garbage_in_the_file_nothing_is_known_and_it_is_mended(tmp_path: Path, garbage: bytes) -> None:
    memory = LimitMemory(tmp_path / "limits.json", HERE)
    (tmp_path / "limits.json").write_bytes(garbage)

    assert memory.limit().slots == AdaptiveLimit().slots
    memory.write(40.0, is_settled=True)
    assert memory.limit().slots == 40


def test_a_remembered_limit_beyond_the_bounds_is_brought_within(tmp_path: Path) -> None:
    memory = LimitMemory(tmp_path / "limits.json", HERE)
    (tmp_path / "limits.json").write_text(json.dumps({HERE: {"limit": 10**400, "settled": 1}}))

    assert memory.limit().slots == MAX_CALLS_AT_ONCE
    assert memory.limit(most=3).slots == 3


def test_a_folder_that_cannot_be_written_only_costs_the_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    memory = LimitMemory(tmp_path / "missing" / "limits.json", HERE)

    memory.write(40.0, is_settled=True)

    assert memory.limit().slots == AdaptiveLimit().slots
    assert "cannot be written" in caplog.text
