"""A regression test for every fault of discord.py 2.7.1 that our voice client cures.

Each of these was seen to fail with discord.py's own VoiceClient, in the way its comment names.
"""

import asyncio
import os
import time
from collections.abc import Iterator

import discord
import pytest

from bot.errors import PlaybackError
from bot.playback.queue import FrameBuffer, OpusFrames
from bot.playback.voice_client import SpeechVoiceClient
from bot.playback.voice_connection import SpeechConnectionState
from rehearsal.voice.listener import Listener
from rehearsal.voice.protocol import Opcode
from tests.playback.speaking import frames, soon
from tests.scenes import VoiceScene, until

QUICK = 12.0
"""Far below the 30 s that the stalls of the library take, far above the second that it should take."""


DEADLINE_SECURE = 10.0


def play(client: discord.VoiceClient, said: list[bytes]) -> asyncio.Event:
    """Play and return what is set at the end."""
    loop, over = asyncio.get_running_loop(), asyncio.Event()
    client.play(OpusFrames(FrameBuffer.of(said)), after=lambda error: loop.call_soon_threadsafe(over.set))
    return over


def heard(listener: Listener) -> list[bytes | None]:
    return [packet.opus for packet in listener.speech()]


async def say(client: SpeechVoiceClient, name: str, *, count: int = 10) -> list[bytes]:
    """Say something as the player does, to its end; return what should be heard."""
    said = frames(name, count)
    await client.wait_until_secure(DEADLINE_SECURE)
    await soon(play(client, said).wait())
    return said


async def lose_the_session(scene: VoiceScene) -> None:
    """Close with 4006 and return when the bot has connected anew."""
    old = scene.server_side()
    await scene.rehearsal.voice.close_bot(scene.guild.id, 4006)
    await scene.other_server_side(old, within=QUICK)


@pytest.mark.slow
async def test_the_first_word_is_encrypted_even_if_the_keys_come_late(scene: VoiceScene) -> None:
    # discord.py sends in clear until the keys are there: the first frames are lost.
    listener = await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.mls_delay = 0.5
    client = await scene.connect(scene.perch)

    said = await say(client, "hello", count=40)
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(listener) == said
    assert listener.undecryptable == 0


async def test_a_voice_client_that_is_alone_waits_for_no_keys(scene: VoiceScene) -> None:
    client = await scene.connect(scene.perch)

    started = time.monotonic()

    assert await client.wait_until_secure(DEADLINE_SECURE)
    assert time.monotonic() - started < DEADLINE_SECURE / 2


async def test_the_wait_for_keys_ends(scene: VoiceScene) -> None:
    await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.mls_delay = 60.0
    client = await scene.connect(scene.perch)

    assert not await client.wait_until_secure(0.1)


async def test_moving_right_after_joining_does_not_stall(scene: VoiceScene) -> None:
    # discord.py's reader sits in select() on the old socket: 30 s.
    client = await scene.connect(scene.perch)
    listener = await scene.alice.join(scene.cellar)

    await asyncio.wait_for(client.move_to(scene.channel(scene.cellar)), QUICK)
    said = await say(client, "moved")
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(listener) == said


@pytest.mark.slow
async def test_a_lost_session_is_replaced_without_a_stall(scene: VoiceScene) -> None:
    # The same reader: 29 s.
    listener = await scene.alice.join(scene.perch)
    client = await scene.connect(scene.perch)

    await lose_the_session(scene)
    assert await client.wait_until_open(QUICK)
    said = await say(client, "again")
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(listener) == said
    assert scene.bot_is_deafened()


@pytest.mark.slow
async def test_being_moved_after_a_reconnect_is_not_taken_for_a_kick(scene: VoiceScene) -> None:
    # discord.py leaves: an event is left over from the reconnect.
    client = await scene.connect(scene.perch)
    await lose_the_session(scene)
    assert await client.wait_until_open(QUICK)
    listener = await scene.alice.join(scene.cellar)

    await scene.guild.move_bot(scene.cellar)
    await until(lambda: client.channel.id == scene.cellar.id)
    assert await client.wait_until_open(QUICK)
    said = await say(client, "moved")
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert scene.bot_is_in(scene.cellar)
    assert heard(listener) == said


async def test_a_voice_client_stays_deafened_when_it_moves(scene: VoiceScene) -> None:
    # discord.py moves without the flag.
    client = await scene.connect(scene.perch)
    assert scene.bot_is_deafened()

    await client.move_to(scene.channel(scene.cellar))

    assert scene.bot_is_in(scene.cellar)
    assert scene.bot_is_deafened()


