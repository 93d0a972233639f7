"""How long a place in the queue still has to wait, as the making of its sound needs to know."""

from __future__ import annotations

import pytest

from bot.playback.player import GuildPlayer
from bot.playback.queue import FRAME_SECONDS
from tests.fakes.voice_client import FakeVoice
from tests.playback.speaking import say, soon


async def test_what_is_being_played_and_what_waits_before_it_count(
    player: GuildPlayer, voice: FakeVoice
) -> None:
    voice.client.moving.clear()
    playing = player.reserve(member_id=1, title="playing")
    playing.supply([b"frame"] * 3_000)
    await soon(voice.client.started.wait())
    say(player, "second", member_id=2)
    waiting = player.reserve(member_id=3, title="waiting")

    assert player.seconds_before(playing) == 0
    assert 30 < player.seconds_before(waiting) < 3_000 * FRAME_SECONDS + 2


async def test_what_is_being_made_counts_as_far_as_it_is_made(player: GuildPlayer, voice: FakeVoice) -> None:
    voice.client.moving.clear()
    first = player.reserve(member_id=1, title="first")
    second = player.reserve(member_id=2, title="second")

    before = player.seconds_before(second)
    first.append([b"frame"] * 4)  # too little to be played

    assert before == 0
    assert player.seconds_before(second) == pytest.approx(4 * FRAME_SECONDS)
