"""Sizes that keep playing from running dry, and a speed that is learned from what calls took."""

from __future__ import annotations

import statistics

import pytest

from benchmarks.pacing import HEARD_GAP_SECONDS, TEXTS, simulate
from bot.speech.segment_plan import AHEAD, COMFORTABLE_SECONDS, Call, Speed, next_target
from bot.text.segments import MIN_SECONDS


def learned(calls: list[Call]) -> Speed:
    speed = Speed()
    for call in sorted(calls, key=lambda call: call.ended):
        speed.learn(call)
    return speed


def one_after_the_other(overhead: float, per_second: float, *lengths: float) -> list[Call]:
    clock, calls = 0.0, []
    for seconds in lengths:
        calls.append(Call(clock, clock + overhead + per_second * seconds, seconds))
        clock = calls[-1].ended + 1
    return calls


@pytest.mark.slow
@pytest.mark.parametrize("one_voice", [False, True], ids=["with a recording", "cloned on the first"])
def test_a_minute_of_text_is_heard_soon_and_without_gaps(one_voice: bool):
    heard = simulate(ahead=AHEAD, one_voice=one_voice)

    worst = [max(played.gaps) for played in heard]
    with_a_gap = sum(gap > HEARD_GAP_SECONDS for gap in worst)
    assert len(heard) == TEXTS == 200
    assert statistics.median(played.first_sound for played in heard) <= 2.2
    assert statistics.quantiles((played.first_sound for played in heard), n=20)[-1] <= 3.2
    assert with_a_gap / len(heard) <= 0.07
    assert max(worst) <= 0.5
    assert max(played.calls for played in heard) <= 8


@pytest.mark.slow
def test_a_tts_gateway_that_makes_one_at_a_time_is_kept_up_with():
    heard = simulate(at_once=1)

    assert sum(max(played.gaps) > HEARD_GAP_SECONDS for played in heard) <= 0.07 * len(heard)


def test_the_first_segment_is_short_and_the_next_grow_with_what_is_ahead():
    speed = Speed()

    first = next_target(speed, buffered=0)
    sizes = [next_target(speed, buffered=ahead) for ahead in (2, 4, 6, 10, 60)]

    assert 1.5 <= speed.expected(first) <= 2.2
    assert sizes == sorted(sizes)
    assert sizes[0] < sizes[-1] == COMFORTABLE_SECONDS


@pytest.mark.parametrize("per_second", [0.1, 0.3, 0.6, 0.9])
@pytest.mark.parametrize("buffered", [4.0, 7.0, 15.0])
def test_a_planned_segment_is_made_before_it_is_needed(per_second: float, buffered: float):
    speed = Speed(per_second=per_second)

    target = next_target(speed, buffered=buffered)

    assert target == MIN_SECONDS or speed.expected(target) < buffered


def test_what_is_being_made_counts_as_ahead():
    speed = Speed()

    assert next_target(speed, buffered=1, in_flight=[4]) == next_target(speed, buffered=5)


def test_a_long_wait_behind_others_makes_the_first_segment_long():
    assert next_target(Speed(), buffered=40) == COMFORTABLE_SECONDS


def test_a_slow_tts_gateway_gets_a_shorter_first_segment_and_a_fast_one_a_longer():
    slow, fast = Speed(per_second=0.6), Speed(overhead=0.1, per_second=0.1)

    assert next_target(slow, buffered=0) < next_target(Speed(), buffered=0) < next_target(fast, buffered=0)


@pytest.mark.parametrize(("overhead", "per_second"), [(0.1, 0.1), (0.3, 0.3), (1.5, 0.2), (0.2, 1.1)])
def test_the_speed_is_learned_from_a_few_calls(overhead: float, per_second: float):
    speed = learned(one_after_the_other(overhead, per_second, *[3, 9, 14, 5, 12, 8, 4, 13] * 3))

    for seconds in (3, 8, 14):
        assert speed.expected(seconds) == pytest.approx(overhead + per_second * seconds, rel=0.1)


