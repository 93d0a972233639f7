"""What becomes of an utterance when the bot is moved, thrown out, muted, or loses its channel or permission.

And the rooms that empty and fill again.
"""

import asyncio
import itertools

import pytest

from bot.errors import MemberError
from bot.playback.player import PauseReason
from bot.playback.players import GuildPlayers, IdleTimeouts
from bot.playback.queue import Outcome
from rehearsal.permissions import EVERYONE, Permission
from tests.playback.hearing import assert_all_was_heard, heard
from tests.playback.speaking import frames, say, soon
from tests.scenes import VoiceScene, join, until

pytestmark = pytest.mark.slow  # each loses a connection and waits for the next

QUICK = 12.0


@pytest.fixture
async def players(scene: VoiceScene) -> GuildPlayers:
    """Players that lose patience soon where nobody hears them; the scene closes them."""
    patience = IdleTimeouts(alone_pause_seconds=0.1, alone_seconds=30.0, silenced_seconds=30.0)
    scene.client.players = GuildPlayers(idle_timeouts=patience)
    return scene.client.players


@pytest.fixture
async def impatient(scene: VoiceScene) -> GuildPlayers:
    """Players that lose all patience soon."""
    patience = IdleTimeouts(alone_pause_seconds=0.1, alone_seconds=0.5, silenced_seconds=0.5)
    scene.client.players = GuildPlayers(idle_timeouts=patience)
    return scene.client.players


async def test_kicked_it_stays_away_even_when_the_main_connection_comes_back(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.kick_bot_from_voice()
    assert await soon(utterance.finished()) is Outcome.LOST
    await until(lambda: players.get(scene.guild.id) is None)
    await players.reconcile(scene.client.guilds)

    assert scene.bot_is_in(None)
    assert players.get(scene.guild.id) is None


async def test_dragged_to_and_fro_it_speaks_where_it_was_put_last(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    upstairs = await scene.alice.join(scene.perch)
    downstairs = await scene.bob.join(scene.cellar)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=150)
    await upstairs.wait_for_speech(timeout=QUICK)

    await scene.guild.move_bot(scene.cellar)
    await downstairs.wait_for_speech(timeout=QUICK)
    await scene.guild.move_bot(scene.perch)
    await scene.guild.move_bot(scene.cellar)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=QUICK)
    everything = sorted([*upstairs.speech(), *downstairs.speech()], key=lambda packet: packet.arrival)
    spoken = [packet.opus for packet in everything]
    assert spoken == [frame for frame in frames("long", 150) if frame in spoken]
    assert heard(downstairs)[-1] == frames("long", 150)[-1]
    assert scene.bot_is_in(scene.cellar)


async def test_moved_where_it_may_not_speak_it_waits_and_goes_on_when_it_may(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    scene.guild.deny_bot(Permission.SPEAK, scene.cellar)
    listener = await scene.alice.join(scene.perch)
    downstairs = await scene.bob.join(scene.cellar)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=60)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.move_bot(scene.cellar)
    await until(lambda: PauseReason.SILENCED in player.holds)
    scene.guild.set_bot_permissions(int(EVERYONE), scene.cellar)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(downstairs)[-1] == frames("long", 60)[-1]


async def test_after_its_channel_is_deleted_it_comes_where_it_is_asked(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    playing = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.delete_channel(scene.perch)
    assert await soon(playing.finished()) is Outcome.LOST
    downstairs = await scene.alice.join(scene.cellar)
    again = await join(scene, scene.cellar, scene.alice)

    assert await soon(say(again, "hello").finished()) is Outcome.PLAYED
    await downstairs.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(downstairs) == frames("hello")


async def test_muted_it_waits_and_then_goes_on_with_the_very_next_frame(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=80)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.mute_bot()
    await until(lambda: PauseReason.SILENCED in player.holds)
    await asyncio.sleep(0.3)  # it stands still for a while
    with pytest.raises(MemberError, match="server-muted"):
        await join(scene, scene.perch, scene.alice)
    await scene.guild.mute_bot(False)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 80))


