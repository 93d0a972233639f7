"""Rooms with a bot in them, and a browser that visits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, expect
from yarl import URL

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.faulty_tts_gateway.script import FaultScript
from rehearsal.room.on_call import Bot, BotOnCall
from rehearsal.room.room import Room
from rehearsal.room.setting import RoomStanding
from rehearsal.room.site import RoomSite, opened_room
from rehearsal.room.switches import TTSSwitches
from rehearsal.server import Rehearsal
from rehearsal.walk import turn_cloning_on
from tests.fakes.practice_bot import PracticeBot
from tests.rehearsal.room.browser import browser_for_tests, no_browser
from tests.scenes import tts_gateway_for
from tts_gateway.engines.offline import OfflineEngine

expect.set_options(timeout=20_000)  # far more than anything here takes, even on a busy machine


Visit = Callable[..., Awaitable[Page]]


class HasPage(Protocol):
    """Where there is a page to visit."""

    @property
    def url(self) -> str: ...

    @property
    def visitor(self) -> int | None: ...


@dataclass
class OpenRoom:
    """A room and whatever a test may want to know besides the page."""

    rehearsal: Rehearsal
    site: RoomSite
    bot: BotOnCall

    @property
    def url(self) -> str:
        return self.site.url

    @property
    def visitor(self) -> int:
        """Who comes next: Robin, a member like most, then whoever is no tab yet."""
        room = self.site.room
        people = sorted(room.setting.people, key=lambda person: person.name != "Robin")
        return next(person.id for person in people if not room.tabs[person.id])


async def come_as(context: BrowserContext, visitor: int | None) -> None:
    """Let a page that has been nobody yet be this person; None: whom the room chooses."""
    if visitor is not None:
        await context.add_init_script(
            f'sessionStorage.getItem("person") ?? sessionStorage.setItem("person", "{visitor}")'
        )


async def settle_in(room: Room) -> None:
    """Let Maud, the moderator, turn cloning on in The Rookery before anybody visits.

    Raises `TimeoutError` when the bot does not answer.
    """
    setting = room.setting
    (maud,) = (
        character.person for character in setting.characters if character.standing is RoomStanding.MODERATOR
    )
    await turn_cloning_on(maud, next(iter(setting.rookery.channels.values())))


@asynccontextmanager
async def room_with(
    make_bot: Callable[[Rehearsal, str], Bot], *, with_tts: bool = False
) -> AsyncIterator[OpenRoom]:
    """Yield a room in which a bot made by ``make_bot`` is logged in; it gets the TTS gateway's address."""
    async with AsyncExitStack() as parts:
        rehearsal = await parts.enter_async_context(Rehearsal())
        tts_base_url = ""
        if with_tts:
            serving = tts_gateway_for(rehearsal, OfflineEngine(), FaultScript())
            tts_base_url = await parts.enter_async_context(serving)
        tts = TTSSwitches(URL(tts_base_url).port if with_tts else None)
        bot = BotOnCall(rehearsal, lambda: make_bot(rehearsal, tts_base_url))
        site = await parts.enter_async_context(opened_room(rehearsal, bot, tts, port=0))
        parts.push_async_callback(bot.aclose)
        await bot.start()
        yield OpenRoom(rehearsal, site, bot)


@pytest_asyncio.fixture(loop_scope="package")
async def room(tmp_path: Path) -> AsyncIterator[OpenRoom]:
    """A room with Myna in it."""

    def make(rehearsal: Rehearsal, tts_base_url: str) -> SpeechBot:
        settings = Settings(tts_base_url=tts_base_url, data_dir=tmp_path / "data")
        return SpeechBot(settings, connector=rehearsal.connector())

    async with room_with(make, with_tts=True) as opened:
        await settle_in(opened.site.room)
        yield opened


@pytest_asyncio.fixture(loop_scope="package")
async def practice(tmp_path: Path) -> AsyncIterator[OpenRoom]:
    """A room with a bot that has one of everything a page must show."""
    async with room_with(lambda rehearsal, _: PracticeBot(rehearsal)) as opened:
        yield opened


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    """Debian's Chromium, or a skip with a word."""
    reason = no_browser()
    if reason:
        pytest.skip(reason)
    async with browser_for_tests() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="package")
async def visit(browser: Browser) -> AsyncIterator[Visit]:
    """Open the page of a room; a complaint of the page's own fails the test."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    async def open_page(
        room: HasPage, *, as_first: bool = False, width: int = 1280, height: int = 800, **options: Any
    ) -> Page:
        context = await browser.new_context(
            viewport={"width": width, "height": height},
            permissions=["clipboard-write", "microphone"],
            **options,
        )
        contexts.append(context)
        context.set_default_timeout(30_000)
        page = await context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda m: complaints.append(m.text) if m.type == "error" else None)
        await come_as(context, None if as_first else room.visitor)
        await page.goto(room.url)
        await page.get_by_role("log").wait_for()
        return page

    yield open_page
    for context in contexts:
        await context.close()
    assert complaints == []
