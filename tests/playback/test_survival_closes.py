"""What becomes of an utterance when the voice server ends the connection in the middle of it.

Every close code, a server that stays away, and one that limits us.
"""

import asyncio

import pytest

from bot.errors import MemberError, PlaybackError
from bot.playback.players import GuildPlayers
from bot.playback.queue import Outcome
from rehearsal.voice.protocol import CloseCode
from tests.playback.hearing import assert_all_was_heard
from tests.playback.speaking import frames, say, soon
from tests.scenes import VoiceScene, join, until

pytestmark = pytest.mark.slow  # each loses a connection and waits for the next

QUICK = 12.0


@pytest.fixture
async def players(scene: VoiceScene) -> GuildPlayers:
    """Players as they are, with a short cool-down; the scene closes them."""
    scene.client.players = GuildPlayers(cool_down_seconds=1.0)
    return scene.client.players


@pytest.fixture
async def hasty(scene: VoiceScene) -> GuildPlayers:
    """Players that give up soon."""
    scene.client.players = GuildPlayers(join_seconds=1.0, stalled_seconds=0.5, mend_seconds=1.5)
    return scene.client.players


@pytest.mark.parametrize("code", [4006, 4009, 4015, 4000, 1001])
async def test_a_lost_session_is_replaced_and_nothing_is_said_twice(
    scene: VoiceScene, players: GuildPlayers, code: int
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.rehearsal.voice.close_bot(scene.guild.id, code)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 60))
    assert players.get(scene.guild.id) is player
    assert scene.bot_is_in(scene.perch)
    assert scene.bot_is_deafened()


@pytest.mark.parametrize("code", [4014, 4022])
async def test_closed_for_a_new_server_it_goes_on_there(
    scene: VoiceScene, players: GuildPlayers, code: int
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=QUICK)

    scene.rehearsal.voice.faults.moved_close_code = CloseCode(code)
    await scene.guild.change_voice_server()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 60))


@pytest.mark.parametrize("code", [4014, 4022])
async def test_closed_without_a_new_server_it_joins_anew_and_goes_on(
    scene: VoiceScene, hasty: GuildPlayers, code: int
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.rehearsal.voice.close_bot(scene.guild.id, code)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 60))


async def test_nobody_closes_the_old_connection_and_it_goes_on_all_the_same(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    scene.rehearsal.voice.faults.moved_close_code = None
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.change_voice_server()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 60))


async def test_a_server_that_stays_away_is_the_end_and_no_loop(
    scene: VoiceScene, hasty: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    playing, following = say(player, "long", count=500), say(player, "following")
    await listener.wait_for_speech(timeout=QUICK)
    scene.rehearsal.voice.faults.no_session_description = True

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4006)

    assert await soon(playing.finished()) is Outcome.LOST
    assert await soon(following.finished()) is Outcome.LOST
    assert hasty.get(scene.guild.id) is None
    await until(lambda: scene.bot_is_in(None) and scene.client.voice_clients == [], within=QUICK)
    asked = _times_asked(scene)
    assert asked <= 5
    await asyncio.sleep(1.0)  # nothing goes on behind our back
    assert _times_asked(scene) == asked


@pytest.mark.slow
async def test_a_server_that_stays_away_is_given_up_by_an_idle_player_too(
    scene: VoiceScene, hasty: GuildPlayers
) -> None:
    await scene.alice.join(scene.perch)
    await join(scene, scene.perch, scene.alice)
    scene.rehearsal.voice.faults.no_udp_answer = True

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4006)

    await until(lambda: hasty.get(scene.guild.id) is None, within=20.0)
    await until(lambda: scene.bot_is_in(None), within=QUICK)
    assert _times_asked(scene) <= 5


async def test_a_call_that_wants_more_encryption_than_we_have_is_the_end(
    scene: VoiceScene, hasty: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=QUICK)
    scene.rehearsal.voice.faults.identify_close_code = CloseCode.DAVE_REQUIRED

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4017)

    assert await soon(utterance.finished()) is Outcome.LOST
    assert hasty.get(scene.guild.id) is None
    await until(lambda: scene.bot_is_in(None), within=QUICK)


async def test_limited_in_the_middle_it_leaves_and_asks_for_nothing_for_a_while(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4021)
    assert await soon(utterance.finished()) is Outcome.LOST
    asked = _times_asked(scene)
    with pytest.raises(MemberError, match=r"Discord is limiting .* Try again in 1 s"):
        await join(scene, scene.perch, scene.alice)

    assert _times_asked(scene) == asked
    await asyncio.sleep(1.0)  # the cool-down of this test
    assert await join(scene, scene.perch, scene.alice) is players.get(scene.guild.id)


async def test_limited_at_the_door_it_does_not_knock_again(scene: VoiceScene, players: GuildPlayers) -> None:
    await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.identify_close_code = CloseCode.RATE_LIMITED

    with pytest.raises(PlaybackError, match="4021"):
        await join(scene, scene.perch, scene.alice)
    with pytest.raises(MemberError, match="Discord is limiting"):
        await join(scene, scene.perch, scene.alice)

    assert _times_asked(scene) == 1
    assert scene.bot_is_in(None)


@pytest.mark.parametrize("fault", ["no_udp_answer", "no_session_description"])
async def test_a_join_that_hangs_is_given_up_in_time_and_the_next_one_works(
    scene: VoiceScene, fault: str
) -> None:
    scene.client.players = GuildPlayers(join_seconds=0.5)
    await scene.alice.join(scene.perch)
    setattr(scene.rehearsal.voice.faults, fault, True)

    with pytest.raises(PlaybackError, match=r"within 0\.5 s"):
        await join(scene, scene.perch, scene.alice)
    assert scene.bot_is_in(None)
    setattr(scene.rehearsal.voice.faults, fault, False)

    assert await soon(say(await join(scene, scene.perch, scene.alice), "hello").finished()) is Outcome.PLAYED


async def test_a_damaged_key_exchange_costs_a_moment_and_not_the_utterance(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.invalid_commits = 1
    player = await join(scene, scene.perch, scene.alice)

    assert await soon(say(player, "long", count=40).finished()) is Outcome.PLAYED

    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 40), lost=0)
    assert scene.rehearsal.voice.faults.invalid_commits == 0


async def test_lost_packets_are_a_gap_and_not_the_end(scene: VoiceScene, players: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    scene.rehearsal.voice.faults.drop_every = 4

    assert await soon(say(player, "long", count=60).finished()) is Outcome.PLAYED

    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert 30 <= len(listener.speech()) < 60
    assert listener.undecryptable == 0


def _times_asked(scene: VoiceScene) -> int:
    """Return how often the bot asked to be let into a voice channel."""
    frames = scene.rehearsal.parts.main_socket.received
    return sum(frame["op"] == 4 and frame["d"]["channel_id"] is not None for frame in frames)
