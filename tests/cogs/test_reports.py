"""Report under what real people's voices say, and what moderators see of it and do."""

from __future__ import annotations

import pytest

from bot.library.voice import Scope
from bot.playback.queue import Outcome
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.people import Person
from tests.cogs.generations import choose, generated, may_add_sounds, offered, opened, use
from tests.cogs.in_voice import LONG, player_of
from tests.cogs.saved_voices import cloned, designed
from tests.cogs.sounds import HIGH, recording
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, typed, words_of
from tts_gateway.engines.base import Engine

FROZEN = "A moderator has frozen this voice. Ask them, or choose another one."
FROZEN_RECORDINGS = "A moderator has frozen what I make from your recordings here. Ask a moderator about it."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


@pytest.fixture(autouse=True)
def moderator(scene: Scene) -> Person:
    scene.make_moderator(scene.alice)
    return scene.alice


@pytest.fixture
def carol(scene: Scene) -> Person:
    return scene.add_member("Carol")


async def clone(scene: Scene, text: str = "Say it in my voice", **options: object) -> Answer:
    sent = SentFile("me.wav", recording("wav", HIGH))
    return await scene.bob.slash(
        scene.general, "clone", text=text, recording=sent, **{"output": "here", **options}
    )


async def cloned_once(scene: Scene, text: str = "Say it in my voice") -> Answer:
    await scene.let_clone(scene.bob)
    answer = await clone(scene, text)
    await file_of(answer)
    return answer


async def looked_into(scene: Scene, label: str) -> Answer:
    """Let Alice look into a voice in the record."""
    listed = await typed(scene.alice, scene.general, "myna audit")
    await scene.alice.select(listed, "Look into a voice", label)
    await listed.until(lambda shown: "Look into a voice" not in shown.menus, timeout=DEADLINE)
    return listed


async def frozen_likeness(scene: Scene) -> Answer:
    page = await looked_into(scene, "/clone, by Bob")
    await scene.alice.press(page, "Freeze")
    await page.until(lambda shown: "Unfreeze" in shown.buttons, timeout=DEADLINE)
    return page


@pytest.mark.slow
async def test_report_stands_under_real_voices_and_under_no_others(scene: Scene):
    await cloned(scene, scene.bob, "Bobby")
    await designed(scene, scene.bob, "Robin")

    saved, made = await generated(scene, voice="Bobby"), await generated(scene, voice="Robin")
    likeness = await cloned_once(scene)

    found = [await offered(scene.bob, answer) for answer in (saved, likeness, made)]
    assert ["Report" in acts for acts in found] == [True, True, False]


@pytest.mark.slow
async def test_a_reported_clone_reaches_the_moderators_with_who_made_it_and_where(
    scene: Scene, carol: Person
):
    answer = await cloned_once(scene)

    assert (await words_of(await choose(carol, answer, "Report"))).startswith("Thank you.")
    again = await words_of(await choose(carol, answer, "Report"))
    listed = await typed(scene.alice, scene.general, "myna audit")
    assert "1 report is open." in listed.content
    page = await looked_into(scene, "/clone, by Bob")

    assert again == "You've already reported this voice. The moderators can see your report."
    standing, report, use = page.content.splitlines()
    assert standing == (
        f"What /clone makes of recordings that {scene.bob.mention} calls their own is in use. · 1 open report"
    )
    assert answer.message is not None
    assert f"made for {scene.bob.mention} · https://discord.com/channels/" in report
    assert report.endswith(f"/{answer.message.id}")
    assert f"{scene.bob.mention} · a recording of their own, with /clone" in use
    assert carol.mention not in page.content
    await scene.alice.press(page, "Dismiss reports")
    await page.until(lambda shown: shown.buttons == ["Freeze"], timeout=DEADLINE)


async def test_a_frozen_likeness_is_silent_everywhere_at_once(scene: Scene, carol: Person):
    answer = await cloned_once(scene, LONG)
    may_add_sounds(scene, carol)
    form = await opened(carol, answer, "Add to soundboard")
    listener = await carol.join(scene.perch)
    await scene.bob.join(scene.perch)
    for person in (carol, scene.bob):
        playing = await choose(person, answer, "Play in my channel")
        await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)
    utterances = player_of(scene).utterances()

    await frozen_likeness(scene)

    assert [one.outcome for one in utterances] == [Outcome.WITHDRAWN, Outcome.WITHDRAWN]
    for person, label in (
        (carol, "Play in my channel"),
        (carol, "Send as voice message"),
        (scene.bob, "Again"),
    ):
        assert await words_of(await use(person, answer, label)) == FROZEN
    assert await words_of(await carol.submit(form, {"Name": "Bob"})) == FROZEN
    assert await words_of(await clone(scene, "Something else")) == FROZEN_RECORDINGS
    assert len(scene.asked) == 1


