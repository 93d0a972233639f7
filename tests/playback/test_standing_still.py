"""A player that is paused, or held for another reason."""

import asyncio

from bot.playback.player import GuildPlayer, PauseReason
from bot.playback.queue import LEAD_FRAMES, SILENCE, Outcome, UtteranceState
from tests.fakes.guild import GuildOfTests
from tests.fakes.voice_client import FakeVoice, FakeVoiceClient
from tests.playback.speaking import MendLog, frames, say, soon, speech
from tests.scenes import until

LONG = 20_000


async def test_paused_it_goes_on_with_the_very_next_frame(player: GuildPlayer, voice: FakeVoice) -> None:
    utterance = say(player, "long", count=LONG)
    await soon(voice.client.started.wait())

    assert player.pause()
    assert not player.pause()
    assert utterance.state is UtteranceState.PLAYING
    assert player.resume()
    assert not player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("long", LONG)


async def test_after_a_pause_listeners_get_the_leading_silence_again(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    before = voice.client.hold_after = LEAD_FRAMES + 5
    utterance = say(player, "long", count=LONG)
    await until(lambda: not voice.client.moving.is_set())

    player.pause()
    voice.client.moving.set()
    player.resume()
    await soon(utterance.finished())

    assert voice.client.heard[before : before + LEAD_FRAMES] == [SILENCE] * LEAD_FRAMES
    assert speech(voice.client.heard) == frames("long", LONG)


async def test_however_long_the_pause_it_is_no_stall(
    player: GuildPlayer, voice: FakeVoice, mended: MendLog
) -> None:
    utterance = say(player, "long", count=LONG)
    await soon(voice.client.started.wait())

    player.pause()
    await asyncio.sleep(1.0)  # more than twice what a connection may stand still here
    player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert not mended.asked.is_set()


async def test_paused_nothing_begins(player: GuildPlayer, voice: FakeVoice) -> None:
    player.pause()
    utterance = say(player, "late")
    await asyncio.sleep(0.1)  # it would have begun long ago
    assert not voice.client.started.is_set()
    assert utterance.state is UtteranceState.READY

    player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED


async def test_paused_while_the_keys_are_awaited_it_does_not_begin(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.secure.clear()
    utterance = say(player, "secret")
    await soon(voice.client.asked_for_keys.wait())

    player.pause()
    voice.client.secure.set()
    await asyncio.sleep(0.1)  # it would have begun long ago
    assert not voice.client.started.is_set()
    player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED


async def test_it_goes_on_only_when_no_reason_is_left(player: GuildPlayer, voice: FakeVoice) -> None:
    player.hold(PauseReason.SILENCED)
    player.pause()
    utterance = say(player, "late")

    player.release(PauseReason.SILENCED)
    assert player.holds == {PauseReason.ASKED}
    await asyncio.sleep(0.1)  # it would have begun long ago
    assert not voice.client.started.is_set()
    player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED


async def test_paused_what_is_being_said_can_be_skipped(player: GuildPlayer, voice: FakeVoice) -> None:
    playing, following = say(player, "long", count=LONG), say(player, "following")
    await soon(voice.client.started.wait())
    player.pause()

    assert player.skip() is playing
    assert await soon(playing.finished()) is Outcome.SKIPPED
    player.resume()

    assert await soon(following.finished()) is Outcome.PLAYED


async def test_paused_through_a_change_of_the_connection_it_goes_on_there(
    player: GuildPlayer, voice: FakeVoice, guild: GuildOfTests
) -> None:
    old = voice.client
    utterance = say(player, "long", count=LONG)
    await soon(old.started.wait())
    player.pause()

    player.detach()
    await old.disconnect()
    new = await voice(guild.cellar, 1.0)
    player.attach(new)
    await asyncio.sleep(0.1)  # it would have gone on long ago
    assert not new.started.is_set()
    player.resume()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(old.heard) + speech(new.heard) == frames("long", LONG)


async def test_it_is_idle_only_while_there_is_nothing_to_say(player: GuildPlayer, voice: FakeVoice) -> None:
    await asyncio.sleep(0.05)
    assert player.idle_seconds >= 0.04
    making = player.reserve(member_id=1, title="making")
    assert player.idle_seconds == 0

    making.cancel()

    assert player.idle_seconds < 0.04


async def test_a_lost_connection_costs_the_utterance_a_second_attempt_and_no_third(
    guild: GuildOfTests, voice: FakeVoice
) -> None:
    stuck: list[FakeVoiceClient] = []

    async def stalled(player: GuildPlayer) -> None:
        stuck.append(voice.client)
        player.detach()
        new = await voice(guild.lounge, 1.0)
        if len(stuck) < 2:
            new.moving.clear()
        player.attach(new)

    player = GuildPlayer(await voice(guild.lounge, 1.0), stalled=stalled, stalled_seconds=0.1)
    voice.client.moving.clear()
    lost = say(player, "stuck")
    following = say(player, "following")

    assert await soon(lost.finished()) is Outcome.LOST
    assert await soon(following.finished()) is Outcome.PLAYED

    assert len(stuck) == 2
    player.close()
    await player.wait_closed()
