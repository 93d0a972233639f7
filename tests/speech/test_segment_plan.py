"""The small parts that count: listening, extra calls, plans, pauses."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest

from bot.audio.maker import Maker, Part, pause_between
from bot.audio.wav import write_wav
from bot.speech.segment_plan import LinePlan, PlaybackClock, SegmentPlan, Speed
from bot.speech.speaker import RetryBudget
from bot.text.segments import Segmenter
from tests.fakes.babble_engine import babble
from tests.scenes import SENTENCES, TWO_PARTS
from tests.speech.sounds import WavInPieces, pcm_of


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_what_was_handed_on_is_heard_in_its_time():
    clock = Clock()
    listening = PlaybackClock(2.0, clock=clock)

    listening.add(3.0)
    clock.now += 4.0
    assert listening.buffered == pytest.approx(1.0)
    clock.now += 10.0
    assert listening.buffered == 0.0
    listening.add(1.5)
    assert listening.buffered == pytest.approx(1.5)


def test_where_nobody_listens_there_is_all_the_time_in_the_world():
    listening = PlaybackClock(None)

    listening.add(1.0)

    assert math.isinf(listening.buffered)


def test_an_allowance_is_used_up_and_comes_back_within_the_hour():
    clock = Clock()
    extra = RetryBudget(per_hour=2, clock=clock)

    assert [extra.spend(1), extra.spend(1), extra.spend(1), extra.spend(2)] == [True, True, False, True]
    clock.now += 3_601
    assert extra.spend(1)


def plan_of(*texts: str, speed: Speed) -> SegmentPlan:
    lines = [
        (number, LinePlan(text, Segmenter(text), speed, pause_after=0.35))
        for number, text in enumerate(texts)
    ]
    return SegmentPlan(lines)


@pytest.mark.parametrize("texts", [(SENTENCES,), ("Hello there.", SENTENCES, "Bye.", TWO_PARTS)])
def test_a_script_knows_about_how_many_parts_there_will_be(texts: tuple[str, ...]):
    plan = plan_of(*texts, speed=Speed())
    guess = plan.parts_left(buffered=0.0)
    count, buffered = 0, 0.0
    while turn := plan.next(buffered=buffered):
        buffered += turn.segment.seconds
        count += 1

    assert abs(guess - count) <= 2
    assert plan.parts_left(buffered=0.0) == 0
    assert not plan.has_more


def test_a_script_gives_every_line_to_its_speaker_and_a_pause_after_it():
    plan = plan_of("One two three.", SENTENCES, "Bye.", speed=Speed())
    turns = []
    while turn := plan.next(buffered=10.0):
        turns.append(turn)

    ends = [before for before, after in pairwise(turns) if before.speaker != after.speaker]
    assert [turn.segment.text for turn in (turns[0], turns[-1])] == ["One two three.", "Bye."]
    assert " ".join(turn.segment.text for turn in turns[1:-1]) == SENTENCES
    assert {turn.speaker for turn in turns[1:-1]} == {1}
    assert [turn.segment.pause_after for turn in ends] == [0.35, 0.35]
    assert all(turn.segment.pause_after < 0.35 for turn in turns[1:-2])


def test_a_line_for_one_call_has_nothing_left():
    plan = plan_of(SENTENCES, "Bye.", speed=Speed())
    turn = plan.next(buffered=0.0, whole_line=True)

    assert turn is not None
    assert turn.segment.text == SENTENCES
    assert not plan.has_more_of(0)
    assert plan.has_more_of(plan.speaker or 0)
    assert plan.parts_left(buffered=0.0) == 1


async def part_of(pcm: bytes, *, lufs: float | None = None, is_live: bool = False) -> Part:
    """Return what becomes of a generation with these samples."""
    maker = Maker()
    speech = maker.start(WavInPieces(write_wav(pcm)), text="A bird in the hand.", is_live=is_live)
    async for _ in speech:
        pass
    return await maker.part(speech, lufs=lufs)


@pytest.mark.parametrize("cut", [0, 1, 959, 960, 961, 1_919, 648])
async def test_a_part_has_as_many_frames_as_its_sound_is_long(cut: int):
    pcm = babble("A bird in the hand.")

    part = await part_of(pcm[: len(pcm) - 2 * cut - 2 * 4_800])

    assert len(pcm_of(part)) == 1_920 * len(part.frames)


async def test_a_part_is_brought_to_the_level_of_the_others():
    pcm = babble("A bird in the hand.")

    loud, soft = await part_of(pcm, lufs=-20), await part_of(pcm, lufs=-30)

    peaks = [int(np.abs(np.frombuffer(pcm_of(part), "<i2")).max()) for part in (loud, soft)]
    assert peaks[0] > 2.5 * peaks[1]


@pytest.mark.parametrize("around", [0.0, 0.04, 0.1, 0.3, 1.0])
async def test_a_pause_counts_the_silence_that_is_there_already(around: float):
    silence, sound = bytes(2 * round(48_000 * around)), babble("A bird in the hand.")[9_600:-9_600]
    before, after = [await part_of(pcm, is_live=True) for pcm in (sound + silence, silence + sound)]

    heard = before.tail + pause_between(before, after, 0.2).seconds + after.lead

    assert heard == pytest.approx(max(0.2, before.tail + after.lead), abs=0.0101)
