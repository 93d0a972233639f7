"""The start of `python -m bot` when Discord, the network or a proxy is in its way."""

from __future__ import annotations

import asyncio
import json
import math
import socket
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import aiohttp
import discord
import psutil
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from bot.start import Obstacle, Waits, identifies_left, obstacle_of
from rehearsal.rest.call import Misbehaviour
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, bot_process, discord_for
from tests.fakes.connect_proxy import connect_proxy

SOON = {"Retry-After": "0.05"}


@pytest.fixture
async def rehearsal() -> AsyncIterator[Rehearsal]:
    async with Rehearsal() as rehearsal:
        yield rehearsal


@pytest.fixture
async def discord_here(rehearsal: Rehearsal) -> AsyncIterator[Mapping[str, str]]:
    async with discord_for(rehearsal) as settings:
        yield settings


def refusal(path: str, status: int, body: object = None) -> Misbehaviour:
    return Misbehaviour("GET", path, status, body, headers=SOON, times=2)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/users/@me", 429, "Discord accepts no more requests from this bot or this network for now"),
        ("/users/@me", 403, "Discord, or something in front of it, refuses this network for now"),
        ("/oauth2/applications/@me", 503, "Discord has a problem on its side"),
        ("/gateway/bot", 405, "Discord refused the login"),
        ("/gateway/bot", 503, "Discord has a problem on its side"),
    ],
)
async def test_a_login_that_is_refused_for_now_is_tried_again_after_a_sentence(
    rehearsal: Rehearsal,
    discord_here: Mapping[str, str],
    tmp_path: Path,
    path: str,
    status: int,
    sentence: str,
) -> None:
    rehearsal.misbehave(refusal(path, status))
    async with bot_process(tmp_path, **discord_here) as bot:
        await bot.until(LOGGED_IN)
        ended, said = await bot.stopped()

    assert ended == 0
    assert said.count(f"{sentence} (status {status}). It tries again in") == 2
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("body", ["<html>Please log in</html>", {"id": "x"}])
async def test_a_login_page_in_discords_place_is_said_and_waited_for(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path, body: object
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", "/users/@me", 200, body, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until(LOGGED_IN)

    assert said.index("Something other than Discord answers") < said.index(LOGGED_IN)
    assert "Traceback" not in said


@pytest.mark.slow
@pytest.mark.parametrize("path", ["/users/@me", "/gateway/bot"])
async def test_a_refused_token_ends_the_bot_as_a_bad_setting_does(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path, path: str
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", path, 401, {"message": "401: Unauthorized", "code": 0}))
    # It ends while the process that makes sound has hardly started.
    async with bot_process(tmp_path, **{**discord_here, "SOUND_PROCESS": "on"}) as bot:
        status, said = await bot.ended()

    assert status == 2
    assert said.endswith("Discord refused DISCORD_TOKEN. Copy it again from the developer portal.\n")
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_signal_while_it_waits_for_discord_ends_it_at_once(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    an_hour = {"Retry-After": "3600"}
    rehearsal.misbehave(Misbehaviour("GET", "/users/@me", 429, headers=an_hour, times=9))
    async with bot_process(tmp_path, **discord_here) as bot:
        await bot.until("It tries again in")
        status, said = await bot.stopped()

    assert status == 0
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_signal_in_the_middle_of_the_login_ends_it_without_a_word_of_its_insides(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", "/users/@me", delay=300.0))
    async with bot_process(tmp_path, **discord_here) as bot:
        await rehearsal.router.changes.until(
            lambda: bool(rehearsal.requests), timeout=60, story=lambda: "no request came"
        )
        status, said = await bot.stopped()

    assert status == 0
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_proxy_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{nobody.getsockname()[1]}"
        token, proxy = "a-token-that-is-never-sent", f"http://myna:canary-password@{place}"
        async with bot_process(tmp_path, DISCORD_TOKEN=token, HTTPS_PROXY=proxy) as bot:
            await bot.until("It tries again in")
            status, said = await bot.stopped()

    assert status == 0
    assert f"The proxy {place} cannot be reached. Check HTTPS_PROXY." in said
    assert "canary-password" not in said
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_proxy_that_wants_a_password_is_named(tmp_path: Path) -> None:
    async with connect_proxy(status=407) as proxy:
        token = "a-token-that-is-never-sent"
        async with bot_process(tmp_path, DISCORD_TOKEN=token, HTTPS_PROXY=proxy.address) as bot:
            said = await bot.until("It tries again in")

    assert "does not let the bot through to Discord (status 407). Check HTTPS_PROXY, its user" in said
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_certificate_that_nobody_vouches_for_is_named_with_the_proxy(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {name: value for name, value in discord_here.items() if name != "SSL_CERT_FILE"}
    async with bot_process(tmp_path, **settings) as bot:
        said = await bot.until("It tries again in")

    place = settings["HTTPS_PROXY"].removeprefix("http://")
    assert f"The certificate shown for Discord through the proxy {place} (HTTPS_PROXY) is not" in said
    assert "SSL_CERT_FILE" in said
    assert "Traceback" not in said


@pytest.mark.slow
async def test_the_socket_that_discord_does_not_open_is_said_without_a_traceback(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    nowhere = {"url": "wss://nowhere.example", "shards": 1}
    limits = {"total": 1000, "remaining": 999, "reset_after": 1, "max_concurrency": 1}
    rehearsal.misbehave(
        Misbehaviour(
            "GET", "/gateway/bot", 200, {**nowhere, "session_start_limit": limits}, headers={}, times=2
        )
    )
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until("Failed to connect")

    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_bot_that_starts_too_often_waits_before_it_identifies_itself(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    starts = tmp_path / "data" / "starts.json"
    starts.parent.mkdir()
    now = time.time()
    starts.write_text(json.dumps([now - 3_590.0, *(now - 60.0 - n for n in range(9))]))
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until(LOGGED_IN)

    assert said.index("The bot has started 10 times within 60 minutes") < said.index(LOGGED_IN)
    assert len(json.loads(starts.read_text())) == 10  # the oldest is over, and this one is noted


@pytest.mark.slow
async def test_ten_starts_within_an_hour_are_free_and_each_is_a_process(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    for _ in range(2):
        async with bot_process(tmp_path, **discord_here) as bot:
            said = await bot.until(LOGGED_IN)
            await bot.killed()
        assert "It now waits" not in said

    assert len(json.loads((tmp_path / "data" / "starts.json").read_text())) == 2


@pytest.mark.slow
async def test_discords_own_count_of_starts_is_minded(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    limits = {"total": 1000, "remaining": 1, "reset_after": 1, "max_concurrency": 1}
    answer = {"url": "wss://gateway.discord.gg", "shards": 1, "session_start_limit": limits}
    rehearsal.misbehave(Misbehaviour("GET", "/gateway/bot", 200, answer, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until(LOGGED_IN)

    assert said.index("identify itself only 1 more times today") < said.index(LOGGED_IN)


@pytest.mark.parametrize(("shards", "remaining", "waits"), [(1, 21, False), (5, 24, True), (5, 25, False)])
async def test_each_shard_of_a_start_counts(
    rehearsal: Rehearsal, tmp_path: Path, shards: int, remaining: int, waits: bool
) -> None:
    def answer(left: int) -> dict[str, object]:
        limits = {"total": 1000, "remaining": left, "reset_after": 1, "max_concurrency": 1}
        return {"url": "wss://gateway.discord.gg", "shards": shards, "session_start_limit": limits}

    path = "/gateway/bot"
    rehearsal.misbehave(*(Misbehaviour("GET", path, 200, answer(n), headers={}) for n in (remaining, 1_000)))
    bot = SpeechBot(Settings(data_dir=tmp_path), connector=rehearsal.connector())
    async with bot:
        await bot.http.static_login(rehearsal.token)
        await asyncio.wait_for(identifies_left(bot), 30)

    asked = [request for request in rehearsal.requests if request.path == path]
    assert len(asked) == 1 + waits


@pytest.mark.slow
async def test_a_session_that_is_lost_again_and_again_is_counted(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    identifies = tmp_path / "data" / "identifies.json"
    identifies.parent.mkdir()
    now = time.time()
    identifies.write_text(json.dumps([now - 60.0 - n for n in range(39)]))
    async with bot_process(tmp_path, **discord_here) as bot:
        await bot.until(LOGGED_IN)
        before = rehearsal.main_socket.identified
        await rehearsal.main_socket.invalidate()
        said = await bot.until("It now waits")

        assert rehearsal.main_socket.identified == before
    assert "has identified itself to Discord 40 times within 60 minutes" in said


@pytest.mark.slow
async def test_a_shard_that_never_connects_ends_the_bot_long_before_its_stack_does(
    rehearsal: Rehearsal, tmp_path: Path
) -> None:
    nowhere = {"url": "wss://127.0.0.1:9", "shards": 1}
    limits = {"total": 1000, "remaining": 1000, "reset_after": 1, "max_concurrency": 1}
    answer = {**nowhere, "session_start_limit": limits}
    rehearsal.misbehave(Misbehaviour("GET", "/gateway/bot", 200, answer, headers={}, times=9))
    bot = SpeechBot(Settings(data_dir=tmp_path, sound_process="off"), connector=rehearsal.connector())
    bot.most_launches = 2

    with pytest.raises(discord.GatewayNotFound) as raised:
        async with bot:
            await bot.start(rehearsal.token)

    assert obstacle_of(raised.value).patience == math.inf


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the limits of other processes")
async def test_a_bot_may_have_as_many_descriptors_as_its_user(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = min(soft, 256)
    resource.setrlimit(resource.RLIMIT_NOFILE, (few, hard))
    try:
        async with bot_process(tmp_path, **discord_here) as bot:
            await bot.until(LOGGED_IN)
            allowed, _ = psutil.Process(bot.pid).rlimit(psutil.RLIMIT_NOFILE)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert allowed == min(hard, 65_536) > few


@pytest.mark.slow
async def test_check_says_which_commands_discord_has_and_what_it_refused(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    rehearsal.misbehave(Misbehaviour("PUT", "/commands", 400, {"code": 30034, "message": "Max"}, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        await bot.until(LOGGED_IN)
    async with bot_process(tmp_path, "check", **discord_here) as bot:
        _, refused = await bot.ended()
    rehearsal.commands.installs = (0,)
    async with bot_process(tmp_path, **discord_here) as bot:
        await bot.until(LOGGED_IN)
    async with bot_process(tmp_path, "check", **discord_here) as bot:
        _, said = await bot.ended()

    assert "ok      Discord knows this bot as " in refused
    assert "MISSING Discord has 0 commands of this bot, but refused the newest: " in refused
    assert "code 30034" in refused
    assert f"ok      Discord has {len(rehearsal.commands.listed())} commands of this bot" in said
    assert "without User Install" in said


@pytest.mark.slow
@pytest.mark.parametrize("status", [403])
async def test_check_says_what_discord_answers_in_a_sentence(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path, status: int
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", "/users/@me", status, headers=SOON))
    async with bot_process(tmp_path, "check", **discord_here) as bot:
        ended, said = await bot.ended()

    assert ended == 1
    assert f"(status {status})." in said
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_database_server_that_is_not_up_yet_is_waited_for(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"postgresql://myna:canary-password@127.0.0.1:{nobody.getsockname()[1]}/myna"
        async with bot_process(tmp_path, DATABASE_URL=url, **discord_here) as bot:
            await bot.until("It tries again in")
            status, said = await bot.stopped()

    assert status == 0
    assert "The database cannot be opened: the database cannot be reached" in said
    assert "canary-password" not in said
    assert "Traceback" not in said


@pytest.mark.slow
async def test_a_bot_that_fails_in_a_way_nobody_thought_of_ends_with_a_sentence(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", "/gateway/bot", 200, {"url": "wss://x.example"}, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        status, said = await bot.ended()

    assert status == 1
    assert "a bug in it (KeyError). Set LOG_LEVEL=debug to see where" in said
    assert "Traceback" not in said


def test_the_waits_grow_to_a_bound_and_no_network_is_waited_for_only_some_minutes() -> None:
    refused, offline = Obstacle("", math.inf), obstacle_of(ConnectionRefusedError())
    forever, some_minutes = Waits(), Waits()

    pauses = [forever.after(refused, now) or 0.0 for now in range(2_000)]
    tries, now = 0, 0.0
    while (pause := some_minutes.after(offline, now)) is not None:
        tries, now = tries + 1, now + pause

    assert pauses[0] < pauses[2] < pauses[4] < pauses[8]
    assert 0 < max(pauses) <= 120
    assert len(set(pauses[-100:])) > 50  # nobody knocks together with all others
    assert tries > 5
    assert 300 < now < 1_200


@pytest.mark.parametrize(
    ("told", "least", "most"), [(5.0, 5.0, 6.0), (1e9, 3_600.0, 4_000.0), (0.0, 1.0, 2.0)]
)
def test_a_wait_that_was_told_is_kept_and_is_never_longer_than_an_hour(
    told: float, least: float, most: float
) -> None:
    pause = Waits().after(Obstacle("", math.inf, told), 0.0)

    assert pause is not None
    assert least <= pause <= most


@pytest.mark.parametrize("code", [4004, 4013, 4014])
async def test_a_close_for_a_wrong_token_or_wrong_intents_is_final(code: int) -> None:
    async def serve(request: web.Request) -> web.WebSocketResponse:
        there = web.WebSocketResponse()
        await there.prepare(request)
        await there.close(code=code)
        return there

    app = web.Application()
    app.router.add_get("/", serve)
    async with (
        TestServer(app) as server,
        aiohttp.ClientSession() as session,
        session.ws_connect(server.make_url("/")) as here,
    ):
        await here.receive()
        closed = obstacle_of(discord.ConnectionClosed(here, shard_id=0))

    assert (closed.status, closed.patience) == (2, 0.0)


async def test_a_name_that_is_not_found_is_told_from_a_machine_that_is_offline() -> None:
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.ClientConnectorDNSError) as raised:
            await session.get("https://nobody.invalid")

    obstacle = obstacle_of(raised.value)

    assert obstacle.sentence.startswith("The name discord.com was not found.")
    assert 0 < obstacle.patience < math.inf
