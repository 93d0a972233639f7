"""Whatever Discord does with an answer, the member gets exactly one."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from rehearsal.answers import AnswerState
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.permissions import Permission
from rehearsal.rest.call import Misbehaviour
from tests.cogs.generations import choose
from tests.scenes import DEADLINE, Scene, file_of, words_of

ENDED = {"code": 50027, "message": "Invalid Webhook Token"}


async def _held(scene: Scene, **options: Any) -> Hold:
    """Let Alice ask for something that is made only when the returned hold is released."""
    hold = Hold()
    scene.faults.on_post(hold)
    await scene.speak(**options)
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)
    return hold


@pytest.mark.slow
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

    message = await scene.general.until_message(lambda seen: bool(seen.files), timeout=DEADLINE)

    assert "AI voice" in message.content
    assert len(scene.general.history) == 1


@pytest.mark.parametrize(
    ("status", "code", "reason"),
    [
        (413, 40005, "too long to send as a file"),
        (400, 50035, "Discord rejected the file."),
        (403, 240000, "AutoMod"),
        (403, 50013, '"Attach Files"'),
        (403, 50001, '"View Channel"'),
    ],
)
async def test_a_refused_file_leaves_the_words_the_reason_and_the_buttons(
    scene: Scene, status: int, code: int, reason: str
):
    hold = await _held(scene)
    refusal = {"code": code, "message": "Refused"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", status, refusal, times=100, only_files=True))
    hold.released.set()

    message = await scene.general.until_message(lambda seen: bool(seen.buttons), timeout=DEADLINE)

    quote, *words = message.content.splitlines()
    if code == 240000:  # AutoMod may have meant what is quoted
        words.insert(0, quote)
    else:
        assert quote == "> Hello there"
    assert reason in words[0]
    assert words[1].startswith("AI voice")
    assert "Again" in message.buttons
    assert scene.general.history == [message]


async def test_what_discord_refused_can_still_be_had_by_its_buttons(scene: Scene):
    hold = await _held(scene)
    too_large = {"code": 40005, "message": "Request entity too large"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 413, too_large, times=100, only_files=True))
    hold.released.set()
    message = await scene.general.until_message(lambda seen: bool(seen.buttons), timeout=DEADLINE)

    await choose(scene.alice, message, "Send as voice message")
    await scene.general.until_message(lambda seen: seen.voice_message, timeout=DEADLINE)

    assert len(scene.asked) == 1


async def test_an_answer_that_is_refused_everywhere_leaves_nothing_that_waits(
    scene: Scene, caplog: pytest.LogCaptureFixture
):
    hold = await _held(scene, text="A secret of Alice")
    refusal = {"code": 50013, "message": "Refused: A secret of Alice"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 403, refusal, times=100))
    scene.rehearsal.misbehave(Misbehaviour("POST", "/messages", 403, refusal, times=100))
    hold.released.set()

    await scene.general.changes.until(
        lambda: scene.general.history == [], timeout=DEADLINE, story=lambda: "it still stands there"
    )

    generation = await scene.bot.library.generations.latest(scene.alice.id, scene.guild.id)
    assert generation is not None
    assert (await scene.bot.synthesizer.kept(generation.cache_key or "")) is not None
    assert "secret" not in caplog.text


async def test_a_voice_message_that_nobody_confirms_is_sent_once(scene: Scene):
    scene.rehearsal.misbehave(Misbehaviour("POST", "/messages", cuts=True, carried_out=True, times=1))

    answer = await scene.speak(output="voice message", style="calm")
    words = await words_of(answer)

    assert "\nAI voice" in words
    assert [message.voice_message for message in scene.general.history].count(True) == 1
    assert len(scene.general.history) == 2


async def test_a_voice_message_that_is_refused_comes_as_a_file(scene: Scene):
    refusal = {"code": 50173, "message": "You cannot send voice messages in this channel."}
    scene.rehearsal.misbehave(Misbehaviour("POST", "/messages", 400, refusal))

    answer = await scene.speak(output="voice message", style="calm")
    await file_of(answer)

    assert answer.content.splitlines()[1] == ("Discord rejected the voice message, so here is the file.")


async def test_a_voice_message_needs_no_right_to_attach_files(scene: Scene):
    scene.guild.deny_bot(Permission.ATTACH_FILES)

    await scene.speak(output="voice message")

    await scene.general.until_message(lambda seen: seen.voice_message, timeout=DEADLINE)


async def test_a_restart_does_not_wait_for_an_answer_that_nobody_takes(scene: Scene):
    hold = await _held(scene)
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", cuts=True, times=100_000))
    hold.released.set()
    await scene.rehearsal.router.changes.until(
        lambda: any(request.files for request in scene.rehearsal.requests),
        timeout=DEADLINE,
        story=lambda: "no file was sent",
    )

    async with asyncio.timeout(DEADLINE):
        await scene.bot.deliveries.aclose(wait=0.2)


async def test_a_deleted_answer_is_posted_again_so_that_nothing_paid_for_is_lost(scene: Scene):
    hold = await _held(scene)
    gone = {"code": 10008, "message": "Unknown Message"}
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 404, gone, times=100))
    hold.released.set()

    posted = await scene.general.until_message(lambda seen: bool(seen.files), timeout=DEADLINE)

    assert "AI voice" in posted.content


async def test_where_the_bot_may_not_write_a_late_answer_comes_as_a_direct_message(scene: Scene):
    hold = await _held(scene, style="calm")
    scene.guild.set_bot_permissions(int(Permission.VIEW_CHANNEL), scene.general)
    await scene.rehearsal.caught_up()
    scene.rehearsal.misbehave(Misbehaviour("PATCH", "@original", 401, ENDED, times=100))
    hold.released.set()

    conversation = scene.rehearsal.world.dm(scene.alice)
    posted = await conversation.until_message(lambda seen: bool(seen.files), timeout=DEADLINE)

    assert "AI voice" in posted.content


async def test_a_slow_acknowledgement_is_never_followed_by_a_second_answer(scene: Scene):
    scene.rehearsal.interactions.acknowledge_seconds = 0.2
    scene.rehearsal.misbehave(Misbehaviour("POST", "/callback", delay=1.0))

    answer = await scene.speak()
    await answer.until(lambda seen: seen.state is AnswerState.FAILED, timeout=DEADLINE)

    assert scene.asked == []
    assert scene.general.history == []
