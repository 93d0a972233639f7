"""/voice choose, share, edit, delete and export; /myna voice and cloning."""

from __future__ import annotations

from bot.delivery.voice_archive import unpack
from bot.library.voice import Kind, Scope, Sharing
from bot.library.withdrawal import Withdrawal
from cogs.voice_views import GONE
from rehearsal.answers import Answer
from rehearsal.people import Person
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

    chosen = await typed(scene.alice, scene.general, "voice choose", name="old man")
    assert "From now on you speak as **Old man** here" in chosen.content
    assert await voice_for(scene.bot.library.voices, mine(scene)) == voice

    await typed(scene.alice, scene.general, "voice choose", name="none")
    assert await voice_for(scene.bot.library.voices, mine(scene)) is None


async def test_none_is_proposed_first_and_means_none(scene: Scene) -> None:
    await designed(scene, scene.alice, "Nora")

    proposed = await scene.alice.autocomplete(scene.general, "voice choose", "name", "no")
    answer = await typed(scene.alice, scene.general, "voice choose", name=str(proposed[0][1]))

    assert [name for name, _ in proposed] == ["none", "Announcer · loud and excited", "Nora"]
    assert answer.content == "Cleared. You'll use the server's voice."


async def test_the_server_s_voice_is_chosen_by_moderators_and_shared_with_all(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    await designed(scene, scene.alice, "Old man", sharing=Sharing.ME)

    private = await typed(scene.alice, scene.general, "myna voice", name="Old man")
    assert private.content.startswith("Not everyone here can use that voice.")
    await typed(scene.alice, scene.general, "voice share", name="Old man", share_with="everyone here")
    shared = await typed(scene.alice, scene.general, "myna voice", name="Old man")
    assert shared.content.startswith("**Old man** now speaks here for everyone")
    assert "myna" not in scene.bob.offered(scene.general)


async def test_sharing_names_members_or_a_role_or_says_what_is_missing(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    role = scene.guild.add_role("Singers", 0, scene.bob)

    async def share(sharing: str, **options: object) -> Answer:
        return await typed(
            scene.alice, scene.general, "voice share", name="Old man", share_with=sharing, **options
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

    answer = await typed(scene.alice, scene.general, "voice share", name="Bobby", share_with="everyone here")

    assert "It can't speak right now. The speaker didn't agree" in answer.content


async def opened(person: Person, scene: Scene, name: str) -> Answer:
    """Return the form of /voice edit."""
    form = await person.slash(scene.general, "voice edit", name=name)
    return await form.until(lambda shown: shown.modal is not None or bool(shown.content), timeout=DEADLINE)


async def edited(person: Person, scene: Scene, voice: str, **typed: str) -> str:
    """Return what a member reads after they have filled in the form of /voice edit."""
    form = await opened(person, scene, voice)
    return await words_of(await person.submit(form, {key.title(): words for key, words in typed.items()}))


async def test_a_voice_is_renamed_but_not_to_a_name_that_is_taken(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    await designed(scene, scene.bob, "Child")

    renamed = await edited(scene.alice, scene, "Old man", name="Grandpa")
    taken = await edited(scene.alice, scene, "Grandpa", name="CHILD")

    assert renamed == "**Old man** is now called **Grandpa**."
    assert taken == "That name is already used here. Choose another one."
    assert await found(scene, "grandpa")


async def test_the_form_holds_name_and_transcript_and_changes_both(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    form = await opened(scene.alice, scene, "Old man")
    assert form.modal is not None
    assert form.modal.prefilled == {"Name": "Old man", "Transcript": "Hello"}

    answer = await scene.alice.submit(form, {"Name": "Grandpa", "Transcript": "Hello there"})

    assert await words_of(answer) == "\n".join(
        (
            "**Old man** has a new transcript.",
            "**Old man** is now called **Grandpa**.",
        )
    )
    assert answer.ephemeral
    assert (await found(scene, "Grandpa")).transcript == "Hello there"


async def test_a_name_that_cannot_be_used_does_not_cost_the_transcript(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    await designed(scene, scene.bob, "Child")

    words = await edited(scene.alice, scene, "Old man", name="Child", transcript="Hello there")

    assert words == "**Old man** has a new transcript.\nIts name stays. That name is already used here. " + (
        "Choose another one."
    )
    assert (await found(scene, "Old man")).transcript == "Hello there"
    assert await edited(scene.alice, scene, "Old man") == "Nothing was changed."


async def test_the_button_of_a_former_version_says_where_the_transcript_is_now(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man")
    asked = await typed(scene.alice, scene.general, "voice delete", name="Old man")
    scene.rehearsal.interactions.validates_components = False
    assert asked.message is not None
    asked.message.components[0]["components"][0]["custom_id"] = "voice:transcript"

    pressed = await scene.alice.press(asked, "Delete it")

    assert await words_of(pressed) == "The transcript is now in /voice edit."


async def test_others_get_no_form(scene: Scene) -> None:
    await designed(scene, scene.alice, "Old man", sharing=Sharing.SERVER)

    answer = await opened(scene.bob, scene, "Old man")

    assert answer.modal is None
    assert answer.content == "Only its owner, its speaker or a moderator can edit this voice."


async def test_a_moderator_neither_reads_nor_mends_the_transcript_of_a_private_voice(scene: Scene) -> None:
    scene.make_moderator(scene.bob)
    await cloned(scene, scene.alice, "Ada", sharing=Sharing.ME, transcript="My secret words")

    about = await typed(scene.bob, scene.general, "voice list", name="Ada")
    form = await opened(scene.bob, scene, "Ada")
    own = await scene.alice.slash(scene.general, "voice list", name="Ada")
    await file_of(own)

    assert "Belongs to" in about.content
    assert "ranscript" not in about.content
    assert "My secret words" not in about.content
    assert form.modal is not None and form.modal.labels == ["Name"]
    assert "My secret words" in own.content


async def test_the_owner_of_somebody_else_s_voice_keeps_the_name_that_they_agreed_to(scene: Scene) -> None:
    await cloned(scene, scene.alice, "Bobby", scene.bob)

    owners = await opened(scene.alice, scene, "Bobby")
    renamed = await edited(scene.bob, scene, "Bobby", name="Robert")

    assert owners.modal is not None and owners.modal.labels == ["Transcript"]
    assert renamed == "**Bobby** is now called **Robert**."


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
        "That voice is gone. /voice list shows the ones you can use.",
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
    assert refused.content == "Only its speaker can export this voice, because it's their recording."


async def test_export_of_somebody_else_s_voice_is_for_them_and_not_for_its_owner(scene: Scene) -> None:
    await cloned(scene, scene.alice, "Bobby", scene.bob)

    refused = await typed(scene.alice, scene.general, "voice export", name="Bobby")
    answer = await typed(scene.bob, scene.general, "voice export", name="Bobby")

    assert refused.content == "Only its speaker can export this voice, because it's their recording."
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
    answer = await typed(scene.alice, scene.general, "myna cloning", state="off")

    assert answer.content.startswith("Cloning is off.")
    assert [(one.id, one.is_frozen) for heard in told for one in heard.voices] == [(voice.id, True)]
    assert not told[0].is_final
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is not None


async def test_a_moderator_reads_the_policy_before_cloning_is_on(scene: Scene) -> None:
    scene.make_moderator(scene.alice)

    asked = await typed(scene.alice, scene.general, "myna cloning", state="on")
    pressed = await scene.alice.press(asked, "Accept, and turn cloning on")

    assert (await words_of(pressed)).startswith("Cloning is on.")
    assert await scene.bot.library.settings.cloning_is_on(scene.guild.id)
    again = await typed(scene.alice, scene.general, "myna cloning", state="on")
    assert again.content == (await words_of(pressed))
