"""The main websocket when it misbehaves: resuming, new sessions, and what is heard afterwards."""

from __future__ import annotations

import asyncio

import discord
import pytest

from tests.fakes.held_bot import HeldBot
from tests.scenes import Stage


@pytest.mark.parametrize("fault", ["drop", "op 7", "4000", "op 9 true"])
async def test_a_broken_connection_is_resumed_and_nothing_is_missed(
    scene: Stage, bot: HeldBot, fault: str
) -> None:
    socket = scene.rehearsal.main_socket
    match fault:
        case "drop":
            await socket.drop()
        case "op 7":
            await socket.ask_to_reconnect()
        case "4000":
            await socket.close(4000)
        case _:
            await socket.invalidate(resumable=True)
    scene.guild.add_text_channel("made meanwhile")

    await asyncio.wait_for(bot.resumed.wait(), 10)

    guild = bot.get_guild(scene.guild.id)
    assert guild is not None and "made meanwhile" in {channel.name for channel in guild.channels}
    assert (socket.identified, socket.resumed) == (1, 1)


async def test_an_invalid_session_is_replaced(scene: Stage, bot: HeldBot) -> None:
    socket = scene.rehearsal.main_socket

    await socket.invalidate()

    await asyncio.wait_for(bot.reidentified.wait(), 10)
    await socket.until(lambda: socket.identified == 2)
    answer = await scene.alice.slash(scene.general, "hold")
    await (await bot.next()).response.send_message("back")
    assert answer.content == "back" and socket.resumed == 0


async def test_an_invalid_session_takes_the_bot_out_of_voice(scene: Stage, bot: HeldBot) -> None:
    await join(scene, bot)

    await scene.rehearsal.main_socket.invalidate()

    assert scene.guild.bot_channel is None


async def join(scene: Stage, bot: HeldBot) -> None:
    channel = bot.get_channel(scene.perch.id)
    assert isinstance(channel, discord.VoiceChannel)
    await channel.guild.change_voice_state(channel=channel)
    await scene.rehearsal.main_socket.until(lambda: scene.guild.bot_channel is scene.perch)


async def test_a_bot_that_logs_out_is_out_of_voice(scene: Stage, bot: HeldBot) -> None:
    await join(scene, bot)

    await bot.close()

    socket = scene.rehearsal.main_socket
    await socket.until(lambda: not socket.ready)
    assert scene.guild.bot_channel is None


async def test_more_than_120_commands_a_minute_close_the_connection(scene: Stage, bot: HeldBot) -> None:
    shard = bot.get_shard(0)
    assert shard is not None
    frame = '{"op": 3, "d": {"since": null, "activities": [], "status": "online", "afk": false}}'

    for _ in range(130):
        await shard._parent.ws.socket.send_str(frame)

    await asyncio.wait_for(bot.resumed.wait(), 10)
    assert scene.rehearsal.main_socket.resumed == 1


async def test_events_are_only_told_to_those_with_the_intent(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.say(scene.general, "not for you")
    await scene.alice.join(scene.perch)

    assert "MESSAGE_CREATE" not in bot.events
    assert bot.events[-1] == "VOICE_STATE_UPDATE"
