"""A voice that is taken back while its speech is on the way to Discord: what arrives is deleted again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from bot.delivery.reply import Reply
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.rest.call import Misbehaviour
from tests.cogs.generations import choose, may_add_sounds, opened
from tests.cogs.saved_voices import WAV, cloned
from tests.fakes.babble_engine import BabbleEngine
from tests.scenes import DEADLINE, Scene, file_of, until, words_of
from tts_gateway.engines.base import Engine

SAVED, CLONE = "saved", "clone"
_LONG_AFTER = datetime.now(UTC) + timedelta(hours=2)

both_kinds = pytest.mark.parametrize("kind", [SAVED, CLONE])


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


async def spoken(scene: Scene, kind: str, to: str) -> Answer:
    """Let Bob's voice say something: a saved one for Alice, or his own with /clone."""
    if kind == SAVED:
        await cloned(scene, scene.bob, "Bobby")
        return await scene.speak("Hear me out", voice="Bobby", output=to)
    await scene.let_clone(scene.bob)
    sent = SentFile("me.wav", WAV)
    return await scene.bob.slash(scene.general, "clone", text="Hear me out", recording=sent, output=to)


def _on_its_way(method: str, path: str, *, only_files: bool = True) -> Misbehaviour:
    """Return what lets an upload arrive only when the voice was taken back."""
    return Misbehaviour(method, path, carried_out=True, only_files=only_files, released=asyncio.Event())


def defaults_of(cls: type[Any]) -> dict[str, Any]:
    """Return what the keywords of its constructor are when nobody says."""
    defaults: dict[str, Any] = cls.__init__.__kwdefaults__
    return defaults


async def reached(scene: Scene, method: str, path: str, *, files: bool = True) -> None:
    """Return once such a request of the bot has arrived, which is not answered yet."""
    await scene.rehearsal.router.changes.until(
        lambda: any(
            one.method == method and path in one.path and (bool(one.files) or not files)
            for one in scene.rehearsal.requests
        ),
        timeout=DEADLINE,
        story=lambda: f"nothing was sent to {path}",
    )


async def revoke(scene: Scene) -> None:
    await scene.bot.library.consents.revoke(scene.bob.id)
    for one in scene.rehearsal.router.misbehaviours:
        if one.released is not None:
            one.released.set()


async def nothing_stands(scene: Scene) -> None:
    """Return once no message of the bot's is left in #general."""
    await scene.general.changes.until(
        lambda: scene.general.history == [], timeout=DEADLINE, story=lambda: "it still stands there"
    )


@pytest.mark.slow
@both_kinds
async def test_a_file_that_arrives_after_it_is_deleted_and_its_member_reads_why(scene: Scene, kind: str):
    scene.rehearsal.misbehave(_on_its_way("PATCH", "@original"))
    answer = await spoken(scene, kind, "here")
    await reached(scene, "PATCH", "@original")

    await revoke(scene)

    await nothing_stands(scene)
    await answer.until(
        lambda shown: shown.content.endswith(("Choose another voice.", "Choose another one.")),
        timeout=DEADLINE,
    )
    assert answer.ephemeral
    assert not answer.files


@pytest.mark.slow
@both_kinds
async def test_a_message_of_the_bot_s_own_that_arrives_after_it_is_deleted(
    scene: Scene, kind: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(defaults_of(Reply), "token_seconds", 0.0)  # as after a quarter of an hour
    path = f"/channels/{scene.general.id}/messages"
    scene.rehearsal.misbehave(_on_its_way("POST", path))
    await spoken(scene, kind, "here")
    await reached(scene, "POST", path)

    await revoke(scene)

    await nothing_stands(scene)


@pytest.mark.slow
@both_kinds
async def test_a_deletion_that_fails_once_is_tried_again(scene: Scene, kind: str):
    scene.rehearsal.misbehave(
        _on_its_way("PATCH", "@original"), Misbehaviour("DELETE", "@original", 503, times=2)
    )
    await spoken(scene, kind, "here")
    await reached(scene, "PATCH", "@original")

    await revoke(scene)

    await nothing_stands(scene)


@pytest.mark.slow
@both_kinds
async def test_a_voice_message_that_arrives_after_it_is_deleted(scene: Scene, kind: str):
    path = f"/channels/{scene.general.id}/messages"
    scene.rehearsal.misbehave(_on_its_way("POST", path))
    answer = await spoken(scene, kind, "voice message")
    await reached(scene, "POST", path)

    await revoke(scene)

    await nothing_stands(scene)
    assert "Choose another " in await words_of(answer)


@pytest.mark.slow
@both_kinds
async def test_a_voice_message_by_the_button_that_arrives_after_it_is_deleted(scene: Scene, kind: str):
    answer = await spoken(scene, kind, "here")
    await file_of(answer)
    path = f"/channels/{scene.general.id}/messages"
    scene.rehearsal.misbehave(_on_its_way("POST", path))
    pressed = await choose(scene.alice, answer, "Send as voice message")
    await reached(scene, "POST", path)

    await revoke(scene)

    assert "Choose another " in await words_of(pressed)
    await until(lambda: not any(message.voice_message for message in scene.general.history))


@pytest.mark.slow
@both_kinds
async def test_a_voice_message_whose_deletion_fails_is_deleted_the_next_time(scene: Scene, kind: str):
    answer = await spoken(scene, kind, "here")
    await file_of(answer)
    path = f"/channels/{scene.general.id}/messages"
    scene.rehearsal.misbehave(_on_its_way("POST", path), Misbehaviour("DELETE", path, 403))
    pressed = await choose(scene.alice, answer, "Send as voice message")
    await reached(scene, "POST", path)
    await revoke(scene)
    await words_of(pressed)
    assert [message.voice_message for message in scene.general.history].count(True) == 1

    posts = await scene.bot.library.posts.to_delete(_LONG_AFTER)
    await scene.bot.reference_posts.delete(posts)

    assert not any(message.voice_message for message in scene.general.history)


@pytest.mark.slow
@both_kinds
async def test_a_sound_that_arrives_after_it_is_taken_from_the_soundboard(scene: Scene, kind: str):
    answer = await spoken(scene, kind, "here")
    await file_of(answer)
    may_add_sounds(scene, scene.alice)
    form = await opened(scene.alice, answer, "Add to soundboard")
    scene.rehearsal.misbehave(_on_its_way("POST", "/soundboard-sounds", only_files=False))
    submitted = await scene.alice.submit(form, {"Name": "Bob"})
    await reached(scene, "POST", "/soundboard-sounds", files=False)

    await revoke(scene)

    words = await words_of(submitted)
    assert "Choose another " in words or "so I can't use it" in words
    assert not scene.guild.sounds


@pytest.mark.slow
async def test_whose_voice_is_not_taken_back_keeps_what_was_sent(scene: Scene):
    answer = await spoken(scene, SAVED, "here")

    await file_of(answer)
    await scene.bot.library.consents.revoke(scene.alice.id)
    await until(lambda: not scene.bot.deliveries._open)

    assert len(answer.files) == 1
