"""Logging in: TLS, names, tokens, and what the bot learns at first."""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

import aiohttp
import discord
import pytest

from rehearsal.server import LoopbackResolver
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.fakes.held_bot import INTENTS, HeldBot
from tests.rehearsal.conftest import Ask, logged_in
from tests.scenes import Stage


async def test_an_unpatched_bot_logs_in_and_knows_its_guild(scene: Stage, bot: HeldBot) -> None:
    guild = bot.get_guild(scene.guild.id)

    assert guild is not None and guild.me.id == scene.rehearsal.application_id
    assert {channel.name for channel in guild.channels} == {"general", "Perch"}
    assert guild.me.guild_permissions.connect
    assert scene.rehearsal.router.unknown_requests == []


async def test_a_wrong_token_is_refused_by_rest_as_discord_does(scene: Stage) -> None:
    async with HeldBot(scene.rehearsal) as bot:
        with pytest.raises(discord.LoginFailure):
            await bot.login(scene.rehearsal.token + "x")


async def test_a_wrong_token_on_the_main_socket_closes_it_with_4004(scene: Stage) -> None:
    identify = {"op": 2, "d": {"token": "wrong", "intents": 1, "properties": {}}}

    assert await close_code_after(scene, identify) == 4004


async def test_a_command_before_identify_closes_with_4003(scene: Stage) -> None:
    assert await close_code_after(scene, {"op": 4, "d": {"guild_id": "1", "channel_id": None}}) == 4003


async def test_a_frame_that_makes_no_sense_closes_with_4002(scene: Stage) -> None:
    assert await close_code_after(scene, {"no": "op"}) == 4002


async def test_the_application_belongs_to_a_person_or_to_a_team(scene: Stage) -> None:
    bob = scene.rehearsal.world.add_person("Bob")
    scene.rehearsal.world.give_application_to(bob)
    async with logged_in(scene.rehearsal) as bot:
        theirs = bot.application
    scene.rehearsal.world.give_application_to(bob, scene.alice, team="The Keepers")
    async with logged_in(scene.rehearsal) as bot:
        shared = bot.application

    assert theirs is not None and (theirs.owner.id, theirs.team) == (bob.id, None)
    assert shared is not None and shared.team is not None
    assert (shared.team.name, shared.team.owner_id) == ("The Keepers", bob.id)
    assert [member.id for member in shared.team.members] == [bob.id, scene.alice.id]
    assert shared.owner.id == shared.team.id
    assert shared.owner.name == f"team{shared.team.id}"


async def close_code_after(scene: Stage, frame: dict[str, Any]) -> int | None:
    connector = scene.rehearsal.connector()
    url = "wss://gateway.discord.gg/?v=10&encoding=json"
    async with aiohttp.ClientSession(connector=connector) as session, session.ws_connect(url) as socket:
        await socket.receive_json()
        await socket.send_json(frame)
        await socket.receive()
        return socket.close_code


async def test_a_privileged_intent_that_is_not_switched_on_is_refused(scene: Stage) -> None:
    intents = discord.Intents(guilds=True, message_content=True)
    async with HeldBot(scene.rehearsal, intents=intents) as bot:
        with pytest.raises(discord.PrivilegedIntentsRequired):
            await asyncio.wait_for(bot.start(scene.rehearsal.token), 10)


async def test_a_privileged_intent_that_is_switched_on_is_granted(scene: Stage) -> None:
    scene.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT

    async with logged_in(scene.rehearsal, intents=INTENTS | discord.Intents(message_content=True)) as bot:
        assert bot.is_ready()


async def test_two_shards_see_their_own_guilds(scene: Stage) -> None:
    other = scene.rehearsal.world.add_guild("Next door")

    async with logged_in(scene.rehearsal, shard_count=2) as bot:
        await scene.rehearsal.main_socket.until(lambda: scene.rehearsal.main_socket.identified == 2)
        await scene.rehearsal.caught_up()

        shards = {guild.id: guild.shard_id for guild in bot.guilds}
        assert shards == {guild.id: (guild.id >> 22) % 2 for guild in (scene.guild, other)}
        assert len(set(shards.values())) == 2


async def test_other_names_than_discords_are_not_resolved(scene: Stage) -> None:
    async with aiohttp.ClientSession(connector=scene.rehearsal.connector()) as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get("https://example.com/")


async def test_the_certificate_is_only_trusted_through_its_own_file(scene: Stage) -> None:
    connector = aiohttp.TCPConnector(resolver=LoopbackResolver(scene.rehearsal.port))
    async with aiohttp.ClientSession(connector=connector) as session:
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            await session.get("https://discord.com/api/v10/users/@me")


@pytest.mark.parametrize("host", ["discord.com", "cdn.discordapp.com", "rehearsal-1.discord.media"])
async def test_the_certificate_passes_the_strict_checks_of_newer_pythons(scene: Stage, host: str) -> None:
    context = ssl.create_default_context(cafile=str(scene.rehearsal.ca_file))
    context.verify_flags |= ssl.VERIFY_X509_STRICT
    connector = aiohttp.TCPConnector(resolver=LoopbackResolver(scene.rehearsal.port), ssl=context)

    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"https://{host}/") as answer,
    ):
        assert answer.status in (400, 404)


async def test_unknown_routes_are_answered_as_discord_does_and_written_down(scene: Stage, ask: Ask) -> None:
    status, body = await ask("GET", "/no/such/route")

    assert (status, body) == (404, {"message": "404: Not Found", "code": 0})
    assert [request.path for request in scene.rehearsal.router.unknown_requests] == ["/no/such/route"]


async def test_a_call_without_the_token_is_unauthorized(scene: Stage, ask: Ask) -> None:
    assert (await ask("GET", "/users/@me", headers={}))[0] == 401
    assert (await ask("GET", "/users/@me"))[0] == 200


async def test_the_tts_gateway_is_told_where_the_store_is(scene: Stage) -> None:
    arguments = scene.rehearsal.tts_gateway_arguments()

    assert f"cdn.discordapp.com=127.0.0.1:{scene.rehearsal.port}" in arguments
    assert arguments[arguments.index("--ca-file") + 1] == str(scene.rehearsal.ca_file)
