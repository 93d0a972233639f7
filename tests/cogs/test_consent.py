"""Whose voice may be cloned, and how that is settled in Discord."""

from __future__ import annotations

import pytest

from bot.library.voice import Scope
from cogs.consent import NOTED
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.people import Person
from rehearsal.permissions import Permission
from rehearsal.recordings import RECORDINGS
from rehearsal.records import Message
from rehearsal.rest.call import Misbehaviour
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.sounds import HIGH, recording
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, refusal_of, words_of

SISTER = RECORDINGS[1]


def sent() -> SentFile:
    return SentFile(SISTER.path.name, SISTER.path.read_bytes())


async def clone(scene: Scene, **options: object) -> Answer:
    answer = await scene.bob.slash(scene.general, "clone", text="In my voice", recording=sent(), **options)
    await words_of(answer)
    return answer


async def asked_for(scene: Scene) -> Message:
    """Return the question to Bob that Alice's menu on his recording brings."""
    message = await scene.bob.say(scene.general, files=[sent()])
    answer = await scene.alice.message_menu("Clone this voice", message)
    await answer.settled(timeout=DEADLINE)
    assert answer.ephemeral
    assert "I've asked" in answer.content
    return await scene.general.until_message(lambda shown: "I agree" in shown.buttons)


async def saved(scene: Scene, name: str, owner_id: int):
    return await scene.bot.library.voices.find(Scope(scene.guild.id, owner_id), name)


async def test_cloning_is_off_until_a_moderator_has_accepted_the_policy(scene: Scene) -> None:
    answer = await clone(scene)

    assert answer.content == "Cloning is off in this server. A moderator can turn it on: /myna cloning."
    assert scene.asked == []


@pytest.mark.slow
async def test_a_moderator_turns_it_on_says_it_is_their_voice_and_is_heard(scene: Scene) -> None:
    scene.make_moderator(scene.alice)
    command = await scene.alice.slash(scene.general, "clone", text="In my own voice", recording=sent())
    await words_of(command)
    assert command.ephemeral
    assert "Every take says that it's AI-generated" in command.content

    accepted = await scene.alice.press(command, "Accept, and turn cloning on")
    await words_of(accepted)
    assert "Is this your own voice?" in accepted.content
    spoken = await scene.alice.press(accepted, "This is my own voice")
    await file_of(spoken)

    assert not spoken.ephemeral
    assert [request["text"] for request in scene.asked] == ["In my own voice"]


async def test_after_a_restart_every_question_that_was_open_takes_its_press(scene: Scene) -> None:
    await scene.let_clone()
    asked = [
        (person, await person.slash(scene.general, "clone", text="Hello", recording=sent()))
        for person in (scene.alice, scene.bob)
    ]
    for _, question in asked:
        assert "Is this your own voice?" in await words_of(question)

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        for person, question in asked:
            await person.press(question, "This is my own voice")
            await question.until(lambda shown: shown.content == NOTED, timeout=DEADLINE)


@pytest.mark.slow
async def test_the_second_time_nobody_asks_again(scene: Scene) -> None:
    await scene.let_clone(scene.bob)

    answer = await scene.bob.slash(scene.general, "clone", text="Again", recording=sent())

    await file_of(answer)


@pytest.mark.slow
async def test_somebody_else_s_voice_needs_their_own_press(scene: Scene) -> None:
    await scene.let_clone()
    question = await asked_for(scene)
    assert scene.bob.mention in question.content
    assert f"only {scene.alice.mention}" in question.content

    refused = await scene.alice.press(question, "I agree")
    assert await refusal_of(refused) == "Only the member whose voice this is can answer."
    await (await scene.bob.press(question, "I agree")).until(
        lambda _: "agreed to **Bob**" in question.content, timeout=DEADLINE
    )

    voice = await saved(scene, "Bob", scene.alice.id)
    assert voice.speaker_id == scene.bob.id
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is None
    told = await scene.general.until_message(lambda shown: "is yours to use" in shown.content)
    assert scene.alice.mention in told.content


