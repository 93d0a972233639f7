"""What /clone makes of a member's voice falls silent when cloning is turned off, or the member says so."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from bot.library.voice import Scope
from bot.playback.queue import Outcome
from cogs.consent import OWN_VOICE
from rehearsal.answers import Answer
from rehearsal.cdn import SentFile
from rehearsal.faulty_tts_gateway.faults import Hold
from rehearsal.people import Person
from rehearsal.permissions import EVERYONE, Permission
from tests.cogs.generations import IN_MENU, choose, generation_of, may_add_sounds, menu_of, opened, use
from tests.cogs.in_voice import LONG, player_of
from tests.cogs.saved_voices import WAV
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import restarted
from tests.scenes import DEADLINE, Scene, file_of, until, words_of
from tts_gateway.engines.base import Engine

OFF = "Cloning is off in this server. A moderator can turn it on: /myna cloning."
NEVER = "The speaker doesn't want to be cloned. Choose another voice."
TAKEN_BACK = "The speaker hasn't agreed to this. Choose another voice."
GONE = "This voice is gone. Choose another one."
ENDINGS = {"off": OFF, "revoke": TAKEN_BACK, "never-clone-me": NEVER, "delete": GONE}
"""Each way in which Bob's voice is taken away, and what whoever tries to hear it reads then."""
BUTTONS = ["Play in my channel", "Send as voice message", "Add to soundboard"]

_FIRST, *_OTHERS = ENDINGS
in_every_way = pytest.mark.parametrize(
    "way", [_FIRST, *(pytest.param(other, marks=pytest.mark.slow) for other in _OTHERS)]
)


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()


@pytest.fixture(autouse=True)
async def cloning(scene: Scene) -> None:
    await scene.let_clone(scene.bob)
    scene.guild.add_role("Moderator", int(EVERYONE) | int(Permission.MANAGE_GUILD), scene.alice)
    await scene.rehearsal.caught_up()


async def clone(scene: Scene, text: str = "Say it in my voice", **options: object) -> Answer:
    """Let Bob type /clone in #general, with a recording of his own."""
    return await scene.bob.slash(
        scene.general, "clone", text=text, recording=SentFile("me.wav", WAV), **options
    )


async def generated(scene: Scene, text: str = "Say it in my voice") -> Answer:
    """Return the answer with a generation in Bob's voice."""
    answer = await clone(scene, text, output="here")
    await file_of(answer)
    return answer


async def take_away(scene: Scene, way: str) -> None:
    """Let Bob's voice be taken away, by a moderator or by himself, as they would."""
    if way == "off":
        words = await words_of(await scene.alice.slash(scene.general, "myna cloning", state="off"))
        assert words.startswith("Cloning is off.")
    elif way == "revoke":
        words = await words_of(await scene.bob.slash(scene.general, "privacy revoke"))
        assert words.startswith("Taken back.")
    elif way == "never-clone-me":
        answer = await scene.bob.slash(scene.general, "privacy never-clone-me", state="on")
        assert "nobody can clone you" in await words_of(answer)
    else:
        asked = await scene.bob.slash(scene.general, "privacy delete")
        await words_of(asked)
        await scene.bob.press(asked, "Delete everything")
        await asked.until(lambda shown: "Deleted: " in shown.content, timeout=DEADLINE)


async def pressed(scene: Scene, person: Person, answer: Answer, label: str) -> str:
    """Let ``person`` press or choose, and return what they read; with a form, after it was sent."""
    if label in IN_MENU and not (menu := await menu_of(person, answer)).menus:
        return menu.content
    if label != "Add to soundboard":
        return await words_of(await use(person, answer, label))
    form = await use(person, answer, label)
    await form.until(lambda shown: shown.modal is not None or bool(shown.content), timeout=DEADLINE)
    return await words_of(form if form.modal is None else await person.submit(form, {"Name": "Bob"}))


@in_every_way
async def test_again_after_it_was_taken_away_makes_no_call(scene: Scene, way: str):
    answer = await generated(scene)

    await take_away(scene, way)
    words = await pressed(scene, scene.bob, answer, "Again")

    expired = "This button has expired. Type /speak for a new take."
    assert words == (expired if way == "delete" else ENDINGS[way])
    assert len(scene.asked) == 1