def test_a_change_of_speed_is_noticed():
    speed = learned(one_after_the_other(0.3, 0.3, *[4, 8, 12] * 5))
    later = one_after_the_other(0.6, 0.9, *[4, 8, 12] * 5)

    for call in later:
        speed.learn(Call(call.started + 1_000, call.ended + 1_000, call.seconds))

    assert speed.expected(10) == pytest.approx(9.6, rel=0.15)


@pytest.mark.parametrize("seconds", [0.0, 5.0])
@pytest.mark.parametrize("took", [0.0, 3.0, 500.0])
def test_odd_calls_do_not_break_the_policy(seconds: float, took: float):
    speed = learned([Call(10.0 * n, 10.0 * n + took, seconds) for n in range(50)])

    assert speed.per_second >= 0
    assert speed.overhead >= 0
    assert MIN_SECONDS <= next_target(speed, buffered=8) <= COMFORTABLE_SECONDS


def pairs(overlapping_end: float) -> list[Call]:
    """Return calls for 6 s of sound, two at a time; the second ends ``overlapping_end`` after the first."""
    calls = []
    for start in range(0, 100, 10):
        calls += [Call(start, start + 2.1, 6), Call(start, start + 2.1 + overlapping_end, 6)]
    return calls


def test_calls_that_wait_for_each_other_are_recognised():
    speed = learned(pairs(overlapping_end=2.1))

    assert speed.one_at_a_time
    assert speed.ahead == 1
    assert speed.expected(6) == pytest.approx(2.1, rel=0.15)


def test_calls_that_are_worked_on_at_once_are_recognised():
    speed = learned(pairs(overlapping_end=0.2))

    assert not speed.one_at_a_time
    assert speed.ahead == AHEAD


def test_nothing_is_concluded_from_calls_that_do_not_overlap():
    assert learned(one_after_the_other(0.3, 0.3, *[5.0] * 20)).ahead == AHEAD


def test_a_wait_for_another_call_counts_when_only_one_is_made_at_a_time():
    speed = learned(pairs(overlapping_end=2.1))

    assert next_target(speed, buffered=4, in_flight=[4]) < next_target(Speed(), buffered=4, in_flight=[4])


def clones(*took: float, seconds: float = 8.0, clock: float = 1_000.0) -> list[Call]:
    """Return first calls with new voices that took so long."""
    return [Call(clock + 100 * n, clock + 100 * n + each, seconds, True) for n, each in enumerate(took)]


def test_what_a_new_voice_costs_is_learned_apart_from_other_calls():
    calls = one_after_the_other(0.1, 0.1, 4, 8, 12, 6, 9)

    plain, speed = learned(calls), learned([*calls, *clones(2.9, 2.6)])

    assert plain.new_voice == 0
    assert speed.new_voice == pytest.approx(2.9 - plain.expected(8), abs=0.01)
    assert speed.expected(8) == plain.expected(8)


def test_before_a_new_voice_the_first_segment_lasts_until_it_is_there():
    calls = one_after_the_other(0.1, 0.1, 4, 8, 12, 6, 9)

    for took in (3.0, 4.0, 5.0):
        speed = learned([*calls, *clones(took)])
        first = next_target(speed, buffered=0)
        second = next_target(speed, buffered=first)

        assert speed.expected(second) + speed.new_voice < 0.8 * first


def test_a_new_voice_that_takes_for_ever_does_not_hold_up_the_first_sound():
    speed = learned(clones(90.0))

    assert next_target(speed, buffered=0) == 8.0


def test_a_new_voice_that_takes_no_longer_changes_nothing():
    speed = learned(clones(1.0, 2.0))

    assert speed.new_voice == 0
    assert next_target(speed, buffered=0) == next_target(Speed(), buffered=0)


def test_only_the_last_new_voices_count():
    speed = learned([*clones(9.0), *clones(3.0, 3.0, 3.0, 3.0, clock=5_000)])

    assert speed.new_voice == pytest.approx(3.0 - speed.expected(8))


def test_the_speed_of_our_own_tts_gateway_is_known_beforehand():
    speed = Speed.of_our_own()

    first = next_target(speed, buffered=0)

    assert speed.expected(first) < 0.5
    assert speed.expected(MIN_SECONDS) + speed.new_voice < 0.8 * first
