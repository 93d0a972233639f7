"""Whatever the TTS gateway does, a command ends in exactly one answer."""

from __future__ import annotations

import json

import pytest

from bot.errors import sentence_for
from rehearsal.answers import AnswerState
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.faults import Accepted202, BadWav, Cut, Fault, Redirect, Reset, Respond
from tests.cogs.sounds import LOW, recording
from tests.scenes import Scene, file_of, words_of

_QUOTA = json.dumps(
    {"statusCode": 403, "message": "Out of call volume quota. Quota will be replenished in 07:01:20."}
)

FAULTS: dict[str, tuple[Fault, str]] = {
    "reset before the headers": (Reset(), "took too long"),
    "reset inside the answer": (Reset(5), "took too long"),
    "bad request": (Respond(400, '{"statusCode":400,"message":"bad text"}'), "rejected this text"),
    "unauthorized": (Respond(401, '{"statusCode":401,"message":"Access denied"}'), "rejected my key"),
    "no balance": (Respond(402, '{"error":"Insufficient balance"}'), "out of voice credit"),
    "forbidden": (Respond(403, '{"statusCode":403,"message":"Forbidden"}'), "rejected my key"),
    "quota": (Respond(403, _QUOTA), "about 7 hours"),
    "busy for long": (Respond(429, headers={"Retry-After": "3000"}), "busy"),
    "server error": (Respond(500, "Internal server error"), "failed"),
    "bad gateway": (Respond(502, "<html>bad</html>"), "failed"),
    "html with 200": (
        Respond(200, "<html>hello</html>", headers={"Content-Type": "text/html"}),
        "something I can't use",
    ),
    "empty": (Respond(200, ""), "something I can't use"),
    "elsewhere": (Redirect(302, "http://127.0.0.1:9/"), "failed"),
    "missing fields": (Respond(200, "{}"), "something I can't use"),
    "another status inside": (Respond(200, '{"StatusCode":401,"message":"no"}'), "rejected my key"),
    "depth bomb": (Respond(200, "[" * 30_000), "something I can't use"),
    "failed later": (Accepted202(polls=1, outcome="FAILED"), "failed"),
}

DOWNLOADS: dict[str, tuple[Fault, str, int]] = {
    # What was made is never paid for twice; only a generation that nobody can hear is made once more.
    "cut": (Cut(0.5), "couldn't download it", 1),
    "gone": (Respond(403, "gone"), "couldn't download it", 1),
    "silent": (BadWav("silent"), "I can't play", 2),
    "far too long": (BadWav("silence for three minutes"), "I can't play", 2),
}


@pytest.mark.parametrize("name", FAULTS)
async def test_a_failing_call_ends_in_one_sentence(scene: Scene, name: str):
    fault, words = FAULTS[name]
    scene.faults.every_post = fault

    answer = await scene.speak()
    said = await words_of(answer)

    assert words in said
    assert answer.state is AnswerState.REPLIED
    assert answer.followups == []


@pytest.mark.slow
@pytest.mark.parametrize("name", DOWNLOADS)
async def test_a_failing_download_ends_in_one_sentence(scene: Scene, name: str):
    fault, words, calls = DOWNLOADS[name]
    scene.faults.every_download = fault

    answer = await scene.speak()

    assert words in await words_of(answer)
    assert answer.followups == []
    assert len(scene.asked) == calls


async def test_a_reference_that_cannot_be_reached_says_to_upload_it_again(scene: Scene):
    body = '{"statusCode":400,"message":"reference_audio_url cannot be reached"}'
    scene.faults.every_post = Respond(400, body)
    sent = SentFile("low.wav", recording("wav", LOW))
    await scene.let_clone(scene.alice)

    answer = await scene.alice.slash(scene.general, "clone", text="Hello", recording=sent)

    assert "Upload it again" in await words_of(answer)
    assert answer.followups == []


@pytest.mark.slow
async def test_a_busy_tts_gateway_is_asked_again_and_then_it_works(scene: Scene):
    busy = Respond(503, headers={"Retry-After": "1"})
    scene.faults.on_post(busy, Respond(429, headers={"Retry-After": "0"}))

    answer = await scene.speak()
    await file_of(answer)

    assert len(scene.asked) == 3


async def test_after_a_refused_key_nothing_more_is_asked(scene: Scene):
    scene.faults.every_post = Respond(401, '{"statusCode":401,"message":"Access denied"}')
    await words_of(await scene.speak())

    said = await words_of(await scene.speak())

    assert "rejected my key" in said
    assert len(scene.asked) == 1


async def test_what_the_tts_gateway_writes_never_reaches_a_member(scene: Scene):
    scene.faults.every_post = Respond(500, "@everyone <script> secret")

    said = await words_of(await scene.speak())

    assert "everyone" not in said
    assert "secret" not in said


def test_a_stranger_s_error_has_a_sentence_too():
    assert sentence_for(ValueError("internal detail")).endswith(".")