async def test_muted_for_too_long_what_waits_is_dropped_and_says_so_once(
    scene: VoiceScene, impatient: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    playing, waiting = say(player, "long", count=500), say(player, "waiting")
    await listener.wait_for_speech(timeout=QUICK)

    await scene.guild.mute_bot()

    assert await soon(playing.finished()) is Outcome.SILENCED
    assert await soon(waiting.finished()) is Outcome.SILENCED
    assert impatient.get(scene.guild.id) is player
    await scene.guild.mute_bot(False)
    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED


async def test_what_comes_late_to_a_muted_bot_is_dropped_too(
    scene: VoiceScene, impatient: GuildPlayers
) -> None:
    await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    await scene.guild.mute_bot()
    await until(lambda: PauseReason.SILENCED in player.holds)

    for name in ("first", "second"):
        assert await soon(say(player, name).finished()) is Outcome.SILENCED


async def test_without_speak_it_waits_and_goes_on_when_it_is_given_back(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=80)
    await listener.wait_for_speech(timeout=QUICK)

    scene.guild.deny_bot(Permission.SPEAK, scene.perch)
    await until(lambda: PauseReason.SILENCED in player.holds)
    with pytest.raises(MemberError, match='"Speak"'):
        await join(scene, scene.perch, scene.alice)
    scene.guild.set_bot_permissions(int(EVERYONE), scene.perch)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 80))


async def test_sent_to_the_audience_of_a_stage_it_waits_until_it_may_speak_again(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    scene.guild.set_bot_permissions(int(EVERYONE) | Permission.MUTE_MEMBERS, scene.stage)
    listener = await scene.alice.join(scene.stage)
    channel = scene.channel(scene.stage)
    await until(lambda: channel.permissions_for(channel.guild.me).mute_members)
    player = await join(scene, scene.stage, scene.alice)
    utterance = say(player, "long", count=80)
    await listener.wait_for_speech(timeout=QUICK)

    await channel.guild.me.edit(suppress=True)
    await until(lambda: PauseReason.SILENCED in player.holds)
    with pytest.raises(MemberError, match="audience"):
        await join(scene, scene.stage, scene.alice)
    await channel.guild.me.edit(suppress=False)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert_all_was_heard(listener, frames("long", 80))


@pytest.mark.parametrize("downgrades", [False, True])
async def test_a_room_that_empties_and_fills_again_hears_the_rest(
    scene: VoiceScene, players: GuildPlayers, downgrades: bool
) -> None:
    scene.rehearsal.voice.faults.alone_version_zero = downgrades
    first = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=100)
    await first.wait_for_speech(timeout=QUICK)

    await scene.alice.leave()
    await until(lambda: PauseReason.ALONE in player.holds)
    second = await scene.bob.join(scene.perch)

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await second.wait_for_silence(seconds=0.2, timeout=QUICK)
    rest = heard(second)
    assert rest == frames("long", 100)[-len(rest) :], "the beginning of the rest is missing, or in clear"
    assert second.undecryptable == 0
    assert not set(heard(first)) & set(rest)


async def test_a_room_that_stays_empty_is_left(scene: VoiceScene, impatient: GuildPlayers) -> None:
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=500)
    await listener.wait_for_speech(timeout=QUICK)

    await scene.alice.leave()

    assert await soon(utterance.finished()) is Outcome.LOST
    await until(lambda: scene.bot_is_in(None))
    assert impatient.get(scene.guild.id) is None


async def test_an_idle_player_leaves_though_somebody_is_there(scene: VoiceScene) -> None:
    players = scene.client.players = GuildPlayers(idle_timeouts=IdleTimeouts(idle_seconds=0.5))
    listener = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=50)

    assert await soon(utterance.finished()) is Outcome.PLAYED  # a second: talking is not idling
    await until(lambda: scene.bot_is_in(None), within=QUICK)

    assert heard(listener) == frames("long", 50)
    assert players.get(scene.guild.id) is None


async def test_newcomers_one_after_the_other_all_hear_it_with_keys(
    scene: VoiceScene, players: GuildPlayers
) -> None:
    first = await scene.alice.join(scene.perch)
    player = await join(scene, scene.perch, scene.alice)
    utterance = say(player, "long", count=100)
    await first.wait_for_speech(timeout=QUICK)

    for _ in range(3):
        newcomer = await scene.bob.join(scene.perch)
        await newcomer.wait_until_ready(timeout=QUICK)
        await scene.bob.leave()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    await first.wait_for_silence(seconds=0.2, timeout=QUICK)
    assert heard(first) == frames("long", 100)
    times = [packet.arrival for packet in first.speech()]
    assert all(later - earlier < 1.0 for earlier, later in itertools.pairwise(times))
