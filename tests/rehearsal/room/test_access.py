"""The page is for everybody: checked by axe, by keyboard alone, and at the width of a phone."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from tests.rehearsal.room.conftest import OpenRoom
from tests.rehearsal.room.sound import until_silent
from tests.rehearsal.room.states import STATES

pytestmark = pytest.mark.asyncio(loop_scope="package")


def axe() -> str:
    """Return axe-core, or skip with a word."""
    found = importlib.util.find_spec("axe_playwright_python")
    if found is None or found.origin is None:
        pytest.skip("axe-core is not here: pip install axe-playwright-python")
    return (Path(found.origin).parent / "axe.min.js").read_text(encoding="utf-8")


async def complaints(page: Page, **options: object) -> list[str]:
    result = await page.evaluate(
        "(options) => axe.run(document, { resultTypes: ['violations'], ...options })", options
    )
    return [
        f"{found['id']}: {node['target']} {node['failureSummary']}"
        for found in result["violations"]
        for node in found["nodes"]
    ]


async def test_axe_has_nothing_to_complain_of_in_any_state_light_or_dark(room: OpenRoom, visit):
    source = axe()
    page = await visit(room, color_scheme="light", reduced_motion="reduce")
    await page.evaluate(source)

    found = {}
    for name, step in STATES.items():
        await step(page)
        found[name] = await complaints(page)
        await page.emulate_media(color_scheme="dark")
        found[f"{name}, dark"] = await complaints(page, runOnly=["color-contrast"])
        await page.emulate_media(color_scheme="light")

    assert [name for name in found if found[name]] == [], found
    assert len(found) == 2 * len(STATES)


async def test_keys_alone_are_enough_to_hear_a_sentence(room: OpenRoom, visit):
    page = await visit(room)
    await expect(page.get_by_text("Myna is ready")).to_be_visible()

    await press_until(page, "Tab", focused="Perch")
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("button", name="Listening")).to_be_visible()
    await page.get_by_label("Message, or a command").focus()
    await page.keyboard.type("/spe")
    await expect(page.get_by_role("option", name="/speak")).to_be_visible()
    await page.keyboard.press("Enter")
    await page.keyboard.type("No mouse was needed.")
    await page.keyboard.press("Enter")
    await until_silent(page)

    await expect(page.locator(".from-bot .file audio")).to_have_count(1)


async def press_until(page: Page, key: str, *, focused: str) -> None:
    for _ in range(40):
        await page.keyboard.press(key)
        if focused in (await page.evaluate("document.activeElement.textContent")):
            return
    raise AssertionError(f"{focused} cannot be reached with {key}")


async def test_a_phone_has_everything_within_its_width(room: OpenRoom, visit):
    page = await visit(room, width=375, height=720)
    await expect(page.get_by_text("Myna is ready")).to_be_visible()

    await page.get_by_role("button", name="Channels", exact=True).click()
    await page.get_by_role("button", name="Perch join").click()
    await expect(page.get_by_role("heading", name="Perch").first).to_be_visible()
    await page.get_by_label("Message, or a command").fill("/clone ")
    await page.get_by_role("button", name="Faults").click()

    width = await page.evaluate("document.documentElement.scrollWidth")
    assert width <= 375
    await page.get_by_role("button", name="Close Faults").click()
    await expect(page.get_by_role("group", name="The command /clone")).to_be_visible()