async def test_a_no_leaves_nothing_behind(scene: Scene) -> None:
    await scene.let_clone()
    question = await asked_for(scene)

    await (await scene.bob.press(question, "No")).until(
        lambda _: "said no. Nothing was saved." in question.content, timeout=DEADLINE
    )

    assert question.buttons == []
    assert scene.recordings == []


async def test_who_never_wants_to_be_cloned_is_not_even_asked(scene: Scene) -> None:
    await scene.let_clone()
    await scene.bot.library.consents.never_clone(scene.bob.id, True)
    message = await scene.bob.say(scene.general, files=[sent()])
    before = len(scene.rehearsal.requests)

    answer = await scene.alice.message_menu("Clone this voice", message)

    assert await words_of(answer) == "That member doesn't want to be cloned."
    assert not [one for one in scene.rehearsal.requests[before:] if "attachments" in one.path]


@pytest.mark.slow
async def test_named_in_the_command_somebody_else_is_asked_too(scene: Scene) -> None:
    await scene.let_clone(scene.alice)

    answer = await scene.alice.slash(
        scene.general, "clone", text="Hello", recording=sent(), speaker=scene.bob
    )

    assert "I've asked" in await words_of(answer)
    assert scene.asked == []


@pytest.mark.parametrize("label", ["I agree", "No"])
async def test_a_question_can_be_answered_only_once(scene: Scene, label: str) -> None:
    await scene.let_clone()
    question = await asked_for(scene)
    buttons = question.components
    first = await scene.bob.press(question, label)
    await first.until(lambda _: question.buttons == [], timeout=DEADLINE)
    question.components = buttons  # as somebody sees it whose app is a moment behind

    again = await scene.bob.press(question, "I agree")

    assert (await refusal_of(again)).startswith(("You have already", "This button has expired"))