@in_every_way
async def test_a_form_that_was_open_is_judged_when_it_is_sent(scene: Scene, way: str):
    message = await scene.bob.say(scene.general, files=[SentFile("me.wav", WAV)])
    form = await scene.bob.message_menu("Clone this voice", message)
    await form.until(lambda shown: shown.modal is not None, timeout=DEADLINE)
    assert form.modal is not None

    await take_away(scene, way)
    answer = await scene.bob.submit(form, {form.modal.labels[0]: "Words from the form"})

    assert await words_of(answer) == {
        "off": OFF,
        "never-clone-me": "You told me never to clone you. Turn that off first: /privacy never-clone-me.",
    }.get(way, OWN_VOICE)
    assert answer.ephemeral
    assert scene.asked == []


@in_every_way
async def test_a_likeness_withdrawn_while_it_is_made_is_not_answered(scene: Scene, way: str):
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await clone(scene, output="here")
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)

    await take_away(scene, way)

    assert await words_of(answer) == "The voice after your recording was withdrawn, so I can't use it."
    hold.released.set()
    assert list((scene.settings.data_dir / "cache").iterdir()) == []


@in_every_way
async def test_of_a_long_text_no_further_part_is_made(scene: Scene, way: str):
    hold = Hold()
    scene.faults.on_post(None, hold)
    text = " ".join(f"{LONG} This is part {number} of it." for number in range(7))
    answer = await clone(scene, text, output="here")
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=2)

    await take_away(scene, way)
    assert "withdrawn" in await words_of(answer)
    calls = len(scene.asked)
    hold.released.set()
    await scene.bot.synthesizer.aclose()

    assert len(scene.asked) == calls


@pytest.mark.slow
@in_every_way
async def test_a_withdrawn_likeness_ends_in_the_voice_channel_and_in_its_queue(scene: Scene, way: str):
    listener = await scene.bob.join(scene.perch)
    answers = [await clone(scene, f"{LONG} {LONG} Number 1.", output="voice channel")]
    await listener.wait_for_speech(timeout=DEADLINE)
    answers.append(await clone(scene, f"{LONG} {LONG} Number 2.", output="voice channel"))
    await until(lambda: any(made.is_complete for made in player_of(scene).utterances()[1:]))
    heard, waiting = player_of(scene).utterances()

    await take_away(scene, way)

    assert player_of(scene).utterances() == []
    if way != "delete":  # there all that he asked for was stopped before
        assert (heard.outcome, waiting.outcome) == (Outcome.WITHDRAWN, Outcome.WITHDRAWN)
        assert ["withdrawn" in await words_of(answer) for answer in answers] == [True, True]
    await listener.wait_for_silence(seconds=1.0, timeout=DEADLINE)


@pytest.mark.slow
@in_every_way
async def test_a_withdrawn_likeness_ends_also_where_others_play_it_again(scene: Scene, way: str):
    answer = await generated(scene, LONG)
    carol = scene.rehearsal.world.add_person("Carol")
    scene.guild.add_member(carol)
    listener = await scene.alice.join(scene.perch)
    await carol.join(scene.perch)
    for person in (scene.alice, carol):
        playing = await choose(person, answer, "Play in my channel")
        await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)
    utterances = player_of(scene).utterances()

    await take_away(scene, way)

    assert [one.outcome for one in utterances] == [Outcome.WITHDRAWN, Outcome.WITHDRAWN]


@in_every_way
@pytest.mark.parametrize("label", BUTTONS)
async def test_a_withdrawn_likeness_cannot_be_played_or_sent_again(scene: Scene, way: str, label: str):
    answer = await generated(scene)
    may_add_sounds(scene, scene.alice)
    await scene.alice.join(scene.perch)
    messages = len(scene.general.history)

    await take_away(scene, way)
    told = [one for one in scene.general.history[messages:] if one.author.id != scene.bot.application_id]
    words = await pressed(scene, scene.alice, answer, label)

    expired = "This button has expired. Type /speak for a new take."
    assert words == (expired if way == "delete" else ENDINGS[way])
    assert told == []
    assert scene.bot.players.get(scene.guild.id) is None
    assert not scene.guild.sounds


@pytest.mark.parametrize("way", ["off", "never-clone-me"])
async def test_a_soundboard_form_that_was_open_adds_nothing(scene: Scene, way: str):
    answer = await generated(scene)
    may_add_sounds(scene, scene.alice)
    form = await opened(scene.alice, answer, "Add to soundboard")

    await take_away(scene, way)

    assert await words_of(await scene.alice.submit(form, {"Name": "Bob"})) == ENDINGS[way]
    assert not scene.guild.sounds


@in_every_way
async def test_kept_speech_of_a_withdrawn_likeness_is_gone(scene: Scene, way: str):
    await generated(scene)
    await scene.bot.synthesizer.aclose()
    kept = scene.settings.data_dir / "cache"
    assert len(list(kept.iterdir())) == 1

    await take_away(scene, way)

    assert list(kept.iterdir()) == []


