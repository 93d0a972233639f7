"""Makes the pictures in docs/ anew: `python -m tests.rehearsal.room.screenshots`.

With a folder, every state in every view goes there instead: to look at after a change of the page.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, ViewportSize, expect

from bot.settings import Settings
from bot.speech_bot import SpeechBot
from rehearsal.server import Rehearsal
from rehearsal.wire import INTENT_MESSAGE_CONTENT
from tests.rehearsal.room.browser import browser_for_tests, no_browser
from tests.rehearsal.room.conftest import OpenRoom, come_as, room_with, settle_in
from tests.rehearsal.room.states import STATES
from tests.rehearsal.room.visitor import command, heard_again, into_voice, state
from tests.rehearsal.room.voice_pictures import take_pictures

VIEWS = {
    "light": {"width": 1280, "height": 800, "color_scheme": "light"},
    "dark": {"width": 1280, "height": 800, "color_scheme": "dark"},
    "phone": {"width": 390, "height": 780, "color_scheme": "light"},
}
SHOWN = {
    "first-visit-light",
    "heard-light",
    "cloning-dark",
    "faults-light",
    "developer-dark",
    "encryption-light",
    "heard-phone",
}
"""The pictures that the documents show."""


async def main(folder: Path, *, everything: bool) -> None:
    for view, options in VIEWS.items():
        async with _settled_room() as room, browser_for_tests() as browser:
            await take(browser, room, folder, view, dict(options), everything=everything)
    async with _settled_room() as room, browser_for_tests() as browser:
        await take_pictures(await _page(browser, dict(VIEWS["light"], width=1000)), room, folder)
    async with _settled_room() as room, browser_for_tests() as browser:
        await take_reading(await _page(browser, dict(VIEWS["light"])), room, folder)


@asynccontextmanager
async def _settled_room() -> AsyncIterator[OpenRoom]:
    with tempfile.TemporaryDirectory() as data_dir:

        def make(rehearsal: Rehearsal, tts_base_url: str) -> SpeechBot:
            settings = Settings(tts_base_url=tts_base_url, data_dir=Path(data_dir))
            return SpeechBot(settings, connector=rehearsal.connector())

        async with room_with(make, with_tts=True) as room:
            await settle_in(room.site.room)
            yield room


async def _page(browser: Browser, options: dict[str, Any]) -> Page:
    size = ViewportSize(width=options.pop("width"), height=options.pop("height"))
    context = await browser.new_context(viewport=size, reduced_motion="reduce", **options)
    return await context.new_page()


async def take(
    browser: Browser, room: OpenRoom, folder: Path, view: str, options: dict[str, Any], *, everything: bool
) -> None:
    page = await _page(browser, options)
    await come_as(page.context, room.visitor)
    await page.goto(room.url)
    for name, step in STATES.items():
        await step(page)
        if everything or f"{name}-{view}" in SHOWN:
            await page.screenshot(path=folder / f"room-{name}-{view}.png", animations="disabled")


WRITTEN = (
    ("Jay", "Evening everyone, who is up for a round?"),
    ("Maud", "Moin! In zehn Minuten bin ich da."),
    ("Jay", "Perfect, I'll open the lobby: https://example.com/lobby"),
)
"""What members write while #general is read, and who does."""


async def take_reading(page: Page, room: OpenRoom, folder: Path) -> None:
    """Let members be read aloud in Perch, and save what Robin sees."""
    room.rehearsal.directory.privileged_intents = INTENT_MESSAGE_CONTENT
    await room.bot.restart()
    await come_as(page.context, room.visitor)
    await page.goto(room.url)
    await into_voice(page)
    setting = room.site.room.setting
    channels = list(setting.rookery.channels.values())
    perch = next(one for one in channels if one.is_voice)
    people = {person.name: person for person in setting.people}
    for name in ("Jay", "Maud"):
        await people[name].join(perch)
    await page.get_by_role("button", name="general", exact=False).first.click()
    await command(page, "read here")
    for name, text in WRITTEN:
        await people[name].say(channels[0], text)
    await expect(state(page)).to_contain_text("speaks in")
    await command(page, "queue")
    await heard_again(page)
    await page.screenshot(path=folder / "reading-aloud.png", animations="disabled")


if __name__ == "__main__":
    reason = no_browser()
    if reason:
        sys.exit(reason)
    target = Path(sys.argv[1] if len(sys.argv) > 1 else "docs")
    target.mkdir(parents=True, exist_ok=True)
    asyncio.run(main(target, everything=len(sys.argv) > 1))
