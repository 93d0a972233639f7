"""/privacy: what members decide about themselves, in every server at once."""

from __future__ import annotations

import json

import pytest

from bot.library.voice import Kind, NewVoice, Scope, Sharing
from bot.models import SpokenVoice
from rehearsal.answers import Answer
from rehearsal.people import Person
from tests.cogs.saved_voices import WAV, cloned, designed, sent
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed


async def confirmed(person: Person, asked: Answer, label: str) -> None:
    """Let ``person`` press a button, and return when the question has become what was done."""
    await person.press(asked, label)
    await asked.until(lambda shown: not shown.buttons, timeout=DEADLINE)


async def names(scene: Scene, *, guild_id: int | None = None) -> list[str]:
    moderator = Scope(guild_id or scene.guild.id, scene.alice.id, is_moderator=True)
    found = await scene.bot.library.voices.complete(moderator, "", to_manage=True)
    return [voice.name for voice in found]


async def test_never_clone_me_takes_everything_back_and_refuses_from_then_on(scene: Scene) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)
    await designed(scene, scene.bob, "Old man")

    answer = await typed(scene.bob, scene.general, "privacy never-clone-me", state="on")
    assert answer.content == (
        "Block everyone from cloning you, in every server? This is deleted for good, with its recording:\n"
        "- **Bobby**, in The Aviary"
    )
    assert sorted(await names(scene)) == ["Bobby", "Old man"]
    await confirmed(scene.bob, answer, "Never clone me")
    asked = await typed(
        scene.alice, scene.general, "voice save", name="Again", recording=sent(), speaker=scene.bob
    )
    mine = await typed(scene.bob, scene.general, "voice save", name="Mine", recording=sent())

    assert answer.content == (
        "From now on, nobody can clone you in any server. Deleted, with recordings: **Bobby**."
    )
    assert asked.content == "That member doesn't want to be cloned."
    assert mine.content == ("You told me never to clone you. Turn that off first: /privacy never-clone-me.")
    assert await names(scene) == ["Old man"]


async def test_the_wish_can_be_taken_back_outside_servers(scene: Scene) -> None:
    dm = scene.rehearsal.world.dm(scene.bob)
    await typed(scene.bob, dm, "privacy never-clone-me", state="on")

    answer = await typed(scene.bob, dm, "privacy never-clone-me", state="off")

    assert answer.content == "You can clone your voice again, and others can ask you."
    assert not await scene.bot.library.consents.is_never_cloned(scene.bob.id)


async def test_export_is_a_file_that_only_they_see(scene: Scene) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)

    answer = await typed(scene.bob, scene.general, "privacy export")

    file = await file_of(answer)
    found = json.loads(await file.read())
    assert (file.name, found["member_id"]) == ("myna.json", str(scene.bob.id))
    assert [voice["name"] for voice in found["voices"]] == ["Bobby"]


async def test_revoking_one_voice_leaves_the_others(scene: Scene) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)
    await cloned(scene, scene.bob, "Mine")

    proposed = await scene.bob.autocomplete(scene.general, "privacy revoke", "voice", "bob")
    answer = await typed(scene.bob, scene.general, "privacy revoke", voice="bobby")
    assert "**Mine**" not in answer.content
    await confirmed(scene.bob, answer, "Take it back")

    assert [name for name, _ in proposed] == ["Bobby"]
    assert answer.content == "Taken back. Deleted, with recordings: **Bobby**."
    assert await names(scene) == ["Mine"]
    others = await typed(scene.alice, scene.general, "privacy revoke", voice="Mine")
    assert others.content == "You have no such voice. /privacy export lists yours."


async def test_revoking_all_reaches_every_server_from_anywhere(scene: Scene) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)
    await cloned(scene, scene.bob, "Mine")

    answer = await typed(scene.bob, scene.rehearsal.world.dm(scene.bob), "privacy revoke")
    await confirmed(scene.bob, answer, "Take it back")
    again = await typed(scene.bob, scene.general, "privacy revoke")

    assert "**Bobby**" in answer.content
    assert "**Mine**" in answer.content
    assert again.content == "Taken back. No saved voice uses yours."
    assert await names(scene) == []


@pytest.mark.parametrize(("command", "options"), [("revoke", {}), ("never-clone-me", {"state": "on"})])
async def test_what_would_be_deleted_is_listed_with_its_server_and_cancel_keeps_all(
    scene: Scene, command: str, options: dict[str, str]
) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)
    elsewhere = scene.rehearsal.world.add_guild("*The* Perch")
    await scene.rehearsal.caught_up()
    own = await scene.bot.library.consents.attest(Scope.alone(scene.bob.id))
    recording = await scene.bot.library.recordings.keep(WAV)
    for guild_id, name in ((elsewhere.id, "Far"), (scene.bob.id, "Alone"), (4711, "Lost")):
        new = NewVoice(name, Kind.CLONED, recording, 4.0, speaker_id=scene.bob.id, consent_id=own)
        await scene.bot.library.voices.save(Scope(guild_id, scene.bob.id), new)

    asked = await typed(scene.bob, scene.general, f"privacy {command}", **options)

    assert asked.content.endswith(
        "These are deleted for good, with their recordings:\n"
        "- **Alone**, outside servers\n- **Bobby**, in The Aviary\n"
        "- **Far**, in \\*The\\* Perch\n- **Lost**, in a server that I have left"
    )
    await confirmed(scene.bob, asked, "Cancel")
    assert asked.content == "Nothing was deleted."
    assert len(await scene.bot.library.voices.spoken_by(scene.bob.id)) == 4
    assert not await scene.bot.library.consents.is_never_cloned(scene.bob.id)