async def test_after_a_cancelled_connect_the_next_one_works(scene: VoiceScene) -> None:
    # discord.py: "Already connected to a voice channel", and the bot stays in it.
    scene.rehearsal.voice.faults.no_session_description = True
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await scene.connect(scene.perch)
    assert scene.bot_is_in(None)

    scene.rehearsal.voice.faults.no_session_description = False
    client = await scene.connect(scene.perch)

    assert client.is_connected()
    assert scene.bot_is_in(scene.perch)


async def test_a_connect_that_takes_too_long_leaves_nothing_behind(scene: VoiceScene) -> None:
    scene.rehearsal.voice.faults.no_udp_answer = True
    with pytest.raises(TimeoutError):
        await scene.connect(scene.perch, timeout=0.5)
    assert scene.bot_is_in(None)
    assert scene.client.voice_clients == []

    scene.rehearsal.voice.faults.no_udp_answer = False
    client = await scene.connect(scene.perch)

    assert client.is_connected()


@pytest.fixture
def many_open_files() -> Iterator[None]:
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    if limits[1] != resource.RLIM_INFINITY and limits[1] < 2048:
        pytest.skip("this machine does not let us open so many files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (2048, limits[1]))
    opened = [os.open(os.devnull, os.O_RDONLY)]
    while opened[-1] < 1100:
        opened.append(os.dup(opened[0]))
    yield
    for number in opened:
        os.close(number)
    resource.setrlimit(resource.RLIMIT_NOFILE, limits)


async def test_a_voice_client_joins_when_a_thousand_files_are_open(
    scene: VoiceScene, many_open_files: None
) -> None:
    # discord.py's select() refuses numbers from 1024 on: it spins, and the connect times out.
    client = await scene.connect(scene.perch, timeout=QUICK)

    assert client._connection.socket.fileno() > 1024
    assert client.is_connected()


async def test_an_upgrade_to_encryption_after_the_join_is_followed(scene: VoiceScene) -> None:
    # discord.py ignores it and goes on in clear: nobody hears a word.
    listener = await scene.alice.join(scene.perch)
    scene.rehearsal.voice.faults.op4_version_zero_first = True
    scene.rehearsal.voice.faults.upgrade_delay = 0.1
    client = await scene.connect(scene.perch)

    await until(lambda: client.voice_privacy_code is not None, within=QUICK)
    said = await say(client, "secret")
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(listener) == said
    assert listener.undecryptable == 0


@pytest.mark.slow
async def test_a_crashed_voice_server_is_replaced(scene: VoiceScene) -> None:
    # discord.py tries to resume, opens no socket and leaves in the end.
    listener = await scene.alice.join(scene.perch)
    client = await scene.connect(scene.perch)
    old = scene.server_side()

    await scene.rehearsal.voice.close_bot(scene.guild.id, 4015)
    await scene.other_server_side(old, within=QUICK)
    assert await client.wait_until_open(QUICK)
    said = await say(client, "again")
    await listener.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(listener) == said


async def test_what_is_played_while_another_is_paused_ends_the_other(scene: VoiceScene) -> None:
    # discord.py forgets the paused player; its thread waits for ever.
    client = await scene.connect(scene.perch)
    paused = play(client, frames("old", 100))
    client.pause()

    playing = play(client, frames("new", 3))

    await soon(paused.wait())
    await soon(playing.wait())


@pytest.mark.parametrize("code", [4006, 4014, 4015])
async def test_a_voice_client_that_is_cut_off_says_so(scene: VoiceScene, code: int) -> None:
    # discord.py says that it is connected, and sends into nothing, until a new server is named (4014) or
    # until it has waited up to two seconds.
    client = await scene.connect(scene.perch)

    await scene.rehearsal.voice.close_bot(scene.guild.id, code)

    await until(lambda: not client.is_connected(), within=QUICK)


async def test_a_new_server_that_does_not_answer_is_given_up(scene: VoiceScene) -> None:
    # discord.py waits for it for ever.
    client = await scene.connect(scene.perch, timeout=1.0)
    scene.rehearsal.voice.faults.no_udp_answer = True

    await scene.guild.change_voice_server()

    await until(lambda: scene.bot_is_in(None), within=QUICK)
    await until(lambda: scene.client.voice_clients == [], within=QUICK)
    assert not client.is_connected()


async def test_moved_into_a_channel_it_does_not_know_it_leaves(scene: VoiceScene) -> None:
    # discord.py sets its channel to None, and every later step fails without a log line.
    client = await scene.connect(scene.perch)
    unknown = scene.channel(scene.cellar)
    unknown.guild._remove_channel(unknown)

    await scene.guild.move_bot(scene.cellar)

    await until(lambda: scene.bot_is_in(None), within=QUICK)
    await until(lambda: scene.client.voice_clients == [], within=QUICK)
    assert not client.is_connected()


async def test_a_refused_encryption_message_does_not_end_the_connection(scene: VoiceScene) -> None:
    # discord.py's task ends with the exception; the connection only looks alive and hears of nobody new.
    listener = await scene.alice.join(scene.perch)
    client = await scene.connect(scene.perch)
    assert await client.wait_until_secure(DEADLINE_SECURE)

    scene.server_side().consider(b"no proposals")
    newcomer = await scene.bob.join(scene.perch)
    await newcomer.wait_until_ready(timeout=QUICK)
    said = await say(client, "hello")
    await newcomer.wait_for_silence(seconds=0.2, timeout=QUICK)

    assert heard(newcomer) == heard(listener) == said


async def test_a_connection_that_cannot_go_on_ends(scene: VoiceScene) -> None:
    # discord.py's task ends with the exception; the connection looks alive for ever.
    client = await scene.connect(scene.perch)
    ended = asyncio.Event()
    client.on_ended(ended.set)

    scene.server_side()._send(Opcode.SESSION_DESCRIPTION, {})

    await asyncio.wait_for(ended.wait(), QUICK)
    await until(lambda: scene.bot_is_in(None), within=QUICK)


@pytest.mark.slow
async def test_news_of_a_failed_connect_do_not_end_the_next_one(scene: VoiceScene) -> None:
    # discord.py does not wait until Discord has seen it leave; the next client takes that for a kick.
    scene.rehearsal.voice.faults.no_session_description = True
    failing = asyncio.create_task(scene.connect(scene.perch, timeout=1.0))
    await until(lambda: scene.bot_is_in(scene.perch))
    async with scene.slow_discord():
        await asyncio.wait({failing}, timeout=2.0)
        scene.rehearsal.voice.faults.no_session_description = False
        following = asyncio.create_task(_join_after(failing, scene))
        await asyncio.sleep(0.1)

    client = await asyncio.wait_for(following, QUICK)

    assert client.is_connected()
    assert scene.bot_is_in(scene.perch)


async def _join_after(failing: asyncio.Task[SpeechVoiceClient], scene: VoiceScene) -> SpeechVoiceClient:
    await asyncio.wait({failing})
    assert isinstance(failing.exception(), TimeoutError)
    return await scene.connect(scene.perch)


@pytest.mark.parametrize("happens", ["another server is named", "it is moved"])
async def test_what_changes_while_it_connects_is_followed_by_whoever_waits(
    scene: VoiceScene, happens: str
) -> None:
    # discord.py begins anew behind the back of whoever waits, who gets a CancelledError that nobody sent.
    scene.rehearsal.voice.faults.no_session_description = True
    connecting = asyncio.create_task(scene.connect(scene.perch, timeout=QUICK))
    await until(lambda: scene.rehearsal.voice.connection(scene.guild.id) is not None)
    scene.rehearsal.voice.faults.no_session_description = False

    if happens == "it is moved":
        await scene.guild.move_bot(scene.cellar)
    else:
        await scene.guild.change_voice_server()

    client = await asyncio.wait_for(connecting, QUICK)
    assert client.is_connected()
    assert scene.bot_is_in(scene.cellar if happens == "it is moved" else scene.perch)


async def test_what_changes_while_it_connects_and_does_not_answer_is_given_up_in_time(
    scene: VoiceScene,
) -> None:
    scene.rehearsal.voice.faults.no_session_description = True
    connecting = asyncio.create_task(scene.connect(scene.perch, timeout=1.0))
    await until(lambda: scene.rehearsal.voice.connection(scene.guild.id) is not None)

    await scene.guild.change_voice_server()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(connecting), QUICK)
    assert connecting.done()
    assert scene.client.voice_clients == []


class WithoutEncryption(SpeechVoiceClient):
    """What a missing or old davey comes to."""

    def create_connection_state(self) -> SpeechConnectionState:
        class State(SpeechConnectionState):
            @property
            def max_dave_protocol_version(self) -> int:
                return 0

        return State(self, removed=self._end)


async def test_without_encryption_the_join_fails_at_once_and_names_the_cause(scene: VoiceScene) -> None:
    # discord.py tries five times, and the error says "Shard ID None WebSocket closed with 4017".
    with pytest.raises(PlaybackError, match="davey is missing or too old"):
        async with asyncio.timeout(QUICK):
            await scene.channel(scene.perch).connect(
                cls=WithoutEncryption, timeout=60.0, reconnect=True, self_deaf=True
            )

    assert scene.bot_is_in(None)
