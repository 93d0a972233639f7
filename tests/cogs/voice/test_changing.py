"""/voice use, default, share, rename, transcript, delete, export and cloning."""

from __future__ import annotations

from bot.delivery.voice_archive import unpack
from bot.library.voice import Kind, Scope, Sharing
from bot.library.withdrawal import Withdrawal
from cogs.voice_views import GONE
from rehearsal.answers import Answer
from tests.cogs.saved_voices import WAV, cloned, designed
from tests.library.shelves import voice_for
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed, words_of


def mine(scene: Scene) -> Scope:
    return Scope(scene.guild.id, scene.alice.id)


async def found(scene: Scene, name: str):
    return await scene.bot.library.voices.find(mine(scene), name)


async def test_use_chooses_my_voice_here_and_none_takes_it_back(scene: Scene) -> None:
    voice = await designed(scene, scene.alice, "Old man")

    chosen = await typed(scene.alice, scene.general, "voice use", name="old man")
    assert "From now on you speak as **Old man** here" in chosen.content
    assert await voice_for(scene.bot.library.voices, mine(scene)) == voice

    await typed(scene.alice, scene.general, "voice use", name="none")
    assert await voice_for(scene.bot.library.voices, mine(scene)) is None


async def test_none_is_proposed_first_and_means_none(scene: Scene) -> None:
    await designed(scene, scene.alice, "Nora")

    proposed = await scene.alice.autocomplete(scene.general, "voice use", "name", "no")
    answer = await typed(scene.alice, scene.general, "voice use", name=str(proposed[0][1]))

    assert [name for name, _ in proposed] == ["none", "Announcer · loud and excited", "Nora"]
    assert answer.content == "You now speak in this server's voice."


