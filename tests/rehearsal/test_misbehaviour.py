"""REST calls that go wrong, and what is written down of every call."""

from __future__ import annotations

import aiohttp
import discord
import pytest

from rehearsal.rest.call import Misbehaviour, late
from tests.fakes.held_bot import HeldBot
from tests.rehearsal.conftest import Ask
from tests.scenes import Stage


async def test_a_limited_call_is_tried_again_by_discord_py(scene: Stage, bot: HeldBot) -> None:
    channel = bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)
    scene.rehearsal.misbehave(Misbehaviour("POST", "/messages", 429))

    await channel.send("patience")

    statuses = [r.status for r in scene.rehearsal.requests if r.path.endswith("/messages")]
    assert statuses == [429, 200]
    assert [message.content for message in scene.general.history] == ["patience"]


async def test_a_call_can_fail_although_it_was_carried_out(scene: Stage, ask: Ask) -> None:
    scene.rehearsal.misbehave(Misbehaviour("POST", "/messages", 500, carried_out=True))

    status, _ = await ask("POST", f"/channels/{scene.general.id}/messages", {"content": "x"})

    assert status == 500 and len(scene.general.history) == 1


async def test_a_connection_can_break_before_the_answer(scene: Stage, ask: Ask) -> None:
    scene.rehearsal.misbehave(Misbehaviour("POST", "/typing", cuts=True))

    with pytest.raises(aiohttp.ClientError):
        await ask("POST", f"/channels/{scene.general.id}/typing")

    assert (await ask("POST", f"/channels/{scene.general.id}/typing"))[0] == 204


async def test_a_late_acknowledgement_is_too_late(scene: Stage, bot: HeldBot) -> None:
    scene.rehearsal.interactions.acknowledge_seconds = 0.05
    scene.rehearsal.misbehave(late("POST", "/callback", 0.2))
    await scene.alice.slash(scene.general, "hold")

    with pytest.raises(discord.NotFound) as refused:
        await (await bot.next()).response.defer()

    assert refused.value.code == 10062


async def test_every_message_of_the_bot_is_written_down(scene: Stage, bot: HeldBot) -> None:
    await scene.alice.slash(scene.general, "hold")
    interaction = await bot.next()
    await interaction.response.defer()
    await interaction.edit_original_response(content="edit")
    await interaction.followup.send("followup")
    channel = bot.get_channel(scene.general.id)
    assert isinstance(channel, discord.TextChannel)
    await channel.send("channel")

    bodies = [body for request in scene.rehearsal.requests for body in request.messages]

    assert [body["content"] for body in bodies] == ["edit", "followup", "channel"]
    assert all(body["allowed_mentions"]["parse"] == [] for body in bodies)
