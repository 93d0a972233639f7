"""Whatever Discord does with an answer, the member gets exactly one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.answers import AnswerState
from rehearsal.permissions import Permission
from rehearsal.rest.misbehaviour import Misbehaviour
from tests.cogs.scene import PATIENCE, Scene, file_of
from tts_gateway.faults import Hold

ENDED = {"code": 50027, "message": "Invalid Webhook Token"}


async def _held(scene: Scene, **options: Any) -> Hold:
    """Let Alice ask for something that is made only when the returned hold is released."""
    hold = Hold()
    scene.faults.on_post(hold)
    await scene.speak(**options)
    async with asyncio.timeout(PATIENCE):
        await scene.faults.received(posts=1)
    return hold


async def test_an_acknowledgement_that_broke_off_is_not_repeated_as_an_error(scene: Scene):
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", 500, carried_out=True))

    answer = await scene.speak()

    await file_of(answer)
    assert answer.followups == []


@pytest.mark.parametrize(
    "fault", [Misbehaviour("PATCH", "@original", 502), Misbehaviour("PATCH", "@original", cuts=True)]
)
async def test_a_passing_fault_of_discord_is_tried_again(scene: Scene, fault: Misbehaviour):
    hold = await _held(scene)
    scene.rehearsal.misbehave(replace(fault))
    hold.released.set()

    message = await scene.general.until_message(lambda seen: bool(seen.files), timeout=PATIENCE)

    assert "AI-generated voice" in message.content
    assert len(scene.general.history) == 1


async def test_a_deleted_answer_is_posted_again_so_that_nothing_paid_for_is_lost(scene: Scene):
    hold = await _held(scene)
    gone = {"code": 10008, "message": "Unknown Message"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 404, gone, times=100))
    hold.released.set()

    posted = await scene.general.until_message(lambda seen: bool(seen.files), timeout=PATIENCE)

    assert "AI-generated voice" in posted.content


async def test_where_the_bot_may_not_write_a_late_answer_comes_as_a_direct_message(scene: Scene):
    hold = await _held(scene)
    scene.guild.set_bot_permissions(int(Permission.VIEW_CHANNEL), scene.general)
    await scene.rehearsal.caught_up()
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 401, ENDED, times=100))
    hold.released.set()

    conversation = scene.rehearsal.world.dm(scene.alice)
    posted = await conversation.until_message(lambda seen: bool(seen.files), timeout=PATIENCE)

    assert "AI-generated voice" in posted.content


async def test_a_slow_acknowledgement_is_never_followed_by_a_second_answer(scene: Scene):
    scene.rehearsal.acknowledge_seconds = 0.2
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", delay=1.0))

    answer = await scene.speak()
    await answer.until(lambda seen: seen.state is AnswerState.FAILED, timeout=PATIENCE)

    assert scene.asked == []
    assert scene.general.history == []