@pytest.mark.slow
async def test_turned_on_again_it_is_heard_again_even_after_a_restart(scene: Scene):
    answer = await generated(scene)
    await take_away(scene, "off")

    async with restarted(scene.bot, scene.settings, scene.rehearsal) as bot:
        scene.bot = bot
        listener = await scene.alice.join(scene.perch)
        assert await pressed(scene, scene.alice, answer, "Play in my channel") == OFF
        await scene.let_clone()
        playing = await choose(scene.alice, answer, "Play in my channel")
        await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
        await listener.wait_for_speech(timeout=DEADLINE)
        scene.say_no_more()


@pytest.mark.slow
async def test_who_says_again_that_it_is_theirs_does_not_bring_back_what_was_taken_back(scene: Scene):
    before = await generated(scene)
    await take_away(scene, "revoke")
    await scene.let_clone(scene.bob)
    after = await generated(scene, "Something else")
    listener = await scene.alice.join(scene.perch)

    assert await pressed(scene, scene.alice, before, "Play in my channel") == TAKEN_BACK
    assert await pressed(scene, scene.bob, before, "Again") == TAKEN_BACK
    playing = await choose(scene.alice, after, "Play in my channel")
    await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["off", "revoke", "never-clone-me"])
async def test_a_generation_without_an_id_of_its_likeness_is_taken_for_the_asker_s_own(
    scene: Scene, way: str
):
    answer = await generated(scene)
    generation = await generation_of(scene, answer)
    assert generation is not None
    await scene.bot.library.generations.keep(
        replace(generation, voice_ids=())
    )  # as it was kept before there were ids
    listener = await scene.alice.join(scene.perch)
    playing = await choose(scene.alice, answer, "Play in my channel")
    await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)

    await take_away(scene, way)
    assert player_of(scene).utterances() == []
    words = await pressed(scene, scene.alice, answer, "Play in my channel")

    assert words == (OFF if way == "off" else GONE)
    await scene.let_clone()
    await scene.bot.library.consents.never_clone(scene.bob.id, False)
    await scene.bot.library.consents.attest(Scope(scene.guild.id, scene.bob.id))
    if way != "off":  # said anew, it is not said of what was made before
        assert await pressed(scene, scene.alice, answer, "Play in my channel") == GONE


async def test_a_likeness_rests_while_its_speaker_is_away(scene: Scene):
    answer = await generated(scene)
    async with restarted(
        scene.bot, scene.settings, scene.rehearsal
    ) as bot:  # nothing is believed from before
        scene.bot = bot
        listener = await scene.alice.join(scene.perch)
        await scene.guild.remove_member(scene.bob)
        away = "The speaker has left this server. The voice is paused until they return."

        assert await pressed(scene, scene.alice, answer, "Play in my channel") == away
        assert await pressed(scene, scene.alice, answer, "Send as voice message") == away
        scene.guild.add_member(scene.bob)
        playing = await choose(scene.alice, answer, "Play in my channel")
        await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
        await listener.wait_for_speech(timeout=DEADLINE)
        scene.say_no_more()


async def test_a_switch_reaches_no_further_than_its_server(scene: Scene):
    dm = scene.rehearsal.world.dm(scene.bob)
    await scene.bot.library.consents.attest(Scope.alone(scene.bob.id))
    sent = SentFile("me.wav", WAV)
    hold = Hold()
    scene.faults.on_post(hold)
    answer = await scene.bob.slash(dm, "clone", text="Only between us", recording=sent)
    async with asyncio.timeout(DEADLINE):
        await scene.faults.received(posts=1)

    await take_away(scene, "off")
    hold.released.set()
    await file_of(answer)
    await file_of(await scene.bob.press(answer, "Again"))
    await take_away(scene, "revoke")

    assert await pressed(scene, scene.bob, answer, "Again") == TAKEN_BACK
    assert len(scene.asked) == 2


async def test_every_hearing_of_it_stands_in_the_record(scene: Scene):
    answer = await generated(scene)
    listener = await scene.alice.join(scene.perch)
    playing = await choose(scene.alice, answer, "Play in my channel")
    await playing.until(lambda shown: "<#" in shown.content, timeout=DEADLINE)
    await listener.wait_for_speech(timeout=DEADLINE)

    moderator = Scope(scene.guild.id, scene.alice.id, is_moderator=True)
    page = await scene.bot.library.audit.page(moderator)

    assert [(use.voice_id, use.member_id) for use in page.entries] == [
        ("/clone", scene.alice.id),
        ("/clone", scene.bob.id),
    ]