async def test_the_server_s_voice_is_chosen_by_moderators_and_shared_with_all(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await designed(scene, scene.alice, "Old man", sharing=Sharing.ME)

    private = await typed(scene.alice, scene.general, "voice default", name="Old man")
    assert private.content.startswith("Not everyone here can use that voice.")
    await typed(scene.alice, scene.general, "voice share", name="Old man", **{"with": "everyone here"})
    shared = await typed(scene.alice, scene.general, "voice default", name="Old man")
    assert shared.content.startswith("**Old man** now speaks here for everyone")
    refused = await typed(scene.bob, scene.general, "voice default", name="none")
    assert refused.content == "Only moderators can do this. You need the permission Manage Server."


async def test_sharing_names_members_or_a_role_or_says_what_is_missing(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    role = scene.guild.add_role("Singers", 0, scene.bob)

    async def share(sharing: str, **options: object) -> Answer:
        return await typed(
            scene.alice, scene.general, "voice share", name="Old man", **{"with": sharing}, **options
        )

    nobody = await share("some members: name them")
    assert nobody.content == "Choose who may use the voice: 1 to 25 members."
    bob = await share("some members: name them", member=scene.bob)
    assert bob.content.endswith(f"{scene.alice.mention} and {scene.bob.mention}.")
    assert (await found(scene, "Old man")).member_ids == {scene.bob.id}
    assert (await share("a role: name it")).content == "Choose the role that may use the voice."
    assert f"<@&{role.id}>" in (await share("a role: name it", role=role)).content
    assert (await found(scene, "Old man")).sharing is Sharing.ROLE


async def test_sharing_beyond_what_the_speaker_agreed_to_says_that_it_is_silent(scene: Scene) -> None:
    await scene.let_clone()
    await cloned(scene, scene.alice, "Bobby", scene.bob, sharing=Sharing.ME)

    answer = await typed(scene.alice, scene.general, "voice share", name="Bobby", **{"with": "everyone here"})

    assert "It is silent for now. The speaker didn't agree" in answer.content


async def test_renaming_and_a_name_that_is_taken(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    await designed(scene, scene.bob, "Child")

    renamed = await typed(scene.alice, scene.general, "voice rename", name="Old man", to="Grandpa")
    taken = await typed(scene.alice, scene.general, "voice rename", name="Grandpa", to="CHILD")

    assert renamed.content == "**Old man** is called **Grandpa** now."
    assert taken.content == "That name is already used here. Choose another one."
    assert await found(scene, "grandpa")


async def test_the_transcript_is_mended_in_a_form_that_holds_it(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    shown = await scene.alice.slash(scene.general, "voice transcript", name="Old man")
    assert await words_of(shown) == "**Old man**\nWhat is said in its recording: “Hello”"
    assert shown.ephemeral
    form = await scene.alice.press(shown, "Write it down")
    await form.until(lambda answer: answer.modal is not None, timeout=DEADLINE)
    assert form.modal is not None
    assert form.modal.prefilled == {"Word for word": "Hello"}

    answer = await scene.alice.submit(form, {"Word for word": "Hello there"})

    assert await words_of(answer) == "**Old man** has a new transcript."
    assert (await found(scene, "Old man")).transcript == "Hello there"


async def test_after_a_restart_the_button_of_a_transcript_says_what_to_type(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    shown = await scene.alice.slash(scene.general, "voice transcript", name="Old man")
    await words_of(shown)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        pressed = await scene.alice.press(shown, "Write it down")

        assert await words_of(pressed) == (
            "That took a while, so the button is gone. Type /voice transcript again."
        )


async def test_others_get_no_form(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man", sharing=Sharing.SERVER)

    answer = await scene.bob.slash(scene.general, "voice transcript", name="Old man")

    assert await words_of(answer) == (
        "Only its owner, or a moderator who may use this voice, can change its transcript."
    )


async def test_a_moderator_neither_reads_nor_mends_the_transcript_of_a_private_voice(scene: Scene) -> None:
    scene.make_moderator(scene.bob)
    await cloned(scene, scene.alice, "Ada", sharing=Sharing.ME, transcript="My secret words")

    about = await typed(scene.bob, scene.general, "voice info", name="Ada")
    form = await typed(scene.bob, scene.general, "voice transcript", name="Ada")
    own = await scene.alice.slash(scene.general, "voice info", name="Ada")
    await file_of(own)

    assert "Belongs to" in about.content
    assert "transcript" not in about.content
    assert "My secret words" not in about.content + form.content
    assert form.content.startswith("Only its owner, or a moderator who may use this voice")
    assert "My secret words" in own.content


async def test_the_owner_of_somebody_else_s_voice_keeps_the_name_that_they_agreed_to(scene: Scene) -> None:
    await cloned(scene, scene.alice, "Bobby", scene.bob)

    refused = await typed(scene.alice, scene.general, "voice rename", name="Bobby", to="I love spam")
    renamed = await typed(scene.bob, scene.general, "voice rename", name="Bobby", to="Robert")

    assert "keeps the name they agreed to" in refused.content
    assert renamed.content == "**Bobby** is called **Robert** now."


async def test_deleting_asks_once_more_and_then_leaves_nothing(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")

    kept = await typed(scene.alice, scene.general, "voice delete", name="Old man")
    await scene.alice.press(kept, "Keep it")
    await kept.until(lambda shown: shown.content == "Nothing was deleted.", timeout=DEADLINE)
    asked = await typed(scene.alice, scene.general, "voice delete", name="Old man")
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        await scene.alice.press(asked, "Delete it")
        await asked.until(lambda shown: "are deleted." in shown.content, timeout=DEADLINE)
        assert await bot.library.voices.complete(mine(scene), "", to_manage=True) == []

    assert scene.recordings == []


async def test_a_second_press_on_delete_finds_nothing(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    asked = await typed(scene.alice, scene.general, "voice delete", name="Old man")

    first = await scene.alice.press(asked, "Delete it")
    second = await scene.alice.press(asked, "Delete it")
    await second.settled(timeout=DEADLINE)
    await first.settled(timeout=DEADLINE)

    assert asked.content in (
        "**Old man** and its recording are deleted.",
        "That voice is not here any more. /voice list shows what there is.",
    )
    assert await scene.bot.library.voices.complete(mine(scene), "", to_manage=True) == []


async def test_a_forged_button_about_another_server_s_voice_finds_nothing(scene: Scene) -> None:
    other = scene.rehearsal.world.add_guild("The Rookery")
    other.add_member(scene.bob)
    foreign = await designed(scene, scene.bob, "Foreign", guild_id=other.id)
    scene.make_moderator(scene.alice)
    await designed(scene, scene.alice, "Old man")
    scene.rehearsal.interactions.validates_components = False

    for act in ("delete", "freeze", "thaw", "settle"):
        asked = await typed(scene.alice, scene.general, "voice delete", name="Old man")
        assert asked.message is not None
        asked.message.components[0]["components"][0]["custom_id"] = f"voice:{act}:{foreign.id}"
        pressed = await scene.alice.press(asked, "Delete it")
        assert await refusal_of(pressed) == GONE

    assert await scene.bot.library.voices.unscoped(foreign.id) == foreign


async def test_export_is_a_zip_with_the_recording_for_whoever_is_heard_in_it_only(scene: Scene) -> None:
    await scene.let_clone()
    scene.make_moderator(scene.bob)
    await cloned(scene, scene.alice, "Ada", sharing=Sharing.SERVER)

    answer = await typed(scene.alice, scene.general, "voice export", name="Ada")
    refused = await typed(scene.bob, scene.general, "voice export", name="Ada")

    file = await file_of(answer)
    voice = unpack(await file.read())
    assert (file.name, voice.wav, voice.speaker_id) == ("Ada.zip", WAV, scene.alice.id)
    assert voice.consent is not None
    assert voice.consent["state"] == "granted"
    assert refused.content == "Only whoever is heard in it can export this voice: its recording is theirs."


async def test_export_of_somebody_else_s_voice_is_for_them_and_not_for_its_owner(scene: Scene) -> None:
    await cloned(scene, scene.alice, "Bobby", scene.bob)

    refused = await typed(scene.alice, scene.general, "voice export", name="Bobby")
    answer = await typed(scene.bob, scene.general, "voice export", name="Bobby")

    assert refused.content == "Only whoever is heard in it can export this voice: its recording is theirs."
    assert unpack(await (await file_of(answer)).read()).speaker_id == scene.bob.id


async def test_export_of_a_designed_voice_is_for_its_owner(scene: Scene) -> None:
    await designed(scene, scene.alice, "Wizard")

    refused = await typed(scene.bob, scene.general, "voice export", name="Wizard")
    answer = await typed(scene.alice, scene.general, "voice export", name="Wizard")

    assert refused.content == "Only its owner can export this voice."
    assert unpack(await (await file_of(answer)).read()).kind is Kind.DESIGNED


async def test_turning_cloning_off_withdraws_cloned_voices_at_once(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await scene.let_clone()
    voice = await cloned(scene, scene.alice, "Ada")
    await designed(scene, scene.alice, "Old man")
    told: list[Withdrawal] = []

    async def hear(withdrawal: Withdrawal) -> None:
        told.append(withdrawal)

    scene.bot.library.withdrawals.subscribe(hear)
    answer = await typed(scene.alice, scene.general, "voice cloning", switch="off")

    assert answer.content.startswith("Cloning is off.")
    assert [(one.id, one.is_frozen) for heard in told for one in heard.voices] == [(voice.id, True)]
    assert not told[0].is_final
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is not None


async def test_a_moderator_reads_the_policy_before_cloning_is_on(scene: Scene) -> None:
    scene.make_moderator(scene.alice)

    refused = await typed(scene.bob, scene.general, "voice cloning", switch="on")
    asked = await typed(scene.alice, scene.general, "voice cloning", switch="on")
    pressed = await scene.alice.press(asked, "Accept, and turn cloning on")

    assert refused.content.startswith("Only moderators can do this.")
    assert (await words_of(pressed)).startswith("Cloning is on.")
    assert await scene.bot.library.settings.cloning_is_on(scene.guild.id)
    again = await typed(scene.alice, scene.general, "voice cloning", switch="on")
    assert again.content == (await words_of(pressed))


async def test_outside_servers_there_is_nothing_to_switch(scene: Scene) -> None:
    dm = scene.rehearsal.world.dm(scene.alice)

    answer = await typed(scene.alice, dm, "voice cloning", switch="on")

    assert answer.content.startswith("Outside servers there is nothing to switch")