@pytest.mark.slow
@pytest.mark.parametrize("way", ["revoke", "delete", "restart"])
async def test_a_frozen_likeness_is_not_thawed_by_its_member(scene: Scene, way: str):
    answer = await cloned_once(scene)
    await frozen_likeness(scene)
    library = scene.bot.library
    if way == "revoke":
        await library.consents.revoke(scene.bob.id)
    elif way == "delete":
        await library.privacy.delete(scene.bob.id)

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot

        assert await words_of(await clone(scene, "Something else")) == FROZEN_RECORDINGS
        saving = await scene.bob.slash(
            scene.general, "voice save", name="Me again", recording=SentFile("me.wav", recording("wav", HIGH))
        )
        assert await words_of(saving) == FROZEN_RECORDINGS
        if way == "restart":
            assert await words_of(await choose(scene.bob, answer, "Send as voice message")) == FROZEN
        assert len(scene.asked) == 1


@pytest.mark.slow
async def test_an_unfrozen_likeness_speaks_again(scene: Scene):
    answer = await cloned_once(scene)
    page = await frozen_likeness(scene)

    await scene.alice.press(page, "Unfreeze")
    await page.until(lambda shown: shown.buttons == ["Freeze"], timeout=DEADLINE)

    assert await words_of(await choose(scene.bob, answer, "Send as voice message")) == "Sent."


async def test_only_moderators_freeze_a_likeness(scene: Scene, carol: Person):
    await cloned_once(scene)
    page = await looked_into(scene, "/clone, by Bob")
    role = next(role for role in scene.guild.roles.values() if role.name == "Moderators")
    scene.guild.take_role(role, scene.alice)

    pressed = await scene.alice.press(page, "Freeze")

    assert (await refusal_of(pressed)).startswith("Only moderators can do this.")
    assert not await scene.bot.library.audit.is_likeness_frozen(Scope(scene.guild.id, 1), scene.bob.id)


@pytest.mark.slow
async def test_a_voice_that_its_owner_has_deleted_can_still_be_reported(scene: Scene, carol: Person):
    voice = await cloned(scene, scene.alice, "Vicky", scene.bob)
    answer = await generated(scene, voice="Vicky")
    await scene.bot.library.voices.delete(Scope(scene.guild.id, scene.alice.id), voice.id)

    assert (await words_of(await choose(scene.bob, answer, "Report"))).startswith("Thank you.")
    page = await looked_into(scene, "A voice that is deleted")

    assert page.content.startswith("That voice is deleted. · 1 open report")
    assert f"made for {scene.alice.mention}" in page.content
    assert page.buttons == ["Dismiss reports"]


async def test_who_has_deleted_their_data_can_still_be_reported_for_another_s_voice(
    scene: Scene, carol: Person
):
    await cloned(scene, carol, "Vicky", scene.bob)
    answer = await carol.slash(scene.general, "speak", text="Nonsense", voice="Vicky", output="here")
    await file_of(answer)
    asked = await carol.slash(scene.general, "privacy delete")
    assert "for 180 days who has used voices of others" in await words_of(asked)
    await carol.press(asked, "Delete everything")
    await asked.until(lambda shown: "Deleted: " in shown.content, timeout=DEADLINE)

    assert (await words_of(await choose(scene.bob, answer, "Report"))).startswith("Thank you.")
    page = await looked_into(scene, "A voice that is deleted")

    assert f"made for {carol.mention}" in page.content


async def test_a_report_outlives_the_data_of_who_made_it_and_of_whom_it_is_about(scene: Scene, carol: Person):
    answer = await cloned_once(scene)
    await words_of(await choose(carol, answer, "Report"))

    for person in (carol, scene.bob):
        await scene.bot.library.privacy.delete(person.id)
    page = await looked_into(scene, "/clone, by Bob")

    assert "1 open report" in page.content
    assert f"made for {scene.bob.mention}" in page.content
    assert f"{scene.bob.mention} · a recording of their own" in page.content


async def test_a_replay_of_a_clone_is_on_record_as_the_voice_of_who_is_heard(scene: Scene, carol: Person):
    answer = await cloned_once(scene)
    await words_of(await choose(carol, answer, "Send as voice message"))

    page = await looked_into(scene, "/clone, by Bob")

    assert f"{carol.mention} · a recording of {scene.bob.mention}, with /clone" in page.content
    exported = await scene.bot.library.privacy.export(scene.bob.id)
    assert {use["member_id"] for use in exported["uses_of_my_voice"]} == {str(scene.bob.id), str(carol.id)}


async def test_what_is_no_real_person_s_voice_cannot_be_reported_by_a_forged_press(scene: Scene):
    answer = await generated(scene)
    for component in answer.components:
        if "custom_id" in component and ":again:" in component["custom_id"]:
            component["custom_id"] = component["custom_id"].replace(":again:", ":report:")

    words = await words_of(await scene.bob.press(answer, "Again"))

    assert words == "That isn't a real person's voice, so there's nothing to report."
