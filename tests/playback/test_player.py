import pytest

from bot.errors import MemberError
from bot.limits import MAX_QUEUED_SECONDS, MAX_UTTERANCES_PER_GUILD, MAX_UTTERANCES_PER_MEMBER
from bot.playback.player import GuildPlayer
from bot.playback.queue import FRAME_SECONDS, LEAD_FRAMES, SILENCE, Outcome, UtteranceState
from tests.fakes.guild import GuildOfTests
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import MendLog, frames, say, soon, speech


async def test_utterances_are_said_in_the_order_they_were_reserved(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    said = [say(player, name) for name in ("one", "two", "three")]

    outcomes = [await soon(utterance.finished()) for utterance in said]

    assert outcomes == [Outcome.PLAYED] * 3
    assert speech(voice.client.heard) == frames("one") + frames("two") + frames("three")
    assert player.utterances() == []


async def test_one_that_is_still_being_made_holds_up_nobody(player: GuildPlayer, voice: FakeVoice) -> None:
    slow = player.reserve(member_id=1, title="slow")
    quick = say(player, "quick")
    await soon(quick.finished())

    slow.supply(frames("slow"))
    await soon(slow.finished())

    assert speech(voice.client.heard) == frames("quick") + frames("slow")


async def test_of_two_that_are_ready_the_earlier_place_counts_not_the_earlier_sound(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.moving.clear()
    playing = say(player, "playing")
    await soon(voice.client.started.wait())
    first = player.reserve(member_id=2, title="first")
    second = say(player, "second", member_id=2)
    first.supply(frames("first"))

    voice.client.moving.set()
    for utterance in (playing, first, second):
        await soon(utterance.finished())

    assert speech(voice.client.heard) == frames("playing") + frames("first") + frames("second")


async def test_a_place_says_what_is_known_of_it(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    playing = say(player, "playing")
    await soon(voice.client.started.wait())
    waiting = player.reserve(member_id=7, title="waiting")

    assert player.utterances() == [playing, waiting]
    assert [player.position(utterance) for utterance in (playing, waiting)] == [0, 1]
    assert (playing.state, waiting.state) == (UtteranceState.PLAYING, UtteranceState.MAKING)
    assert playing.seconds == pytest.approx(3 * FRAME_SECONDS)
    assert waiting.seconds is None
    assert (waiting.member_id, waiting.title, waiting.outcome) == (7, "waiting", None)


async def test_what_is_playing_comes_first_even_if_its_place_was_later(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    slow = player.reserve(member_id=1, title="slow")
    voice.client.moving.clear()
    quick = say(player, "quick")
    await soon(voice.client.started.wait())

    assert player.utterances() == [quick, slow]
    assert player.skip() is quick


async def test_a_member_has_only_so_many_places(player: GuildPlayer) -> None:
    places = [player.reserve(member_id=1, title="") for _ in range(MAX_UTTERANCES_PER_MEMBER)]

    with pytest.raises(MemberError, match=r"already have 3 .* skip"):
        player.reserve(member_id=1, title="")
    player.reserve(member_id=2, title="")
    places[0].cancel()

    player.reserve(member_id=1, title="")


async def test_a_guild_has_only_so_many_places(player: GuildPlayer) -> None:
    for member_id in range(MAX_UTTERANCES_PER_GUILD):
        player.reserve(member_id=member_id, title="")

    with pytest.raises(MemberError, match="full"):
        player.reserve(member_id=999, title="")


async def test_a_guild_has_only_so_much_sound(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    frame_count = round(MAX_QUEUED_SECONDS / FRAME_SECONDS)
    say(player, "almost", member_id=1, count=frame_count - 1)
    last = say(player, "last", member_id=2, count=1)

    with pytest.raises(MemberError, match="full"):
        player.reserve(member_id=3, title="")
    last.cancel()

    player.reserve(member_id=3, title="")


async def test_skip_drops_what_is_playing_and_the_next_is_said(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    playing, following = say(player, "playing"), say(player, "following")
    await soon(voice.client.started.wait())

    assert player.skip() is playing
    assert await soon(playing.finished()) is Outcome.SKIPPED
    voice.client.moving.set()

    assert await soon(following.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("following")


async def test_skip_drops_what_is_still_being_made(player: GuildPlayer) -> None:
    making = player.reserve(member_id=1, title="making")

    assert player.skip() is making

    assert await soon(making.finished()) is Outcome.SKIPPED
    assert player.skip() is None


async def test_who_waits_late_is_told_at_once_that_it_was_dropped(player: GuildPlayer) -> None:
    making = player.reserve(member_id=1, title="making")

    player.stop()

    assert await soon(making.finished()) is Outcome.STOPPED


async def test_stop_drops_everything_and_says_how_much(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    dropped = [say(player, "playing"), say(player, "ready"), player.reserve(member_id=1, title="making")]
    await soon(voice.client.started.wait())

    assert player.stop() == 3

    assert [await soon(utterance.finished()) for utterance in dropped] == [Outcome.STOPPED] * 3
    assert player.utterances() == []
    assert player.stop() == 0


async def test_stop_can_drop_what_one_member_asked_for_and_leave_the_rest(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.moving.clear()
    theirs, mine = say(player, "theirs", member_id=1), say(player, "mine", member_id=2)
    await soon(voice.client.started.wait())

    assert player.stop(member_id=2) == 1
    voice.client.moving.set()

    assert await soon(theirs.finished()) is Outcome.PLAYED
    assert mine.outcome is Outcome.STOPPED


async def test_after_stop_it_speaks_again(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    say(player, "old")
    await soon(voice.client.started.wait())
    player.stop()
    voice.client.moving.set()

    assert await soon(say(player, "new").finished()) is Outcome.PLAYED


async def test_sound_that_comes_after_the_drop_is_not_played(player: GuildPlayer, voice: FakeVoice) -> None:
    late = player.reserve(member_id=1, title="late")
    player.stop()

    late.supply(frames("late"))
    await soon(say(player, "other").finished())

    assert speech(voice.client.heard) == frames("other")
    assert late.outcome is Outcome.STOPPED


async def test_a_making_that_is_cancelled_gives_its_place_back(player: GuildPlayer) -> None:
    making = player.reserve(member_id=1, title="making")

    making.cancel()

    assert await soon(making.finished()) is Outcome.STOPPED
    assert player.utterances() == []


async def test_speech_waits_until_listeners_can_decrypt_it(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.secure.clear()
    utterance = say(player, "secret")
    await soon(voice.client.asked_for_keys.wait())

    assert not voice.client.started.is_set()
    voice.client.secure.set()

    assert await soon(utterance.finished()) is Outcome.PLAYED


async def test_what_is_skipped_while_it_waits_for_the_keys_is_not_said(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.secure.clear()
    say(player, "skipped")
    await soon(voice.client.asked_for_keys.wait())

    player.skip()
    voice.client.secure.set()
    await soon(say(player, "next").finished())

    assert speech(voice.client.heard) == frames("next")


async def test_speech_does_not_wait_for_ever_for_the_keys(guild: GuildOfTests, voice: FakeVoice) -> None:
    player = GuildPlayer(await voice(guild.lounge, 1.0), stalled=MendLog(), secure_seconds=0.05)
    voice.client.secure.clear()

    assert await soon(say(player, "hello").finished()) is Outcome.PLAYED
    player.close()
    await player.wait_closed()


async def test_a_connection_that_takes_no_frames_is_given_up(
    player: GuildPlayer, voice: FakeVoice, mended: MendLog
) -> None:
    voice.client.moving.clear()
    utterance = say(player, "stuck")

    assert await soon(utterance.finished()) is Outcome.LOST
    await soon(mended.asked.wait())
    voice.client.moving.set()
    assert await soon(voice.client.stopped()) < 3 + LEAD_FRAMES  # it was told to stop, too


async def test_an_error_in_the_audio_thread_is_a_loss_and_not_an_end(
    player: GuildPlayer, voice: FakeVoice, mended: MendLog
) -> None:
    voice.client.error = RuntimeError("no keys")
    assert await soon(say(player, "broken").finished()) is Outcome.LOST
    await soon(mended.asked.wait())
    voice.client.error = None

    assert await soon(say(player, "whole").finished()) is Outcome.PLAYED


async def test_without_a_connection_it_is_lost(
    player: GuildPlayer, voice: FakeVoice, mended: MendLog
) -> None:
    voice.client.connected = False

    assert await soon(say(player, "unheard").finished()) is Outcome.LOST
    await soon(mended.asked.wait())


async def test_on_another_connection_it_goes_on_where_it_was(
    player: GuildPlayer, voice: FakeVoice, guild: GuildOfTests
) -> None:
    old = voice.client
    utterance = say(player, "long", count=60_000)
    await soon(old.started.wait())

    detached = player.detach()
    assert detached is old
    await old.disconnect()
    assert player.channel == guild.lounge
    new = await voice(guild.cellar, 1.0)
    player.attach(new)

    assert player.channel == guild.cellar
    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(old.heard) + speech(new.heard) == frames("long", 60_000)
    assert new.heard[:LEAD_FRAMES] == [SILENCE] * LEAD_FRAMES


async def test_once_it_has_left_everything_is_lost_and_nothing_is_taken(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.moving.clear()
    playing, making = say(player, "playing"), player.reserve(member_id=1, title="making")
    await soon(voice.client.started.wait())

    player.close()

    assert [await soon(utterance.finished()) for utterance in (playing, making)] == [Outcome.LOST] * 2
    assert player.channel is None
    with pytest.raises(MemberError, match="left"):
        player.reserve(member_id=1, title="")
