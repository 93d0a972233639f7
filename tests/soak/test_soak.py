"""The soak holds, small as it is here; and its verdict finds what is wrong."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.child import Child
from bot.library.library import Library
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.server import Rehearsal
from tests.scenes import until
from tests.soak.__main__ import table
from tests.soak.members import Asked
from tests.soak.soak import Held, Soak, Verdict, Wishes, add_servers, soak

SMALL = Wishes(
    warm_up=5, seconds=10, seed=1, servers=1, members=4, pause=0.5, fault_pause=1, acknowledge_seconds=30
)
"""A busy machine may take its time to acknowledge."""

HELD = Held(100.0, 30, 12, Counter({"work": 10}), 0)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="its bot is asked by a signal what it holds")
async def test_some_seconds_of_everything_with_faults_end_in_order():
    verdict = await soak(SMALL)

    assert verdict.wrong == [], table(verdict)
    assert verdict.asked.total() > 20
    assert len(verdict.faults) > 1


@pytest.fixture
async def staged(tmp_path: Path) -> AsyncIterator[Soak]:
    """Yield a soak whose bot has left before anybody has asked it anything."""
    async with Rehearsal() as rehearsal, Library(None, tmp_path / "data"):
        (tmp_path / "log.jsonl").touch()
        staged = Soak(SMALL, rehearsal, FaultScript(), Child(os.getpid(), {}), tmp_path)
        staged.servers += add_servers(rehearsal, SMALL)
        rehearsal.interactions.acknowledge_seconds = 0.1
        rehearsal.commands.replace([{"name": "leave", "type": 1, "description": "Leave"}])
        yield staged


async def test_a_command_that_nobody_acknowledges_is_wrong(staged: Soak):
    server = staged.servers[0]
    answer = await server.moderator.slash(server.general, "leave")
    staged.crowd.note(Asked("/leave", answer, asyncio.get_running_loop().time()))
    await until(lambda: answer.failure is not None)

    staged.judge()

    assert [one.partition(",")[0] for one in staged.verdict.wrong] == ["/leave was never acknowledged"]


async def test_an_answer_that_is_only_acknowledged_is_wrong(staged: Soak):
    server = staged.servers[0]
    staged.rehearsal.interactions.acknowledge_seconds = 60
    answer = await server.moderator.slash(server.general, "leave")
    answer.acknowledge()
    staged.crowd.note(Asked("/leave", answer, asyncio.get_running_loop().time()))

    staged.judge()

    assert "got no final answer" in staged.verdict.wrong[0]


async def test_a_voice_that_is_not_there_although_it_was_said_to_be_saved_is_wrong(staged: Soak):
    server = staged.servers[0]
    staged.crowd.truth.note_saved("Ghost", server.guild, server.moderator)

    staged.judge_data()

    assert staged.verdict.wrong == ["Ghost was said to be saved, and is not there"]


async def test_a_voice_that_speaks_after_it_was_taken_back_is_wrong(staged: Soak):
    staged.crowd.truth.silent |= {"the amber birch", "the cedar fern"}
    staged.note_call(
        {"text": "The amber birch, said the bird.", "reference_audio_url": "https://cdn/voice.wav"}
    )
    staged.note_call({"text": "The cedar fern, said the bird."})

    staged.judge()

    assert staged.verdict.wrong == ["a voice that was taken back was made to say: the amber birch"]


async def test_what_was_logged_with_a_traceback_is_counted(staged: Soak, tmp_path: Path):
    record = {"level": "ERROR", "message": "speak failed", "traceback": "Traceback\n  ...\nKeyError: 'x'"}
    (tmp_path / "log.jsonl").write_text(f"cut off in the\n{json.dumps(record)}\n", encoding="utf-8")

    staged.judge_data()

    assert staged.verdict.logged == {"speak failed | KeyError: 'x'": 1}


@pytest.mark.parametrize(("after", "words"), [
    (replace(HELD, megabytes=150.0), "50 more MB of memory than after the warm-up"),
    (replace(HELD, in_use=12.0), "12 more MB in use than after the warm-up"),
    (replace(HELD, descriptors=60), "30 more descriptors than after the warm-up"),
    (replace(HELD, threads=20), "8 more threads than after the warm-up"),
    (replace(HELD, tasks=Counter({"work": 10, "left": 6})), "tasks that have come: {'left': 6}"),
])  # fmt: skip
def test_what_is_held_beyond_the_margins_is_named(after: Held, words: str):
    assert words in after.excess_over(HELD)
    assert HELD.excess_over(after) == []


def test_the_table_says_what_was_wrong_and_how_often():
    passed, failed = table(Verdict(before=HELD, after=HELD)), table(Verdict(wrong=["it hung", "it hung"]))

    assert passed.splitlines()[-1].startswith("Held: nothing unanswered")
    assert failed.splitlines()[-2:] == ["WRONG    2 x it hung", "Failed."]
