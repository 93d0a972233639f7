"""Utterances that are heard while they are still being made."""

from __future__ import annotations

import pytest

from bot.errors import MemberError
from bot.limits import MAX_QUEUED_SECONDS
from bot.playback.player import GuildPlayer
from bot.playback.queue import ENOUGH_FRAMES, FRAME_SECONDS, Outcome, Utterance, UtteranceState
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import frames, say, soon, speech


@pytest.fixture
def utterance(player: GuildPlayer) -> Utterance:
    return player.reserve(member_id=1, title="growing")


async def test_an_utterance_is_heard_before_all_of_it_is_made(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(voice.client.started.wait())

    utterance.append(frames("two"))
    utterance.append(frames("three"))
    utterance.complete()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("one", ENOUGH_FRAMES) + frames("two") + frames("three")


async def test_less_than_enough_does_not_begin_and_holds_up_nobody(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    utterance.append(frames("one", ENOUGH_FRAMES - 1))
    other = say(player, "other")
    await soon(other.finished())

    assert utterance.state is UtteranceState.MAKING
    utterance.complete()

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("other") + frames("one", ENOUGH_FRAMES - 1)


async def test_running_out_is_logged_once_and_not_the_end(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance, caplog: pytest.LogCaptureFixture
) -> None:
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(voice.client.started.wait())
    await soon(voice.client.silence_after(ENOUGH_FRAMES))

    utterance.append(frames("two"))
    utterance.complete()
    await soon(utterance.finished())
    await soon(say(player, "next").finished())

    assert caplog.text.count("ran out") == 1
    assert speech(voice.client.heard) == frames("one", ENOUGH_FRAMES) + frames("two") + frames("next")


async def test_an_utterance_whose_making_fails_ends_after_what_there_is(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    voice.client.moving.clear()
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(voice.client.started.wait())

    utterance.fail()
    following = say(player, "following")
    voice.client.moving.set()

    assert await soon(utterance.finished()) is Outcome.BROKEN_OFF
    assert await soon(following.finished()) is Outcome.PLAYED
    assert speech(voice.client.heard) == frames("one", ENOUGH_FRAMES) + frames("following")


@pytest.mark.parametrize("made", [0, 1, ENOUGH_FRAMES])
async def test_an_utterance_that_fails_unheard_gives_its_place_back_at_once(
    player: GuildPlayer, voice: FakeVoice, made: int
) -> None:
    voice.client.moving.clear()
    playing = say(player, "playing")
    await soon(voice.client.started.wait())
    waiting = player.reserve(member_id=2, title="waiting")
    waiting.append(frames("waiting", made))

    waiting.fail()

    assert await soon(waiting.finished()) is Outcome.BROKEN_OFF
    assert player.utterances() == [playing]


async def test_failing_after_it_is_complete_changes_nothing(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    utterance.supply(frames("whole"))

    utterance.fail()

    assert await soon(utterance.finished()) is Outcome.PLAYED


async def test_its_length_is_what_is_known_so_far(player: GuildPlayer, utterance: Utterance) -> None:
    assert utterance.seconds is None

    utterance.append(frames("one", 3))
    assert utterance.seconds == pytest.approx(3 * FRAME_SECONDS)

    utterance.append(frames("two", 1))
    assert utterance.seconds == pytest.approx(4 * FRAME_SECONDS)


async def test_what_is_known_counts_towards_the_limit(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    growing = player.reserve(member_id=1, title="growing")
    growing.append(frames("growing", round(MAX_QUEUED_SECONDS / FRAME_SECONDS) - 1))
    player.reserve(member_id=2, title="fits")

    growing.append(frames("more", 1))

    with pytest.raises(MemberError, match="full"):
        player.reserve(member_id=3, title="does not")


async def test_skipping_one_that_is_heard_already_ends_it_and_the_rest_is_not_heard(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(voice.client.started.wait())

    player.skip()
    utterance.append(frames("too late"))
    utterance.complete()

    assert await soon(utterance.finished()) is Outcome.SKIPPED
    assert b"too late 0" not in voice.client.heard


@pytest.mark.parametrize("end", ["complete", "fail"])
async def test_an_utterance_that_is_made_is_stopped_like_any_other(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance, end: str
) -> None:
    voice.client.moving.clear()
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(voice.client.started.wait())

    getattr(utterance, end)()
    player.stop()

    assert await soon(utterance.finished()) is Outcome.STOPPED


async def test_moved_in_the_middle_it_goes_on_with_what_came_meanwhile(
    player: GuildPlayer, voice: FakeVoice, utterance: Utterance
) -> None:
    first = voice.client
    utterance.append(frames("one", ENOUGH_FRAMES))
    await soon(first.started.wait())
    await soon(first.silence_after(ENOUGH_FRAMES))
    player.detach()
    first.end()
    await first.stopped()

    utterance.append(frames("two"))
    utterance.complete()
    player.attach(await voice(first.channel, 1.0))

    assert await soon(utterance.finished()) is Outcome.PLAYED
    assert speech(first.heard) + speech(voice.client.heard) == frames("one", ENOUGH_FRAMES) + frames("two")