async def test_a_bot_cannot_agree(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    spoken = await scene.speak()
    await file_of(spoken)
    assert spoken.message is not None

    answer = await scene.alice.message_menu("Clone this voice", spoken.message)

    assert (await words_of(answer)).startswith("A bot sent that, so it isn't anyone's own voice.")

    named = await scene.alice.slash(
        scene.general, "clone", text="Hello", recording=sent(), speaker=scene.rehearsal.directory.bot
    )
    assert "A bot can't agree to be cloned." in await words_of(named)


async def test_a_question_in_a_thread_needs_what_it_takes_to_write_there(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    thread = scene.guild.add_thread(scene.general, "aside", scene.alice)
    message = await scene.bob.say(thread, files=[sent()])
    scene.guild.deny_bot(Permission.SEND_MESSAGES_IN_THREADS, scene.general)
    await scene.rehearsal.caught_up()

    refused = await scene.alice.message_menu("Clone this voice", message)
    words = await words_of(refused)
    scene.guild.deny_bot(Permission.SEND_MESSAGES, scene.general)
    await scene.rehearsal.caught_up()
    asked = await words_of(await scene.alice.message_menu("Clone this voice", message))

    assert words.startswith('I need the permission "Send Messages in Threads" here to ask them.')
    assert asked.startswith("I've asked")
    assert "I agree" in thread.history[-1].buttons


async def test_where_the_bot_cannot_see_the_channel_that_is_what_it_says(scene: Scene) -> None:
    await scene.let_clone(scene.alice)
    message = await scene.bob.say(scene.general, files=[sent()])
    scene.guild.deny_bot(Permission.VIEW_CHANNEL | Permission.SEND_MESSAGES, scene.general)
    await scene.rehearsal.caught_up()

    words = await words_of(await scene.alice.message_menu("Clone this voice", message))

    assert '"View Channel"' in words


async def test_the_question_says_where_the_recording_goes_and_who_hears_it(scene: Scene) -> None:
    await scene.let_clone()

    question = await asked_for(scene)

    assert f"hear the recording: only {scene.alice.mention}" in question.content
    assert "it is kept on the machine that I run on" in question.content
    assert "The service that makes the speech, which others may run, gets it" in question.content


async def test_whoever_is_asked_hears_the_recording_and_nobody_else_does(scene: Scene) -> None:
    await scene.let_clone()
    question = await asked_for(scene)
    (kept,) = scene.recordings

    heard = await scene.bob.press(question, "Listen")

    assert await (await file_of(heard)).read() == await scene.bot.library.recordings.read(kept)
    assert heard.ephemeral
    assert question.buttons == ["Listen", "I agree", "No"]
    refused = await scene.alice.press(question, "Listen")
    assert await words_of(refused) == "Only the member whose voice this is can answer."


@pytest.mark.slow
@pytest.mark.parametrize("label", ["I agree", "No"])
async def test_after_the_answer_there_is_nothing_to_listen_to(scene: Scene, label: str) -> None:
    await scene.let_clone()
    question = await asked_for(scene)
    buttons = question.components
    first = await scene.bob.press(question, label)
    await first.until(lambda _: question.buttons == [], timeout=DEADLINE)
    question.components = buttons

    again = await scene.bob.press(question, "Listen")

    assert (await words_of(again)).startswith(("You have already", "This button has expired"))


def kept(scene: Scene) -> list[str]:
    return scene.recordings


async def test_a_question_that_is_refused_fetches_nothing_and_leaves_nothing(scene: Scene) -> None:
    await scene.let_clone()
    question = await asked_for(scene)
    await (await scene.bob.press(question, "No")).until(lambda _: question.buttons == [], timeout=DEADLINE)
    served = list(scene.rehearsal.cdn.served)

    for command, more in (("clone", {"text": "Hello"}), ("voice save", {"name": "Bobby"})):
        file = {"recording": sent()}
        answer = await scene.alice.slash(scene.general, command, speaker=scene.bob, **file, **more)
        assert "They said no. You can ask them again after <t:" in await words_of(answer)

    assert scene.rehearsal.cdn.served == served
    assert kept(scene) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "fault",
    [
        Misbehaviour("POST", "/messages", 403, {"message": "Missing Access", "code": 50001}, times=9),
        Misbehaviour("POST", "/messages", 400, {"message": "Blocked", "code": 200000}, times=9),
        Misbehaviour("POST", "/messages", cuts=True, times=99),
    ],
    ids=["forbidden", "blocked", "cut"],
)
async def test_a_question_that_discord_does_not_take_leaves_nothing_and_may_be_asked_again(
    scene: Scene, fault: Misbehaviour
) -> None:
    await scene.let_clone()
    scene.rehearsal.misbehave(fault)

    answer = await scene.alice.slash(
        scene.general, "clone", text="Hello", recording=sent(), speaker=scene.bob
    )

    assert "I've asked" not in await words_of(answer)
    assert kept(scene) == []
    fault.times = 0
    await asked_for(scene)


@pytest.mark.slow
async def test_one_member_does_not_make_the_bot_ping_many(scene: Scene) -> None:
    await scene.let_clone()
    people = [scene.add_member(f"Person {number}") for number in range(6)]

    words = []
    for number, person in enumerate(people, 1):
        file = SentFile("them.wav", recording("wav", HIGH[960 * number :]))
        answer = await scene.alice.slash(scene.general, "clone", text="Hello", recording=file, speaker=person)
        words.append(await words_of(answer))

    assert ["I've asked" in said for said in words] == [True, True, False, False, False, False]
    assert all("You have 2 open questions, and that's the most." in said for said in words[2:])
    questions = [shown for shown in scene.general.messages.values() if "I agree" in shown.buttons]
    assert len(questions) == 2
    assert len(kept(scene)) == 2


with_links = pytest.mark.parametrize("privileged_intents", [INTENT_MESSAGE_CONTENT])
"""Only with that intent have the commands an option for a link to a message."""


async def named_another(scene: Scene) -> tuple[Answer, Person]:
    """Let Alice, who may manage messages, name Carol as who is heard in a message of Bob's."""
    await scene.let_clone()
    carol = scene.add_member("Carol")
    scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, scene.alice)
    await scene.rehearsal.caught_up()
    message = await scene.bob.say(scene.general, files=[sent()])
    link = f"https://discord.com/channels/{scene.guild.id}/{scene.general.id}/{message.id}"
    return await scene.alice.slash(scene.general, "clone", text="Hello", message=link, speaker=carol), carol


