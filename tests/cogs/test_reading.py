"""Reading aloud: what members write in a channel is heard in a voice channel, each in their own voice."""

from __future__ import annotations

import asyncio
import math
from dataclasses import replace

import pytest

from bot.check import Finding, findings
from bot.library.starters import DEFAULT_STARTER
from bot.library.usage import OperatorLimits, amount
from bot.models import Allowance
from bot.playback.player import PauseReason
from bot.playback.queue import FrameBuffer, UtteranceState
from bot.reading.author_voices import starter_for
from bot.reading.readers import NO_INTENT
from bot.settings import Secret
from rehearsal.cdn import SentFile
from rehearsal.errors import RehearsalError
from rehearsal.faulty_tts_gateway.faults import Respond
from rehearsal.permissions import BOT, Permission
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.cogs.reading_aloud import KeepingEngine, Read, read_here
from tests.cogs.saved_voices import chosen, cloned, designed
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, typed, until, words_of

pytestmark = pytest.mark.usefixtures("fast_playback", "said_whole")

LONG = "This takes a while to say, because there are many words in it."


@pytest.fixture
def said_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin with a message when all of it is made.

    Said five times as fast as it is meant to be, it runs out in its middle where making it is slow.
    """
    monkeypatch.setattr(FrameBuffer, "is_playable", FrameBuffer.is_complete)


@pytest.fixture
def privileged_intents() -> int:
    return INTENT_MESSAGE_CONTENT


@pytest.fixture
def engine() -> KeepingEngine:
    return KeepingEngine()


@pytest.fixture
async def read(scene: Scene, engine: KeepingEngine) -> Read:
    return await read_here(scene, engine)


@pytest.mark.slow
async def test_what_members_write_is_heard_in_order_with_a_name_when_the_speaker_changes(read: Read) -> None:
    alice, bob = read.scene.alice, read.scene.bob
    await read.write(alice, "Hello everybody, it is good to see you.")
    await read.write(alice, "How are you today?")
    await read.write(bob, "I am fine, thank you very much.", stickers=["Wave"])
    await read.until_silent()

    assert read.heard() == [
        "Alice: Hello everybody, it is good to see you.",
        "How are you today?",
        "Bob: I am fine, thank you very much. sticker: Wave",
    ]


async def test_members_without_a_choice_have_a_starter_each_and_the_others_their_own(read: Read) -> None:
    scene = read.scene
    wizard = await designed(scene, scene.alice, "Wizardly")
    await chosen(scene, wizard, scene.alice)
    await read.write(scene.alice, "I have chosen.")
    await read.write(scene.bob, "I have not.")
    await read.until_silent()

    urls = {asked["text"]: asked.get("reference_audio_url") for asked in scene.asked}
    assert starter_for(scene.bob.id).startswith("starter-")
    assert urls["Alice: I have chosen."] != urls["Bob: I have not."]
    assert len(read.asked) == 2


@pytest.mark.slow
async def test_what_is_not_meant_to_be_read_is_not(read: Read) -> None:
    scene = read.scene
    carol = scene.add_member("Carol")
    await read.write(scene.bob, "; between us")
    await read.write(scene.bob, "psst", silently=True)
    await read.write(carol, "I am not in the voice channel.")
    await read.write(scene.bob, "...")
    await scene.alice.slash(scene.general, "about")
    await read.write(scene.bob, "Now then.")
    for _ in range(4):
        await read.write(scene.bob, "Spam")
    await read.until_silent()

    assert sorted(read.asked) == ["Bob: Now then.", "Spam"]  # equal ones are made once


@pytest.mark.slow
async def test_a_deleted_message_leaves_the_queue_and_an_edit_in_time_replaces_it(read: Read) -> None:
    scene, engine = read.scene, read.engine
    engine.waits[f"Alice: {LONG}"] = asyncio.Event()
    await read.write(scene.alice, LONG)
    gone = await read.write(scene.bob, "Nobody should hear this.")
    edited = await read.write(scene.bob, "Hwello tehre.")
    late = await read.write(scene.bob, "And this is the end.")
    await read.until_asked(f"Alice: {LONG}")

    scene.bob.delete(gone)
    scene.bob.edit(edited, "Hello there, my friends.")
    await read.caught_up()
    await until(lambda: not scene.bot.readers._readers[scene.guild.id].knows(gone.id))
    engine.waits[f"Alice: {LONG}"].set()
    await read.until_silent()
    scene.bob.edit(late, "This is too late, it was heard.")
    await read.caught_up()

    *first, last = read.heard()
    assert first == [f"Alice: {LONG}", "Bob: Hello there, my friends."]
    assert last.removeprefix("Bob: ") == "And this is the end."


@pytest.mark.slow
async def test_who_follows_a_deleted_message_of_the_same_author_says_the_name_instead(read: Read) -> None:
    scene, engine = read.scene, read.engine
    engine.waits[f"Alice: {LONG}"] = asyncio.Event()
    await read.write(scene.alice, LONG)
    gone = await read.write(scene.bob, "Forget this.")
    await read.write(scene.bob, "I stay.")
    await read.until_asked(f"Alice: {LONG}")
    assert len(scene.bot.readers._readers[scene.guild.id]._in_hand) == 3
    scene.bob.delete(gone)
    await until(lambda: not scene.bot.readers._readers[scene.guild.id].knows(gone.id))
    engine.waits[f"Alice: {LONG}"].set()
    await read.until_silent()

    assert read.heard()[-1] == "Bob: I stay."


@pytest.mark.slow
async def test_a_message_that_a_limit_cuts_short_is_heard_as_far_as_it_is_made_and_told_of(
    read: Read,
) -> None:
    scene = read.scene
    await read.write(scene.bob, "This makes the voice of Bob.")
    await read.until_silent()
    used = await scene.bot.library.usage.of_server(scene.guild.id, Allowance(None))
    before = len(read.listener.speech())
    scene.bot.library.usage._limits = OperatorLimits(server_seconds=math.ceil(used.days[-1][1]) + 12)
    sentences = [f"And this is sentence number {number} of a long, long story." for number in range(6)]
    await read.write(scene.bob, " ".join(sentences))
    await read.until_silent()

    told = [one.content for one in scene.general.history if one.author.bot and "limit" in one.content]
    assert len(told) == 1
    assert read.asked[1].startswith(sentences[0])
    assert sentences[-1] not in " ".join(read.asked)
    assert len(read.listener.speech()) > before


@pytest.mark.slow
async def test_a_slow_message_holds_up_others_for_a_moment_only_and_never_its_own_author(read: Read) -> None:
    scene, engine = read.scene, read.engine
    slow = engine.waits["Alice: This one takes for ever."] = asyncio.Event()
    await read.write(scene.alice, "This one takes for ever.")
    await read.until_asked("Alice: This one takes for ever.")
    await read.write(scene.alice, "And this comes behind it.")
    await read.write(scene.bob, "I do not wait for that.")

    await until(lambda: "Bob: I do not wait for that." in read.heard(), within=DEADLINE)
    assert "And this comes behind it." not in read.heard()
    slow.set()
    await read.until_silent()

    assert read.heard() == [
        "Bob: I do not wait for that.",
        "Alice: This one takes for ever.",
        "And this comes behind it.",
    ]


async def test_who_mutes_themselves_or_is_silenced_is_not_read(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    muted = await typed(scene.bob, scene.general, "read mute-me")
    await read.write(scene.bob, "You cannot hear me.")
    await typed(scene.bob, scene.general, "read mute-me", state="off")
    await typed(scene.alice, scene.general, "myna reading silence", member=scene.bob)
    await read.write(scene.bob, "Nor now.")
    page = await typed(scene.alice, scene.general, "myna reading settings", names="off")
    await typed(scene.alice, scene.general, "myna reading silence", member=scene.bob, state="off")
    await read.write(scene.bob, "But now.")
    await read.until_silent()

    assert muted.content.startswith("I no longer read what you write in this server.")
    assert f"- Members I don't read: <@{scene.bob.id}>" in page.content
    assert read.asked == ["But now."]


async def test_a_spoken_name_and_the_dictionary_are_heard(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    await typed(scene.bob, scene.general, "spoken-name", name="Robert")
    await typed(scene.alice, scene.general, "dictionary add", word="gg", spoken="good game")
    await typed(scene.alice, scene.general, "dictionary preset", language="English")
    await read.write(scene.bob, "GG, brb <@" + str(scene.alice.id) + ">")
    await read.until_silent()

    assert read.asked == ["Robert: good game, be right back Alice"]


@pytest.mark.slow
async def test_files_stickers_polls_forwards_and_links_are_told_by_what_they_are(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    await typed(scene.alice, scene.general, "myna reading settings", names="off")
    picture, hidden = SentFile("a.png", b"x", "image/png"), SentFile("SPOILER_b.png", b"x", "image/png")
    await read.write(scene.bob, "Look.", files=[picture, hidden, SentFile("c.pdf", b"x", "application/pdf")])
    await read.write(scene.bob, poll=["Tea or coffee?", "Tea", "Coffee"])
    first = await read.write(scene.bob, "https://tenor.com/view/cat-1")
    scene.bob.forward(first, scene.general)
    await read.write(scene.bob, "||The butler|| did it", reply_to=first)
    await read.until_silent()

    assert sorted(read.asked) == sorted(
        [
            "Look. an image, a file, hidden: an image",
            "poll: Tea or coffee? Tea, Coffee",
            "a GIF",
            "forwarded: a GIF",
            "spoiler did it",
        ]
    )


async def test_a_message_that_the_library_cannot_parse_is_left_out_and_the_next_is_read(
    read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = read.scene
    monkeypatch.setattr("rehearsal.publishing._poll", lambda _: {"question": {"text": "?"}, "expiry": None})
    await read.write(scene.bob, poll=["For ever?", "Yes"])
    await read.write(scene.bob, "I am still here.")
    await read.until_silent()

    assert read.asked == ["Bob: I am still here."]


async def test_stop_ends_it_and_nothing_more_is_read(read: Read) -> None:
    scene = read.scene
    await read.write(scene.alice, LONG)
    await read.until_asked(f"Alice: {LONG}")
    told = await words_of(await scene.bob.slash(scene.general, "read stop"))
    await read.write(scene.alice, "Is anybody there?")
    again = await words_of(await scene.bob.slash(scene.general, "read stop"))

    assert told == "I've stopped reading this channel aloud."
    assert again == "I don't read this channel aloud. /read here begins it."
    await read.until_silent()
    assert read.asked == [f"Alice: {LONG}"]


async def test_it_is_over_when_the_bot_was_sent_away(read: Read) -> None:
    scene = read.scene
    await scene.bob.leave()
    await words_of(await scene.alice.slash(scene.general, "leave"))
    await read.write(scene.alice, "Are you gone?")
    await words_of(await scene.alice.slash(scene.general, "join"))
    await read.write(scene.alice, "And back?")

    assert read.asked == []
    assert await scene.bot.library.reading.channels() == []


async def test_a_restart_goes_on_reading(read: Read) -> None:
    scene = read.scene
    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        await until(lambda: bot.players.get(scene.guild.id) is not None, within=DEADLINE)
        await read.write(scene.alice, "Here we are again.")
        await read.until_asked("Alice: Here we are again.")
        scene.say_no_more()


@pytest.mark.slow
async def test_at_a_limit_the_channel_is_told_once_and_others_are_read_on(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    await read.write(scene.bob, "A first one that is short, and makes the voice.")
    await read.until_silent()
    await typed(scene.alice, scene.general, "myna limits", seconds=1)
    for number in range(4):
        await read.write(
            scene.bob, f"Some words that are too many by now, number {number}, and more of them."
        )
    await read.until_silent()

    told = [
        message.content
        for message in scene.general.history
        if message.author.bot and "limit" in message.content
    ]
    assert len(told) == 1
    assert told[0].startswith(f"<@{scene.bob.id}>: ")
    assert amount(1) in told[0]
    assert read.asked == ["Bob: A first one that is short, and makes the voice."]


@pytest.mark.slow
async def test_a_limit_of_the_server_is_told_once_for_everybody(read: Read) -> None:
    scene = read.scene
    await read.write(scene.bob, "This makes the voice of Bob.")
    await read.write(scene.alice, "And this makes the voice of Alice.")
    await read.until_silent()
    scene.bot.library.usage._limits = OperatorLimits(server_seconds=1)
    for number in range(2):
        for person in (scene.alice, scene.bob):
            await read.write(person, f"Nobody can hear number {number} of these words.")
            await read.until_silent()

    told = [one.content for one in scene.general.history if one.author.bot and "limit" in one.content]
    assert len(told) == 1
    assert not told[0].startswith("<@")


@pytest.mark.slow
async def test_a_permission_taken_away_in_the_middle_ends_nothing_for_good(read: Read) -> None:
    scene = read.scene
    await read.write(scene.alice, "This takes a while to say.")  # but nobody behind it speaks faster
    await read.listener.wait_for_speech(timeout=DEADLINE)
    player = scene.bot.players.get(scene.guild.id)
    assert player is not None
    scene.guild.deny_bot(int(Permission.SPEAK), scene.perch)
    await until(lambda: PauseReason.SILENCED in player.holds)
    await read.write(scene.bob, "I am here as well.")
    scene.guild.set_bot_permissions(int(BOT), scene.perch)
    await until(lambda: not player.holds)
    await read.until_silent()

    assert "Bob: I am here as well." in read.heard()


@pytest.mark.parametrize("has_spoken", [True, False])
async def test_an_outage_is_told_once_also_while_a_voice_is_made(read: Read, has_spoken: bool) -> None:
    scene = read.scene
    if has_spoken:
        await read.write(scene.bob, "This is fine.")
        await read.until_silent()
    scene.faults.every_post = Respond(401, {"error": "no"})
    for number in range(3):
        await read.write(scene.bob, f"Nobody hears number {number} of these.")
        await read.until_silent()

    told = [
        one.content for one in scene.general.history if one.content.startswith("I can't read this aloud now.")
    ]
    assert len(told) == 1


@pytest.mark.slow
async def test_a_cloned_voice_is_read_with_consent_only_and_its_use_is_written_down(read: Read) -> None:
    scene = read.scene
    voice = await cloned(scene, scene.bob, "Bobby")
    await chosen(scene, voice, scene.bob)
    await read.write(scene.bob, "This is my own voice, as you hear.")
    await read.until_silent()
    exported = await scene.bot.library.privacy.export(scene.bob.id)
    await scene.bot.library.consents.revoke(scene.bob.id)
    await read.write(scene.bob, "And now it is another one.")
    await read.until_silent()

    assert [use["voice_id"] for use in exported["uses"]] == [voice.id]
    urls = {asked["text"]: asked.get("reference_audio_url") for asked in scene.asked}
    assert urls["Bob: This is my own voice, as you hear."] != urls["And now it is another one."]


async def test_a_bound_channel_calls_the_bot_and_a_deleted_voice_channel_ends_it(
    scene: Scene, engine: KeepingEngine
) -> None:
    scene.make_moderator(scene.alice)
    attic = scene.guild.add_voice_channel("Attic")
    told = await typed(scene.alice, scene.general, "myna reading bind", text=scene.general, voice=attic)
    read = Read(scene, engine, await scene.alice.join(attic))
    await read.write(scene.bob, "I sit nowhere, so nobody comes.")
    assert scene.bot.players.get(scene.guild.id) is None
    await read.write(scene.alice, "Come and read this.")
    await read.until_silent()

    assert told.content.startswith(f"When someone in <#{attic.id}> writes")
    assert read.heard() == ["Alice: Come and read this."]
    await words_of(await scene.alice.slash(scene.general, "leave"))
    await read.write(scene.alice, "It was sent away, and does not come back at once.")
    assert scene.bot.players.get(scene.guild.id) is None

    await scene.guild.delete_channel(attic)
    await scene.rehearsal.caught_up()
    gone = await scene.general.until_message(lambda message: "is gone" in message.content)
    await read.write(scene.alice, "Is it over?")
    assert gone.content == "The voice channel in which I read this channel is gone, so I've stopped."
    assert await scene.bot.library.reading.channels() == []


@pytest.mark.slow
async def test_usage_shows_what_a_channel_was_read_with_in_the_last_hour(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    for _ in range(2):
        await read.write(scene.bob, "This sentence is said twice, and it is made once.")
        await read.write(scene.alice, "In between there is something else.")
        await read.until_silent()
    page = await typed(scene.alice, scene.general, "myna usage")

    line = page.content.splitlines()[-1]
    assert line.startswith(
        f"Read aloud in the last hour, counted anew when I restart: <#{scene.general.id}> "
    )
    assert len(read.asked) == 2


@pytest.mark.slow
async def test_who_comes_and_goes_is_said_in_one_sentence_where_a_server_wants_that(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    await typed(scene.alice, scene.general, "myna reading settings", announce="on")
    people = [scene.add_member(name) for name in ("Carol", "Dave")]
    for person in people:
        await person.join(scene.perch)
    await people[1].leave()
    await read.until_asked("Carol joined")


@pytest.mark.slow
async def test_who_comes_when_reading_is_stopped_is_not_announced(read: Read) -> None:
    scene = read.scene
    scene.make_moderator(scene.alice)
    await typed(scene.alice, scene.general, "myna reading settings", announce="on")
    await scene.add_member("Carol").join(scene.perch)
    await until(lambda: bool(scene.bot.readers._announcements))
    announcing = list(scene.bot.readers._tasks)

    await words_of(await scene.alice.slash(scene.general, "read stop"))

    assert await asyncio.gather(*announcing, return_exceptions=True) == [None] * len(announcing)
    assert read.asked == []


@pytest.mark.slow
async def test_ten_messages_in_a_second_are_read_in_order_and_none_is_made_twice(read: Read) -> None:
    scene = read.scene
    texts = [f"This is message number {number} of ten." for number in range(10)]
    for text in texts:
        await scene.alice.say(scene.general, text)
    await read.caught_up()
    queue = await typed(scene.bob, scene.general, "queue")
    await read.until_silent()

    said = [text.removeprefix("Alice: ") for text in read.asked]
    heard = [text.removeprefix("Alice: ") for text in read.heard()]
    assert sorted(said) == texts
    assert heard == sorted(heard)  # those that were not said faster than they were made
    assert heard
    assert "Reading aloud: " in queue.content
    is_new = starter_for(scene.alice.id) != DEFAULT_STARTER.id  # which one it is depends on who she is
    assert len(scene.asked) == 10 + is_new


@pytest.mark.slow
async def test_the_queue_counts_what_waits_behind_the_message_that_is_heard(read: Read) -> None:
    scene, engine = read.scene, read.engine
    slow = engine.waits["Bob: And I say this."] = asyncio.Event()
    await read.write(scene.alice, LONG)
    await read.write(scene.bob, "And I say this.")
    await read.write(scene.bob, "And then this.")
    player = scene.bot.players.get(scene.guild.id)
    assert player is not None

    def counted() -> str | None:
        heard = [one.member_id for one in player.utterances() if one.state is UtteranceState.PLAYING]
        return player.also_waiting if heard == [scene.alice.id] else None

    await until(lambda: (counted() or "").startswith("Reading aloud: 2 messages wait"), within=DEADLINE)
    slow.set()


async def findings_of(scene: Scene) -> list[Finding]:
    settings = replace(scene.settings, discord_token=Secret(scene.rehearsal.token))
    found = findings(settings, connector=scene.rehearsal.connector())
    return [finding async for finding in found if "read aloud" in finding.what]


async def test_check_says_that_channels_can_be_read(scene: Scene) -> None:
    (found,) = await findings_of(scene)

    assert found.fine
    assert "can be read aloud" in found.what


class TestWithoutTheIntent:
    @pytest.fixture
    def privileged_intents(self) -> int:
        return 0

    async def test_read_says_what_the_operator_has_to_switch_on(self, scene: Scene) -> None:
        await scene.alice.join(scene.perch)

        assert await words_of(await scene.alice.slash(scene.general, "read here")) == NO_INTENT
        assert (await words_of(await scene.alice.slash(scene.general, "join"))).startswith("Joined")

    async def test_check_says_what_to_turn_on(self, scene: Scene) -> None:
        (found,) = await findings_of(scene)

        assert "can't be read aloud" in found.what
        assert "Message Content Intent" in found.cure

    async def test_an_intent_that_was_withdrawn_leaves_the_rest_at_work(self, scene: Scene) -> None:
        scene.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
        async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
            scene.bot = bot
            await scene.alice.join(scene.perch)
            assert (await words_of(await scene.alice.slash(scene.general, "read here"))).startswith("I read")
            scene.rehearsal.directory.privileged_intents = 0
            async with restarted(bot, scene.settings, scene.rehearsal) as without:
                scene.bot = without
                await scene.alice.say(scene.general, "Can you see this?")
                await scene.rehearsal.caught_up()
                assert await words_of(await scene.alice.slash(scene.general, "read here")) == NO_INTENT


async def test_only_moderators_bind_silence_and_set_rules(scene: Scene) -> None:
    with pytest.raises(RehearsalError):
        await scene.bob.slash(scene.general, "myna reading settings")


async def test_a_channel_the_bot_cannot_see_is_refused_with_the_missing_permission(scene: Scene) -> None:
    await scene.alice.join(scene.perch)
    scene.guild.deny_bot(int(Permission.VIEW_CHANNEL), scene.general)
    await scene.rehearsal.caught_up()

    told = await words_of(await scene.alice.slash(scene.general, "read here"))

    assert told.startswith('I need the permission "View Channel" in')


async def test_the_chat_of_a_voice_channel_is_read_there_and_outsiders_where_a_server_lets_them(
    scene: Scene, engine: KeepingEngine
) -> None:
    scene.make_moderator(scene.alice)
    listener = await scene.alice.join(scene.perch)
    told = await words_of(await scene.alice.slash(scene.perch, "read here"))
    assert told.startswith(f"I read <#{scene.perch.id}> aloud in <#{scene.perch.id}>, everyone there")
    read = Read(scene, engine, listener)
    read.channel = scene.perch
    await read.write(scene.bob, "I sit somewhere else.")
    await typed(scene.alice, scene.general, "myna reading settings", outsiders="on", prefix="?")
    await read.write(scene.bob, "?skip")
    await read.write(scene.bob, "Now I am let in.")
    await scene.bob.say(scene.general, "This is another channel.")
    await read.until_silent()

    assert read.heard() == ["Bob: Now I am let in."]