@pytest.mark.parametrize("label", ["Take it back", "Never clone me", "Cancel"])
async def test_after_a_restart_the_question_is_still_answered_by_who_was_asked(
    scene: Scene, label: str
) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob)
    command, options = ("never-clone-me", {"state": "on"}) if "Never" in label else ("revoke", {})
    asked = await typed(scene.bob, scene.general, f"privacy {command}", **options)

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await confirmed(scene.bob, asked, label)

        assert await names(scene) == (["Bobby"] if label == "Cancel" else [])
        assert asked.content.endswith("." if label == "Cancel" else "Deleted, with recordings: **Bobby**.")


async def test_what_was_taken_back_meanwhile_is_told_when_the_question_is_answered(scene: Scene) -> None:
    await scene.let_clone()
    voice = await cloned(scene, scene.alice, "Bobby", scene.bob)
    one = await typed(scene.bob, scene.general, "privacy revoke", voice="Bobby")
    every = await typed(scene.bob, scene.general, "privacy revoke")
    await scene.bot.library.consents.revoke(scene.bob.id, voice.id)

    refused = await refusal_of(await scene.bob.press(one, "Take it back"))
    await confirmed(scene.bob, every, "Take it back")

    assert refused == "You have no such voice. /privacy export lists yours."
    assert every.content == "Taken back. No saved voice uses yours."


async def test_delete_asks_once_more_then_says_what_is_gone_and_takes_posts_away(scene: Scene) -> None:
    await scene.let_clone()
    voice = await cloned(scene, scene.alice, "Bobby", scene.bob, sharing=Sharing.SERVER)
    spoken = SpokenVoice(voice.id, voice.name, voice.recording)
    await scene.bot.reference_posts.reference(spoken)
    assert [message for message in scene.alice.dms() if message.files]
    await designed(scene, scene.alice, "Old man")

    asked = await typed(scene.bob, scene.general, "privacy delete")
    assert asked.buttons == ["Delete everything", "Keep it"]
    assert asked.content.endswith(f"\n- **Bobby**, in {scene.guild.name}")
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await scene.bob.press(asked, "Delete everything")
        await asked.until(lambda shown: shown.content.startswith("Deleted:"), timeout=DEADLINE)

        assert asked.content.startswith("Deleted: 1 voice with its recording, ")
        assert asked.buttons == []
        assert await names(scene) == ["Old man"]
        assert [one for one in scene.alice.dms() if one.files and "Bobby" in one.content] == []


async def test_keeping_it_deletes_nothing(scene: Scene) -> None:
    await designed(scene, scene.bob, "Old man")
    asked = await typed(scene.bob, scene.general, "privacy delete")

    await scene.bob.press(asked, "Keep it")

    await asked.until(lambda shown: shown.content == "Nothing was deleted.", timeout=DEADLINE)
    assert await names(scene) == ["Old man"]


async def test_who_has_nothing_here_is_told_so(scene: Scene) -> None:
    asked = await typed(scene.bob, scene.general, "privacy delete")

    await scene.bob.press(asked, "Delete everything")

    await asked.until(lambda shown: "nothing of yours" in shown.content, timeout=DEADLINE)


async def test_somebody_else_s_button_deletes_nothing(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    asked = await typed(scene.bob, scene.general, "privacy delete")
    scene.rehearsal.interactions.validates_components = False
    assert asked.message is not None
    for row in asked.message.components:
        row["components"][0]["custom_id"] = f"privacy:delete:{scene.alice.id}"

    pressed = await scene.bob.press(asked, "Delete everything")

    assert (await refusal_of(pressed)).startswith("These buttons aren't yours.")
    assert await names(scene) == ["Old man"]


async def test_deleting_reaches_the_speech_that_is_kept(scene: Scene) -> None:
    await file_of(await scene.speak("The canary sings"))
    cache = scene.settings.data_dir / "cache"
    assert [path for path in cache.rglob("*") if path.is_file()]
    asked = await typed(scene.alice, scene.general, "privacy delete")

    await scene.alice.press(asked, "Delete everything")
    await asked.until(lambda shown: shown.buttons == [], timeout=DEADLINE)

    assert [path for path in cache.rglob("*") if path.is_file()] == []