@pytest.mark.slow
@with_links
@pytest.mark.parametrize("first", ["speaker", "author"])
async def test_named_for_another_s_message_both_are_asked_and_both_have_to_agree(
    scene: Scene, first: str
) -> None:
    answer, carol = await named_another(scene)
    assert "I've asked" in await words_of(answer)
    question = await scene.general.until_message(lambda shown: "I agree" in shown.buttons)
    assert question.content.startswith(f"{carol.mention} and {scene.bob.mention}, {scene.alice.mention}")
    assert f"{scene.bob.mention} wrote the message" in question.content
    one, other = (carol, scene.bob) if first == "speaker" else (scene.bob, carol)

    told = await refusal_of(await one.press(question, "I agree"))
    assert told == "Noted. The other person has to agree too. Until then, nothing is saved."
    assert "You have agreed." in await refusal_of(await one.press(question, "I agree"))
    refused = await refusal_of(await scene.alice.press(question, "I agree"))
    assert refused == "Only the member whose voice this is can answer."
    await other.press(question, "I agree")
    await scene.general.until_message(lambda shown: "is yours to use" in shown.content)

    voice = await saved(scene, "Carol", scene.alice.id)
    assert await scene.bot.library.consents.permission_error(voice, scene.guild.id) is None
    await scene.bot.library.consents.revoke(scene.bob.id)
    assert await scene.bot.library.voices.unscoped(voice.id) is None


@with_links
@pytest.mark.parametrize("who", ["speaker", "author"])
async def test_of_two_one_no_is_enough(scene: Scene, who: str) -> None:
    answer, carol = await named_another(scene)
    await words_of(answer)
    question = await scene.general.until_message(lambda shown: "I agree" in shown.buttons)
    one, other = (carol, scene.bob) if who == "speaker" else (scene.bob, carol)
    await refusal_of(await other.press(question, "I agree"))

    await one.press(question, "No")
    await scene.general.until_message(lambda shown: "said no. Nothing was saved." in shown.content)

    assert scene.recordings == []


@pytest.mark.slow
@with_links
async def test_after_a_restart_the_second_of_two_can_still_agree(scene: Scene) -> None:
    answer, carol = await named_another(scene)
    await words_of(answer)
    question = await scene.general.until_message(lambda shown: "I agree" in shown.buttons)
    await refusal_of(await carol.press(question, "I agree"))

    async with restarted(scene.bot, scene.settings, scene.rehearsal):
        await scene.bob.press(question, "I agree")
        await scene.general.until_message(lambda shown: "is yours to use" in shown.content)


@with_links
async def test_an_author_who_never_wants_to_be_cloned_is_not_cloned_as_another(scene: Scene) -> None:
    await scene.bot.library.consents.never_clone(scene.bob.id, True)

    answer, _carol = await named_another(scene)

    assert await words_of(answer) == "That member doesn't want to be cloned."
    assert not any(message.buttons for message in scene.general.history)


@with_links
async def test_a_bot_s_message_is_not_cloned_as_somebody_s(scene: Scene) -> None:
    scene.guild.add_role("Moderators", Permission.MANAGE_MESSAGES, scene.alice)
    await scene.let_clone()
    spoken = await scene.speak()
    await file_of(spoken)
    assert spoken.message is not None
    link = f"https://discord.com/channels/{scene.guild.id}/{scene.general.id}/{spoken.message.id}"

    answer = await scene.alice.slash(scene.general, "clone", text="Hello", message=link, speaker=scene.bob)

    assert "A bot sent that" in await words_of(answer)
