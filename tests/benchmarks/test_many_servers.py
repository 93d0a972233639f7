"""The stage of `benchmarks.many` and the tutorial way beside it: a bot, a rehearsal, a TTS gateway."""

from __future__ import annotations

import itertools
import os
import random
import subprocess
import sys

import psutil
import pytest

from benchmarks.counted_tts_gateway import HANGS
from benchmarks.many_servers import cpu_seconds, footprint, many_servers, openings, text_after
from benchmarks.tutorial_bot import tutorial_bot
from benchmarks.ways_to_play import can_encode

pytestmark = pytest.mark.slow

PATIENCE = 60.0

_BUSY_CHILD_OF_A_BUSY_PARENT = """
import os, sys, time
child = os.fork()
while time.process_time() < 0.2:
    pass
os.write(1, f"{time.process_time()}\\n".encode())
sys.stdin.read()
if child:
    os.wait()
"""


async def test_what_two_servers_say_is_measured_where_it_arrives_and_decrypted_there():
    async with many_servers(2) as many:
        cold = await many.round([many.order(server, 2.5) for server in many.servers], patience=PATIENCE)
        await many.listen(many.servers[0])
        known = await many.round([many.order(server, 2.5) for server in many.servers], patience=PATIENCE)
        held = footprint(many.bot_pid)

    for found in (cold, known):
        assert (found.unanswered, found.unheard, found.unfinished, found.lost) == (0, 0, 0, 0)
        assert found.refusals == []
        assert len(found.first_packets) == len(found.after_answers) == 2
        assert min(found.after_answers) > 0
        assert [call.status for call in found.calls if call.status != 200] == []
        assert len(found.calls) >= 2
        assert found.seconds > 2
        assert found.cpu > 0
        assert found.counted.statements >= found.counted.transactions > 0
    assert many.decrypted > 0
    assert many.undecryptable == 0
    assert held.threads > 1 and held.megabytes > 10
    assert not psutil.pid_exists(many.bot_pid)


async def test_who_is_not_heard_within_the_patience_counts_with_all_of_it():
    async with many_servers(1) as many:
        found = await many.round([many.order(many.servers[0], 2.5, word=HANGS)], patience=3.0)
        hanging = await many.calls_that_hang(patience=PATIENCE)

    assert (found.unheard, found.first_packets, found.unfinished) == (1, [3.0], 1)
    assert found.after_answers == []
    assert hanging == 1


async def test_the_tutorial_way_says_its_texts_and_what_they_cost_is_known():
    if not can_encode():
        pytest.skip("there is no libopus")
    texts = [text_after(opening, 2.5, random.Random(1)) for opening in itertools.islice(openings(), 2)]
    async with tutorial_bot(2) as bot:
        found = await bot.round(texts, patience=PATIENCE)

    assert len(found.first_packets) == 2
    assert 0 < min(found.first_packets) < max(found.first_packets) < PATIENCE
    assert found.seconds > 2
    assert found.cpu > 0


def test_the_cpu_of_a_process_and_of_its_child_is_what_they_say_themselves():
    with subprocess.Popen(
        [sys.executable, "-c", _BUSY_CHILD_OF_A_BUSY_PARENT],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as parent:
        assert parent.stdin is not None and parent.stdout is not None
        both_rest_after = [float(parent.stdout.readline()) for _ in range(2)]
        measured = cpu_seconds(parent.pid)
        parent.stdin.close()

    a_tick_each = 2 / os.sysconf("SC_CLK_TCK") * 2
    assert min(both_rest_after) >= 0.2
    assert sum(both_rest_after) - a_tick_each <= measured <= sum(both_rest_after) + 0.1
