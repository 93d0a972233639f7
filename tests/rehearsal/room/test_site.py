"""The room's own web server, asked without a browser: whom it answers, and what it hands out."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from yarl import URL

from bot.settings import child_environment
from rehearsal.errors import PortTakenError
from rehearsal.room.on_call import BotOnCall
from rehearsal.room.room import Room
from rehearsal.room.setting import Setting
from rehearsal.room.site import RoomSite, is_our_host, opened_room
from rehearsal.room.switches import TTSSwitches
from rehearsal.server import Rehearsal
from tests.fakes.practice_bot import PracticeBot
from tests.rehearsal.room.room_process import ROOT


@pytest.fixture
async def url():
    """An open room whose bot has not come yet."""
    async with Rehearsal() as rehearsal:
        bot = BotOnCall(rehearsal, lambda: PracticeBot(rehearsal))
        async with opened_room(rehearsal, bot, TTSSwitches(None), port=0) as site:
            yield site.url


@pytest.fixture
async def http():
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "192.168.1.5"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors"},
    ],
)
async def test_pages_of_others_get_nothing(url, http, headers):
    for path in ("", "recordings", "static/js/main.js"):
        async with http.get(url + path, headers=headers) as answer:
            assert answer.status == 403


async def test_the_websocket_opens_only_for_our_own_page(url, http):
    for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": "http://localhost:1"}):
        with pytest.raises(aiohttp.WSServerHandshakeError) as refusal:
            await http.ws_connect(url + "socket", headers=headers)
        assert refusal.value.status == 403

    async with http.ws_connect(url + "socket", headers={"Origin": url.rstrip("/")}) as socket:
        assert (await socket.receive_json())["type"] == "hello"


async def test_an_upload_needs_the_origin_of_the_page(url, http):
    async with http.post(url + "upload?name=a.wav", data=b"1") as answer:
        assert answer.status == 403
    async with http.post(url + "upload?name=a.wav", data=b"1", headers={"Origin": url.rstrip("/")}) as answer:
        assert set(await answer.json()) == {"file"}


async def test_a_link_to_the_page_from_elsewhere_works(url, http):
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}

    async with http.get(url, headers=headers) as answer:
        page = await answer.text()

    assert answer.status == 200
    assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
    assert "https://" not in page.replace("http://www.w3.org", "")


@pytest.mark.parametrize(
    ("host", "loopback_only", "ours"),
    [
        ("localhost:8765", True, True),
        ("[::1]:8765", True, True),
        ("10.0.0.7:8765", True, False),
        ("10.0.0.7:8765", False, True),
        ("rehearsal.example", False, False),
        ("localhost.evil.example", False, False),
        ("[", False, False),
        ("", True, False),
    ],
)
def test_only_addresses_and_localhost_are_our_hosts(host, loopback_only, ours):
    assert is_our_host(host, loopback_only=loopback_only) is ours


async def test_a_file_that_could_hold_a_page_is_only_downloaded(url, http):
    async with Tab(http, url) as tab:
        async with http.post(url + "upload?name=a.html", data=b"<h1>", headers=tab.headers) as answer:
            key = (await answer.json())["file"]
        channel = tab.channel("general")
        await tab.ask("say", channel=channel, text="", files=[key])
        address = (await tab.message(lambda message: message["files"]))["files"][0]["url"]
        async with http.get(url.rstrip("/") + address) as answer:
            headers = answer.headers

    assert headers["Content-Disposition"] == "attachment"
    assert headers["Content-Security-Policy"].startswith("sandbox")
    assert headers["X-Content-Type-Options"] == "nosniff"


async def test_what_discord_would_not_let_a_person_do_is_refused_in_its_words(url, http):
    async with Tab(http, url) as tab:
        channel = tab.channel("general")
        refusals = [
            await tab.refused("say", channel=channel, text="x" * 2001),
            await tab.refused("say", channel=channel, text=" "),
            await tab.refused("say", channel="1", text="hello"),
            await tab.refused("switch", name="kick"),
            await tab.refused("join", channel="1"),
            await tab.refused("nonsense"),
        ]

    assert refusals[0] == "Your message is too long! Please keep it to 2000 characters."
    assert refusals[1] == "Cannot send an empty message"
    assert all(refusals)


async def test_a_port_that_somebody_has_is_refused_or_given_up_for_a_free_one():
    async with Rehearsal() as rehearsal, await asyncio.start_server(lambda *_: None, "127.0.0.1", 0) as taken:
        port = taken.sockets[0].getsockname()[1]
        site = RoomSite(Room(rehearsal, Setting(rehearsal.world)), port=port)

        with pytest.raises(PortTakenError, match=rf"^Port {port} is taken. Leave --port out, "):
            await site.start()
        await site.start(or_any_port=True)

        assert URL(site.url).port not in (port, 0)
        await site.aclose()


@pytest.mark.skipif(os.name != "posix", reason="the browser here is a shell script")
@pytest.mark.parametrize(
    ("command", "shown"), [("{} %s &", True), ("{} %s", False)], ids=["window", "terminal"]
)
def test_the_page_is_opened_in_a_browser_with_windows_and_in_no_other(tmp_path: Path, command, shown):
    browser, seen = tmp_path / "browser", tmp_path / "seen"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\nexec sleep 5\n')
    browser.chmod(0o755)
    program = "import asyncio, sys; from rehearsal.room.site import show_in_browser as show; "
    program += "print(asyncio.run(show(sys.argv[1])))"

    said = subprocess.run(
        [sys.executable, "-c", program, "http://127.0.0.1:8765/"],
        env={**child_environment(), "PYTHONPATH": str(ROOT), "BROWSER": command.format(browser)},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout

    assert said == f"{shown}\n"
    deadline = time.monotonic() + 20
    while shown and not seen.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen.exists() is shown


class Tab:
    """A tab without a browser."""

    def __init__(self, http: aiohttp.ClientSession, url: str) -> None:
        self.headers = {"Origin": url.rstrip("/")}
        self._http = http
        self._url = url
        self._asked = 0
        self.scene: Any = {}
        self.messages: list[Any] = []

    async def __aenter__(self) -> Tab:
        self._socket = await self._http.ws_connect(self._url + "socket", headers=self.headers)
        while not self.scene:
            await self._receive()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._socket.close()

    def channel(self, name: str) -> str:
        channels = [channel for guild in self.scene["guilds"] for channel in guild["channels"]]
        return next(str(channel["id"]) for channel in channels if channel["name"] == name)

    async def ask(self, what: str, **details: object) -> Any:
        self._asked += 1
        await self._socket.send_json({"do": what, "id": self._asked, **details})
        while (message := await self._receive())["type"] != "reply":
            pass
        return message

    async def refused(self, what: str, **details: object) -> str:
        return str((await self.ask(what, **details))["error"])

    async def message(self, wanted) -> Any:
        while not (found := [message for message in self.messages if wanted(message)]):
            await self._receive()
        return found[-1]

    async def _receive(self) -> Any:
        message = json.loads((await asyncio.wait_for(self._socket.receive(), 10)).data)
        if message["type"] == "scene":
            self.scene = message["scene"]
        if message["type"] == "messages":
            self.messages += message["new"]
        return message
