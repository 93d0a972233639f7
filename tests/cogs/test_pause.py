"""/pause, /resume and /myna volume."""

from __future__ import annotations

import av
import numpy as np
import pytest

from bot.playback.player import PauseReason
from bot.speech_bot import SpeechBot
from rehearsal.permissions import EVERYONE, Permission
from rehearsal.stage import pcm_of_wav
from rehearsal.voice.listener import Listener
from tests.cogs.in_voice import command, make_moderator, player_of, speaking
from tests.fakes.babble_engine import BabbleEngine
from tests.running_bot import attending
from tests.scenes import DEADLINE, Scene, words_of
from tts_gateway.engines.base import Engine

WORDS = "One two three four five six seven eight nine ten."


@pytest.fixture
def engine() -> Engine:
    return BabbleEngine()  # quick on any machine, so that what waits is ready before the first has been said


@pytest.mark.slow
async def test_paused_it_is_silent_and_then_goes_on_with_the_rest(scene: Scene):
    listener = await scene.alice.join(scene.perch)
    answer = await speaking(scene, scene.alice)
    await listener.wait_for_speech(timeout=DEADLINE)

    paused = await command(scene, scene.alice, "pause")
    await listener.wait_for_silence(seconds=0.3, timeout=DEADLINE)
    before = len(listener.packets)
    shown = await command(scene, scene.alice, "queue")
    going_on = await command(scene, scene.alice, "resume")
    await answer.until(lambda seen: "Spoken in" in seen.content, timeout=DEADLINE)

    assert (paused, going_on) == ("Paused. Type /resume to continue.", "Resumed.")
    assert shown.splitlines()[0] == "Paused. Type /resume to continue."
    assert "speaking now" in shown.splitlines()[1]
    assert listener.speech(after=before)
    assert listener.undecryptable == 0


async def test_paused_twice_and_resumed_without_a_pause_is_said(scene: Scene):
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")

    nothing = await command(scene, scene.alice, "resume")
    await command(scene, scene.alice, "pause")
    twice = await command(scene, scene.alice, "pause")

    assert nothing == "Nothing is paused."
    assert "Already paused" in twice


async def test_who_is_not_alone_with_it_has_to_be_a_moderator(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await command(scene, scene.alice, "join")

    refused = await command(scene, scene.bob, "pause")
    await make_moderator(scene, scene.bob)

    assert "Mute Members" in refused
    assert await command(scene, scene.bob, "pause") == "Paused. Type /resume to continue."


async def test_outside_of_voice_there_is_nothing_to_pause(scene: Scene):
    assert "not in a voice channel" in await command(scene, scene.alice, "pause")


@pytest.mark.slow
@pytest.mark.usefixtures("fast_playback")
async def test_at_half_the_volume_it_is_heard_half_as_strong_from_the_next_on(scene: Scene):
    scene.make_moderator(scene.alice)
    listener = await scene.alice.join(scene.perch)
    usual = await loudness_of(scene, listener)

    said = await command(scene, scene.alice, "myna volume", percent=50)
    softer = await loudness_of(scene, listener)
    await command(scene, scene.alice, "myna volume", percent=100)
    again = await loudness_of(scene, listener)

    assert said == "Volume set to 50%. Applies from the next message."
    assert 0.4 < softer / usual < 0.6
    assert 0.9 < again / usual < 1.1


async def test_the_file_is_as_loud_as_ever(scene: Scene):
    scene.make_moderator(scene.alice)
    await scene.alice.join(scene.perch)
    first = await scene.speak(WORDS)
    await first.until(lambda shown: bool(shown.files), timeout=DEADLINE)

    await command(scene, scene.alice, "myna volume", percent=10)
    second = await scene.speak(WORDS)
    await second.until(lambda shown: bool(shown.files), timeout=DEADLINE)

    assert pcm_of_wav(first.files[0].data) == pcm_of_wav(second.files[0].data)


async def test_the_volume_is_shown_and_kept_across_a_restart(scene: Scene):
    scene.make_moderator(scene.alice)
    await scene.alice.join(scene.perch)
    await command(scene, scene.alice, "join")
    assert await command(scene, scene.alice, "myna volume") == "Volume here: 100%."
    await command(scene, scene.alice, "myna volume", percent=150)

    await scene.bot.shut_down()
    async with attending(
        SpeechBot(scene.settings, connector=scene.rehearsal.connector()), scene.rehearsal
    ) as again:
        assert again.volumes.get(scene.guild.id) == 150
        assert await command(scene, scene.alice, "myna volume") == "Volume here: 150%."


async def test_the_volume_is_for_moderators_and_for_who_manages_the_server(scene: Scene):
    await scene.alice.join(scene.perch)
    await scene.bob.join(scene.perch)
    await command(scene, scene.alice, "join")

    assert "myna" not in scene.bob.offered(scene.general)
    scene.guild.add_role("Keeper", int(EVERYONE) | int(Permission.MANAGE_GUILD), scene.bob)
    await scene.rehearsal.caught_up()
    allowed = await command(scene, scene.bob, "myna volume", percent=50)

    assert allowed == "Volume set to 50%. Applies from the next message."


@pytest.mark.slow
async def test_server_muted_the_queue_says_what_it_waits_for_and_the_member_is_told_once(scene: Scene):
    await scene.alice.join(scene.perch)
    answer = await speaking(scene, scene.alice)

    await scene.guild.mute_bot()
    shown = await command(scene, scene.alice, "queue")
    refused = await words_of(
        await scene.alice.slash(scene.general, "speak", text="Me too", output="voice channel")
    )
    await scene.guild.mute_bot(False)
    await answer.until(lambda seen: "Spoken in" in seen.content, timeout=DEADLINE)

    assert shown.startswith("Waiting: I'm muted here")
    assert "server-muted" in refused
    assert PauseReason.SILENCED not in player_of(scene).holds


async def loudness_of(scene: Scene, listener: Listener) -> float:
    """Let the same words be said and return how strong they were heard."""
    before = len(listener.packets)
    answer = await scene.speak(WORDS, output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    await listener.wait_for_silence(seconds=0.3, timeout=DEADLINE, after=before)
    decoder = av.AudioCodecContext.create("libopus", "r")
    decoder.sample_rate, decoder.layout = 48_000, "mono"
    frames = [packet.opus for packet in listener.speech(after=before) if packet.opus is not None]
    sound = [piece.to_ndarray().reshape(-1) for frame in frames for piece in decoder.decode(av.Packet(frame))]
    return float(np.sqrt(np.square(np.concatenate(sound).astype(np.float64)).mean()))
