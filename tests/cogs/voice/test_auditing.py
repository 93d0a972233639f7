"""/myna audit: who used which voice, and the press that freezes one."""

from __future__ import annotations

import pytest

from bot.library.audit import AuditedVoice
from bot.library.voice import Scope, Sharing
from rehearsal.cdn import SentFile
from rehearsal.recordings import RECORDINGS
from tests.cogs.saved_voices import cloned
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed


async def test_moderators_read_who_used_which_voice_and_when(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby")
    await scene.bot.library.audit.record(
        scene.guild.id, voice.id, scene.bob.id, seconds=3.25, channel_id=scene.general.id, message_id=77
    )

    answer = await typed(scene.alice, scene.general, "myna audit")

    assert f"{scene.bob.mention} · **Bobby** · 3.2 s · https://discord.com/channels/" in answer.content
    assert answer.content.endswith(f"{scene.guild.id}/{scene.general.id}/77")
    assert answer.menus == {"Look into a voice": ["Bobby"]}


@pytest.mark.slow
async def test_a_clone_of_one_s_own_voice_is_on_record_too(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone(scene.bob)
    sister = SentFile("me.wav", RECORDINGS[1].path.read_bytes())
    await file_of(await scene.bob.slash(scene.general, "clone", text="A secret", recording=sister))

    answer = await typed(scene.alice, scene.general, "myna audit")

    assert f"{scene.bob.mention} · a recording of their own, with /clone · " in answer.content
    assert "secret" not in answer.content


async def test_a_press_freezes_a_voice_and_another_lets_it_speak_again(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby")
    answer = await typed(scene.alice, scene.general, "myna audit", name="bobby")
    permission_error = scene.bot.library.consents.permission_error
    assert answer.buttons == ["Freeze"]

    await scene.alice.press(answer, "Freeze")
    await answer.until(lambda shown: shown.buttons == ["Unfreeze"], timeout=DEADLINE)
    assert "is frozen: nobody can speak with it." in answer.content
    assert await permission_error(voice, scene.guild.id) is not None
    await scene.alice.press(answer, "Unfreeze")
    await answer.until(lambda shown: shown.buttons == ["Freeze"], timeout=DEADLINE)
    assert await permission_error(voice, scene.guild.id) is None


async def test_who_is_no_moderator_any_more_cannot_press(scene: Scene) -> None:
    role = scene.guild.add_role("Moderators", 1 << 5, scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby")
    answer = await typed(scene.alice, scene.general, "myna audit", name="Bobby")
    scene.guild.take_role(role, scene.alice)

    pressed = await scene.alice.press(answer, "Freeze")

    assert (await refusal_of(pressed)).startswith("Only moderators can do this.")
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is None


async def test_reports_are_counted_and_put_away(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby", sharing=Sharing.SERVER)
    await scene.bot.library.audit.report(Scope(scene.guild.id, scene.alice.id), AuditedVoice(voice.id))

    listed = await typed(scene.alice, scene.general, "myna audit")
    assert "1 report is open." in listed.content
    await scene.alice.select(listed, "Look into a voice", "Bobby")
    await listed.until(lambda shown: "Dismiss reports" in shown.buttons, timeout=DEADLINE)
    assert "1 open report" in listed.content
    await scene.alice.press(listed, "Dismiss reports")
    await listed.until(lambda shown: shown.buttons == ["Freeze"], timeout=DEADLINE)


async def test_long_records_have_pages(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby")
    for seconds in range(1, 13):
        await scene.bot.library.audit.record(scene.guild.id, voice.id, scene.bob.id, seconds=float(seconds))

    answer = await typed(scene.alice, scene.general, "myna audit", name="Bobby")
    assert "12.0 s" in answer.content
    await scene.alice.press(answer, "Older")
    await answer.until(lambda shown: "Page 2 of 2, 12 uses." in shown.content, timeout=DEADLINE)

    assert answer.buttons == ["Freeze", "Newer"]


async def test_a_deleted_voice_stays_in_the_record_without_its_name(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.bob, "Bobby")
    await scene.bot.library.audit.record(scene.guild.id, voice.id, scene.bob.id, seconds=2.0)
    answer = await typed(scene.alice, scene.general, "myna audit")
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.bob.id), voice.id)

    await scene.alice.select(answer, "Look into a voice", "Bobby")
    await answer.until(lambda shown: shown.content.startswith("That voice is deleted."), timeout=DEADLINE)
    again = await typed(scene.alice, scene.general, "myna audit")

    assert answer.buttons == []
    assert "a voice that is deleted" in again.content
