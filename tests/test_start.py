"""The start of `python -m bot` when Discord, the network or a proxy is in its way."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from rehearsal.rest.misbehaviour import Misbehaviour
from rehearsal.server import Rehearsal
from tests.bot_process import LOGGED_IN, bot_process, discord_for
from tests.connect_proxy import connect_proxy

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


@pytest.mark.parametrize(
    ("path", "status", "sentence"),
    [
        ("/users/@me", 429, "Discord takes no more requests from this bot or from this network for now"),
        ("/users/@me", 403, "Discord, or something in front of it, refuses this network for now"),
        ("/oauth2/applications/@me", 503, "Discord has trouble of its own"),
        ("/gateway/bot", 405, "Discord did not let the bot in"),
        ("/gateway/bot", 503, "Discord has trouble of its own"),
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


@pytest.mark.parametrize("body", ["<html>Please log in</html>", {"id": "x"}])
async def test_a_login_page_in_discords_place_is_said_and_waited_for(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path, body: object
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", "/users/@me", 200, body, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until(LOGGED_IN)

    assert said.index("What answers as Discord is something else") < said.index(LOGGED_IN)
    assert "Traceback" not in said


@pytest.mark.parametrize("path", ["/users/@me", "/gateway/bot"])
async def test_a_refused_token_ends_the_bot_as_a_bad_setting_does(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path, path: str
) -> None:
    rehearsal.misbehave(Misbehaviour("GET", path, 401, {"message": "401: Unauthorized", "code": 0}))
    async with bot_process(tmp_path, **discord_here) as bot:
        status, said = await bot.ended()

    assert status == 2
    assert said.endswith("Discord refused DISCORD_TOKEN. Copy it again from the developer portal.\n")
    assert "Traceback" not in said


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


async def test_a_proxy_that_is_not_there_is_named_without_its_password(tmp_path: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        place = f"127.0.0.1:{nobody.getsockname()[1]}"
        token, proxy = "a-token-that-is-never-sent", f"http://myna:canary-password@{place}"
        async with bot_process(tmp_path, DISCORD_TOKEN=token, HTTPS_PROXY=proxy) as bot:
            await bot.until("It tries again in")
            status, said = await bot.stopped()

    assert status == 0
    assert f"The proxy {place} cannot be reached. Look at HTTPS_PROXY." in said
    assert "canary-password" not in said
    assert "Traceback" not in said


async def test_a_proxy_that_wants_a_password_is_named(tmp_path: Path) -> None:
    async with connect_proxy(status=407) as proxy:
        token = "a-token-that-is-never-sent"
        async with bot_process(tmp_path, DISCORD_TOKEN=token, HTTPS_PROXY=proxy.address) as bot:
            said = await bot.until("It tries again in")

    assert "does not let the bot through to Discord (status 407). Look at HTTPS_PROXY, its user" in said
    assert "Traceback" not in said


async def test_a_certificate_that_nobody_vouches_for_is_named_with_the_proxy(
    discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    settings = {name: value for name, value in discord_here.items() if name != "SSL_CERT_FILE"}
    async with bot_process(tmp_path, **settings) as bot:
        said = await bot.until("It tries again in")

    place = settings["HTTPS_PROXY"].removeprefix("http://")
    assert f"The certificate that answers for Discord through the proxy {place} (HTTPS_PROXY) is not" in said
    assert "SSL_CERT_FILE" in said
    assert "Traceback" not in said


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


async def test_ten_starts_within_an_hour_are_free_and_each_is_a_process(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    for _ in range(2):
        async with bot_process(tmp_path, **discord_here) as bot:
            said = await bot.until(LOGGED_IN)
            await bot.killed()
        assert "It waits" not in said

    assert len(json.loads((tmp_path / "data" / "starts.json").read_text())) == 2


async def test_discords_own_count_of_starts_is_minded(
    rehearsal: Rehearsal, discord_here: Mapping[str, str], tmp_path: Path
) -> None:
    limits = {"total": 1000, "remaining": 1, "reset_after": 1, "max_concurrency": 1}
    answer = {"url": "wss://gateway.discord.gg", "shards": 1, "session_start_limit": limits}
    rehearsal.misbehave(Misbehaviour("GET", "/gateway/bot", 200, answer, headers={}))
    async with bot_process(tmp_path, **discord_here) as bot:
        said = await bot.until(LOGGED_IN)

    assert said.index("identify itself only 1 more times today") < said.index(LOGGED_IN)
