"""The page of the last hour in a browser: what it shows is what happened, and everybody can read it."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, expect

from bot.monitor import Monitor
from bot.settings import Address
from rehearsal.faulty_tts_gateway.faults import Respond
from tests.fakes.babble_engine import BabbleEngine
from tests.rehearsal.room.browser import browser_for_tests, no_browser
from tests.rehearsal.room.test_access import axe, complaints
from tests.scenes import DEADLINE, Scene, file_of, open_scene, words_of

pytestmark = pytest.mark.slow


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    async with open_scene(tmp_path / "data", BabbleEngine()) as scene:
        yield scene


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    reason = no_browser()
    if reason:
        pytest.skip(reason)
    async with browser_for_tests() as browser:
        yield browser


@pytest.fixture
async def monitor(scene: Scene) -> AsyncIterator[Monitor]:
    async with Monitor(Address("127.0.0.1", 0), sample_seconds=0.05) as monitor:
        monitor.watch(scene.bot)
        await scene.bot.conditions.look()
        yield monitor


async def opened(browser: Browser, monitor: Monitor, width: int = 1280) -> tuple[Page, list[str]]:
    """Return the page, and what it has complained of."""
    page = await browser.new_page(viewport={"width": width, "height": 900})
    said: list[str] = []
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    await page.goto(monitor.url)
    return page, said


async def test_the_page_shows_what_happened_and_what_is_wrong(
    scene: Scene, monitor: Monitor, browser: Browser
) -> None:
    await scene.alice.join(scene.perch)
    answer = await scene.speak("Nobody reads these words", output="voice channel")
    await answer.until(lambda shown: "Spoken in" in shown.content, timeout=DEADLINE)
    page, said = await opened(browser, monitor)

    await expect(page.get_by_role("status")).to_have_text("Ready")
    await expect(page.get_by_text(re.compile(r"\b1 server\b"))).to_be_visible()
    charts = page.get_by_role("img")
    await expect(charts).to_have_count(6)
    labels = [await chart.get_attribute("aria-label") or "" for chart in await charts.all()]
    assert re.match(r"First sound\. half are heard within: [\d.]+ m?s, at most", labels[0])
    assert re.match(r"Calls of the voice service, a minute\. answered: \d, at most 1; failed: 0", labels[1])
    assert re.match(r"Voice channels\. connected: 1, at most 1;", labels[3])
    assert re.match(r"How late sound is sent\. half within: [\d.]+ m?s, at most", labels[4])
    await expect(page.get_by_role("figure").filter(has_text="Budgets")).to_contain_text(
        "New speech since midnight UTC"
    )
    await expect(page.get_by_role("list", name="What needs you")).to_be_hidden()

    scene.faults.every_post = Respond(402, b"{}")
    await words_of(await scene.speak("No credit", output="here"))
    await scene.bot.conditions.look()
    await page.reload()
    await expect(page.get_by_role("status")).to_have_text("Not ready")
    await expect(page.get_by_role("listitem").filter(has_text="The voice credit is used up")).to_be_visible()
    assert said == []


async def test_everybody_can_read_the_page(scene: Scene, monitor: Monitor, browser: Browser) -> None:
    await file_of(await scene.speak("Hello", output="here"))
    page, said = await opened(browser, monitor, width=360)
    await expect(page.get_by_role("img")).to_have_count(6)
    await page.evaluate(axe())
    await page.emulate_media(color_scheme="light")
    assert await complaints(page) == []
    await page.emulate_media(color_scheme="dark")
    assert await complaints(page) == []
    assert await page.evaluate("document.documentElement.scrollWidth") <= 360
    assert said == []
